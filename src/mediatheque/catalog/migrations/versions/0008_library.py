"""Indexes for the library, and news of medias that were removed."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ORIGINALS = sa.text("key = ''")
_KIND = "coalesce(substring(mime_type, '^(video|image|audio)/'), 'other')"
_PROCESSING = sa.text("job_class = 'processing'")

# However many medias a transaction removes, PostgreSQL tells it once: whoever listens looks for
# itself.
_TELL = """
CREATE FUNCTION medias_tell_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mediatheque_medias_removed', '');
    RETURN NULL;
END
$$
"""
_WHEN_REMOVED = """
CREATE TRIGGER medias_removed AFTER DELETE ON medias
FOR EACH ROW EXECUTE FUNCTION medias_tell_removed()
"""


def upgrade() -> None:
    """Create them."""
    op.create_index(
        "medias_originals_filename", "medias", ["filename", "id"], postgresql_where=_ORIGINALS
    )
    op.create_index("medias_originals_size", "medias", ["size", "id"], postgresql_where=_ORIGINALS)
    op.create_index(
        "medias_originals_kind",
        "medias",
        [sa.text(_KIND), "created_at", "id"],
        postgresql_where=_ORIGINALS,
    )
    op.create_index(
        "jobs_medias",
        "jobs",
        [sa.text("(arguments -> 'medias')")],
        postgresql_using="gin",
        postgresql_where=_PROCESSING,
    )
    op.execute(_TELL)
    op.execute(_WHEN_REMOVED)

"""Resumable uploads."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "resumable_uploads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("concatenation", sa.Text(), nullable=False),
        sa.Column("length", sa.BigInteger()),
        sa.Column("ending", sa.Boolean(), nullable=False),
        sa.Column("parts", sa.ARRAY(sa.Uuid()), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("final_id", sa.Uuid()),
        sa.Column("destination", postgresql.JSONB(), nullable=False),
        sa.Column("metadata", sa.Text()),
        sa.Column("digests", postgresql.JSONB(), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("media_id", sa.Uuid()),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("request", sa.Text()),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_role", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False, server_default=_NOW),
        sa.Column("updated_at", _TIME, nullable=False, server_default=_NOW),
        sa.ForeignKeyConstraint(["media_id"], ["medias.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("resumable_uploads_media_id", "resumable_uploads", ["media_id"])
    op.create_index(
        "resumable_uploads_idempotency_key",
        "resumable_uploads",
        ["created_by", "idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
    op.create_index(
        "resumable_uploads_unfinished",
        "resumable_uploads",
        ["updated_at"],
        postgresql_where=sa.text("media_id IS NULL"),
    )

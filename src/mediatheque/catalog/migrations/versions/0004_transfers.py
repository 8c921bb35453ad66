"""Transfers and their files; finding medias by their bytes and by their object."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_FALSE = sa.text("false")
_ZERO = sa.text("0")


def upgrade() -> None:
    """Create the tables, and the indexes that deduplication needs."""
    op.create_table(
        "transfers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sources", postgresql.JSONB(), nullable=False),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.Column("segmented", sa.Boolean(), nullable=False),
        sa.Column("segments", sa.Integer(), nullable=False, server_default=_ZERO),
        sa.Column("scanned", sa.Boolean(), nullable=False, server_default=_FALSE),
        sa.Column("retake", sa.Boolean(), nullable=False, server_default=_FALSE),
        sa.Column("bandwidth", sa.BigInteger()),
        sa.Column("files_total", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.Column("files_complete", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.Column("files_failed", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.Column("files_skipped", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.Column("bytes_total", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.Column("bytes_complete", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.ForeignKeyConstraint(["id"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "transfer_files",
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("media_id", sa.Uuid()),
        sa.Column("upload_id", sa.Text()),
        sa.Column("crc64nvme", sa.Text()),
        sa.Column("blake3", sa.Text()),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("transfer_id", "position"),
    )
    op.create_index(
        "transfer_files_path",
        "transfer_files",
        ["transfer_id", sa.text("sha256(path)")],
        unique=True,
    )
    op.create_index("transfer_files_state", "transfer_files", ["transfer_id", "state", "position"])
    op.create_index(
        "transfer_files_unfinished",
        "transfer_files",
        ["media_id"],
        postgresql_where=sa.text("media_id IS NOT NULL AND state <> 'complete'"),
    )
    op.create_index(
        "medias_blake3",
        "medias",
        ["blake3", "size"],
        postgresql_where=sa.text("blake3 IS NOT NULL"),
    )
    op.create_index("medias_object_key", "medias", ["object_key"])

"""Intakes, recordings and their chunks; warnings of workers."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_FALSE = sa.text("false")
_ZERO = sa.text("0")
_NOW = sa.text("now()")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables, and the column of workers."""
    op.create_table(
        "intakes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.Column("crc64nvme", sa.Text(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False, server_default=_FALSE),
        sa.Column("holder", sa.Uuid()),
        sa.Column("held_until", _TIME),
        sa.Column("created_at", _TIME, nullable=False, server_default=_NOW),
        sa.Column("touched_at", _TIME, nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "intake_segments",
        sa.Column("intake_id", sa.Uuid(), nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["intake_id"], ["intakes.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("intake_id", "start"),
    )
    op.create_table(
        "recordings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("media_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("chunks", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.Column("size", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.Column("warning", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("job_id", sa.Uuid()),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_role", sa.Text(), nullable=False),
        sa.Column("finished_at", _TIME),
        sa.Column("created_at", _TIME, nullable=False, server_default=_NOW),
        sa.Column("updated_at", _TIME, nullable=False, server_default=_NOW),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("media_id"),
    )
    op.create_index("recordings_created_at", "recordings", ["created_at", "id"])
    op.create_index("recordings_job_id", "recordings", ["job_id"])
    op.create_index(
        "recordings_unfinished",
        "recordings",
        ["updated_at"],
        postgresql_where=sa.text("state IN ('recording', 'processing')"),
    )
    op.create_table(
        "recording_chunks",
        sa.Column("recording_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("blake3", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("recording_id", "number"),
    )
    op.add_column("workers", sa.Column("warning", sa.Text()))
    op.create_index("recording_chunks_start", "recording_chunks", ["recording_id", "start"])

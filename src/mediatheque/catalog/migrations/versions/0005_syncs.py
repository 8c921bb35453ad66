"""Syncs, their buckets, objects, operations and schedules."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_FALSE = sa.text("false")
_TRUE = sa.text("true")
_ZERO = sa.text("0")
_NOW = sa.text("now()")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables, and the trigger that ends what a sync's job leaves behind."""
    op.create_table(
        "sync_buckets",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created", sa.Boolean(), nullable=False, server_default=_FALSE),
        sa.Column("ordered", sa.Boolean(), nullable=False, server_default=_TRUE),
        sa.Column("backslashes", sa.Boolean()),
        sa.Column(
            "backup_prefixes",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            server_default=sa.text("'{}'"),
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("sync_buckets_place", "sync_buckets", ["location", "name"], unique=True)
    op.create_table(
        "sync_objects",
        sa.Column("bucket_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("ctime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("blake3", sa.Text(), nullable=False),
        sa.Column("uploaded", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["bucket_id"], ["sync_buckets.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("bucket_id", "key"),
    )
    op.create_index("sync_objects_moved", "sync_objects", ["bucket_id", "size", "mtime_ns"])
    op.create_table(
        "syncs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("bucket_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("options", postgresql.JSONB(), nullable=False),
        sa.Column("credentials", sa.LargeBinary()),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("plan", postgresql.JSONB()),
        sa.Column("planned_at", _TIME),
        sa.Column("done_files", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.Column("done_bytes", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.Column("failed", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.Column("rounds", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.Column("reason", sa.Text()),
        sa.ForeignKeyConstraint(["id"], ["jobs.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["bucket_id"], ["sync_buckets.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number"),
    )
    op.create_index("syncs_bucket_id", "syncs", ["bucket_id"])
    op.create_table(
        "sync_operations",
        sa.Column("sync_id", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("stored_etag", sa.Text()),
        sa.Column("stored_size", sa.BigInteger()),
        sa.Column("copy_from", sa.LargeBinary()),
        sa.Column("mtime_ns", sa.BigInteger()),
        sa.Column("ctime_ns", sa.BigInteger()),
        sa.Column("inode", sa.BigInteger()),
        sa.Column("blake3", sa.Text()),
        sa.Column("owned", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("upload_id", sa.Text()),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sync_id", "rank", "position"),
    )
    op.create_index(
        "sync_operations_pending",
        "sync_operations",
        ["sync_id", "rank", "position"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "sync_operations_uploads",
        "sync_operations",
        ["upload_id"],
        postgresql_where=sa.text("upload_id IS NOT NULL"),
    )
    op.create_table(
        "sync_schedules",
        sa.Column("number", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("bucket_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("options", postgresql.JSONB(), nullable=False),
        sa.Column("credentials", sa.LargeBinary()),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("next_at", _TIME, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_role", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False, server_default=_NOW),
        sa.ForeignKeyConstraint(["bucket_id"], ["sync_buckets.id"]),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("sync_schedules_next_at", "sync_schedules", ["next_at"])
    # Here rather than in the code, because jobs end in many ways: the keys of a sync go with its
    # end, and a sync that is begun again after it makes a new plan.
    op.execute(
        """
        CREATE FUNCTION end_sync() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE syncs SET credentials = NULL, planned_at = NULL WHERE id = NEW.id;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER jobs_end_sync AFTER UPDATE OF status ON jobs FOR EACH ROW
        WHEN (NEW.job_class = 'sync' AND NEW.status IN ('completed', 'errored', 'cancelled'))
        EXECUTE FUNCTION end_sync()
        """
    )

"""Jobs, their history, and the workers that run them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")
_LISTED = (
    "job_class",
    "priority",
    "status",
    "progress",
    "retry_count",
    "error",
    "unicity",
    "scheduled_at",
    "created_at",
    "updated_at",
    "created_by",
)

# Numbers are given at the end of each transaction, one transaction at a time: whoever has seen a
# number has seen all below it, or can find them. Given where the row is inserted, 5 could become
# visible after 6, and a client that goes on after 6 would never hear of it. Transactions that
# notify wait for each other at this point anyway.
_PUBLISH = """
CREATE FUNCTION publish_job_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    next_number bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(4827170635186530);
    next_number := nextval('job_event_numbers');
    UPDATE job_events SET number = next_number WHERE id = NEW.id;
    PERFORM pg_notify('mediatheque_jobs', json_build_object(
        'id', next_number, 'job', NEW.job_id, 'at', NEW.at, 'kind', NEW.kind, 'actor', NEW.actor,
        'detail', NEW.detail, 'status', NEW.status, 'progress', NEW.progress, 'owner', NEW.owner
    )::text);
    RETURN NULL;
END $$
"""
_TRIGGER = """
CREATE CONSTRAINT TRIGGER job_events_publish AFTER INSERT ON job_events
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION publish_job_event()
"""


def upgrade() -> None:
    """Create the tables and the indexes behind every filter and order of the list."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_class", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("arguments", postgresql.JSONB(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("signal", sa.Text()),
        sa.Column("progress", sa.Double(), nullable=False, server_default=sa.text("0")),
        sa.Column("checkpoint", postgresql.JSONB()),
        sa.Column("error", sa.Text()),
        sa.Column("retry_count", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("crashes", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("unicity", sa.Text()),
        sa.Column("epoch", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("queue_id", sa.BigInteger()),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_role", sa.Text(), nullable=False),
        sa.Column("scheduled_at", sa.DateTime(timezone=True)),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=_NOW),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "jobs_unicity_live",
        "jobs",
        ["unicity"],
        unique=True,
        postgresql_where=sa.text("status IN ('pending', 'running', 'paused')"),
    )
    for name in _LISTED:
        op.create_index(f"jobs_{name}", "jobs", [name, "id"])
    op.create_table(
        "job_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("number", sa.BigInteger()),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("clock_timestamp()"),
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("job_events_number", "job_events", ["number"], unique=True)
    op.create_index("job_events_job_id", "job_events", ["job_id", "number"])
    op.execute("CREATE SEQUENCE job_event_numbers")
    op.execute(_PUBLISH)
    op.execute(_TRIGGER)
    op.create_table(
        "workers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, server_default=_NOW),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("id"),
    )

"""How far large files of syncs are."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this step."""
    op.add_column(
        "sync_operations", sa.Column("sent", sa.BigInteger, nullable=False, server_default="0")
    )
    op.create_index(
        "sync_operations_under_way",
        "sync_operations",
        ["sync_id", "rank", "position"],
        postgresql_where=sa.text("state = 'pending' AND sent > 0"),
    )

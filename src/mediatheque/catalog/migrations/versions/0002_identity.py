"""Identity: which catalog this is."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of one row."""
    op.create_table(
        "identity",
        sa.Column("single", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("single", name="identity_single"),
        sa.PrimaryKeyConstraint("single"),
    )

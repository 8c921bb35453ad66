"""What clients said of uploads that are made of others, as it was received."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this step."""
    op.add_column("resumable_uploads", sa.Column("concat", sa.Text))

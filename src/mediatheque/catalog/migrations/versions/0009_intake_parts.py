"""Bytes of intakes that are parts of multipart uploads."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this step."""
    op.add_column("intake_segments", sa.Column("upload_id", sa.Text))
    op.add_column("intake_segments", sa.Column("part_number", sa.Integer))
    op.add_column("intake_segments", sa.Column("etag", sa.Text))
    op.create_index(
        "intake_segments_upload_id",
        "intake_segments",
        ["upload_id"],
        postgresql_where=sa.text("upload_id IS NOT NULL"),
    )

"""Medias and uploads: the first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "medias",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mime_type", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_role", sa.Text(), nullable=False),
        sa.Column("public", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=True),
        sa.Column(
            "tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "meta",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("crc64nvme", sa.Text(), nullable=True),
        sa.Column("blake3", sa.Text(), nullable=True),
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("medias_created_at", "medias", ["created_at", "id"], unique=False)
    op.create_index("medias_created_by", "medias", ["created_by", "id"], unique=False)
    op.create_index("medias_created_role", "medias", ["created_role", "id"], unique=False)
    op.create_index("medias_filename", "medias", ["filename", "id"], unique=False)
    op.create_index("medias_key", "medias", ["key", "id"], unique=False)
    op.create_index("medias_mime_type", "medias", ["mime_type", "id"], unique=False)
    op.create_index(
        "medias_originals",
        "medias",
        ["created_at", "id"],
        unique=False,
        postgresql_where=sa.text("key = ''"),
    )
    op.create_index("medias_project_id", "medias", ["project_id", "id"], unique=False)
    op.create_index("medias_public", "medias", ["public", "id"], unique=False)
    op.create_index("medias_resource_key", "medias", ["resource", "key"], unique=True)
    op.create_index("medias_size", "medias", ["size", "id"], unique=False)
    op.create_index("medias_tags", "medias", ["tags"], unique=False, postgresql_using="gin")
    op.create_index("medias_updated_at", "medias", ["updated_at", "id"], unique=False)
    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column(
            "tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_role", sa.Text(), nullable=False),
        sa.Column("staged_key", sa.Text(), nullable=True),
        sa.Column("crc64nvme", sa.Text(), nullable=True),
        sa.Column("blake3", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("uploads_expires_at", "uploads", ["expires_at"], unique=False)

"""The contents of messages: pictures, recordings, files."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the tables and their indexes."""
    op.create_table(
        "media_pieces",
        sa.Column("upload", sa.Text(), primary_key=True),
        sa.Column("index", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger()),
    )
    op.create_table(
        "media",
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("upload", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger()),
        sa.UniqueConstraint("upload", name="media_upload"),
    )
    op.create_table(
        "media_uses",
        sa.Column("ticket", sa.Text(), primary_key=True),
        sa.Column("digest", sa.Text(), sa.ForeignKey("media.digest", name="media_uses_digest"), primary_key=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kept", sa.Boolean(), nullable=False),
    )
    op.create_index("media_uses_digest", "media_uses", ["digest"])
    op.create_index("media_uses_author", "media_uses", ["author", "at_ms"])
    unkept = sa.text("NOT kept")
    op.create_index("media_uses_unkept", "media_uses", ["at_ms"], sqlite_where=unkept, postgresql_where=unkept)

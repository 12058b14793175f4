"""What is to be sent to chat platforms."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the table and its indexes."""
    op.create_table(
        "outbox",
        sa.Column("place", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("index", sa.SmallInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("conversation", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("platform_id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.UniqueConstraint("id", name="outbox_id"),
    )
    is_open = sa.text("state IN ('pending', 'leased', 'sending', 'retry', 'unknown', 'dropped')")
    columns = ["account", "conversation", "place", "state", "due_ms"]
    op.create_index("outbox_open", "outbox", columns, sqlite_where=is_open, postgresql_where=is_open)
    named = sa.text("platform_id != ''")
    columns = ["account", "platform_id"]
    op.create_index("outbox_platform_id", "outbox", columns, sqlite_where=named, postgresql_where=named)

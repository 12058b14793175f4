"""The first open row of each conversation in the outbox is marked, and found by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_STATES = "('pending', 'leased', 'sending', 'retry', 'unknown', 'dropped')"
_OPEN = f"state IN {_STATES}"
_INDEXES = {
    "outbox_open": (["account", "conversation", "place", "state"], _OPEN),
    "outbox_head": (["state", "account", "due_ms", "place"], "head"),
    "outbox_stuck": (["state", "place"], "state IN ('unknown', 'dropped')"),
    "outbox_platform_id": (["account", "platform_id"], "platform_id != ''"),
    "outbox_settled": (["at_ms"], f"state NOT IN {_STATES}"),
    "outbox_notices": (["account", "conversation", "place"], "message = ''"),
}


def upgrade() -> None:
    """Write the table anew, because SQLite adds a column behind the constraints, and mark the heads."""
    for name in ("outbox_open", "outbox_platform_id", "outbox_settled", "outbox_notices"):
        op.drop_index(name, "outbox")
    if op.get_bind().dialect.name == "postgresql":  # there the names are the schema's, not the table's
        op.drop_constraint("outbox_id", "outbox")
        op.execute("ALTER INDEX outbox_pkey RENAME TO outbox_before_pkey")
    op.rename_table("outbox", "outbox_before")
    outbox = op.create_table(
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
        sa.Column("head", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("id", name="outbox_id"),
    )
    names = [column.name for column in outbox.columns if column.name != "head"]
    before = sa.table("outbox_before", *map(sa.column, names))
    op.execute(sa.insert(outbox).from_select([*names, "head"], sa.select(*before.columns, sa.false())))
    op.drop_table("outbox_before")
    for name, (columns, where) in _INDEXES.items():
        op.create_index(name, "outbox", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    lanes = (outbox.c.account, outbox.c.conversation)
    heads = sa.select(sa.func.min(outbox.c.place)).where(sa.text(_OPEN)).group_by(*lanes)
    op.execute(sa.update(outbox).where(outbox.c.place.in_(heads)).values(head=sa.true()))

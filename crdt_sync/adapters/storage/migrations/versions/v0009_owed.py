"""Since when something is owed, and the notices among what is to be sent."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the table and the index; what is owed already has been since its ticket last changed, or longer."""
    table = op.create_table(
        "owed",
        sa.Column("ticket", sa.Text(), primary_key=True),
        sa.Column("obligation", sa.Text(), primary_key=True),
        sa.Column("raised_ms", sa.BigInteger(), nullable=False),
        sa.Column("red_ms", sa.BigInteger(), nullable=False),
    )
    not_red = sa.text("red_ms = 0")
    op.create_index("owed_not_red", "owed", ["raised_ms"], sqlite_where=not_red, postgresql_where=not_red)
    notice = sa.text("message = ''")
    columns = ["account", "conversation", "place"]
    op.create_index("outbox_notices", "outbox", columns, sqlite_where=notice, postgresql_where=notice)
    stored = sa.text("SELECT id, obligations, updated_at_ms FROM tickets WHERE obligations != '[]'")
    rows = {
        (ticket, _text(owed)): updated_ms
        for ticket, obligations, updated_ms in op.get_bind().execute(stored).all()
        for owed in json.loads(obligations)
    }
    for (ticket, obligation), raised_ms in rows.items():
        values = {"ticket": ticket, "obligation": obligation, "raised_ms": raised_ms, "red_ms": 0}
        op.execute(sa.insert(table).values(values))


def _text(owed: dict[str, object]) -> str:
    """Spell what is owed, without what caused it."""
    kept = {name: value for name, value in owed.items() if name != "trigger"}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"))

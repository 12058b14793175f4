"""The first schema: the log, what is derived from it, and the row that numbers everything."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _row_key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table, and position 0."""
    op.create_table(
        "updates",
        sa.Column("position", _row_key(), primary_key=True, autoincrement=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("document_position", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.UniqueConstraint("document", "document_position", name="updates_document_position"),
    )
    op.create_table(
        "snapshots",
        sa.Column("document", sa.Text(), primary_key=True),
        sa.Column("document_position", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "transitions",
        sa.Column("position", _row_key(), primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.UniqueConstraint("id", name="transitions_id"),
    )
    op.create_index("transitions_ticket_position", "transitions", ["ticket", "position"])
    op.create_table(
        "messages",
        sa.Column("position", _row_key(), primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.UniqueConstraint("id", name="messages_id"),
    )
    op.create_index("messages_ticket_position", "messages", ["ticket", "position"])
    op.create_table(
        "events",
        sa.Column("position", _row_key(), primary_key=True, autoincrement=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("traceparent", sa.Text()),
    )
    op.create_table(
        "tickets",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("lifecycle", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("lanes", sa.Text(), nullable=False),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("obligations", sa.Text(), nullable=False),
        sa.Column("card", sa.Text(), nullable=False),
        sa.Column("participants", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("opened_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("traceparent", sa.Text()),
    )
    op.create_table(
        "ticket_facets",
        sa.Column("facet", sa.Text(), primary_key=True),
        sa.Column("value", sa.Text(), primary_key=True),
        sa.Column("ticket", sa.Text(), sa.ForeignKey("tickets.id", name="ticket_facets_ticket"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "subjects",
        sa.Column("subject", sa.Text(), primary_key=True),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("readable", sa.Text(), nullable=False),
    )
    op.create_table(
        "results",
        sa.Column("actor", sa.Text(), primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", _row_key(), primary_key=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "lifecycles",
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("source", sa.Text(), nullable=False),
    )
    op.create_table(
        "service_position",
        sa.Column("id", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("checks", sa.BigInteger(), nullable=False),
    )
    op.execute("INSERT INTO service_position (id, value, checks) VALUES (1, 0, 0)")

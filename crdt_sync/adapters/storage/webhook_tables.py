"""The part of the SQL schema that is about webhooks. It never opens a connection."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, SmallInteger, Table, Text

from crdt_sync.adapters.storage.tables import metadata

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("department", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("tickets", Text),
    Column("granted_ms", BigInteger, nullable=False),
    Column("url", Text, nullable=False),
    Column("types", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("secret", Text, nullable=False),
    Column("former_secret", Text, nullable=False),
    Column("former_until_ms", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("paused", Text, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("failing_since_ms", BigInteger),
    Column("taken_ms", BigInteger),
)

# What waits to be sent again, or was given up: no row stands for an event that was taken.
webhook_rows = Table(
    "webhook_rows",
    metadata,
    Column("webhook", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("ticket", Text, nullable=False),
    Column("dead", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("code", Text, nullable=False),
    Index("webhook_rows_age", "dead", "at_ms"),
)

# Who sends webhooks, and until when: one row at most.
webhook_leader = Table(
    "webhook_leader",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("owner", Text, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)

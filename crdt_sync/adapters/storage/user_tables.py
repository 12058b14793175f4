"""The part of the SQL schema that is about people who sign in. It never opens a connection."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text

from crdt_sync.adapters.storage.tables import metadata

users = Table(
    "users",
    metadata,
    Column("name", Text, primary_key=True),
    Column("department", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
)

# A row stays when its session has ended: it is the record of who signed in, and goes by its age.
browser_sessions = Table(
    "browser_sessions",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("department", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("way", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("began_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Index("browser_sessions_began", "began_ms"),
    Index("browser_sessions_expires", "expires_ms"),
)

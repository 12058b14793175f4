"""The tables of the inbox, and the version of their form. Owns no query.

A row of `inbox` is one callback for ever; `state` alone says what became of it. A row of `inbox_key` is one key under
which its platform may send it again, so the same callback can never become a second row, and a forwarding that failed
never blocks the key's owner. A row of `pull` is written with the rows that it counts as pulled.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    literal_column,
    text,
)

SCHEMA_VERSION = 10  # kept in SQLite's own `user_version`, which a fresh file has at 0

metadata = MetaData()

inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True),  # in order of arrival
    Column("account", String, nullable=False),
    Column("conversation", String, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),  # the decrypted content, as the platform wrote it
    Column("state", String, nullable=False),  # received | forwarded | dead
    Column("code", String),  # of what is dead
    Column("ticket", String),
    Column("message", String),
    Column("traceparent", String, nullable=False),
    Column("duplicates", Integer, nullable=False, server_default="0"),  # how often the platform sent it again
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_ms", BigInteger, nullable=False),
    Column("spec", String),  # the text of the channel's description by which it was read, if it has one
    sqlite_autoincrement=True,  # an id is never used twice, whatever a later clean-up removes
)

# A literal and no parameter: SQLite uses a partial index only where it can prove that the query implies its condition.
WAITING = inbox.c.state == literal_column("'received'")

# What waits is a small part of all rows; each lane's oldest is read from this index alone. SQLite counts the index as
# covering only with the column of its own condition.
Index("inbox_waiting", inbox.c.account, inbox.c.conversation, inbox.c.id, inbox.c.state, sqlite_where=WAITING)

# What was forwarded and still says what it said; a row may come among these long after those behind it.
FULL = text("state = 'forwarded' AND raw != x''")
Index("inbox_full", inbox.c.received_at_ms, sqlite_where=FULL)

inbox_key = Table(
    "inbox_key",
    metadata,
    Column("account", String, nullable=False),
    Column("key", String, nullable=False),
    Column("inbox_id", Integer, ForeignKey("inbox.id"), nullable=False),
    PrimaryKeyConstraint("account", "key"),
    sqlite_with_rowid=False,
)

Index("inbox_key_row", inbox_key.c.inbox_id)  # by which a row that is forgotten takes its keys with it

pull = Table(
    "pull",
    metadata,
    Column("account", String, nullable=False),
    Column("source", String, nullable=False),  # what the platform lets us pull apart, such as one customer service
    Column("cursor", String, nullable=False),
    Column("pulled_at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("account", "source"),
    sqlite_with_rowid=False,
)

reply = Table(
    "reply",
    metadata,
    Column("account", String, nullable=False),
    Column("conversation", String, nullable=False),
    Column("reply_to", String, nullable=False),  # said by the newest callback, in the channel's own form
    Column("heard_ms", BigInteger, nullable=False, server_default="0"),  # when that callback came
    PrimaryKeyConstraint("account", "conversation"),
    Index("reply_age", "heard_ms"),
    sqlite_with_rowid=False,
)

# A content that is still to be fetched and brought to the service, or was refused; see `gateway.media_queue`.
media_wanted = Table(
    "media_wanted",
    metadata,
    Column("account", String, nullable=False),
    Column("key", String, nullable=False),  # the idempotency key of its message
    Column("index", Integer, nullable=False),  # of its part there
    Column("type", String, nullable=False),
    Column("platform_id", String, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_ms", BigInteger, nullable=False),
    Column("code", String, nullable=False),  # why there is none; empty while it is wanted
    PrimaryKeyConstraint("account", "key", "index"),
    Index("media_wanted_next", "code", "next_attempt_ms", "since_ms"),
    sqlite_with_rowid=False,
)

media_held = Table(
    "media_held",
    metadata,
    Column("account", String, nullable=False),
    Column("key", String, nullable=False),
    Column("index", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("account", "key", "index"),
)

visitor_log = Table(
    "visitor_log",
    metadata,
    Column("account", String, nullable=False),
    Column("conversation", String, nullable=False),
    Column("seq", Integer, nullable=False),  # from 1 on, without a gap
    Column("key", String, nullable=False),  # of the callback or the delivery that the entry is of
    Column("author", String, nullable=False),  # visitor | agent | system
    Column("state", String, nullable=False),  # of what an agent said: nothing, delivered or read
    Column("content", String, nullable=False),  # JSON, all of which its visitor may see
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("account", "conversation", "seq"),
    UniqueConstraint("account", "key"),
    sqlite_with_rowid=False,
)

Index("visitor_log_age", visitor_log.c.at_ms)

visitor_forgotten = Table(
    "visitor_forgotten",
    metadata,
    Column("account", String, nullable=False),
    Column("conversation", String, nullable=False),
    Column("seq", Integer, nullable=False),  # of the newest entry that was forgotten: open pages are as far as that
    PrimaryKeyConstraint("account", "conversation"),
    sqlite_with_rowid=False,
)

visitor_picture = Table(
    "visitor_picture",
    metadata,
    Column("digest", String, primary_key=True),
    Column("type", String, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("at_ms", BigInteger, nullable=False),  # when an entry named it last
)

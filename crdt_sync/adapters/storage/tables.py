"""The SQL schema, once. It owns names, keys and indexes, and never opens a connection.

Migrations build the schema; a test proves that they arrive at exactly this. Values that are not columns of their own
are kept as canonical JSON text, so that SQLite and PostgreSQL hold the same bytes. `checksum` is over the other
columns of a row that never changes, see `checksums`; NULL where the row is older than the column.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

# On SQLite only INTEGER PRIMARY KEY is the row's own key; BIGINT would cost a second tree.
_ROW_KEY = BigInteger().with_variant(Integer, "sqlite")

# Every document that was ever written. The log names one by its number: with names of 70 bytes in its index, to keep
# that index would cost more than the rows.
documents = Table(
    "documents",
    metadata,
    Column("id", _ROW_KEY, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("checksum", BigInteger),
    UniqueConstraint("name", name="documents_name"),
)

updates = Table(
    "updates",
    metadata,
    Column("position", _ROW_KEY, primary_key=True, autoincrement=False),
    Column("document_id", BigInteger, ForeignKey("documents.id", name="updates_document"), nullable=False),
    Column("document_position", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("actor", Text, nullable=False),
    Column("department", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("traceparent", Text),
    Column("checksum", BigInteger),
    UniqueConstraint("document_id", "document_position", name="updates_document_position"),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("document", Text, primary_key=True),
    Column("document_position", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("authors", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("checksum", BigInteger),
)

# Who wrote which of the updates that a snapshot took the place of: a row a compaction, see `service.authorship`.
authorship = Table(
    "authorship",
    metadata,
    Column("document", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),  # of the newest
    Column("data", LargeBinary, nullable=False),
    Column("checksum", BigInteger),
)

# The client ids, in a JSON array, under which former lives of a document were written; a row a document that has any.
ended_clients = Table(
    "ended_clients",
    metadata,
    Column("document", Text, primary_key=True),
    Column("clients", Text, nullable=False),
    Column("checksum", BigInteger),
)

# One row for each time that the database was restored. `position` is where that epoch began.
restores = Table(
    "restores",
    metadata,
    Column("epoch", _ROW_KEY, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("checksum", BigInteger),
)

transitions = Table(
    "transitions",
    metadata,
    Column("position", _ROW_KEY, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("ticket", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("traceparent", Text),
    Column("checksum", BigInteger),
    UniqueConstraint("id", name="transitions_id"),
    Index("transitions_ticket_position", "ticket", "position"),
)

messages = Table(
    "messages",
    metadata,
    Column("position", _ROW_KEY, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("ticket", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("traceparent", Text),
    Column("checksum", BigInteger),
    UniqueConstraint("id", name="messages_id"),
    Index("messages_ticket_position", "ticket", "position"),
)

events = Table(
    "events",
    metadata,
    Column("position", _ROW_KEY, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("ticket", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("traceparent", Text),
    Column("checksum", BigInteger),
)

tickets = Table(
    "tickets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("lifecycle", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("lanes", Text, nullable=False),
    Column("flags", Text, nullable=False),
    Column("obligations", Text, nullable=False),
    Column("card", Text, nullable=False),
    Column("participants", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("opened_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("traceparent", Text),
    Column("duplicate_of", Text),
    Column("answers_in", Text),
)

# What tickets are found by, see `keys.facets`. The primary key serves "the tickets with this facet, in the order of
# their ids" without a sort.
ticket_facets = Table(
    "ticket_facets",
    metadata,
    Column("facet", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("ticket", Text, ForeignKey("tickets.id", name="ticket_facets_ticket"), primary_key=True),
    sqlite_with_rowid=False,
)

subjects = Table(
    "subjects",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("ticket", Text, nullable=False),
    Column("readable", Text, nullable=False),
    Column("checksum", BigInteger),
)

results = Table(
    "results",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("checksum", BigInteger),
)

# What is to be sent to chat platforms: a row a part of an answer or a notice, see `ports.outbox`. `place` is the
# position of the message or the notice and the part's index in one number. A literal condition: SQLite uses a partial
# index only where it can prove that the query implies it. `head` marks the first open row of a conversation, which
# alone may be sent: a claim walks an index of those.
OPEN = text("state IN ('pending', 'leased', 'sending', 'retry', 'unknown', 'dropped')")
HEAD = text("head")
STUCK = text("state IN ('unknown', 'dropped')")
SETTLED = text("state NOT IN ('pending', 'leased', 'sending', 'retry', 'unknown', 'dropped')")
SENT_AS = text("platform_id != ''")
SENT_NOTICE = text("message = '' AND state = 'sent'")

outbox = Table(
    "outbox",
    metadata,
    Column("place", _ROW_KEY, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("ticket", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("index", SmallInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("traceparent", Text),
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("platform_id", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("head", Boolean, nullable=False),
    UniqueConstraint("id", name="outbox_id"),
    # SQLite counts an index as covering only with the columns of its own condition.
    Index("outbox_open", "account", "conversation", "place", "state", sqlite_where=OPEN, postgresql_where=OPEN),
    Index("outbox_head", "state", "account", "due_ms", "place", sqlite_where=HEAD, postgresql_where=HEAD),
    Index("outbox_stuck", "state", "place", sqlite_where=STUCK, postgresql_where=STUCK),
    Index("outbox_platform_id", "account", "platform_id", sqlite_where=SENT_AS, postgresql_where=SENT_AS),
    Index("outbox_settled", "at_ms", sqlite_where=SETTLED, postgresql_where=SETTLED),
    Index("outbox_notices", "account", "conversation", "place", sqlite_where=SENT_NOTICE, postgresql_where=SENT_NOTICE),
)

# What the platforms of accounts allow, as their gateways have said; no row where there is no bound.
windows = Table(
    "windows",
    metadata,
    Column("account", Text, primary_key=True),
    Column("duration_ms", BigInteger, nullable=False),
    Column("parts_max", BigInteger),
)

# The positions of notices that were settled long ago and deleted: every position stands somewhere, or it is missing.
pruned_notices = Table(
    "pruned_notices",
    metadata,
    Column("position", _ROW_KEY, primary_key=True, autoincrement=False),
)

# Since when something is owed, see `ports.owed`; it is red since `red_ms`, 0 if it is not.
NOT_RED = text("red_ms = 0")

owed = Table(
    "owed",
    metadata,
    Column("ticket", Text, primary_key=True),
    Column("obligation", Text, primary_key=True),
    Column("raised_ms", BigInteger, nullable=False),
    Column("red_ms", BigInteger, nullable=False),
    Index("owed_not_red", "raised_ms", sqlite_where=NOT_RED, postgresql_where=NOT_RED),
)


# Who has which lane of an open ticket, as its card says; see `ports.desk`.
assignments = Table(
    "assignments",
    metadata,
    Column("ticket", Text, primary_key=True),
    Column("lane", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Index("assignments_actor", "actor", "ticket"),
)

# Whom each rule of the service desk has chosen last.
turns = Table(
    "turns",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("actor", Text, nullable=False),
)

# Whose a ticket is. A party is one side of conversations on one account; several may be one customer.
customers = Table(
    "customers",
    metadata,
    Column("ticket", Text, primary_key=True),
    Column("party", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Index("customers_party", "party"),
    Index("customers_customer", "customer"),
)

# The contents of messages: pictures, recordings, files, in pieces under the name of an upload; see `ports.media`.
media_pieces = Table(
    "media_pieces",
    metadata,
    Column("upload", Text, primary_key=True),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("checksum", BigInteger),
    Index("media_pieces_age", "at_ms", "upload"),  # else what is loose is found by reading every content
)

media = Table(
    "media",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("upload", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("checksum", BigInteger),
    UniqueConstraint("upload", name="media_upload"),
)

# A literal condition, as above: what is not kept is little, and looked for each hour.
UNKEPT = text("NOT kept")

media_uses = Table(
    "media_uses",
    metadata,
    Column("ticket", Text, primary_key=True),
    Column("digest", Text, ForeignKey("media.digest", name="media_uses_digest"), primary_key=True),
    Column("audience", Text, primary_key=True),
    Column("author", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("kept", Boolean, nullable=False),
    Index("media_uses_digest", "digest"),
    Index("media_uses_author", "author", "at_ms"),
    Index("media_uses_unkept", "at_ms", sqlite_where=UNKEPT, postgresql_where=UNKEPT),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", _ROW_KEY, primary_key=True),
    Column("document", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

lifecycles = Table(
    "lifecycles",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("source", Text, nullable=False),
)

# The texts of each side stand in one JSON object: a replica chose its own, and JSON holds whatever it chose.
alarms = Table(
    "alarms",
    metadata,
    Column("ticket", Text, primary_key=True),
    Column("department", Text, primary_key=True),
    Column("heads", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("replica", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Index("alarms_department", "department"),
)

# What operators have taken from people. A row stays when it is given back, so that whoever follows sees the change.
restrictions = Table(
    "restrictions",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("change", BigInteger, nullable=False),
    Column("restriction", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    UniqueConstraint("change", name="restrictions_change"),
)

refusals = Table(
    "refusals",
    metadata,
    Column("id", _ROW_KEY, primary_key=True),
    Column("hour_ms", BigInteger, nullable=False),
    Column("wire", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("department", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    UniqueConstraint("hour_ms", "source", "actor", "department", "wire", "code", "subject", name="refusals_kind"),
)

# One row. `value` is the newest position. `checks` changes when readiness is probed: SQLite writes nothing for an
# update that leaves a row as it is, and then the probe would prove nothing.
service_position = Table(
    "service_position",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
    Column("checks", BigInteger, nullable=False),
)

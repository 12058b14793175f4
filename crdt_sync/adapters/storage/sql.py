"""The store on a SQL database: SQLite by default, PostgreSQL by its URL.

It owns transactions and rows, and never decides what a row means. Positions are exact because every commit begins by
advancing the one row of `service_position`: that row is locked until the commit ends, so a reader that has seen
position n will never see a smaller one appear.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from functools import partial
from typing import Any

from alembic.util import CommandError
from sqlalchemy import Connection, RowMapping, Select, Table, bindparam, exc, func, select
from sqlalchemy.dialects import postgresql, sqlite

from crdt_sync.adapters.storage import (
    bulk,
    desk_rows,
    document_ids,
    engines,
    media_rows,
    operator_rows,
    outbox_rows,
    owed_rows,
    quarantine,
    renewal,
    service_position,
    tables,
    transaction,
    user_rows,
    webhook_store,
)
from crdt_sync.adapters.storage.database import Database
from crdt_sync.adapters.storage.inspection import SqlInspector
from crdt_sync.adapters.storage.keys import collisions, has_room, wanted
from crdt_sync.adapters.storage.rows import checked, clients_of, document_of, ticket_of
from crdt_sync.domain import canonical
from crdt_sync.domain.ids import ActorId, Digest, MessageId, Position, TicketId
from crdt_sync.domain.tripwire import Alarm
from crdt_sync.ports import (
    Batch,
    Committed,
    JournalRow,
    NewUpdate,
    StoreConflict,
    StoreDamaged,
    StoredEvent,
    StoredMessage,
    StoredResult,
    StoreUnavailable,
    TicketFilter,
    TicketRow,
)
from crdt_sync.ports.stored import Compaction, StoredDocument

_EPOCH = select(
    select(func.max(tables.restores.c.epoch)).scalar_subquery(),
    *(
        select(column).where(tables.ended_clients.c.document == bindparam("document")).scalar_subquery()
        for column in (tables.ended_clients.c.clients, tables.ended_clients.c.checksum)
    ),
)
_TICKET_COLUMNS = [tables.tickets.c[field.name] for field in fields(TicketRow)]


class SqlStore(
    operator_rows.OperatorQueries,
    outbox_rows.OutboxQueries,
    owed_rows.OwedQueries,
    media_rows.MediaQueries,
    desk_rows.DeskQueries,
    user_rows.UserQueries,
    webhook_store.WebhookQueries,
):
    """A `Store` on SQLAlchemy Core: one connection that writes, a few that read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    async def open(
        cls, url: str, *, synchronous: engines.Synchronous = "FULL", must_be_newest: bool = False
    ) -> "SqlStore":
        """Open the database at `url` and bring its schema up to date; the directory must exist.

        `synchronous="OFF"` lets SQLite report a commit before it is on the disk. It is there for measurements, and for
        the test that shows why FULL is the default; PostgreSQL ignores it. `must_be_newest` makes and migrates nothing.

        Raises:
            StoreUnavailable: the database cannot be opened, a newer version of this software wrote its schema, or
                `must_be_newest` and it is not.

        """
        database = Database.at(url, synchronous, must_exist=must_be_newest)
        try:
            await _prepare(database, must_be_newest=must_be_newest)
        except BaseException:
            await database.close()
            raise
        return cls(database)

    @classmethod
    async def schema(cls, url: str) -> engines.Schema:
        """Look which migration an existing database is at, and change nothing.

        Raises:
            StoreUnavailable: it is not there or cannot be opened.

        """
        database = Database.at(url, must_exist=True)
        try:
            return await database.read(engines.schema)
        finally:
            await database.close()

    async def commit(self, batch: Batch) -> Committed:
        """Insert first and ask afterwards: what collided is looked up only if something did."""
        try:
            return await self._database.write(partial(transaction.append, batch=batch))
        except (exc.IntegrityError, *transaction.CONFLICTS) as error:
            taken = await self._database.read(partial(transaction.taken, batch=batch))
            if keys := collisions(batch, taken):
                raise StoreConflict(keys) from error
            raise StoreUnavailable(f"the database refused the batch: {error}") from error

    async def document(self, name: str) -> StoredDocument:
        """Read the updates first: whatever a compaction takes away after that, the snapshot that is read then has."""

        def read(connection: Connection) -> StoredDocument:
            snapshots, updates = tables.snapshots.c, tables.updates.c
            id_ = document_ids.id_of(connection, name)
            rows = connection.execute(
                select(tables.updates).where(updates.document_id == id_).order_by(updates.document_position)
            )
            newer = rows.mappings().all()
            found = connection.execute(select(tables.snapshots).where(snapshots.document == name))
            stored = document_of(name, found.mappings().one_or_none(), newer)
            epoch, clients, checksum = connection.execute(_EPOCH, {"document": name}).one()
            ended = {"document": name, "clients": clients, "checksum": checksum} if clients is not None else None
            is_known = id_ is not None or (stored.snapshot is None and ended is None)
            if not is_known and document_ids.id_of(connection, name) is None:  # it may have been written meanwhile
                raise StoreDamaged(f"the number of {name} is not there")
            return replace(stored, ended=clients_of(ended), epoch=epoch or 0)

        return await self._database.read(read)

    async def compact(self, compaction: Compaction) -> None:
        """Delete and insert; what does not match is noticed by the number of rows, and rolled back."""

        def write(connection: Connection) -> None:
            if not transaction.compact(connection, compaction):
                raise StoreConflict([compaction.document])

        try:
            await self._database.write(write)
        except exc.IntegrityError as error:
            raise StoreConflict([compaction.document]) from error

    async def authorship(self, name: str) -> Sequence[bytes]:
        """Read by the primary key."""
        kept = tables.authorship
        found = select(kept).where(kept.c.document == name).order_by(kept.c.position)
        return [checked(kept, row)["data"] for row in await self._select(found)]

    async def documents(self, *, after: str = "", limit: int = 1000) -> Sequence[str]:
        """Walk the index of the names."""
        name = tables.documents.c.name
        return [row["name"] for row in await self._select(select(name).where(name > after).order_by(name).limit(limit))]

    async def begin_epoch(self, position: Position, at_ms: int) -> None:
        """Move the positions in one transaction."""
        await self._database.write(partial(renewal.begin, position=position, at_ms=at_ms))

    async def renew(self, name: str, updates: Sequence[NewUpdate], ended: frozenset[int]) -> None:
        """Replace rows and snapshot in one transaction."""
        await self._database.write(partial(renewal.renew, name=name, updates=updates, ended=ended))

    async def journal(self, ticket: TicketId) -> Sequence[JournalRow]:
        """Read by the index on ticket and position."""
        return await self._journal(tables.transitions, ticket)

    async def messages(self, ticket: TicketId) -> Sequence[JournalRow]:
        """Read by the index on ticket and position."""
        return await self._journal(tables.messages, ticket)

    async def newest_messages(self, tickets: Iterable[TicketId], limit: int) -> Mapping[TicketId, Sequence[JournalRow]]:
        """Walk the index on ticket and position backwards, once for each conversation, in one transaction for all."""
        rows = tables.messages.c
        newest = select(rows.position, rows.id, rows.record).order_by(rows.position.desc()).limit(limit)
        query = newest.where(rows.ticket == bindparam("of"))
        named = list(tickets)

        def read(connection: Connection) -> dict[TicketId, Sequence[JournalRow]]:
            found = {ticket: connection.execute(query, {"of": ticket}).mappings() for ticket in named}
            return {ticket: [JournalRow(**row) for row in each] for ticket, each in found.items()}

        return await self._database.read(read)

    async def message(self, message: MessageId) -> StoredMessage | None:
        """Read by the index on ids."""
        messages = tables.messages.c
        rows = await self._select(select(messages.ticket, messages.record).where(messages.id == message))
        return StoredMessage(**rows[0]) if rows else None

    async def ticket(self, ticket: TicketId) -> TicketRow | None:
        """Read by the primary key."""
        rows = await self._select(select(*_TICKET_COLUMNS).where(tables.tickets.c.id == ticket))
        return ticket_of(rows[0]) if rows else None

    async def tickets(
        self, where: TicketFilter, *, after: TicketId | None = None, limit: int = 100
    ) -> Sequence[TicketRow]:
        """Walk the index of one facet in the order of ids, and probe the others."""
        return [ticket_of(row) for row in await self._select(_listing(where, after).limit(limit))]

    async def subject(self, subject: str) -> TicketId | None:
        """Read by the primary key."""
        rows = await self._select(select(tables.subjects.c.ticket).where(tables.subjects.c.subject == subject))
        return TicketId(rows[0]["ticket"]) if rows else None

    async def readable(self, subject: str) -> str:
        """Read by the primary key."""
        rows = await self._select(select(tables.subjects.c.readable).where(tables.subjects.c.subject == subject))
        return str(rows[0]["readable"]) if rows else ""

    async def result(self, actor: ActorId, key: str) -> StoredResult | None:
        """Read by the primary key."""
        results = tables.results.c
        rows = await self._select(
            select(results.request, results.result, results.position).where(results.actor == actor, results.key == key)
        )
        return StoredResult(**rows[0]) if rows else None

    async def events(self, after: Position, *, limit: int = 1000) -> Sequence[StoredEvent]:
        """Read by the primary key."""
        position = tables.events.c.position
        rows = await self._select(select(tables.events).where(position > after).order_by(position).limit(limit))
        return [
            StoredEvent(
                row["position"],
                row["type"],
                row["ticket"],
                json.loads(row["data"]),
                tuple(json.loads(row["audience"])),
                row["at_ms"],
                row["traceparent"],
            )
            for row in rows
        ]

    async def position(self) -> Position:
        """Read the one row that every commit advances."""
        return await self._database.read(service_position.newest)

    async def save_lifecycle(self, digest: Digest, source: str) -> None:
        """Look first: at almost every start it is there, and a disk that is full keeps nobody from reading."""
        if digest not in await self.lifecycles():
            new = self._insert(tables.lifecycles).values(digest=digest, source=source).on_conflict_do_nothing()
            await self._database.write(lambda connection: connection.execute(new))

    async def lifecycles(self) -> Mapping[Digest, str]:
        """Read them all; there are as many as there were versions."""
        return {row["digest"]: row["source"] for row in await self._select(select(tables.lifecycles))}

    async def save_alarm(self, alarm: Alarm) -> bool:
        """Look at the department's alarms by their index, and insert; another node may do the same at this moment."""
        alarms = tables.alarms
        kept = select(alarms.c.ticket, alarms.c.heads).where(alarms.c.department == alarm.department)
        sides = {side: canonical.dumps(asdict(getattr(alarm, side))) for side in ("replica", "service")}
        new = self._insert(alarms).values(**{**asdict(alarm), **sides}).on_conflict_do_nothing()

        def write(connection: Connection) -> bool:
            rows = [(row.ticket, row.heads) for row in connection.execute(kept)]
            return has_room(alarm, rows) and bool(connection.execute(new).rowcount)

        return await self._database.write(write)

    async def alarms(self, ticket: TicketId) -> Sequence[Alarm]:
        """Read by the primary key."""
        alarms = tables.alarms
        found = select(alarms).where(alarms.c.ticket == ticket).order_by(alarms.c.department, alarms.c.heads)
        return [
            Alarm.from_json({**row, "replica": json.loads(row["replica"]), "service": json.loads(row["service"])})
            for row in await self._select(found)
        ]

    def inspector(self) -> SqlInspector:
        """Return what looks at every row."""
        return SqlInspector(self._database)

    async def quarantined(self, *, limit: int) -> Sequence[quarantine.KeptRefusal]:
        """Return the newest refusals that are kept, without their bytes."""
        return [quarantine.KeptRefusal(**row) for row in await self._select(quarantine.listing(limit))]

    async def quarantined_one(self, id_: int) -> quarantine.KeptRefusal | None:
        """Return one with its bytes."""
        rows = await self._select(quarantine.one(id_))
        return quarantine.KeptRefusal(**rows[0]) if rows else None

    async def drop_quarantined(self, ids: Sequence[int] | None) -> int:
        """Forget some, or all, and return how many."""
        return await self._database.write(lambda connection: connection.execute(quarantine.drop(ids)).rowcount)

    async def check(self) -> None:
        """Change the one-row table, so that there is something to make durable."""
        await self._database.write(service_position.touch)

    async def close(self) -> None:
        """Wait for what runs, the commits of cancelled callers included, then close every connection."""
        await self._database.close()

    async def _journal(self, table: Table, ticket: TicketId) -> Sequence[JournalRow]:
        columns = table.c
        rows = await self._select(
            select(columns.position, columns.id, columns.record)
            .where(columns.ticket == ticket)
            .order_by(columns.position)
        )
        return [JournalRow(**row) for row in rows]

    async def _select(self, statement: Select[Any]) -> Sequence[RowMapping]:
        return await self._database.read(lambda connection: connection.execute(statement).mappings().all())

    def _insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        return bulk.own_insert(self._database.dialect)(table)


async def _prepare(database: Database, *, must_be_newest: bool) -> None:
    found = await database.read(engines.schema)
    if found.is_newest:
        return
    if must_be_newest:
        raise StoreUnavailable(f"its schema is {found.current}, and the newest is {found.newest}")
    try:
        await database.write(engines.migrate)
    except CommandError as error:
        raise StoreUnavailable(f"the schema cannot be brought up to date: {error}") from error


def _listing(where: TicketFilter, after: TicketId | None) -> Select[Any]:
    # Joined, and ordered by a facet's column: so SQLite walks that facet in order, probes the rest and sorts nothing.
    tickets = tables.tickets.c
    first, *others = (tables.ticket_facets.alias() for _ in wanted(where))
    statement = select(*_TICKET_COLUMNS).join(first, first.c.ticket == tickets.id)
    for other in others:
        statement = statement.join(other, other.c.ticket == first.c.ticket)
    for facet, (name, value) in zip((first, *others), sorted(wanted(where)), strict=True):
        statement = statement.where(facet.c.facet == name, facet.c.value == value)
    if where.tickets is not None:
        statement = statement.where(first.c.ticket.in_(where.tickets))
    if where.changed_after is not None:
        statement = statement.where(tickets.position > where.changed_after)
    if after is not None:
        statement = statement.where(first.c.ticket > after)
    return statement.order_by(first.c.ticket)

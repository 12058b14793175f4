"""An `Inspector` on a SQL database. It reads every row once, a page at a time, and changes nothing."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Column, Executable, RowMapping, Table, func, select, text, tuple_

from crdt_sync.adapters.storage import outbox_rows, tables
from crdt_sync.adapters.storage.checksums import CHECKSUMS, check
from crdt_sync.adapters.storage.database import Database
from crdt_sync.adapters.storage.keys import facets, owing_lanes
from crdt_sync.domain.ids import Position, TicketId
from crdt_sync.ports import StoreDamaged
from crdt_sync.ports.owed import obligation_text

PAGE_ROWS = 500
PIECE_ROWS = 16  # 4 MiB of contents

_POSITIONED = (tables.updates, tables.transitions, tables.messages, tables.events, tables.pruned_notices)
_NAMELESS = (
    select(tables.updates.c.document_id)
    .where(tables.updates.c.document_id.not_in(select(tables.documents.c.id)))
    .distinct()
    .limit(PAGE_ROWS)
)


class SqlInspector:
    """Reads the database of its store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def damage(self) -> AsyncIterator[str]:
        """Ask SQLite for its own check, compare each row with its checksum, and each ticket with what follows of it."""
        if self._database.dialect.name == "sqlite":
            for row in await self._rows(text("PRAGMA integrity_check")):
                if row["integrity_check"] != "ok":
                    yield f"SQLite says: {row['integrity_check']}"
        for table in CHECKSUMS:
            async for row in self._all(table):
                try:
                    check(table, row)
                except StoreDamaged as error:
                    yield str(error)
        for row in await self._rows(outbox_rows.misled(PAGE_ROWS)):
            yield f"what waits in the outbox at {row['place']} is not known to be, or not to be, the first there"
        for row in await self._rows(_NAMELESS):
            yield f"the document {row['document_id']} of some updates is not there"
        async for row in self._all(tables.tickets):
            for problem in await self._derived(row):
                yield problem

    async def positions(self) -> AsyncIterator[Position]:
        """Walk the primary keys; a notice has its own in its place."""
        for table in _POSITIONED:
            async for row in self._all(table, table.c.position):
                yield Position(row["position"])
        async for row in self._all(tables.outbox, tables.outbox.c.place, tables.outbox.c.message):
            if not row["message"]:
                yield Position(outbox_rows.position(row["place"]))

    async def begun(self) -> Position:
        """Read the newest restore."""
        (row,) = await self._rows(select(func.max(tables.restores.c.position).label("position")))
        return Position(row["position"] or 0)

    async def tickets(self, after: str = "", *, limit: int = 1000) -> Sequence[TicketId]:
        """Walk the primary key."""
        ids = tables.tickets.c.id
        rows = await self._rows(select(ids).where(ids > after).order_by(ids).limit(limit))
        return [TicketId(row["id"]) for row in rows]

    async def _derived(self, ticket: RowMapping) -> Sequence[str]:
        """Say which rows do not follow from a ticket's: those by which it is found, and those of what it owes."""
        id_, of, owed = ticket["id"], tables.ticket_facets.c, tables.owed.c
        found = await self._rows(select(of.facet, of.value).where(of.ticket == id_))
        since = await self._rows(select(owed.obligation).where(owed.ticket == id_))
        try:
            decoded = {name: json.loads(ticket[name]) for name in ("lanes", "participants", "obligations")}
            owing = owing_lanes(decoded["obligations"])
            wanted = facets(ticket["stage"], decoded["participants"], decoded["lanes"], owing)
            owes = {obligation_text(entry) for entry in decoded["obligations"]}
        except (ValueError, TypeError, KeyError, AttributeError):
            return [f"the row of ticket {id_} does not decode"]
        problems = []
        if {(row["facet"], row["value"]) for row in found} != wanted:
            problems.append(f"ticket {id_} is not found by what its row says")
        if {row["obligation"] for row in since} != owes:
            problems.append(f"since when ticket {id_} owes what it owes is not there")
        return problems

    async def _all(self, table: Table, *columns: Column[Any]) -> AsyncIterator[RowMapping]:
        """Yield a table's rows, page by page in the order of its primary key."""
        key = list(table.primary_key)
        rows = PIECE_ROWS if table is tables.media_pieces else PAGE_ROWS
        statement = select(*(columns or (table,))).order_by(*key).limit(rows)
        page = await self._rows(statement)
        while page:
            for row in page:
                yield row
            last = [page[-1][column.name] for column in key]
            page = await self._rows(statement.where(tuple_(*key) > tuple_(*last)))

    async def _rows(self, statement: Executable) -> Sequence[RowMapping]:
        return await self._database.read(lambda connection: connection.execute(statement).mappings().all())

"""Since when something is owed, as statements on a connection. It begins and commits nothing."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import Connection, Dialect, Insert, bindparam, delete, select, update

from crdt_sync.adapters.storage import bulk, tables
from crdt_sync.adapters.storage.database import Database
from crdt_sync.domain.ids import TicketId
from crdt_sync.ports.owed import OwedChange, StoredOwed

_COLUMNS = tables.owed.c
_NAMES = tuple(column.name for column in _COLUMNS)
_TURN_RED = (
    update(tables.owed)
    .where(_COLUMNS.ticket == bindparam("of"), _COLUMNS.obligation == bindparam("owes"))
    .values(red_ms=bindparam("at_ms"))
)
_DISCHARGE = delete(tables.owed).where(*(column == bindparam(column.name) for column in tables.owed.primary_key))


def apply(connection: Connection, changes: Sequence[OwedChange]) -> None:
    """Write down what became of obligations, in order; what is raised already keeps its time.

    A statement for all that became the same: a row's first changes come before the second ones.
    """
    seen = Counter[tuple[TicketId, str]]()
    rows: dict[tuple[int, str], list[bulk.Row]] = {}
    for change in changes:
        key = change.ticket, change.obligation
        row = {"raised": (*key, change.at_ms, 0), "red": (change.at_ms, *key), "discharged": key}[change.became]
        rows.setdefault((seen[key], change.became), []).append(row)
        seen[key] += 1
    for (_, became), some in sorted(rows.items()):
        match became:
            case "raised":
                bulk.insert(connection, _raise(connection.dialect), _NAMES, some)
            case "red":
                connection.execute(_TURN_RED, [dict(zip(("at_ms", "of", "owes"), row, strict=True)) for row in some])
            case "discharged":
                bulk.execute(connection, _DISCHARGE, _NAMES[:2], some)


@lru_cache(maxsize=8)  # of each engine that is open
def _raise(dialect: Dialect) -> Insert:
    return bulk.own_insert(dialect)(tables.owed).on_conflict_do_nothing().inline()


class OwedQueries:
    """What a store on a SQL database reads of it."""

    _database: Database

    async def overdue(
        self, raised_by_ms: int, *, ticket: TicketId | None = None, limit: int = 100
    ) -> Sequence[StoredOwed]:
        """Walk the index of what is not red, or the rows of the ticket."""
        found = select(_COLUMNS.ticket, _COLUMNS.obligation, _COLUMNS.raised_ms).where(
            tables.NOT_RED, _COLUMNS.raised_ms <= raised_by_ms
        )
        if ticket is not None:
            found = found.where(_COLUMNS.ticket == ticket)
        ordered = found.order_by(_COLUMNS.raised_ms, _COLUMNS.ticket, _COLUMNS.obligation).limit(limit)
        return await self._database.read(
            lambda connection: [StoredOwed(**row) for row in connection.execute(ordered).mappings()]
        )

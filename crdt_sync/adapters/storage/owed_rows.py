"""Since when something is owed, as statements on a connection. It begins and commits nothing."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, delete, select, update

from crdt_sync.adapters.storage import bulk, tables
from crdt_sync.adapters.storage.database import Database
from crdt_sync.domain.ids import TicketId
from crdt_sync.ports.owed import OwedChange, StoredOwed

_COLUMNS = tables.owed.c


def apply(connection: Connection, changes: Sequence[OwedChange]) -> None:
    """Write down what became of obligations, in order; what is raised already keeps its time."""
    for change in changes:
        row = and_(_COLUMNS.ticket == change.ticket, _COLUMNS.obligation == change.obligation)
        match change.became:
            case "raised":
                new = bulk.own_insert(connection.dialect)(tables.owed)
                values = {"ticket": change.ticket, "obligation": change.obligation, "raised_ms": change.at_ms}
                connection.execute(new.values(**values, red_ms=0).on_conflict_do_nothing())
            case "red":
                connection.execute(update(tables.owed).where(row).values(red_ms=change.at_ms))
            case "discharged":
                connection.execute(delete(tables.owed).where(row))


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

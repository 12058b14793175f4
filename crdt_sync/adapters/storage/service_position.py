"""The one row of `service_position`, which every commit changes: it is locked from then on until the commit ends."""

from sqlalchemy import Connection, bindparam, select, update

from crdt_sync.adapters.storage import bulk, tables
from crdt_sync.domain.ids import Position
from crdt_sync.ports import StoreDamaged

_ROW = tables.service_position
_ADVANCE = update(_ROW).values(value=_ROW.c.value + bindparam("count")).returning(_ROW.c.value)
_TOUCH = update(_ROW).values(checks=_ROW.c.checks + 1)
_READ = select(_ROW.c.value)


def advance(connection: Connection, count: int) -> int:
    """Take so many positions, and return the last of them.

    Raises:
        StoreDamaged: the row is not there, or does not say a position. So do all functions here.

    """
    return _whole(bulk.query(connection, _ADVANCE, ("count",), (count,)).scalar())


def touch(connection: Connection) -> None:
    """Lock the row and change it, although no position is taken."""
    if connection.execute(_TOUCH).rowcount != 1:
        raise _damaged()


def newest(connection: Connection) -> Position:
    """Return the newest position of all."""
    return Position(_whole(connection.scalar(_READ)))


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise _damaged()
    return value


def _damaged() -> StoreDamaged:
    return StoreDamaged("the row of service_position is not there, or does not say a position")

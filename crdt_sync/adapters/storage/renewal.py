"""A restored database as statements: positions move ahead, and documents get new lives. It never begins or commits."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select, update

from crdt_sync.adapters.storage import outbox_rows, service_position, tables, transaction
from crdt_sync.adapters.storage.document_ids import ids_of
from crdt_sync.adapters.storage.rows import clients_of
from crdt_sync.domain import canonical
from crdt_sync.domain.ids import Position
from crdt_sync.ports import Batch, NewUpdate

_ENDED = tables.ended_clients


def begin(connection: Connection, *, position: Position, at_ms: int) -> None:
    """Begin an epoch: nothing that was told of the one before can be taken for something of this one."""
    before = connection.scalar(select(func.max(tables.restores.c.epoch))) or 0
    transaction.add_rows(connection, tables.restores, [(before + 1, position, at_ms)])
    counter, tickets = tables.service_position.c.value, tables.tickets.c.position
    connection.execute(update(tables.service_position).where(counter < position).values(value=position))
    connection.execute(update(tables.tickets).where(tickets < position).values(position=position))
    outbox_rows.restored(connection)


def renew(connection: Connection, *, name: str, updates: Sequence[NewUpdate], ended: frozenset[int]) -> None:
    """Replace what is stored of one document."""
    known = connection.execute(select(_ENDED).where(_ENDED.c.document == name)).mappings().one_or_none()
    clients = canonical.dumps(sorted(ended | clients_of(known)))
    service_position.touch(connection)
    ids = ids_of(connection, [name])
    connection.execute(delete(tables.updates).where(tables.updates.c.document_id == ids[name]))
    for table in (_ENDED, tables.snapshots):
        connection.execute(delete(table).where(table.c.document == name))
    transaction.add_rows(connection, _ENDED, [(name, clients)])
    transaction.append(connection, Batch(updates=updates))

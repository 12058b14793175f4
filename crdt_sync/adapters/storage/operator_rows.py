"""Restrictions and refusals as statements on a connection. It begins and commits nothing."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from functools import partial

from sqlalchemy import Connection, delete, func, select

from crdt_sync.adapters.storage import bulk, service_position, tables
from crdt_sync.adapters.storage.database import Database
from crdt_sync.adapters.storage.keys import REFUSAL_ROWS_MAX
from crdt_sync.domain import canonical
from crdt_sync.domain.ids import ActorId
from crdt_sync.domain.restriction import Restriction
from crdt_sync.ports.operator import Refusal, RefusalFilter, StoredRestriction

_KIND = ("hour_ms", "source", "actor", "department", "wire", "code", "subject")
_TRIM = delete(tables.refusals).where(
    tables.refusals.c.id
    <= select(tables.refusals.c.id)
    .order_by(tables.refusals.c.id.desc())
    .offset(REFUSAL_ROWS_MAX)
    .limit(1)
    .scalar_subquery()
)


def restrict(
    connection: Connection, *, actor: ActorId, amend: Callable[[Restriction], Restriction], at_ms: int
) -> StoredRestriction:
    """Read, amend and count the change under the lock of commits, so that whoever follows the changes misses none."""
    service_position.touch(connection)
    stored = tables.restrictions.c
    known = connection.scalar(select(stored.restriction).where(stored.actor == actor))
    restriction = amend(read_restriction(known) if known is not None else Restriction(actor))
    change = int(connection.scalar(select(func.max(stored.change))) or 0) + 1
    values = {"change": change, "restriction": canonical.dumps(asdict(restriction)), "at_ms": at_ms}
    new = bulk.own_insert(connection.dialect)(tables.restrictions).values(actor=actor, **values)
    connection.execute(new.on_conflict_do_update(index_elements=["actor"], set_=values))
    return StoredRestriction(change, restriction, at_ms)


def restrictions(connection: Connection, *, after: int) -> Sequence[StoredRestriction]:
    """Read by the index on changes."""
    stored = tables.restrictions.c
    rows = connection.execute(
        select(stored.change, stored.restriction, stored.at_ms).where(stored.change > after).order_by(stored.change)
    )
    return [StoredRestriction(row.change, read_restriction(row.restriction), row.at_ms) for row in rows]


def keep(connection: Connection, refusals: Sequence[Refusal]) -> None:
    """Add to the rows of the same kind and hour; the oldest rows go."""
    new = bulk.own_insert(connection.dialect)(tables.refusals)
    counted = {"count": tables.refusals.c.count + new.excluded.count, "last_ms": new.excluded.last_ms}
    adding = new.on_conflict_do_update(index_elements=list(_KIND), set_=counted)
    connection.execute(adding, [asdict(refusal) for refusal in refusals])
    connection.execute(_TRIM)


def refusals(connection: Connection, *, where: RefusalFilter, limit: int) -> Sequence[Refusal]:
    """Walk the rows backwards."""
    columns = tables.refusals.c
    wanted = {"actor": where.actor, "code": where.code, "source": where.source}
    found = select(*(columns[field.name] for field in fields(Refusal)))
    for name, value in wanted.items():
        if value is not None:
            found = found.where(columns[name] == value)
    rows = connection.execute(found.order_by(columns.hour_ms.desc(), columns.id.desc()).limit(limit))
    return [Refusal(**row) for row in rows.mappings()]


def read_restriction(text: str) -> Restriction:
    """Return what was stored."""
    values = json.loads(text)
    for name in ("roles", "tickets"):
        values[name] = None if values[name] is None else tuple(values[name])
    return Restriction(**values | {"actor": ActorId(values["actor"])})


class OperatorQueries:
    """What a store on a SQL database does of the above, each in a transaction of its own."""

    _database: Database

    async def restrict(
        self, actor: ActorId, amend: Callable[[Restriction], Restriction], at_ms: int
    ) -> StoredRestriction:
        """Replace the actor's row."""
        return await self._database.write(partial(restrict, actor=actor, amend=amend, at_ms=at_ms))

    async def restrictions(self, after: int = 0) -> Sequence[StoredRestriction]:
        """Read by the index on changes."""
        return await self._database.read(partial(restrictions, after=after))

    async def refusals(self, where: RefusalFilter, *, limit: int = 100) -> Sequence[Refusal]:
        """Walk the rows backwards."""
        return await self._database.read(partial(refusals, where=where, limit=limit))

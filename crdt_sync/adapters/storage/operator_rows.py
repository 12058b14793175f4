"""Restrictions and refusals as statements on a connection. It begins and commits nothing."""

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, fields
from functools import partial
from typing import TypeVar

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crdt_sync.adapters.storage import tables
from crdt_sync.adapters.storage.keys import REFUSAL_ROWS_MAX
from crdt_sync.domain import canonical
from crdt_sync.domain.ids import ActorId
from crdt_sync.domain.restriction import Restriction
from crdt_sync.ports.operator import Refusal, RefusalFilter, StoredRestriction

_T = TypeVar("_T")

_LOCK = update(tables.service_position).values(checks=tables.service_position.c.checks + 1)  # as every commit does
_KIND = ("hour_ms", "source", "actor", "department", "wire", "code", "subject")
_TRIM = delete(tables.refusals).where(
    tables.refusals.c.id
    <= select(tables.refusals.c.id)
    .order_by(tables.refusals.c.id.desc())
    .offset(REFUSAL_ROWS_MAX)
    .limit(1)
    .scalar_subquery()
)


async def restrict(connection: AsyncConnection, *, restriction: Restriction, at_ms: int) -> int:
    """Count the change under the lock of commits, so that whoever follows the changes misses none."""
    await connection.execute(_LOCK)
    newest = await connection.scalar(select(func.coalesce(func.max(tables.restrictions.c.change), 0)))
    change = int(newest or 0) + 1
    values = {"change": change, "restriction": canonical.dumps(asdict(restriction)), "at_ms": at_ms}
    new = _insert(connection)(tables.restrictions).values(actor=restriction.actor, **values)
    await connection.execute(new.on_conflict_do_update(index_elements=["actor"], set_=values))
    return change


async def restrictions(connection: AsyncConnection, *, after: int) -> Sequence[StoredRestriction]:
    """Read by the index on changes."""
    stored = tables.restrictions.c
    rows = await connection.execute(
        select(stored.change, stored.restriction, stored.at_ms).where(stored.change > after).order_by(stored.change)
    )
    return [StoredRestriction(row.change, read_restriction(row.restriction), row.at_ms) for row in rows]


async def keep(connection: AsyncConnection, refusals: Sequence[Refusal]) -> None:
    """Add to the rows of the same kind and hour; the oldest rows go."""
    new = _insert(connection)(tables.refusals)
    counted = {"count": tables.refusals.c.count + new.excluded.count, "last_ms": new.excluded.last_ms}
    adding = new.on_conflict_do_update(index_elements=list(_KIND), set_=counted)
    await connection.execute(adding, [asdict(refusal) for refusal in refusals])
    await connection.execute(_TRIM)


async def refusals(connection: AsyncConnection, *, where: RefusalFilter, limit: int) -> Sequence[Refusal]:
    """Walk the rows backwards."""
    columns = tables.refusals.c
    wanted = {"actor": where.actor, "code": where.code, "source": where.source}
    found = select(*(columns[field.name] for field in fields(Refusal)))
    for name, value in wanted.items():
        if value is not None:
            found = found.where(columns[name] == value)
    rows = await connection.execute(found.order_by(columns.hour_ms.desc(), columns.id.desc()).limit(limit))
    return [Refusal(**row) for row in rows.mappings()]


def read_restriction(text: str) -> Restriction:
    """Return what was stored."""
    values = json.loads(text)
    for name in ("roles", "tickets"):
        values[name] = None if values[name] is None else tuple(values[name])
    return Restriction(**values | {"actor": ActorId(values["actor"])})


def _insert(connection: AsyncConnection) -> "type[sqlite.Insert] | type[postgresql.Insert]":
    return sqlite.Insert if connection.dialect.name == "sqlite" else postgresql.Insert


class OperatorQueries(ABC):
    """What a store on a SQL database does of the above, each in a transaction of its own."""

    _writer: AsyncEngine
    _reader: AsyncEngine

    @abstractmethod
    async def _run(self, engine: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[_T]]) -> _T:
        """Do `work` in a transaction."""

    async def restrict(self, restriction: Restriction, at_ms: int) -> int:
        """Replace the actor's row."""
        return await self._run(self._writer, partial(restrict, restriction=restriction, at_ms=at_ms))

    async def restrictions(self, after: int = 0) -> Sequence[StoredRestriction]:
        """Read by the index on changes."""
        return await self._run(self._reader, partial(restrictions, after=after))

    async def refusals(self, where: RefusalFilter, *, limit: int = 100) -> Sequence[Refusal]:
        """Walk the rows backwards."""
        return await self._run(self._reader, partial(refusals, where=where, limit=limit))

"""Refused bytes as statements: how many are kept, and what an operator asks of them. It never begins or commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Delete, Select, delete, func, or_, select

from crdt_sync.adapters.storage import tables
from crdt_sync.adapters.storage.keys import QUARANTINE_BYTES_MAX, QUARANTINE_ROWS_MAX
from crdt_sync.ports import Quarantined

_ROWS = tables.quarantine.c
_NEWER = select(
    _ROWS.id,
    func.row_number().over(order_by=_ROWS.id.desc()).label("rows"),
    func.sum(func.length(_ROWS.data)).over(order_by=_ROWS.id.desc()).label("bytes"),
).subquery()

_TRIM = delete(tables.quarantine).where(
    _ROWS.id.in_(
        select(_NEWER.c.id).where(or_(_NEWER.c.rows > QUARANTINE_ROWS_MAX, _NEWER.c.bytes > QUARANTINE_BYTES_MAX))
    )
)


# To trim reads every row, which takes eight times as long as a small commit: so a few more may stay for a while.
_TRIM_ROWS = 100
_TRIM_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class KeptRefusal:
    """What is kept of one refusal; `data` is empty in a listing."""

    id: int
    document: str
    actor: str
    code: str
    at_ms: int
    size_bytes: int
    data: bytes = b""


def trim(connection: Connection, kept: Sequence[Quarantined]) -> None:
    """Let the oldest give way to what was just kept: after many rows, or a large one."""
    newest = connection.scalar(select(func.max(_ROWS.id))) or 0
    is_due = newest // _TRIM_ROWS != (newest - len(kept)) // _TRIM_ROWS
    if is_due or sum(len(each.data) for each in kept) > _TRIM_BYTES:
        connection.execute(_TRIM)


def listing(limit: int) -> Select[Any]:
    """Select the newest, without their bytes."""
    return _selected().order_by(_ROWS.id.desc()).limit(limit)


def one(id_: int) -> Select[Any]:
    """Select one with its bytes."""
    return _selected().add_columns(_ROWS.data).where(_ROWS.id == id_)


def drop(ids: Sequence[int] | None) -> Delete:
    """Delete some, or all."""
    statement = delete(tables.quarantine)
    return statement if ids is None else statement.where(_ROWS.id.in_(ids))


def _selected() -> Select[Any]:
    return select(
        _ROWS.id, _ROWS.document, _ROWS.actor, _ROWS.code, _ROWS.at_ms, func.length(_ROWS.data).label("size_bytes")
    )

"""One batch as the statements of one transaction. It owns the order of rows and positions; it never begins or commits.

Each table gets one statement however many rows there are: that is what makes group commit cheap.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import Table, bindparam, delete, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crdt_sync.adapters.storage import bulk, operator_rows, quarantine, tables
from crdt_sync.adapters.storage.checksums import CHECKSUMS
from crdt_sync.adapters.storage.keys import Facet, Key, facets, owing_lanes, unique_keys
from crdt_sync.domain import canonical
from crdt_sync.domain.ids import Position, TransitionId
from crdt_sync.ports import Batch, Committed, NewEvent, NewMessage, NewResult, NewTransition, NewUpdate, TicketWrite
from crdt_sync.ports.stored import Compaction

_Values: TypeAlias = dict[str, Any]

_KEYS_A_STATEMENT = 500  # far below the variables that any database allows in one statement

_ADVANCE = (
    update(tables.service_position)
    .values(value=tables.service_position.c.value + bindparam("count"))
    .returning(tables.service_position.c.value)
)
_INSERTS = {table: insert(table).inline() for table in tables.metadata.tables.values()}
# Of the rows from a position on, one that has come where a snapshot stands already.
_COVERED = (
    select(tables.updates.c.position)
    .join(tables.snapshots, tables.snapshots.c.document == tables.updates.c.document)
    .where(
        tables.updates.c.position >= bindparam("first"),
        tables.updates.c.document_position <= tables.snapshots.c.document_position,
    )
    .limit(1)
)
_UPDATE_TICKET = update(tables.tickets).where(tables.tickets.c.id == bindparam("written"))
_DELETE_FACET = delete(tables.ticket_facets).where(
    *(column == bindparam(f"old_{column.name}") for column in tables.ticket_facets.primary_key)
)

_UNIQUE_COLUMNS = {
    "update": (tables.updates.c.document, tables.updates.c.document_position),
    "transition": (tables.transitions.c.id,),
    "message": (tables.messages.c.id,),
    "subject": (tables.subjects.c.subject,),
    "result": (tables.results.c.actor, tables.results.c.key),
}


class StaleTicket(Exception):
    """A ticket of the batch is not at the position that its writer folded from."""


class CoveredUpdate(Exception):
    """An update of the batch would stand where a snapshot has taken the place of the log."""


async def append(connection: AsyncConnection, batch: Batch) -> Committed:
    """Write the batch.

    Advancing the position comes first: it locks the one row that every commit needs, so that whatever is read
    afterwards stays true until the end.

    Raises:
        StaleTicket, CoveredUpdate: see there.
        IntegrityError: a key of the batch exists already.

    """
    count = len(batch.updates) + len(batch.transitions) + len(batch.messages) + len(batch.events)
    last = (await connection.execute(_ADVANCE, {"count": count})).scalar_one()
    committed, written = _positioned(batch, last - count + 1)
    written[tables.subjects] = [
        {"subject": new.subject, "ticket": new.ticket, "readable": new.readable} for new in batch.subjects
    ]
    written[tables.results] = [_result(new, committed.last) for new in batch.results]
    written[tables.quarantine] = [
        {"document": new.document, "actor": new.actor, "code": new.code, "data": new.data, "at_ms": new.at_ms}
        for new in batch.quarantined
    ]
    for table, values in written.items():
        if values:
            _sign(table, values)
            await bulk.insert(connection, _INSERTS[table], values)
    if batch.updates and (await connection.execute(_COVERED, {"first": committed.first})).first() is not None:
        raise CoveredUpdate
    if batch.tickets:
        await _write_tickets(connection, batch.tickets, committed)
    if batch.quarantined:
        await quarantine.trim(connection, batch.quarantined)
    if batch.refusals:
        await operator_rows.keep(connection, batch.refusals)
    return committed


async def taken(connection: AsyncConnection, batch: Batch) -> set[Key]:
    """Return the keys of the batch that are stored already, and of its tickets those that moved on."""
    claimed: dict[str, list[Key]] = {}
    for key, _ in unique_keys(batch):
        claimed.setdefault(key[0], []).append(key[1:])
    found: set[Key] = set()
    for kind, columns in _UNIQUE_COLUMNS.items():
        keys = claimed.get(kind, [])
        for start in range(0, len(keys), _KEYS_A_STATEMENT):
            some = keys[start : start + _KEYS_A_STATEMENT]
            rows = await connection.execute(select(*columns).where(tuple_(*columns).in_(some)))
            found.update((kind, *row) for row in rows)
    found |= await _covered(connection, claimed.get("update", []))
    stored = await _stored_tickets(connection, batch.tickets)
    return found | {("ticket", ticket) for ticket in _stale(batch.tickets, stored)}


async def compact(connection: AsyncConnection, compaction: Compaction) -> bool:
    """Replace what the compaction was made of; False, and nothing to keep, if that is not what is stored."""
    document, new = compaction.document, compaction.snapshot
    snapshots, updates = tables.snapshots, tables.updates
    covered = new.document_position - compaction.expected_position
    gone = delete(snapshots).where(
        snapshots.c.document == document, snapshots.c.document_position == compaction.expected_position
    )
    if compaction.expected_position and (await connection.execute(gone)).rowcount != 1:
        return False
    removed = await connection.execute(
        delete(updates).where(updates.c.document == document, updates.c.document_position <= new.document_position)
    )
    if not 0 < covered == removed.rowcount:
        return False
    snapshot = {
        "document": document,
        "document_position": new.document_position,
        "data": new.data,
        "authors": canonical.dumps([[author.actor, author.department, author.roles] for author in new.authors]),
        "digest": new.digest,
    }
    kept = {"document": document, "position": compaction.position, "data": compaction.authorship}
    for table, row in ((snapshots, snapshot), (tables.authorship, kept)):
        _sign(table, [row])
        await connection.execute(insert(table), row)
    return True


async def _covered(connection: AsyncConnection, claimed: Sequence[Key]) -> set[Key]:
    """Return the keys of updates in whose place a snapshot stands."""
    names = sorted({document for document, _ in claimed})
    columns = tables.snapshots.c
    covered: dict[str, int] = {}
    for start in range(0, len(names), _KEYS_A_STATEMENT):
        some = columns.document.in_(names[start : start + _KEYS_A_STATEMENT])
        rows = await connection.execute(select(columns.document, columns.document_position).where(some))
        covered.update((row.document, row.document_position) for row in rows)
    return {("update", *key) for key in claimed if key[1] <= covered.get(key[0], 0)}


def _sign(table: Table, rows: Sequence[_Values]) -> None:
    checksum = CHECKSUMS.get(table)
    if checksum is not None:
        for row in rows:
            row["checksum"] = checksum(row)


def _positioned(batch: Batch, first: int) -> tuple[Committed, dict[Table, list[_Values]]]:
    """Give out positions in the order of the batch's fields."""
    positions = itertools.count(first)
    rows: dict[Table, list[_Values]] = {
        tables.updates: [_update(new, next(positions)) for new in batch.updates],
        tables.transitions: [_record(new, next(positions)) for new in batch.transitions],
        tables.messages: [_record(new, next(positions)) for new in batch.messages],
        tables.events: [_event(new, next(positions)) for new in batch.events],
    }
    transitions = {TransitionId(row["id"]): Position(row["position"]) for row in rows[tables.transitions]}
    return Committed(Position(first), Position(next(positions) - 1), transitions), rows


def _update(new: NewUpdate, position: int) -> _Values:
    return {
        "position": position,
        "document": new.document,
        "document_position": new.document_position,
        "data": new.data,
        "actor": new.actor,
        "department": new.department,
        "roles": _names(new.roles),
        "at_ms": new.at_ms,
        "traceparent": new.traceparent,
    }


@lru_cache(maxsize=1024)  # as many actors as are busy at once; the roles of one seldom change
def _names(names: tuple[str, ...]) -> str:
    return canonical.dumps(names)


def _record(new: NewTransition | NewMessage, position: int) -> _Values:
    return {
        "position": position,
        "id": new.id,
        "ticket": new.ticket,
        "record": new.record,
        "at_ms": new.at_ms,
        "traceparent": new.traceparent,
    }


def _event(new: NewEvent, position: int) -> _Values:
    return {
        "position": position,
        "type": new.type,
        "ticket": new.ticket,
        "data": canonical.dumps(new.data),
        "audience": _names(new.audience),
        "at_ms": new.at_ms,
        "traceparent": new.traceparent,
    }


def _result(new: NewResult, position: Position) -> _Values:
    return {
        "actor": new.actor,
        "key": new.key,
        "request": new.request,
        "result": new.result,
        "position": position,
        "at_ms": new.at_ms,
    }


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a ticket's row says before the batch."""

    position: Position
    version: Position
    facets: frozenset[Facet]


_NOTHING = _Stored(Position(0), Position(0), frozenset())


async def _write_tickets(connection: AsyncConnection, tickets: Sequence[TicketWrite], committed: Committed) -> None:
    stored = await _stored_tickets(connection, tickets)
    if stale := _stale(tickets, stored):
        raise StaleTicket(f"written meanwhile: {', '.join(stale)}")
    created, changed, gone, come = [], [], [], []
    for new in tickets:
        before = stored.get(new.id, _NOTHING)
        values = _ticket(new, committed, before.version)
        if new.expected_position is None:
            created.append({"id": new.id, **values})
        else:
            changed.append({"written": new.id, **values})
        after = _facets(new.stage, values["participants"], values["lanes"], values["obligations"])
        gone += [_facet(facet, new.id, prefix="old_") for facet in sorted(before.facets - after)]
        come += [_facet(facet, new.id) for facet in sorted(after - before.facets)]
    if created:
        await bulk.insert(connection, _INSERTS[tables.tickets], created)
    if changed:
        await bulk.execute(connection, _UPDATE_TICKET, changed)
    if gone:
        await bulk.execute(connection, _DELETE_FACET, gone)
    if come:
        await bulk.insert(connection, _INSERTS[tables.ticket_facets], come)


async def _stored_tickets(connection: AsyncConnection, tickets: Sequence[TicketWrite]) -> dict[str, _Stored]:
    stored = {}
    columns = tables.tickets.c
    for start in range(0, len(tickets), _KEYS_A_STATEMENT):
        ids = [new.id for new in tickets[start : start + _KEYS_A_STATEMENT]]
        rows = await connection.execute(
            select(
                columns.id,
                columns.position,
                columns.version,
                columns.stage,
                columns.participants,
                columns.lanes,
                columns.obligations,
            ).where(columns.id.in_(ids))
        )
        for row in rows:
            found_by = _facets(row.stage, row.participants, row.lanes, row.obligations)
            stored[row.id] = _Stored(row.position, row.version, found_by)
    return stored


@lru_cache(maxsize=4096)  # as many tickets as are busy at once; what changes their cards changes none of this
def _facets(stage: str, participants: str, lanes: str, obligations: str) -> frozenset[Facet]:
    """Return what a ticket is found by, from the texts of its columns."""
    return facets(stage, json.loads(participants), json.loads(lanes), owing_lanes(json.loads(obligations)))


def _stale(tickets: Sequence[TicketWrite], stored: Mapping[str, _Stored]) -> list[str]:
    # Taken out as it is compared: of two writes of one ticket the second is stale.
    positions = {ticket: row.position for ticket, row in stored.items()}
    return [new.id for new in tickets if positions.pop(new.id, None) != new.expected_position]


def _ticket(new: TicketWrite, committed: Committed, version: Position) -> _Values:
    if new.newest_transition is not None:
        version = committed.transitions[new.newest_transition]
    return {
        "lifecycle": new.lifecycle,
        "subject": new.subject,
        "stage": new.stage,
        "kind": new.kind,
        "lanes": canonical.dumps(new.lanes),
        "flags": canonical.dumps(new.flags),
        "obligations": canonical.dumps(new.obligations),
        "card": canonical.dumps(new.card),
        "participants": _names(new.participants),
        "version": version,
        "position": committed.last,
        "opened_at_ms": new.opened_at_ms,
        "updated_at_ms": new.updated_at_ms,
        "traceparent": new.traceparent,
    }


def _facet(facet: Facet, ticket: str, *, prefix: str = "") -> _Values:
    return {f"{prefix}facet": facet[0], f"{prefix}value": facet[1], f"{prefix}ticket": ticket}

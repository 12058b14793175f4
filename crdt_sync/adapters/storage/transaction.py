"""One batch as the statements of one transaction. It owns the order of rows and positions; it never begins or commits.

Each table gets one statement however many rows there are: that is what makes group commit cheap.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Select, Table, bindparam, delete, insert, select, tuple_, update

from crdt_sync.adapters.storage import (
    bulk,
    desk_rows,
    document_ids,
    operator_rows,
    outbox_rows,
    owed_rows,
    quarantine,
    service_position,
    tables,
)
from crdt_sync.adapters.storage.checksums import CHECKSUMS
from crdt_sync.adapters.storage.keys import Facet, Key, facets, owing_lanes, unique_keys
from crdt_sync.domain import canonical
from crdt_sync.domain.ids import Position, TransitionId
from crdt_sync.ports import Batch, Committed, NewEvent, NewMessage, NewResult, NewTransition, TicketWrite
from crdt_sync.ports.stored import Compaction

_KEYS_A_STATEMENT = 512  # far below the variables that any database allows in one statement

_INSERTS = {table: insert(table).inline() for table in tables.metadata.tables.values()}
# What a row of each table names, in its order: every column but a key that the database gives out.
_NAMES = {
    table: tuple(column.name for column in table.columns if column is not table.autoincrement_column)
    for table in _INSERTS
}
# Of the rows from a position on, one that has come where a snapshot stands already.
_COVERED = (
    select(tables.updates.c.position)
    .join(tables.documents, tables.documents.c.id == tables.updates.c.document_id)
    .join(tables.snapshots, tables.snapshots.c.document == tables.documents.c.name)
    .where(
        tables.updates.c.position >= bindparam("first"),
        tables.updates.c.document_position <= tables.snapshots.c.document_position,
    )
)
_DELETE_FACET = delete(tables.ticket_facets).where(
    *(column == bindparam(column.name) for column in tables.ticket_facets.primary_key)
)

# Of tickets whose state stays: their rows change as they are found, if they are where they are expected.
_TOUCH = (
    "UPDATE tickets SET card = new.column3, position = new.column4, updated_at_ms = new.column5,"
    " traceparent = new.column6 FROM (VALUES {rows}) AS new"
    " WHERE tickets.id = new.column1 AND tickets.position = new.column2"
)
_TOUCH_TYPES = ("TEXT", "BIGINT", "TEXT", "BIGINT", "BIGINT", "TEXT")

_USES = tables.media_uses.c
_KEEP_MEDIA = (
    update(tables.media_uses)
    .where(_USES.ticket == bindparam("of"), _USES.digest == bindparam("named"), _USES.audience == bindparam("to"))
    .values(kept=True)
)

_UNIQUE_COLUMNS = {
    "update": (tables.documents.c.name, tables.updates.c.document_position),
    "transition": (tables.transitions.c.id,),
    "message": (tables.messages.c.id,),
    "subject": (tables.subjects.c.subject,),
    "result": (tables.results.c.actor, tables.results.c.key),
    "delivery": (tables.outbox.c.id,),
}


class StaleTicket(Exception):
    """A ticket of the batch is not at the position that its writer folded from."""


class CoveredUpdate(Exception):
    """An update of the batch would stand where a snapshot has taken the place of the log."""


CONFLICTS = (StaleTicket, CoveredUpdate, outbox_rows.StaleDelivery, desk_rows.StaleTurn)


def append(connection: Connection, batch: Batch) -> Committed:
    """Write the batch.

    Advancing the position comes first: it locks the one row that every commit needs, so that whatever is read
    afterwards stays true until the end.

    Raises:
        StaleTicket, CoveredUpdate, StaleDelivery, StaleTurn: see there.
        IntegrityError: a key of the batch exists already.
        StoreDamaged: the row of positions is not there.

    """
    notices = batch.notices
    count = sum(map(len, (batch.updates, batch.transitions, batch.messages, batch.events, notices)))
    last = service_position.advance(connection, count)
    ids = document_ids.ids_of(connection, (new.document for new in batch.updates))
    committed, written = _positioned(batch, last - count + 1, last, ids)
    written[tables.subjects] = [(new.subject, new.ticket, new.readable) for new in batch.subjects]
    positions = {row[1]: row[0] for row in written[tables.messages]}
    positions |= {new.id: position for position, new in enumerate(notices, last - len(notices) + 1)}
    written[tables.outbox] = outbox_rows.rows(batch.deliveries, positions)
    written[tables.results] = _results(batch.results, committed.last)
    written[tables.quarantine] = [(new.document, new.actor, new.code, new.data, new.at_ms) for new in batch.quarantined]
    for table, rows in written.items():
        if rows:
            add_rows(connection, table, rows)
    if batch.updates and bulk.query(connection, _COVERED, ("first",), (committed.first,)).first() is not None:
        raise CoveredUpdate
    outbox_rows.apply(connection, batch.deliveries, batch.delivery_changes)
    if batch.owed:
        owed_rows.apply(connection, batch.owed)
    if batch.media:
        kept = [{"of": use.ticket, "named": use.digest, "to": use.audience} for use in batch.media]
        connection.execute(_KEEP_MEDIA, kept)
    if batch.tickets:
        _write_tickets(connection, batch.tickets, committed)
    desk_rows.apply(connection, batch)
    if batch.quarantined:
        quarantine.trim(connection, batch.quarantined)
    if batch.refusals:
        operator_rows.keep(connection, batch.refusals)
    return committed


def taken(connection: Connection, batch: Batch) -> set[Key]:
    """Return the keys of the batch that are stored already, and of its tickets those that moved on."""
    claimed: dict[str, list[Key]] = {}
    for key, _ in unique_keys(batch):
        claimed.setdefault(key[0], []).append(key[1:])
    found: set[Key] = set()
    for kind, columns in _UNIQUE_COLUMNS.items():
        keys = claimed.get(kind, [])
        for start in range(0, len(keys), _KEYS_A_STATEMENT):
            some = keys[start : start + _KEYS_A_STATEMENT]
            statement = select(*columns).where(tuple_(*columns).in_(some))
            if kind == "update":
                statement = statement.join_from(tables.updates, tables.documents)
            rows = connection.execute(statement)
            found.update((kind, *row) for row in rows)
    found |= _covered(connection, claimed.get("update", []))
    stored = _stored_tickets(connection, batch.tickets)
    found |= {("delivery_change", id_) for id_ in outbox_rows.stale(connection, batch.delivery_changes)}
    found |= {("turn", rule) for rule in desk_rows.stale(connection, batch.turns)}
    return found | {("ticket", ticket) for ticket in _stale(batch.tickets, stored)}


def compact(connection: Connection, compaction: Compaction) -> bool:
    """Replace what the compaction was made of; False, and nothing to keep, if that is not what is stored."""
    document, new = compaction.document, compaction.snapshot
    snapshots, updates = tables.snapshots, tables.updates
    covered = new.document_position - compaction.expected_position
    gone = delete(snapshots).where(
        snapshots.c.document == document, snapshots.c.document_position == compaction.expected_position
    )
    if compaction.expected_position and (connection.execute(gone)).rowcount != 1:
        return False
    removed = connection.execute(
        delete(updates).where(
            updates.c.document_id == document_ids.id_of(connection, document),
            updates.c.document_position <= new.document_position,
        )
    )
    if not 0 < covered == removed.rowcount:
        return False
    authors = canonical.dumps([[author.actor, author.department, author.roles] for author in new.authors])
    add_rows(connection, snapshots, [(document, new.document_position, new.data, authors, new.digest)])
    add_rows(connection, tables.authorship, [(document, compaction.position, compaction.authorship)])
    return True


def _covered(connection: Connection, claimed: Sequence[Key]) -> set[Key]:
    """Return the keys of updates in whose place a snapshot stands."""
    names = sorted({document for document, _ in claimed})
    columns = tables.snapshots.c
    covered: dict[str, int] = {}
    for start in range(0, len(names), _KEYS_A_STATEMENT):
        some = columns.document.in_(names[start : start + _KEYS_A_STATEMENT])
        rows = connection.execute(select(columns.document, columns.document_position).where(some))
        covered.update((row.document, row.document_position) for row in rows)
    return {("update", *key) for key in claimed if key[1] <= covered.get(key[0], 0)}


def _results(results: Sequence[NewResult], position: Position) -> list[bulk.Row]:
    return [(new.actor, new.key, new.request, new.result, position, new.at_ms) for new in results]


def keep_result(connection: Connection, result: NewResult) -> None:
    """Keep the first result of a key beside what else this transaction writes, which takes no position."""
    add_rows(connection, tables.results, _results([result], service_position.newest(connection)))


def add_rows(connection: Connection, table: Table, rows: Sequence[bulk.Row]) -> None:
    """Insert rows, each with its checksum where the table has them: that is the last column."""
    checksum = CHECKSUMS.get(table)
    signed = rows if checksum is None else [(*row, checksum(row)) for row in rows]
    bulk.insert(connection, _INSERTS[table], _NAMES[table], signed)


def _positioned(
    batch: Batch, first: int, last: int, ids: Mapping[str, int]
) -> tuple[Committed, dict[Table, list[bulk.Row]]]:
    """Give out positions in the order of the batch's fields; the last ones are the notices'."""
    positions = itertools.count(first)
    updates = [
        (
            next(positions),
            ids[new.document],
            new.document_position,
            new.data,
            new.actor,
            new.department,
            _names(new.roles),
            new.at_ms,
            new.traceparent,
        )
        for new in batch.updates
    ]
    rows: dict[Table, list[bulk.Row]] = {
        tables.updates: updates,
        tables.transitions: [_record(new, next(positions)) for new in batch.transitions],
        tables.messages: [_record(new, next(positions)) for new in batch.messages],
        tables.events: [_event(new, next(positions)) for new in batch.events],
    }
    transitions = {TransitionId(row[1]): Position(row[0]) for row in rows[tables.transitions]}
    return Committed(Position(first), Position(last), transitions), rows


@lru_cache(maxsize=1024)  # as many actors as are busy at once; the roles of one seldom change
def _names(names: tuple[str, ...]) -> str:
    return canonical.dumps(names)


def _record(new: NewTransition | NewMessage, position: int) -> bulk.Row:
    return position, new.id, new.ticket, new.record, new.at_ms, new.traceparent


def _event(new: NewEvent, position: int) -> bulk.Row:
    data, audience = canonical.dumps(new.data), _names(new.audience)
    return position, new.type, new.ticket, data, audience, new.at_ms, new.traceparent


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a ticket's row says before the batch. `state` are the columns that follow from transitions."""

    position: Position
    version: Position
    state: tuple[str, ...]


_STATE = tuple(tables.tickets.c[name] for name in ("stage", "kind", "lanes", "flags", "obligations", "participants"))


def _state(new: TicketWrite) -> tuple[str, ...]:
    dumps = canonical.dumps
    lanes, flags, obligations = dumps(new.lanes), dumps(new.flags), dumps(new.obligations)
    return new.stage, new.kind, lanes, flags, obligations, _names(new.participants)


def _write_tickets(connection: Connection, tickets: Sequence[TicketWrite], committed: Committed) -> None:
    """Write what a batch makes of tickets: the rows of those whose state stays in one statement, unread."""
    touched = [new for new in tickets if _stays(new)]
    if touched:
        _touch_tickets(connection, touched, committed)
    if len(touched) < len(tickets):
        _move_tickets(connection, [new for new in tickets if not _stays(new)], committed)


def _stays(new: TicketWrite) -> bool:
    return new.newest_transition is None and new.expected_position is not None and not new.restated


def _touch_tickets(connection: Connection, tickets: Sequence[TicketWrite], committed: Committed) -> None:
    rows = [
        (new.id, new.expected_position, canonical.dumps(new.card), committed.last, new.updated_at_ms, new.traceparent)
        for new in tickets
    ]
    if bulk.execute_values(connection, _TOUCH, _TOUCH_TYPES, rows) != len(tickets):
        raise StaleTicket("one was written meanwhile")


def _move_tickets(connection: Connection, tickets: Sequence[TicketWrite], committed: Committed) -> None:
    stored = _stored_tickets(connection, tickets)
    if stale := _stale(tickets, stored):
        raise StaleTicket(f"written meanwhile: {', '.join(stale)}")
    rows, gone, come = [], list[bulk.Row](), list[bulk.Row]()
    for new in tickets:
        before, state = stored.get(new.id), _state(new)
        had, has = _facets(before.state) if before is not None else frozenset(), _facets(state)
        version = before.version if before is not None else Position(0)
        gone += [(*facet, new.id) for facet in sorted(had - has)]
        come += [(*facet, new.id) for facet in sorted(has - had)]
        rows.append(
            (
                new.id,
                new.lifecycle,
                new.subject,
                *state[:-1],
                canonical.dumps(new.card),
                state[-1],
                version if new.newest_transition is None else committed.transitions[new.newest_transition],
                committed.last,
                new.opened_at_ms,
                new.updated_at_ms,
                new.traceparent,
                new.duplicate_of,
                new.answers_in,
            )
        )
    bulk.insert(connection, _save_tickets(connection.dialect), _NAMES[tables.tickets], rows)
    if gone:
        bulk.execute(connection, _DELETE_FACET, _NAMES[tables.ticket_facets], gone)
    if come:
        add_rows(connection, tables.ticket_facets, come)


@lru_cache(maxsize=8)  # of each engine that is open
def _save_tickets(dialect: Dialect) -> Insert:
    """Return what inserts a ticket or replaces its row: which of the two was found out under the lock."""
    new = bulk.own_insert(dialect)(tables.tickets)
    changed = {column.name: column for column in new.excluded if column.name != "id"}
    return new.on_conflict_do_update(index_elements=["id"], set_=changed).inline()


def _stored_tickets(connection: Connection, tickets: Sequence[TicketWrite]) -> dict[str, _Stored]:
    stored = {}
    for start in range(0, len(tickets), _KEYS_A_STATEMENT):
        ids = [new.id for new in tickets[start : start + _KEYS_A_STATEMENT]]
        ids += ids[-1:] * (2 ** (len(ids) - 1).bit_length() - len(ids))  # so that there are few statements
        statement, names = _tickets_by_id(len(ids))
        for row in bulk.query(connection, statement, names, tuple(ids)):
            stored[row[0]] = _Stored(row[1], row[2], tuple(row[3:]))
    return stored


@lru_cache(maxsize=16)
def _tickets_by_id(count: int) -> tuple[Select[Any], tuple[str, ...]]:
    columns, names = tables.tickets.c, tuple(f"id_{number}" for number in range(count))
    selected = select(columns.id, columns.position, columns.version, *_STATE)
    return selected.where(columns.id.in_([bindparam(name) for name in names])), names


def _facets(state: tuple[str, ...]) -> frozenset[Facet]:
    """Return what a ticket is found by."""
    stage, _, lanes, _, obligations, participants = state
    return facets(stage, json.loads(participants), json.loads(lanes), owing_lanes(json.loads(obligations)))


def _stale(tickets: Sequence[TicketWrite], stored: Mapping[str, _Stored]) -> list[str]:
    """Return the tickets that are not at the expected position; of two writes of one ticket the second is stale."""
    stale: list[str] = []
    written: set[str] = set()
    for new in tickets:
        before = stored.get(new.id)
        if new.id in written or (before.position if before is not None else None) != new.expected_position:
            stale.append(new.id)
        written.add(new.id)
    return stale

"""The store without a disk: for tests, demonstrations and as the oracle of the SQL store. Nothing survives its process.

It owns the same semantics in plain dictionaries. No method waits between reading and writing, so none needs a lock.
"""

import itertools
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from crdt_sync.adapters.storage.keys import (
    QUARANTINE_BYTES_MAX,
    QUARANTINE_ROWS_MAX,
    REFUSAL_ROWS_MAX,
    Key,
    collisions,
    facets,
    has_room,
    owing_lanes,
    unique_keys,
    wanted,
)
from crdt_sync.adapters.storage.memory_desk import MemoryDesk
from crdt_sync.adapters.storage.memory_media import MemoryMedia
from crdt_sync.adapters.storage.memory_webhooks import MemoryWebhooks
from crdt_sync.domain import canonical
from crdt_sync.domain.ids import ActorId, Digest, MessageId, Position, TicketId, TransitionId
from crdt_sync.domain.restriction import Restriction
from crdt_sync.domain.tripwire import Alarm
from crdt_sync.ports import (
    Batch,
    Committed,
    JournalRow,
    NewUpdate,
    Quarantined,
    StoreConflict,
    StoreDamaged,
    StoredEvent,
    StoredMessage,
    StoredResult,
    TicketFilter,
    TicketRow,
    TicketWrite,
)
from crdt_sync.ports.operator import Refusal, RefusalFilter, StoredRestriction
from crdt_sync.ports.owed import OwedChange, StoredOwed
from crdt_sync.ports.stored import Compaction, Snapshot, StoredDocument, StoredUpdate


class MemoryStore(MemoryDesk, MemoryMedia, MemoryWebhooks):
    """A `Store` in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._taken: set[Key] = set()
        self._updates: dict[str, list[StoredUpdate]] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._authorship: dict[str, dict[Position, bytes]] = {}
        self._journals: dict[TicketId, list[JournalRow]] = {}
        self._messages: dict[TicketId, list[JournalRow]] = {}
        self._by_id: dict[MessageId, StoredMessage] = {}
        self._events: list[StoredEvent] = []
        self._subjects: dict[str, TicketId] = {}
        self._readable: dict[str, str] = {}
        self._lifecycles: dict[Digest, str] = {}
        self._alarms: list[Alarm] = []
        self._ended: dict[str, frozenset[int]] = {}
        self._epoch = 0
        self._restrictions: dict[ActorId, StoredRestriction] = {}
        self._changes = 0
        self._refusals: dict[tuple[object, ...], Refusal] = {}
        self._owed: dict[tuple[TicketId, str], StoredOwed] = {}
        self._red: set[tuple[TicketId, str]] = set()
        self.quarantine: deque[Quarantined] = deque(maxlen=QUARANTINE_ROWS_MAX)

    async def commit(self, batch: Batch) -> Committed:
        """Work out every row before the first is kept, so that a faulty batch leaves nothing."""
        self._check_open()
        stale: set[Key] = {("delivery_change", id_) for id_ in self._stale_deliveries(batch.delivery_changes)}
        stale |= {("ticket", new.id) for new in batch.tickets if self._ticket_position(new.id) != new.expected_position}
        stale |= {("turn", turn.rule) for turn in batch.turns if self._turns.get(turn.rule, "") != turn.after}
        if keys := collisions(batch, self._taken | stale):
            raise StoreConflict(keys)
        notices = batch.notices
        count = sum(map(len, (batch.updates, batch.transitions, batch.messages, batch.events, notices)))
        positions = map(Position, itertools.count(self._position + 1))
        updates = [
            StoredUpdate(
                new.document_position,
                next(positions),
                new.data,
                new.actor,
                new.department,
                new.roles,
                new.at_ms,
                new.traceparent,
            )
            for new in batch.updates
        ]
        transitions = [(new.ticket, JournalRow(next(positions), new.id, new.record)) for new in batch.transitions]
        messages = [(new.ticket, JournalRow(next(positions), new.id, new.record)) for new in batch.messages]
        events = [
            StoredEvent(next(positions), e.type, e.ticket, _plain(e.data), e.audience, e.at_ms, e.traceparent)
            for e in batch.events
        ]
        committed = Committed(
            first=Position(self._position + 1),
            last=Position(self._position + count),
            transitions={TransitionId(row.id): row.position for _, row in transitions},
        )
        tickets = {new.id: self._row(new, committed) for new in batch.tickets}

        for kept, rows in ((self._journals, transitions), (self._messages, messages)):
            for ticket, row in rows:
                kept.setdefault(ticket, []).append(row)
        for new, update in zip(batch.updates, updates, strict=True):
            self._updates.setdefault(new.document, []).append(update)
        self._by_id |= {new.id: StoredMessage(new.ticket, new.record) for new in batch.messages}
        self._events += events
        self._tickets |= tickets
        self._subjects |= {new.subject: new.ticket for new in batch.subjects}
        self._readable |= {new.subject: new.readable for new in batch.subjects}
        positions_of = {row.id: row.position for _, row in messages} | {new.id: next(positions) for new in notices}
        self._write_desk(batch)
        self._write_deliveries(batch.deliveries, batch.delivery_changes, positions_of)
        self._keep_media(batch.media)
        self._results |= {
            (new.actor, new.key): StoredResult(new.request, new.result, committed.last) for new in batch.results
        }
        self.quarantine += batch.quarantined
        while sum(len(refused.data) for refused in self.quarantine) > QUARANTINE_BYTES_MAX:
            self.quarantine.popleft()
        for refusal in batch.refusals:
            self._keep_refusal(refusal)
        for change in batch.owed:
            self._note_owed(change)
        self._taken |= {key for key, _ in unique_keys(batch) if key[0] not in {"ticket", "delivery_change", "turn"}}
        self._position = committed.last
        return committed

    async def document(self, name: str) -> StoredDocument:
        """Sort by the document's own positions, which need not arrive in order."""
        self._check_open()
        log = sorted(self._updates.get(name, []), key=lambda update: update.document_position)
        stored = StoredDocument(self._snapshots.get(name), tuple(log), self._ended.get(name, frozenset()), self._epoch)
        for position, update in enumerate(log, stored.snapshot_position + 1):
            if update.document_position != position:
                raise StoreDamaged(f"update {position} of {name} is not there")
        return stored

    async def compact(self, compaction: Compaction) -> None:
        """Compare, then replace; the keys of what goes stay taken."""
        self._check_open()
        name, new, rows = compaction.document, compaction.snapshot, self._updates.get(compaction.document, [])
        before = self._snapshots.get(name)
        kept = [row for row in rows if row.document_position > new.document_position]
        covered = new.document_position - compaction.expected_position
        authorship = self._authorship.setdefault(name, {})
        if (
            compaction.expected_position != (before.document_position if before else 0)
            or len(rows) - len(kept) != covered
            or compaction.position in authorship
        ):
            raise StoreConflict([name])
        self._snapshots[name], self._updates[name] = new, kept
        authorship[compaction.position] = compaction.authorship

    async def authorship(self, name: str) -> Sequence[bytes]:
        """Return what was kept, as it was."""
        self._check_open()
        return [kept for _, kept in sorted(self._authorship.get(name, {}).items())]

    async def documents(self, *, after: str = "", limit: int = 1000) -> Sequence[str]:
        """Sort every name."""
        self._check_open()
        names = self._updates.keys() | self._snapshots.keys() | self._ended.keys()
        return sorted(name for name in names if name > after)[:limit]

    async def begin_epoch(self, position: Position, at_ms: int) -> None:
        """Move the positions."""
        del at_ms
        self._check_open()
        self._epoch += 1
        self._lose_deliveries()
        self._position = max(self._position, position)
        for id_, row in self._tickets.items():
            self._tickets[id_] = replace(row, position=max(row.position, position))

    async def renew(self, name: str, updates: Sequence[NewUpdate], ended: frozenset[int]) -> None:
        """Forget the former life, then write the new one like any batch."""
        self._check_open()
        self._ended[name] = self._ended.get(name, frozenset()) | ended
        self._updates.pop(name, None)
        self._snapshots.pop(name, None)
        self._taken = {key for key in self._taken if key[:2] != ("update", name)}
        await self.commit(Batch(updates=updates))

    async def journal(self, ticket: TicketId) -> Sequence[JournalRow]:
        """Return a copy, as does every method that returns several."""
        self._check_open()
        return list(self._journals.get(ticket, []))

    async def messages(self, ticket: TicketId) -> Sequence[JournalRow]:
        """Return the rows in the order of their commits."""
        self._check_open()
        return list(self._messages.get(ticket, []))

    async def newest_messages(self, tickets: Iterable[TicketId], limit: int) -> Mapping[TicketId, Sequence[JournalRow]]:
        """Take the last ones."""
        self._check_open()
        return {ticket: self._messages.get(ticket, [])[: -limit - 1 : -1] for ticket in tickets}

    async def message(self, message: MessageId) -> StoredMessage | None:
        """Find it by its id."""
        self._check_open()
        return self._by_id.get(message)

    async def ticket(self, ticket: TicketId) -> TicketRow | None:
        """Return the row of the newest batch that wrote the ticket."""
        self._check_open()
        return self._tickets.get(ticket)

    async def tickets(
        self, where: TicketFilter, *, after: TicketId | None = None, limit: int = 100
    ) -> Sequence[TicketRow]:
        """Compare every ticket with the filter."""
        self._check_open()
        rows = (self._tickets[ticket] for ticket in sorted(self._tickets) if after is None or ticket > after)
        return list(itertools.islice((row for row in rows if _matches(row, where)), limit))

    async def subject(self, subject: str) -> TicketId | None:
        """Return the ticket that was bound first."""
        self._check_open()
        return self._subjects.get(subject)

    async def readable(self, subject: str) -> str:
        """Return what was bound with it."""
        self._check_open()
        return self._readable.get(subject, "")

    async def result(self, actor: ActorId, key: str) -> StoredResult | None:
        """Return the result that was stored first."""
        self._check_open()
        return self._results.get((actor, key))

    async def events(self, after: Position, *, limit: int = 1000) -> Sequence[StoredEvent]:
        """Return the events in the order of their commits."""
        self._check_open()
        return list(itertools.islice((event for event in self._events if event.position > after), limit))

    async def position(self) -> Position:
        """Return the position that the newest commit reached."""
        self._check_open()
        return self._position

    async def save_lifecycle(self, digest: Digest, source: str) -> None:
        """Keep the first."""
        self._check_open()
        self._lifecycles.setdefault(digest, source)

    async def lifecycles(self) -> Mapping[Digest, str]:
        """Return a copy."""
        self._check_open()
        return dict(self._lifecycles)

    async def save_alarm(self, alarm: Alarm) -> bool:
        """Look through all of them."""
        self._check_open()
        kept = [(other.ticket, other.heads) for other in self._alarms if other.department == alarm.department]
        if not has_room(alarm, kept):
            return False
        self._alarms.append(alarm)
        return True

    async def alarms(self, ticket: TicketId) -> Sequence[Alarm]:
        """Look through all of them."""
        self._check_open()
        found = [alarm for alarm in self._alarms if alarm.ticket == ticket]
        return sorted(found, key=lambda alarm: (alarm.department, alarm.heads))

    async def restrict(
        self, actor: ActorId, amend: Callable[[Restriction], Restriction], at_ms: int
    ) -> StoredRestriction:
        """Put the actor's restriction behind all others."""
        self._check_open()
        known = self._restrictions.get(actor)
        amended = amend(known.restriction if known is not None else Restriction(actor))
        self._restrictions.pop(actor, None)
        self._changes += 1
        stored = self._restrictions[actor] = StoredRestriction(self._changes, amended, at_ms)
        return stored

    async def restrictions(self, after: int = 0) -> Sequence[StoredRestriction]:
        """Look through all of them."""
        self._check_open()
        return [stored for stored in self._restrictions.values() if stored.change > after]

    async def refusals(self, where: RefusalFilter, *, limit: int = 100) -> Sequence[Refusal]:
        """Look through all of them."""
        self._check_open()
        wanted = [(name, value) for name, value in asdict(where).items() if value is not None]
        kept = list(self._refusals.values())[::-1]
        kept.sort(key=lambda refusal: -refusal.hour_ms)
        return [each for each in kept if all(getattr(each, name) == value for name, value in wanted)][:limit]

    async def overdue(
        self, raised_by_ms: int, *, ticket: TicketId | None = None, limit: int = 100
    ) -> Sequence[StoredOwed]:
        """Look through all of them."""
        self._check_open()
        found = [
            row
            for key, row in self._owed.items()
            if key not in self._red and row.raised_ms <= raised_by_ms and ticket in {None, row.ticket}
        ]
        return sorted(found, key=lambda row: (row.raised_ms, row.ticket, row.obligation))[:limit]

    async def check(self) -> None:
        """Succeed until the store is closed."""
        self._check_open()

    async def close(self) -> None:
        """Refuse everything from now on."""
        self._closed = True

    def _keep_refusal(self, new: Refusal) -> None:
        kind = (new.hour_ms, new.wire, new.subject, new.code, new.actor, new.department, new.source)
        known = self._refusals.get(kind)
        self._refusals[kind] = new if known is None else replace(new, count=known.count + new.count)
        while len(self._refusals) > REFUSAL_ROWS_MAX:
            del self._refusals[next(iter(self._refusals))]

    def _note_owed(self, change: OwedChange) -> None:
        key = change.ticket, change.obligation
        match change.became:
            case "raised":
                self._owed.setdefault(key, StoredOwed(*key, change.at_ms))
            case "red":
                if key in self._owed:
                    self._red.add(key)
            case "discharged":
                self._owed.pop(key, None)
                self._red.discard(key)

    def _ticket_position(self, ticket: TicketId) -> Position | None:
        return self._tickets[ticket].position if ticket in self._tickets else None

    def _row(self, new: TicketWrite, committed: Committed) -> TicketRow:
        before = self._tickets.get(new.id)
        if new.newest_transition is None and before is not None and not new.restated:
            return replace(before, card=_plain(new.card), position=committed.last, updated_at_ms=new.updated_at_ms)
        version = before.version if before is not None else Position(0)
        if new.newest_transition is not None:
            version = committed.transitions[new.newest_transition]
        return TicketRow(
            id=new.id,
            lifecycle=new.lifecycle,
            subject=new.subject,
            stage=new.stage,
            kind=new.kind,
            lanes=_plain(new.lanes),
            flags=_plain(new.flags),
            obligations=_plain(new.obligations),
            card=_plain(new.card),
            participants=new.participants,
            version=version,
            position=committed.last,
            opened_at_ms=new.opened_at_ms,
            updated_at_ms=new.updated_at_ms,
            duplicate_of=new.duplicate_of,
            answers_in=new.answers_in,
        )


def _plain(value: object) -> Any:  # noqa: ANN401 - what JSON holds has no better type
    """Return what a database would give back: a copy in which every sequence is a list."""
    return json.loads(canonical.dumps(value))


def _matches(row: TicketRow, where: TicketFilter) -> bool:
    return (
        wanted(where) <= facets(row.stage, row.participants, row.lanes, owing_lanes(row.obligations))
        and (where.tickets is None or row.id in where.tickets)
        and (where.changed_after is None or row.position > where.changed_after)
    )

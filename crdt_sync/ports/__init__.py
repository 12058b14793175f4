"""What the service needs of the outside, as contracts. Adapters implement these; `tests/contracts` holds each to it.

All positions come from one sequence for the whole service: every stored update, transition, message, event and notice
takes one, in the order of the commit that wrote it, without holes that a reader could see filled later.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Protocol

from crdt_sync.domain.event import EventType
from crdt_sync.domain.ids import ActorId, Department, Digest, MessageId, Position, TicketId, TransitionId
from crdt_sync.domain.tripwire import Alarm
from crdt_sync.ports.desk import Assignment, DeskStore, NewParty, Turn
from crdt_sync.ports.media import MediaStore, MediaUse
from crdt_sync.ports.operator import OperatorStore, Refusal
from crdt_sync.ports.outbox import DeliveryChange, NewDelivery, OutboxStore
from crdt_sync.ports.owed import OwedChange, OwedStore
from crdt_sync.ports.sources import Clock as Clock
from crdt_sync.ports.sources import Ids as Ids
from crdt_sync.ports.stored import Compaction, StoredDocument
from crdt_sync.ports.users import UserStore
from crdt_sync.ports.webhooks import WebhookStore


class StoreConflict(Exception):
    """Another writer was first: `keys` names the documents, tickets or subjects to load again before a retry."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(f"written meanwhile: {', '.join(keys)}")
        self.keys = tuple(keys)


class StoreUnavailable(Exception):
    """The store cannot commit or read now; nothing of the batch was kept."""


class StoreDamaged(StoreUnavailable):
    """What the store holds is not what it was given; to ask again does not help."""


@dataclass(slots=True)  # not frozen: that would double the cost of making one, and one is made for every keystroke
class NewUpdate:
    """One Yjs update (format v1) to append. `document_position` counts from 1 in each document, without holes."""

    document: str
    document_position: int
    data: bytes
    actor: ActorId
    department: Department
    roles: tuple[str, ...]
    at_ms: int
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class NewTransition:
    """One admitted transition: `record` is its canonical string."""

    id: TransitionId
    ticket: TicketId
    record: str
    at_ms: int
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """One admitted message of a conversation: `record` is its canonical string."""

    id: MessageId
    ticket: TicketId
    record: str
    at_ms: int
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One domain event. `audience` are the departments that may see it."""

    type: EventType
    ticket: TicketId
    data: Mapping[str, object]
    audience: tuple[Department, ...]
    at_ms: int
    traceparent: str | None = None


@dataclass(slots=True)  # not frozen: that doubles the cost of making one, and one is made with every batch of changes
class TicketWrite:
    """The projection of one ticket after the batch.

    `expected_position` is the stored row's position that the writer folded from, None if it creates the row; any other
    value in the store is a `StoreConflict`. `newest_transition` names a transition of this batch whose position becomes
    the row's `version`; None keeps the version of a row that is there. Unless it is `restated`, everything else but its
    card and its times is kept then, too: it follows from transitions, and from what the ticket is a duplicate of.
    """

    id: TicketId
    expected_position: Position | None
    newest_transition: TransitionId | None
    lifecycle: Digest
    subject: str
    stage: str
    kind: str
    lanes: Mapping[str, str]
    flags: Mapping[str, Sequence[str]]
    obligations: Sequence[Mapping[str, object]]
    card: Mapping[str, object]
    participants: tuple[Department, ...]
    opened_at_ms: int
    updated_at_ms: int
    traceparent: str | None = None
    duplicate_of: TicketId | None = None
    answers_in: TicketId | None = None
    restated: bool = False


@dataclass(frozen=True, slots=True)
class NewSubject:
    """The binding of a subject to its ticket; unique for ever.

    `readable` says in clear whom a chat's subject stands for, so that it can be erased: JSON, empty for other subjects.
    """

    subject: str
    ticket: TicketId
    readable: str = ""


@dataclass(frozen=True, slots=True)
class NewResult:
    """The first result of a command that carried an idempotency key, unique per actor and key."""

    actor: ActorId
    key: str
    request: Digest
    result: str  # JSON of everything but the position, which the store adds
    at_ms: int


@dataclass(frozen=True, slots=True)
class StoredResult:
    """The first result, as stored. `position` is the last of the batch that wrote it."""

    request: Digest
    result: str
    position: Position


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Bytes that were refused, kept for inspection."""

    document: str
    actor: ActorId
    code: str
    data: bytes
    at_ms: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that one transaction writes. Positions are given in the order of the fields and of each sequence."""

    updates: Sequence[NewUpdate] = ()
    transitions: Sequence[NewTransition] = ()
    messages: Sequence[NewMessage] = ()
    events: Sequence[NewEvent] = ()
    tickets: Sequence[TicketWrite] = ()
    subjects: Sequence[NewSubject] = ()
    results: Sequence[NewResult] = ()
    quarantined: Sequence[Quarantined] = ()
    refusals: Sequence[Refusal] = ()
    deliveries: Sequence[NewDelivery] = ()
    delivery_changes: Sequence[DeliveryChange] = ()
    assignments: Sequence[Assignment] = ()
    turns: Sequence[Turn] = ()
    parties: Sequence[NewParty] = ()
    media: Sequence[MediaUse] = ()
    owed: Sequence[OwedChange] = ()

    @property
    def notices(self) -> Sequence[NewDelivery]:
        """Return what is to be sent and belongs to no message."""
        return [new for new in self.deliveries if new.is_notice]

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing to write."""
        return not any(getattr(self, entry.name) for entry in fields(self))


@dataclass(frozen=True, slots=True)
class Committed:
    """Where a batch went. `last` is also the position of every ticket that the batch wrote.

    `first` is the position of the batch's first row; a batch without positioned rows has `first == last + 1`.
    """

    first: Position
    last: Position
    transitions: Mapping[TransitionId, Position] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One admitted transition or message, as stored."""

    position: Position
    id: str
    record: str


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One admitted message, found by its id."""

    ticket: TicketId
    record: str


@dataclass(slots=True)  # not frozen: that doubles the cost of making one, and one is made with every batch of changes
class TicketRow:
    """The projection of one ticket, as stored.

    `duplicate_of` is the ticket in which its work goes on. `answers_in` is a duplicate of it in whose conversation the
    customer wrote last, so that answers go there.
    """

    id: TicketId
    lifecycle: Digest
    subject: str
    stage: str
    kind: str
    lanes: Mapping[str, str]
    flags: Mapping[str, Sequence[str]]
    obligations: Sequence[Mapping[str, object]]
    card: Mapping[str, object]
    participants: tuple[Department, ...]
    version: Position
    position: Position
    opened_at_ms: int
    updated_at_ms: int
    duplicate_of: TicketId | None = None
    answers_in: TicketId | None = None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One domain event, as stored."""

    position: Position
    type: str
    ticket: TicketId
    data: Mapping[str, object]
    audience: tuple[Department, ...]
    at_ms: int
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """Which tickets to list. `department` is the caller's: rows in which it does not participate are never returned."""

    department: Department
    tickets: tuple[TicketId, ...] | None = None  # None: no restriction
    stage: str | None = None
    lane_states: Mapping[str, str] = field(default_factory=dict)
    owed_by: str | None = None  # a lane that an open obligation names
    changed_after: Position | None = None
    together_with: Department | None = None  # another department that takes part in them, too


class Store(OperatorStore, UserStore, OutboxStore, OwedStore, MediaStore, DeskStore, WebhookStore, Protocol):
    """The log and what is derived from it, written together and only together.

    `commit` writes the whole batch in one durable transaction or nothing. When it returns, the batch survives the loss
    of power. Every method raises `StoreUnavailable` if the store cannot answer.
    """

    async def commit(self, batch: Batch) -> Committed:
        """Write the batch durably, all of it or none.

        Raises:
            StoreConflict: a document position, transition id, message id, subject, idempotency key or delivery id
                exists already, or a ticket's row is not at its expected position, or a delivery not as its change
                expects. `keys` holds the document names, ticket ids, transition ids, message ids, subjects,
                idempotency keys or delivery ids concerned.
            StoreUnavailable: the transaction could not be made durable.

        """
        ...

    async def document(self, name: str) -> StoredDocument:
        """Load a document; one that was never written is empty. A failed load raises, it is never an empty answer."""
        ...

    async def compact(self, compaction: Compaction) -> None:
        """Put a snapshot in the place of the snapshot and the rows that it was made of, all in one transaction.

        From then on an update with a position that it covers is a `StoreConflict`, as if its row were there.

        Raises:
            StoreConflict: the document's snapshot is another one by now, or a row that this one covers is not there.
            StoreUnavailable: the transaction could not be made durable; nothing was removed.

        """
        ...

    async def authorship(self, name: str) -> Sequence[bytes]:
        """Return what each compaction of the document kept of who wrote what when, oldest first."""
        ...

    async def documents(self, *, after: str = "", limit: int = 1000) -> Sequence[str]:
        """Return the names of up to `limit` documents that were ever written, in their order, those after `after`."""
        ...

    async def begin_epoch(self, position: Position, at_ms: int) -> None:
        """Note that the store was restored; its position, and that of every ticket, becomes at least `position`."""
        ...

    async def renew(self, name: str, updates: Sequence[NewUpdate], ended: frozenset[int]) -> None:
        """Put a document's new life in the place of all that is stored of it, and keep the client ids that have ended.

        Only before the first session: a room that holds the document is not told.
        """
        ...

    async def journal(self, ticket: TicketId) -> Sequence[JournalRow]:
        """Return the ticket's admitted transitions, oldest first."""
        ...

    async def messages(self, ticket: TicketId) -> Sequence[JournalRow]:
        """Return the ticket's admitted messages, oldest first."""
        ...

    async def newest_messages(self, tickets: Iterable[TicketId], limit: int) -> Mapping[TicketId, Sequence[JournalRow]]:
        """Return the newest messages of each conversation, so many, the newest first."""
        ...

    async def message(self, message: MessageId) -> StoredMessage | None:
        """Return an admitted message, whatever its ticket."""
        ...

    async def ticket(self, ticket: TicketId) -> TicketRow | None:
        """Return the projection of a ticket, None if there is none."""
        ...

    async def tickets(
        self, where: TicketFilter, *, after: TicketId | None = None, limit: int = 100
    ) -> Sequence[TicketRow]:
        """Return up to `limit` tickets in the order of their ids, those after `after` only."""
        ...

    async def subject(self, subject: str) -> TicketId | None:
        """Return the ticket that a subject is bound to."""
        ...

    async def readable(self, subject: str) -> str:
        """Return whom a chat's subject stands for, as `NewSubject` says it; empty where nobody, or nobody any more."""
        ...

    async def result(self, actor: ActorId, key: str) -> StoredResult | None:
        """Return the stored result of an idempotency key."""
        ...

    async def events(self, after: Position, *, limit: int = 1000) -> Sequence[StoredEvent]:
        """Return events with a position greater than `after`, oldest first."""
        ...

    async def position(self) -> Position:
        """Return the newest position of the whole service."""
        ...

    async def save_lifecycle(self, digest: Digest, source: str) -> None:
        """Keep the source of a lifecycle under its digest; saving it again changes nothing."""
        ...

    async def lifecycles(self) -> Mapping[Digest, str]:
        """Return every lifecycle source that was ever saved, by digest."""
        ...

    async def save_alarm(self, alarm: Alarm) -> bool:
        """Keep an alarm, and tell whether it was kept: one a ticket, department and heads, the first; and so many."""
        ...

    async def alarms(self, ticket: TicketId) -> Sequence[Alarm]:
        """Return a ticket's alarms, by department and heads."""
        ...

    async def check(self) -> None:
        """Make an empty durable commit, so that readiness means that the log can commit."""
        ...

    async def close(self) -> None:
        """Release connections; what was committed stays."""
        ...

"""One ticket in memory, folded from the journal: what the committer decides on.

Everything here is committed, or part of the batch that is being committed; after a failed commit it is dropped and
loaded anew.
"""

import bisect
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TypeVar

from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.log import LogDocument
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.documents.talk import TalkDocument
from crdt_sync.domain.delivery import Conversation
from crdt_sync.domain.group import NO_GROUPS, Groups
from crdt_sync.domain.ids import (
    Department,
    DocumentKind,
    DocumentName,
    LaneId,
    MessageId,
    Position,
    TicketId,
    TransitionId,
)
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.lifecycle.result import TicketState
from crdt_sync.domain.transition import Transition, decode
from crdt_sync.errors import NotFound, NotThereYet, PreconditionUnknown, Unavailable
from crdt_sync.ports import Ids, Store, TicketRow
from crdt_sync.protocol.room import Room
from crdt_sync.service.lifecycles import Lifecycles
from crdt_sync.service.rooms import Rooms
from crdt_sync.service.waiting import WaitingList

_D = TypeVar("_D")

CHAT = "chat:"  # begins the subjects of conversations, and no other
TICKET_IDLE_S = 60.0  # a person who works on a ticket looks at it again within this time or waits some milliseconds
DUPLICATES_FOLLOWED_MAX = 32  # one after the other; a message that went so far stays there, and its page leads on
LIVE_TICKETS_MAX = 2_000  # some 20 kB each with a hundred transitions


@dataclass(slots=True)
class LiveTicket:
    """One ticket: its fold, the positions of its transitions, its rooms and what waits."""

    id: TicketId
    lifecycle: Lifecycle
    fold: Fold
    row: TicketRow | None = None  # None until the opening is committed
    subject: str = ""
    opened_at_ms: int = 0
    used_at_s: float = 0.0  # on the clock of the event loop
    rooms: dict[str, Room] = field(default_factory=dict)
    positions: list[Position] = field(default_factory=list)
    order: list[TransitionId] = field(default_factory=list)  # as journaled; order[i] is at positions[i]
    messages: set[MessageId] | None = None  # their ids; None until the conversation was needed
    customer: Conversation | None = None  # to whom answers are sent; None: it is no chat
    duplicate_of: TicketId | None = None  # where its work goes on
    answers_in: TicketId | None = None  # the duplicate whose conversation `customer` is; None: it is the ticket's own
    waiting: dict[Department, WaitingList] = field(default_factory=dict)
    _log_name: str = field(init=False)  # made once: with every batch somebody asks
    _card_name: str = field(init=False)

    def __post_init__(self) -> None:
        """Name what is loaded with the ticket."""
        self._log_name, self._card_name = self.name(DocumentKind.LOG), self.name(DocumentKind.CARD)

    @property
    def is_closed(self) -> bool:
        """Tell whether it has reached its end, as it is now."""
        return self.closed_in(self.fold.state())

    def closed_in(self, state: TicketState) -> bool:
        """Tell whether it has reached its end in a state."""
        control = self.lifecycle.control
        return state.lanes.get(control.id, control.initial) != control.initial

    def name(self, kind: DocumentKind, part: str | None = None) -> str:
        """The name of one of the ticket's documents."""
        return str(DocumentName(self.id, kind, part))

    @property
    def log_room(self) -> Room:
        """The room of the log; loaded with the ticket."""
        return self.rooms[self._log_name]

    @property
    def log(self) -> LogDocument:
        """The log as the service's own document."""
        return _typed(self.log_room, LogDocument)

    @property
    def card_room(self) -> Room:
        """The room of the card; loaded with the ticket."""
        return self.rooms[self._card_name]

    @property
    def card(self) -> CardDocument:
        """The card."""
        return _typed(self.card_room, CardDocument)

    @property
    def talk_room(self) -> Room:
        """The room of the conversation; `Desk.with_talk` loads it."""
        return self.rooms[self.name(DocumentKind.TALK)]

    @property
    def talk(self) -> TalkDocument:
        """The conversation."""
        return _typed(self.talk_room, TalkDocument)

    def form_room(self, lane: LaneId) -> Room:
        """The room of a lane's form; `Desk.with_form` loads it."""
        return self.rooms[self.name(DocumentKind.FORM, lane)]

    def form(self, lane: LaneId) -> FormDocument:
        """A lane's form."""
        return _typed(self.form_room(lane), FormDocument)

    def submit(self, department: Department) -> SubmitDocument:
        """What a department submitted; `Desk.with_submit` loads it."""
        return _typed(self.rooms[self.name(DocumentKind.SUBMIT, department)], SubmitDocument)

    def seen(self, version: str) -> tuple[TransitionId, ...]:
        """Return the frontier of the view that `version` names.

        Raises:
            PreconditionUnknown: no transition of this ticket has that position.

        """
        index = len(self.positions)
        if not (version.isascii() and version.isdigit() and len(version) <= 16):
            raise _unknown_version()
        position = Position(int(version))
        if not self.positions or position != self.positions[-1]:
            index = bisect.bisect_left(self.positions, position)
            if index == len(self.positions) or self.positions[index] != position:
                raise _unknown_version()
            return self.fold.frontier_of(self.order[: index + 1])
        return self.fold.frontier()

    def concern(self, name: str) -> None:
        """Have what waits judged again that names this: a transition that was decided, a payload that came."""
        for waiting in self.waiting.values():
            waiting.concern(name)

    def opened(self, subject: str, at_ms: int) -> None:
        """Note for what and when the ticket was opened."""
        self.subject, self.opened_at_ms = subject, at_ms

    def version_of(self, transition: TransitionId) -> Position:
        """Return the position at which a transition of this ticket was committed; recent ones are found at once."""
        index = next(index for index in reversed(range(len(self.order))) if self.order[index] == transition)
        return self.positions[index]

    def journaled(self, transition: Transition, position: Position) -> None:
        """Note where a transition was committed."""
        self.order.append(transition.id)
        self.positions.append(position)


class Desk:
    """The tickets and rooms that a batch needs, loaded before anything is decided."""

    def __init__(
        self, store: Store, rooms: Rooms, lifecycles: Lifecycles, ids: Ids, groups: Groups = NO_GROUPS
    ) -> None:
        """`groups` are told of what batches change."""
        self.store = store
        self.groups = groups
        self.ids = ids
        self.rooms = rooms
        self.lifecycles = lifecycles
        self._tickets: OrderedDict[TicketId, LiveTicket] = OrderedDict()
        self._now_s = 0.0  # as `trim` was told: some seconds ago at most

    async def find(self, ticket: TicketId) -> LiveTicket | None:
        """Load a ticket; None if its opening is neither journaled nor part of the batch at hand.

        Raises:
            StoreUnavailable: it could not be loaded.

        """
        live = self._tickets.get(ticket)
        if live is not None:
            self.keep(live)
            await self._basics(live)
            return live
        row = await self.store.ticket(ticket)
        if row is None:
            return None
        live = await self.fresh(ticket, self.lifecycles.by_digest(row.lifecycle))
        live.row = row
        live.opened(row.subject, row.opened_at_ms)
        live.duplicate_of, live.answers_in = row.duplicate_of, row.answers_in
        live.customer = await self.conversation(live.answers_in, live.subject)
        for journal_row in await self.store.journal(ticket):
            transition = decode(journal_row.record.encode())
            assert isinstance(transition, Transition), "the journal holds admitted transitions only"
            live.fold.add(transition)
            live.journaled(transition, journal_row.position)
        self.keep(live)
        return live

    def at_hand(self, room: Room) -> LiveTicket | None:
        """Return the ticket of a room if it is in memory, with this room."""
        assert room.name is not None, "a room of a ticket"
        live = self._tickets.get(room.name.ticket)
        if live is None or live.rooms.get(room.text) is not room or room.stale:
            return None
        self.keep(live)
        return live

    async def get(self, ticket: TicketId) -> LiveTicket:
        """Load a ticket that must be there.

        Raises:
            NotThereYet: its opening is not journaled.
            StoreUnavailable: it could not be loaded.

        """
        live = await self.find(ticket)
        if live is None:
            raise no_ticket(ticket)
        return live

    async def fresh(self, ticket: TicketId, lifecycle: Lifecycle) -> LiveTicket:
        """Return a ticket with nothing folded yet, its log and card loaded."""
        live = LiveTicket(ticket, lifecycle, Fold(lifecycle, TransitionId(ticket)))
        await self._basics(live)
        return live

    def keep(self, live: LiveTicket) -> None:
        """Hold a ticket for this batch and the next."""
        live.used_at_s = self._now_s
        self._tickets[live.id] = live
        self._tickets.move_to_end(live.id)

    def trim(self, now_s: float) -> None:
        """Forget what is not used any more, tickets and rooms, and above what may stay what was used longest ago.

        Between batches only: a draft holds both.
        """
        self._now_s = now_s
        while self._tickets:
            oldest = next(iter(self._tickets.values()))
            if len(self._tickets) <= LIVE_TICKETS_MAX and now_s - oldest.used_at_s < TICKET_IDLE_S:
                break
            self._tickets.popitem(last=False)
        self.rooms.trim(now_s)

    def drop(self, ticket: TicketId) -> None:
        """Forget a ticket whose memory may be ahead of the journal."""
        self._tickets.pop(ticket, None)

    async def with_talk(self, live: LiveTicket) -> None:
        """Load the conversation."""
        await self._with(live, live.name(DocumentKind.TALK))
        if live.messages is None:
            live.messages = {MessageId(row.id) for row in await self.store.messages(live.id)}

    async def with_form(self, live: LiveTicket, lane: LaneId) -> None:
        """Load a lane's form."""
        await self._with(live, live.name(DocumentKind.FORM, lane))

    async def with_submit(self, live: LiveTicket, department: Department) -> Room:
        """Load what a department submitted."""
        return await self._with(live, live.name(DocumentKind.SUBMIT, department))

    async def conversation(self, of: TicketId | None, subject: str) -> Conversation | None:
        """Return the conversation that another ticket is, or else a subject stands for; None if it is no chat."""
        other = await self.store.ticket(of) if of is not None else None
        named = other.subject if other is not None else subject
        return Conversation.read(await self.store.readable(named)) if named.startswith(CHAT) else None

    async def goes_on(self, live: LiveTicket) -> "list[LiveTicket]":
        """Return the ticket, those that it leads to as a duplicate, and where its work goes on as the last one."""
        found = [live]
        while (of := found[-1].duplicate_of) is not None and len(found) < DUPLICATES_FOLLOWED_MAX:
            found.append(await self.get(of))
        return found

    async def _basics(self, live: LiveTicket) -> None:
        for kind in (DocumentKind.LOG, DocumentKind.CARD):
            await self._with(live, live.name(kind))

    async def _with(self, live: LiveTicket, text: str) -> Room:
        room = live.rooms[text] = await self.rooms.get(text)
        if room.stale:
            raise Unavailable("An earlier change was not stored.", advice="Try again in a moment.")
        return room


def no_ticket(ticket: str) -> NotThereYet:
    """The error for a ticket that is not there, or that the caller may not know of: the same for both."""
    return NotThereYet(
        f"There is no ticket {ticket[:60]!r} for this caller.",
        code="no_ticket",
        advice="Check the id; a ticket that was opened offline appears once its opening has arrived.",
    )


def no_media() -> NotFound:
    """The error for a content that is not there, or not for the caller: the same for both."""
    return NotFound(
        "There is no such content for this caller.", code="no_media", advice="Take a digest from a message."
    )


def _unknown_version() -> PreconditionUnknown:
    return PreconditionUnknown(
        "The value of 'seen' names no version of this ticket.",
        advice="Send back the 'version' of the ticket that was shown, verbatim.",
    )


def _typed(room: Room, kind: type[_D]) -> _D:
    document = room.document
    assert isinstance(document, kind), f"{room.text} is no {kind.__name__}"
    return document

"""The jobs that sessions put into the committer: a change, a second look at what waits, and bytes that were refused."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from crdt_sync.documents.document import Outcome, Received
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain import access
from crdt_sync.domain.access import Principal
from crdt_sync.domain.ids import ActorId, Department, DocumentKind, DocumentName, LaneId, TransitionId
from crdt_sync.domain.message import Message
from crdt_sync.domain.transition import Transition
from crdt_sync.errors import CallerError, Refused, TicketSyncError, Unavailable
from crdt_sync.ports import Committed
from crdt_sync.protocol.room import Member, Room
from crdt_sync.service.admission import UNSETTLED, admit_entries, check_opening
from crdt_sync.service.draft import Draft
from crdt_sync.service.live_ticket import Desk, LiveTicket
from crdt_sync.service.waiting import Waiting, WaitingList

Succeed = Callable[[int], None]
Fail = Callable[[TicketSyncError], None]


@dataclass(slots=True, eq=False)
class Change:
    """One update that a session sent, already applied to its room's document."""

    room: Room
    data: bytes
    received: Received
    principal: Principal
    member: Member | None
    on_success: Succeed
    on_failure: Fail
    trace: str | None = None
    is_run: bool = False  # of several updates, each of which would have been judged alone
    builds_on: Sequence[Room] = field(init=False, default=())  # what it builds on came before it
    generation: int = field(init=False)
    pending: bool = field(init=False, default=True)
    live: LiveTicket | None = field(init=False, default=None)
    entries: Sequence[Waiting] = field(init=False, default=())  # what it submits
    opening: Transition | None = field(init=False, default=None)
    subject_taken: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Remember on which state of the room the update was applied."""
        self.generation = self.room.generation
        self.room.pending += 1
        self.room.undecided[self] = self.received

    def prepare(self, desk: Desk, draft: Draft) -> Awaitable[None] | None:
        """Apply the update again if the room was loaded anew, and load the ticket if it may change."""
        room = self.room
        self.live = self.opening = None
        self.builds_on = ()
        if self.generation == room.generation:
            name = room.name
            if name is None or not _concerns_ticket(name, self.received):
                return None
            if name.kind is DocumentKind.CARD and (live := desk.at_hand(room)) is not None:
                self.live = live
                return None
        return self._prepare(desk, draft)

    async def _prepare(self, desk: Desk, draft: Draft) -> None:
        room = self.room
        if self.generation != room.generation:
            if room.undecided:  # it came after the room was loaded anew, may hold what this builds on, and goes first
                self.builds_on = (room,)
                return
            self._receive_again()
        if room.name is None or not _concerns_ticket(room.name, self.received):
            return
        self.entries = [Waiting.of(entry, self.principal) for entry in self.received.entries]
        self.opening = _opening(self.entries)
        self.live = await desk.find(room.name.ticket)
        if self.live is None and self.opening is not None:
            self.live = await desk.fresh(room.name.ticket, desk.lifecycles.by_digest(self.opening.lifecycle))
            subject = self.opening.subject or ""
            self.subject_taken = subject in draft.subjects or await desk.store.subject(subject) is not None
        if self.live is not None:
            await load_submissions(desk, self.live, room.name, self.entries)

    def decide(self, desk: Desk, draft: Draft) -> None:
        """Append the update, and admit what it submits."""
        room, live = self.room, self.live
        if self.generation != room.generation:
            raise _unfounded()
        room.undecided.pop(self, None)
        if live is not None:
            self._check_lanes(live)
        if live is not None and live.row is None and live.id not in draft.tickets:
            self._open(desk, draft, live)
        draft.update(room, self.data, self.principal, member=self.member, trace=self.trace)
        room.authors[self.principal.actor] = self.principal
        if live is None or room.name is None:
            return
        if room.name.kind is DocumentKind.CARD:
            draft.touch(live, self.trace)
            return
        department = _department(live, room.name)
        for digest in self.received.payloads:
            live.concern(digest)
        admit_entries(draft, live, department, self.entries)

    def _check_lanes(self, live: LiveTicket) -> None:
        """Refuse whoever takes a lane of another department: the card has only looked at whose name it is."""
        for lane in self.received.taken:
            if (denial := access.take(self.principal, live.lifecycle, lane)) is not None:
                raise denial.error()

    def _receive_again(self) -> None:
        room = self.room
        try:
            self.received = room.document.receive(self.data, actor=self.principal.actor)
        except CallerError as error:
            if self.is_run:  # its sender is asked for all that is missing, and hears which of them is wrong
                raise _unfounded() from error
            raise
        self.generation = room.generation
        if self.received.kind is Outcome.GAP:
            raise _unfounded()
        room.undecided[self] = self.received

    def succeed(self, committed: Committed) -> None:
        """Acknowledge."""
        self.on_success(committed.last)
        self._settle()

    def fail(self, error: TicketSyncError) -> None:
        """Say that nothing was kept."""
        self.room.undecided.pop(self, None)
        try:
            self.on_failure(error)
        finally:
            self._settle()

    def _settle(self) -> None:
        """Be pending no more, once, also where the room's answers to it or ours to its author fail."""
        if self.pending:
            self.pending = False
            self.room.commit(1)

    def _open(self, desk: Desk, draft: Draft, live: LiveTicket) -> None:
        """Create the ticket from its submitted opening."""
        assert self.opening is not None, "a ticket without row is being opened"
        check_opening(self.principal, live, self.opening)
        if self.subject_taken:
            raise Refused("The subject has a ticket already.", code="subject_taken")
        subject = self.opening.subject or ""
        live.opened(subject, draft.now_ms)
        draft.bind(subject, live)
        draft.admit(live, self.opening, self.trace)
        desk.keep(live)


@dataclass(slots=True, eq=False)
class Revisit:
    """Judge again what a submit document holds undecided, after it was loaded; a job that nobody waits for."""

    submissions: Room
    room: None = None
    builds_on: Sequence[Room] = ()
    live: LiveTicket | None = field(init=False, default=None)

    async def prepare(self, desk: Desk, draft: Draft) -> None:
        """Load the ticket, unless its submissions were looked at before."""
        del draft
        name = self.submissions.name
        assert name is not None, "a submit document belongs to a ticket"
        self.live = await desk.find(name.ticket)
        if self.live is not None:
            if Department(name.part or "") in self.live.waiting:
                self.live = None
            else:
                await load_submissions(desk, self.live, name, ())

    def decide(self, desk: Desk, draft: Draft) -> None:
        """Judge what waits."""
        del desk
        if self.live is not None and self.submissions.name is not None:
            admit_entries(draft, self.live, _department(self.live, self.submissions.name), ())

    def succeed(self, committed: Committed) -> None:
        """Tell nobody: the log says it."""

    def fail(self, error: TicketSyncError) -> None:
        """Tell nobody: the next visitor tries again."""


@dataclass(slots=True, eq=False)
class KeepRefused:
    """Keep refused bytes in quarantine; a job that nobody waits for."""

    document: str
    actor: ActorId
    code: str
    data: bytes
    room: None = None
    builds_on: Sequence[Room] = ()

    async def prepare(self, desk: Desk, draft: Draft) -> None:
        """Need nothing."""

    def decide(self, desk: Desk, draft: Draft) -> None:
        """Keep the bytes."""
        del desk
        draft.quarantine(self.document, self.actor, self.code, self.data)

    def succeed(self, committed: Committed) -> None:
        """Tell nobody: the sender has heard the refusal."""

    def fail(self, error: TicketSyncError) -> None:
        """Tell nobody: the sender has heard the refusal."""


async def load_submissions(desk: Desk, live: LiveTicket, name: DocumentName, entries: Sequence[Waiting]) -> None:
    """Load what judging a department's entries takes: submit documents, the conversation, the forms of payloads.

    The other departments' documents are read once for each ticket in memory: what waits there may wait for this.
    """
    if name.kind is DocumentKind.CARD:
        return
    for department in sorted({_department(live, name), *live.lifecycle.departments} - live.waiting.keys()):
        live.waiting[department] = _undecided(live, await desk.with_submit(live, department))
    records = [entry.record for entry in entries]
    records += [entry.record for waiting in live.waiting.values() for entry in waiting]
    if any(isinstance(record, Message) for record in records):
        await desk.with_talk(live)
    paid = {record.lane for record in records if isinstance(record, Transition) and record.payload is not None}
    for lane in sorted(paid & live.lifecycle.lanes.keys()):
        await desk.with_form(live, lane)


def _undecided(live: LiveTicket, room: Room) -> WaitingList:
    """What a submit document holds that was neither admitted nor refused: after a restart, this is what waits.

    What is not decided itself is left out: its own job judges it, with the roles that its author holds now.
    """
    document = room.document
    assert isinstance(document, SubmitDocument), f"{room.text} is no submit document"
    refused = live.log.refused()
    later = {entry for received in room.undecided.values() for entry in received.entries}
    found = WaitingList()
    for entry, actor in document.authored():
        author = room.authors.get(actor)
        if author is None or entry in later:
            continue
        waiting = Waiting.of(entry, author)
        if refused.get(waiting.key) in UNSETTLED and TransitionId(waiting.key) not in live.fold:
            found.put(waiting)
    return found


def not_stored() -> Unavailable:
    """The answer to an update of a room that is to be loaded anew."""
    return Unavailable("An earlier change was not stored.", advice="You will be asked for all of them.")


def _unfounded() -> Unavailable:
    return Unavailable("An earlier change was not stored.", advice="Send everything since then again.")


def _concerns_ticket(name: DocumentName, received: Received) -> bool:
    match name.kind:
        case DocumentKind.SUBMIT:
            return bool(received.entries)
        case DocumentKind.FORM:
            return bool(received.payloads)
        case DocumentKind.CARD:
            return True
        case DocumentKind.LOG | DocumentKind.TALK:
            return False


def _department(live: LiveTicket, name: DocumentName) -> Department:
    if name.kind is DocumentKind.FORM:
        return live.lifecycle.lanes[LaneId(name.part or "")].owner
    return Department(name.part or "")


def _opening(entries: Sequence[Waiting]) -> Transition | None:
    """The first opening among the entries."""
    for entry in entries:
        if isinstance(entry.record, Transition) and entry.record.is_opening:
            return entry.record
    return None

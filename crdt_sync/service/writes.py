"""What becomes of the updates that one connection's client sends: judged, applied, committed, answered one by one."""

from collections.abc import Sequence
from functools import partial

from crdt_sync.documents.document import Outcome, Received
from crdt_sync.errors import CallerError, ServiceError, TicketSyncError
from crdt_sync.protocol.effects import Push
from crdt_sync.protocol.session import Session
from crdt_sync.service.house import House
from crdt_sync.service.jobs import Change, not_stored
from crdt_sync.service.membership import Membership
from crdt_sync.service.pace import STRUCTS_FREE
from crdt_sync.service.transport import Transport


class Writes:
    """The updates of one connection."""

    def __init__(self, house: House, session: Session, transport: Transport, trace: str | None) -> None:
        self._house = house
        self._session = session
        self._transport = transport
        self._trace = trace

    def take(self, member: Membership, pushes: Sequence[Push]) -> None:
        """Take updates of one document in their order, now or when the room has settled."""
        room = member.room
        if room.stale:  # they would be refused in the end, and wait without a bound
            self._fail(member, pushes, not_stored())
        elif room.defers:  # its sender waits too, or what it goes on sending would have no bound
            self._transport.pause()
            room.changing(partial(self._change_later, member, pushes))
        else:
            self._change_all(member, pushes)

    def _change_later(self, member: Membership, pushes: Sequence[Push]) -> None:
        self._transport.resume()
        self._change_all(member, pushes)

    def _change_all(self, member: Membership, pushes: Sequence[Push]) -> None:
        """Take updates, and count what they cost: some come with thousands of structs."""
        document = member.room.document
        before = document.handled
        self._change_run(member, pushes)
        if (more := document.handled - before - STRUCTS_FREE * len(pushes)) > 0:
            member.connection.count(more)

    def _change_run(self, member: Membership, pushes: Sequence[Push]) -> None:
        """Take updates as one if they follow each other and nothing is wrong with them, else one by one."""
        room = member.room
        if len(pushes) == 1 or not member.writable:
            self._change_each(member, pushes)
            return
        try:
            run = room.document.receive_run([push.data for push in pushes], actor=member.principal.actor)
        except ServiceError as error:
            self._house.committer.spoil(room)
            self._fail(member, pushes, error)
            return
        if run is not None:
            self._enqueue(member, pushes, *run)
        elif room.document.is_damaged:  # by one of them; which one is found once the document is loaded anew
            self._house.committer.spoil(room)
            room.settled(partial(self._change_each, member, pushes))
        else:
            self._change_each(member, pushes)

    def _change_each(self, member: Membership, pushes: Sequence[Push]) -> None:
        there = member.is_current  # if not, its sender has left, and still has it taken
        for push in pushes:
            self._change(member, push)
            if there and not member.is_current:
                return  # something was wrong with this one, and closed the document

    def _change(self, member: Membership, push: Push) -> None:
        """Take an update, which may have waited for the room; its sender may have left meanwhile."""
        room, session = member.room, self._session
        try:
            if not member.writable and not room.document.holds(push.data):
                member.connection.tell(member, partial(session.read_only, push.key, push.ref))
                return
            received = room.document.receive(push.data, actor=member.principal.actor)
        except CallerError as error:
            if room.document.is_damaged:
                self._house.committer.spoil(room)
            member.connection.tell(member, partial(session.broken, push, error))
            return
        except ServiceError as error:
            self._house.committer.spoil(room)
            self._fail(member, [push], error)
            return
        if received.kind is Outcome.GAP and room.unasked:
            self._fail(member, [push], not_stored())
        elif received.kind is Outcome.GAP:
            member.connection.tell(
                member, partial(session.gap, push, room.document.state_vector, self._house.clock.now_ms())
            )
        elif received.kind is Outcome.DUPLICATE:
            room.settled(partial(self._repeated, member, push, room.generation))
        else:
            self._enqueue(member, [push], push.data, received)

    def _refuse(self, member: Membership, pushes: Sequence[Push], error: TicketSyncError) -> None:
        if isinstance(error, ServiceError):
            self._fail(member, pushes, error)
            return
        for push in pushes:
            member.connection.tell(member, partial(self._session.broken, push, error))

    def _fail(self, member: Membership, pushes: Sequence[Push], error: ServiceError) -> None:
        for push in pushes:
            member.connection.tell(member, partial(self._session.failed, push.key, push.ref, error))

    def _repeated(self, member: Membership, push: Push, generation: int) -> None:
        """Acknowledge a duplicate, unless what it repeats was given up meanwhile: then it counts as new."""
        if member.room.generation == generation:
            member.connection.tell(member, partial(self._session.repeated, push))
        else:
            self._change(member, push)

    def _acknowledge(self, member: Membership, pushes: Sequence[Push], position: int) -> None:
        refs = [push.ref for push in pushes]
        member.connection.tell(member, partial(self._session.acknowledged, member.key, refs, position))

    def _enqueue(self, member: Membership, pushes: Sequence[Push], data: bytes, received: Received) -> None:
        """Have one update committed, which is all that was pushed, and tell what becomes of each."""
        self._house.committer.enqueue_from(
            self._transport,
            Change(
                room=member.room,
                data=data,
                received=received,
                principal=member.principal,
                member=member,
                on_success=partial(self._acknowledge, member, pushes),
                on_failure=partial(self._refuse, member, pushes),
                trace=self._trace,
                is_run=len(pushes) > 1,
            ),
        )
        if member.is_current and (held := self._session.filled(member.key)):
            self.take(member, held)

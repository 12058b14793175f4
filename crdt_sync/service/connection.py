"""One socket or stream: it executes its session's effects on rooms, committer and transport, and tells it the outcome.

A transport makes one a socket, hands it what arrives and writes what it is given.
"""

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import assert_never

from crdt_sync.domain.access import Principal
from crdt_sync.domain.identity import Identity
from crdt_sync.errors import CallerError, ServiceError, TicketSyncError
from crdt_sync.protocol.effects import (
    Answer,
    AskPresence,
    Authenticate,
    Close,
    Effect,
    Immediate,
    Leave,
    Open,
    Present,
    Push,
    Quarantine,
    Refusal,
    Send,
)
from crdt_sync.protocol.session import Session
from crdt_sync.service.arrivals import Arrivals
from crdt_sync.service.audit import Asked
from crdt_sync.service.house import House
from crdt_sync.service.jobs import KeepRefused
from crdt_sync.service.leases import Lease
from crdt_sync.service.membership import Membership
from crdt_sync.service.pace import ANSWER_BYTES_FREE, Pace, too_fast
from crdt_sync.service.tokens import Authenticator, Tokens
from crdt_sync.service.transport import Transport
from crdt_sync.service.writes import Writes
from crdt_sync.wire.status import Wire


class Connection:
    """One socket or stream: its session, its memberships, its leases and its outgoing frames."""

    def __init__(
        self,
        house: House,
        session: Session,
        transport: Transport,
        authenticate: Authenticator,
        identity: Identity | None,
        *,
        source: str,
        trace: str | None,
    ) -> None:
        self.session = session
        self._source = source
        self._house = house
        self._transport = transport
        self._pace = Pace()
        per_document = session.dialect.token_per_document
        self._tokens = Tokens(house.leases, self, authenticate, identity, per_document=per_document)
        self._members: dict[str, Membership] = {}
        self._arrivals = Arrivals()
        self._pushed: list[Push] = []  # in this turn
        self._writes = Writes(house, session, transport, trace)
        self._frames: list[object] = []
        self._closed = False

    @property
    def identified(self) -> bool:
        """Tell whether some token of the client was good."""
        return self._tokens.any

    def join(self, document: str) -> None:
        """Open the document that the connection's address names."""
        self._execute(self.session.join(document, document))

    def receive(self, data: object, frames: int = 1) -> None:
        """Take one message of the transport, in which there are so many frames."""
        if self._closed:
            return
        if self._pace.too_fast(self._house.clock, frames):
            self._execute(self.session.end(too_fast()))
        else:
            self._execute(self.session.receive(data))

    def too_fast(self, frames: int = 1) -> bool:
        """Count what came; True, and the connection ends, if it is too much at once."""
        if fast := self._pace.too_fast(self._house.clock, frames):
            self._execute(self.session.end(too_fast()))
        return fast

    def take(self) -> None:
        """Take the updates that came in this turn, those of one document that follow each other together."""
        pushed, self._pushed = self._pushed, []
        for key, pushes in groupby(pushed, attrgetter("key")):
            if (member := self._members.get(key)) is not None:
                self._writes.take(member, list(pushes))

    def fail(self) -> None:
        """Close after a mistake of ours."""
        self._execute(self.session.end(ServiceError("The service made a mistake; it is logged.")))

    def put(self, frame: object) -> None:
        """Queue a frame for the end of this turn."""
        self.put_encoded(self._transport.encode((frame,)))

    def encode(self, said: Sequence[object]) -> object:
        """Make frames into what is written."""
        return self._transport.encode(said)

    def put_encoded(self, encoded: object) -> None:
        """Queue what was encoded for the end of this turn."""
        if self._closed:
            return
        if not self._frames:
            self._house.written(self)
        self._frames.append(encoded)

    def flush(self) -> None:
        """Write what was queued."""
        frames, self._frames = self._frames, []
        if frames and not self._closed:
            self._transport.write(frames)

    def count(self, work: int) -> None:
        """Count work that came with messages as if it were so many more of them."""
        if not self._closed:
            self.too_fast(work)

    def sweep(self) -> None:
        """Close what waits for too long."""
        self._execute(self.session.overdue(self._house.clock.now_ms()))

    def close(self, code: int, reason: str) -> None:
        """Say what is queued, then close."""
        if not self._closed:
            self.flush()
            self._transport.close(code, reason)
            self.ended()

    def ended(self) -> None:
        """Leave every room; the transport is gone or going. What came in whole before is still taken."""
        if self._closed:
            return
        self.take()
        self._closed = True
        self._arrivals.drop_all_but(self.session.owes)
        for key in list(self._members):
            self._leave(key)
        self._end_tokens()
        self._house.forget(self)

    @property
    def wire(self) -> Wire:
        """What its client speaks."""
        return self.session.dialect.wire

    def ask_token(self, lease: Lease) -> bool:
        """Ask for a token, if the wire has a word for it."""
        asking = self.session.ask_token(lease.key)
        self._execute(asking)
        return bool(asking)

    def lose(self, lease: Lease, error: TicketSyncError) -> None:  # noqa: ARG002 (what one token ends, all do)
        """Close, so that the client comes back with a token that is good or not at all."""
        self._execute(self.session.end(error))

    def change(self, lease: Lease) -> None:
        """Look again at what its documents are to their reader."""
        principal = lease.identity.principal
        self._execute(self.session.authenticated(lease.key, principal))
        for key in [lease.key] if lease.key else list(self._members):
            if (member := self._members.get(key)) is not None:
                self._arrive(key, self._look_again(member, principal))

    def _execute(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Push):
                if not self._pushed:
                    self._house.pushed(self)
                self._pushed.append(effect)
                continue
            if self._pushed:
                self.take()
            if not self._closed or isinstance(effect, Leave | Quarantine | Refusal):
                self._do(effect)

    def _do(self, effect: Immediate) -> None:
        match effect:
            case Send():
                self.put(effect.frame)
            case Answer():
                self._answer(effect)
            case Present():
                self._present(effect)
            case AskPresence():
                self._presence(effect.key)
            case Authenticate():
                self._arrive(effect.key, self._verify(effect))
            case Open():
                self._arrive(effect.key, self._open(effect))
            case Leave():
                self._arrivals.drop(effect.key)
                self._leave(effect.key)
                self._tokens.drop(effect.key)
            case Quarantine():
                if effect.data and effect.principal is not None:  # a stranger's bytes would only drive out others'
                    actor = effect.principal.actor
                    self._house.keep_refused(KeepRefused(effect.document, actor, effect.code, effect.data))
            case Refusal():
                asked = Asked(self.session.dialect.wire, effect.document, self._source, effect.principal)
                self._house.audit.refused(asked, effect.code)
            case Close():
                self.close(effect.code, effect.reason)
            case _:
                assert_never(effect)

    def tell(self, member: Membership, say: Callable[[], Sequence[Effect]]) -> None:
        """Do what the session says, unless its subscription has ended: a later one of the same name has its own."""
        if self._members.get(member.key) is member:
            self._execute(say())

    def _answer(self, answer: Answer) -> None:
        member = self._members.get(answer.key)
        if member is None:
            return
        room, dialect = member.room, self.session.dialect

        def reply() -> None:
            if self._members.get(answer.key) is not member:
                return
            room.answering(member)
            try:
                update = room.document.answer(answer.state_vector)
            except CallerError as error:
                self._execute(self.session.faulty(answer.key, answer.state_vector, error))
                return
            if dialect.step1_follows_step1:
                self.put(dialect.step1(answer.key, room.document.state_vector()))
            self.put(dialect.step2(answer.key, update))
            self.flush()  # before the next is made: who asks often and reads nothing is noticed by the transport
            self.count(len(update) // ANSWER_BYTES_FREE)

        room.asks(member)
        room.settled(reply)

    def _present(self, effect: Present) -> None:
        member = self._members.get(effect.key)
        if member is None:
            return
        try:
            heard = member.room.presence.update(effect.data, member, now_ms=self._house.clock.now_ms())
        except CallerError as error:
            self._execute(self.session.faulty(effect.key, effect.data, error))
            return
        if heard.refused is not None:
            self._execute([Refusal(member.room.text, heard.refused, member.principal)])
        if heard.relay_in_ms is not None:
            self._house.present(member.room, heard.relay_in_ms)

    def _presence(self, key: str) -> None:
        if (member := self._members.get(key)) is not None and (snapshot := member.room.presence.snapshot()) is not None:
            self.put(self.session.dialect.awareness(key, snapshot))
            self.flush()  # as with an answer

    def _arrive(self, key: str, work: Coroutine[None, None, None]) -> None:
        self._arrivals.begin(key, work, done=self._end_tokens, failed=self.fail)

    def _end_tokens(self) -> None:
        if self._closed and not self._arrivals.any:  # what waits for its document is judged by them
            self._tokens.end()

    def _leave(self, key: str) -> None:
        if (member := self._members.pop(key, None)) is not None:
            member.room.leave(member)
            if member.room.presence.leave(member):
                self._house.present(member.room)

    async def _verify(self, effect: Authenticate) -> None:
        """Judge a token, the first of its key or a later one."""
        key = effect.key
        refuse = self.session.not_renewed if key in self._tokens else self.session.denied
        try:
            principal = await self._tokens.judge(key, effect.token)
        except TicketSyncError as error:
            self._execute(refuse(key, error))
            return
        self._execute(self.session.authenticated(key, principal))

    async def _open(self, effect: Open) -> None:
        key, principal = effect.key, effect.principal
        try:
            self._tokens.borrow(key)
            while True:  # until nothing was taken back, or given, while the document was loaded
                principal = self._tokens.principal(key) or principal
                room, writable = await self._house.admit(effect.document, principal)
                if self._tokens.principal(key) in {None, principal}:
                    break
        except TicketSyncError as error:
            self._execute(self.session.denied(key, error))
            return
        self._leave(key)
        member = Membership(self, room, key, principal, writable)
        self._members[key] = member
        room.members[member] = None
        state_vector = room.document.state_vector()
        self._execute(self.session.opened(key, writable=writable, state_vector=state_vector))
        if self._closed:
            self.take()
            self._leave(key)

    async def _look_again(self, member: Membership, principal: Principal) -> None:
        """Judge a membership once more, for somebody who may do more or less than before."""
        try:
            _, writable = await self._house.admit(member.room.text, principal)
        except TicketSyncError as error:
            self.tell(member, partial(self.session.forbidden, member.key, error))
            return
        if self._tokens.principal(member.key) not in {None, principal}:
            return  # it has changed again meanwhile, and that look decides
        was, member.principal, member.writable = member.writable, principal, writable
        if was != writable:
            self.tell(member, partial(self.session.permitted, member.key, writable=writable))

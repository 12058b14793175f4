"""What a chat gateway brings: the conversation's ticket is found or opened, and the message enters its conversation.

The subject of a conversation is an HMAC under the deployment's key, so that two nodes make the same opening bytes and
no customer's identity stands in an immutable record. A message's id is made of the account and the platform's own key,
so that a replay changes nothing.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from crdt_sync.documents.rules import Scalar
from crdt_sync.domain import access, message, transition
from crdt_sync.domain.access import GATEWAY, Principal
from crdt_sync.domain.canonical import dumps
from crdt_sync.domain.delivery import SESSION_OVER, Conversation, DeliveryState, Fate, as_fate
from crdt_sync.domain.ids import ActorId, MessageId, Role, TicketId
from crdt_sync.domain.message import Message
from crdt_sync.domain.service_desk import Rule
from crdt_sync.domain.transition import Undecodable
from crdt_sync.errors import CallerError, Forbidden, NotFound, TicketSyncError, Unavailable
from crdt_sync.ports import Committed
from crdt_sync.ports.outbox import OutboxFilter, StoredDelivery
from crdt_sync.protocol.room import Room
from crdt_sync.service.admission import MESSAGES_PER_TICKET_MAX, judge_transition
from crdt_sync.service.arrival import Arrival
from crdt_sync.service.draft import SERVICE, Draft
from crdt_sync.service.live_ticket import CHAT, Desk, LiveTicket
from crdt_sync.service.notes import Note
from crdt_sync.service.reception import Given, Reception

SEQUENCES_MAX = 10_000  # tickets that one conversation may have had; each look-up is one indexed row

IngestStatus = Literal["accepted", "duplicate", "rejected", "retry_later"]


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of an arrival."""

    key: str
    status: IngestStatus
    ticket: str = ""
    message: str = ""
    code: str = ""
    reason: str = ""


@dataclass(eq=False)
class Ingest:
    """One arrival as a job of the committer."""

    room: ClassVar[None] = None
    principal: Principal
    arrival: Arrival
    secret: bytes
    salt: str
    reception: Reception
    outcome: "asyncio.Future[Ingested]" = field(init=False)
    builds_on: Sequence[Room] = field(init=False, default=())  # the form of a note; the card of what is given anew
    live: LiveTicket | None = field(init=False, default=None)
    _note: Note | None = field(init=False, default=None)
    _subject: str = field(init=False, default="")
    _opening: transition.Transition | None = field(init=False, default=None)
    _known: tuple[TicketId, str] | None = field(init=False, default=None)
    _way: Sequence[LiveTicket] = field(
        init=False, default=()
    )  # from the conversation's ticket to where its work goes on
    _told: tuple[StoredDelivery, Fate] | None = field(init=False, default=None)
    _result: Ingested | None = field(init=False, default=None)
    _posted: Message = field(init=False)
    _rule: Rule | None = field(init=False, default=None)
    _given: Given | None = field(init=False, default=None)
    _saying: Message | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Make the promise."""
        self.outcome = asyncio.get_running_loop().create_future()

    async def prepare(self, desk: Desk, draft: Draft) -> None:
        """Find the message, else the conversation's newest ticket, else prepare a fresh one."""
        if self.arrival.account not in self.principal.accounts:
            raise Forbidden(f"The token does not name the account {self.arrival.account[:60]!r}.", code="account")
        self._opening, self._note, self._given, self._saying, self.builds_on = None, None, None, None, ()
        self._known, self._way = None, ()
        known = await self._admitted(desk, draft)
        group = desk.groups.bound(self.arrival.account, self.arrival.conversation)
        if group is not None and known is None:  # what came before the conversation was bound stays what it was
            self._note = Note(self.arrival, group)
            await self._note.prepare(desk, draft)
            self.builds_on = self._note.builds_on
            return
        self._told = await self._notice(desk, draft.now_ms)
        if self._told is not None:
            self.live = await desk.get(self._told[0].ticket)
            await desk.with_talk(self.live)
            return
        self._known = known
        if known is None:
            self._rule = self.reception.rule(self._customer, self.arrival.parts, self.arrival.rule)
            live = await (self._told_ticket(desk) if self.arrival.about else self._conversation(desk, draft))
            await desk.with_talk(live)
            self.live, self._posted = live, self._message(live.id)
            await self._receive(desk, draft, live)

    async def _admitted(self, desk: Desk, draft: Draft) -> tuple[TicketId, str] | None:
        """Return the message that came before under the platform's key, and its ticket."""
        id_ = message.origin_id(self.arrival.account, self.arrival.key)
        if id_ in draft.messages:
            return draft.messages[id_]
        stored = await desk.store.message(id_)
        return (stored.ticket, stored.record) if stored is not None else None

    @property
    def _brings_back(self) -> bool:
        """Tell whether it opens a ticket, or a closed one again: not what is told of a conversation that is over."""
        events = [part["event"] for part in self.arrival.parts[:1] if part.get("type") == "event"]
        over = self.arrival.kind == "system" and not SESSION_OVER.isdisjoint(events)
        return not self.arrival.about and not over

    async def _receive(self, desk: Desk, draft: Draft, live: LiveTicket) -> None:
        """Decide who is given the conversation, if it begins or comes back, and what the customer is told."""
        if self._opening is not None or (live.is_closed and self._brings_back):
            self._given = await self.reception.give(self._rule, live, self._party, desk.store, draft)
            if self._given is not None and self._opening is None:
                self.builds_on = (live.card_room,)
        self._saying = await self.reception.away_message(self._posted, live, self._party, desk.store, draft)

    def decide(self, desk: Desk, draft: Draft) -> None:
        """Post the message, after an opening or a reopening if it takes one; in a bound group it is a note."""
        if self._note is not None:
            ticket, before = self._note.decide(draft)
            self._result = Ingested(self.arrival.key, "duplicate" if before else "accepted", ticket)
            return
        if self._known is not None:
            self._result = self._again(*self._known)
            return
        assert self.live is not None, "prepare found or made the ticket"
        if self._told is not None:
            row, fate = self._told
            draft.tell_fate(self.live, row, fate)
            self._result = Ingested(self.arrival.key, "accepted", row.ticket, row.message)
            return
        live, arrival, posted = self.live, self.arrival, self._posted
        assert live.messages is not None, "prepare loaded the conversation"
        if len(live.messages) >= MESSAGES_PER_TICKET_MAX:
            raise Forbidden("The conversation holds as many messages as it may.", code="too_many")
        if self._opening is not None:
            self._open(desk, draft, live, self._opening)
        elif live.is_closed and self._brings_back:
            reopening = self._reopening(draft, live)
            assert reopening is not None, "prepare chose a fresh ticket where none can be reopened"
            draft.admit(live, reopening, arrival.trace)
        if self._given is not None:
            draft.give(live, self._given.lane, self._given.hold, arrival.trace)
            if self._given.turn is not None:
                draft.turns[self._given.turn.rule] = self._given.turn
        self._routed(draft, live)
        draft.post(live, posted, arrival.trace)
        if self._saying is not None and len(live.messages) < MESSAGES_PER_TICKET_MAX:
            draft.post(live, self._saying, arrival.trace)
        self._result = Ingested(arrival.key, "accepted", live.id, posted.id)

    def _routed(self, draft: Draft, live: LiveTicket) -> None:
        """Answer a customer where they wrote last, and have the commit fail if a duplicate is none any more."""
        if not self._way:
            return
        for each in self._way:
            draft.touch(each, self.arrival.trace)
        answers_in = self._way[0].id if self._way[0] is not live else None
        if self.arrival.kind == "customer" and live.answers_in != answers_in:
            draft.answer_in(live, answers_in, self._customer)

    def succeed(self, committed: Committed) -> None:
        """Answer."""
        del committed
        assert self._result is not None, "it was decided"
        if not self.outcome.done():
            self.outcome.set_result(self._result)

    def fail(self, error: TicketSyncError) -> None:
        """Answer with what the gateway should do next."""
        status: IngestStatus = "rejected" if isinstance(error, CallerError) and not error.retryable else "retry_later"
        if not self.outcome.done():
            self.outcome.set_result(Ingested(self.arrival.key, status, code=error.code, reason=error.message))

    async def _notice(self, desk: Desk, now_ms: int) -> tuple[StoredDelivery, Fate] | None:
        """Return what a platform tells of a part that was sent from here; any other notice is kept as a message.

        Raises:
            Unavailable: a part for this other side is being sent, so the notice may be of it; its report will tell.

        """
        if self.arrival.kind != "delivery":
            return None
        fate = as_fate(next((part["event"] for part in self.arrival.parts if part.get("type") == "event"), None))
        called = next((part["text"] for part in self.arrival.parts if part.get("type") == "text"), "")
        # Who calls parts by our own ids may tell of one before its gateway has reported that it is sent.
        row = await desk.store.sent_as(self.arrival.account, called) or await self._own(desk, called)
        if row is None and fate is not None and await self._is_being_sent(desk, now_ms):
            raise Unavailable("What the notice may be of was not reported yet.", code="not_reported")
        return (row, fate) if row is not None and not row.is_notice and fate is not None else None

    async def _is_being_sent(self, desk: Desk, now_ms: int) -> bool:
        arrival = self.arrival
        here = OutboxFilter(DeliveryState.SENDING, arrival.account, conversation=arrival.conversation)
        return any(row.due_ms > now_ms for row in await desk.store.deliveries(here))

    async def _own(self, desk: Desk, id_: str) -> StoredDelivery | None:
        """Return a part to this other side by its id; another's is nobody's to tell of."""
        row = await desk.store.delivery(id_)
        arrival = self.arrival
        return row if row and (row.account, row.conversation) == (arrival.account, arrival.conversation) else None

    async def _told_ticket(self, desk: Desk) -> LiveTicket:
        row = await self._own(desk, self.arrival.about)
        if row is None:
            raise NotFound("There is no such delivery to this conversation.", code="no_delivery")
        return await desk.get(row.ticket)

    async def _conversation(self, desk: Desk, draft: Draft) -> LiveTicket:
        newest: TicketId | None = None
        subject: str | None = None
        for sequence in range(SEQUENCES_MAX):
            subject = self._subject_of(sequence)
            bound = draft.subjects.get(subject) or await desk.store.subject(subject)
            if bound is None:
                break
            newest, subject = bound, None
        if newest is not None:
            self._way = await desk.goes_on(await desk.get(newest))
            live = self._way[-1]
            if self.arrival.kind == "system" and live.customer != self._customer:
                self._way = self._way[:1]  # it tells of a conversation in which nobody is answered from there
                return self._way[0]
            if not (live.is_closed and self._brings_back) or self._reopening(draft, live) is not None:
                return live
        self._way = ()
        if not self._brings_back:
            raise NotFound("There is no such conversation.", code="no_conversation")
        if subject is None:
            raise Forbidden("The conversation has had as many tickets as it may.", code="too_many")
        self._subject = subject
        lifecycle = self.reception.lifecycle(self._rule)
        self._opening = transition.make(
            ticket=None,
            lane=lifecycle.control.id,
            name=transition.OPENING_NAME,
            actor=ActorId(GATEWAY),
            roles=(Role(GATEWAY),),
            after=(),
            lifecycle=lifecycle.digest,
            at=0,
            subject=subject,
        )
        return await desk.fresh(TicketId(self._opening.id), lifecycle)

    def _open(self, desk: Desk, draft: Draft, live: LiveTicket, opening: transition.Transition) -> None:
        denial = access.open_ticket(_GATEWAY_ITSELF, live.lifecycle, opening)
        if denial is not None:
            raise denial.error()
        arrival = self.arrival
        fields: dict[str, Scalar] = dict(self._rule.card) if self._rule is not None else {}
        if arrival.display_name:
            fields["customer"] = arrival.display_name[:200]
        card = live.card.set_fields(fields) if fields else b""
        live.opened(self._subject, draft.now_ms)
        draft.bind(self._subject, live, self._customer, arrival.trace)
        draft.keep_party(live.id, self._party)
        draft.admit(live, opening, arrival.trace)
        if card:
            draft.update(live.card_room, card, SERVICE, trace=arrival.trace)
        desk.keep(live)

    def _reopening(self, draft: Draft, live: LiveTicket) -> transition.Transition | None:
        """Return the gateway's own move that brings a closed ticket back, None where the lifecycle has none."""
        if live.lifecycle.inbound_after_close != "reopen":
            return None
        control = live.lifecycle.control
        for spec in control.transitions.values():
            if spec.to != control.initial or Role(GATEWAY) not in spec.by:
                continue
            made = transition.make(
                ticket=live.id,
                lane=control.id,
                name=spec.name,
                actor=ActorId(GATEWAY),
                roles=(Role(GATEWAY),),
                after=live.fold.naming(live.fold.frontier()),
                lifecycle=live.lifecycle.digest,
                at=self.arrival.sent_at_ms,
            )
            if not judge_transition(draft, live, made, _GATEWAY_ITSELF):
                return made
        return None

    def _message(self, ticket: TicketId) -> Message:
        arrival = self.arrival
        author = _opaque(self.secret, [arrival.channel, arrival.account, arrival.sender])[:32]
        return message.make(
            ticket=ticket,
            kind=arrival.kind,
            author=f"{arrival.kind}-{author}",
            at=arrival.sent_at_ms,
            parts=arrival.parts,
            salt=self.salt,
            origin=message.origin_id(arrival.account, arrival.key),
        )

    def _again(self, ticket: TicketId, record: str) -> Ingested:
        known, again = message.decode(record.encode()), self._message(ticket)
        assert not isinstance(known, Undecodable), "the journal holds admitted messages only"
        if (known.kind, known.author, known.parts) != (again.kind, again.author, again.parts):
            reason = "The platform's key came before with another content."
            return Ingested(self.arrival.key, "rejected", code="idempotency_key_reused", reason=reason)
        return Ingested(self.arrival.key, "duplicate", ticket, MessageId(known.id))

    @property
    def _customer(self) -> Conversation:
        arrival = self.arrival
        return Conversation(arrival.channel, arrival.account, arrival.conversation, arrival.hears_events)

    @property
    def _party(self) -> str:
        """An opaque name of the other side: the same for every ticket of the conversation, and no personal data."""
        return _opaque(self.secret, [self.arrival.channel, self.arrival.account, self.arrival.conversation])

    def _subject_of(self, sequence: int) -> str:
        arrival = self.arrival
        return CHAT + _opaque(self.secret, [arrival.channel, arrival.account, arrival.conversation, sequence])


_GATEWAY_ITSELF = Principal(ActorId(GATEWAY), GATEWAY, (Role(GATEWAY),))


def _opaque(secret: bytes, value: Sequence[object]) -> str:
    return hmac.new(secret, dumps(list(value)).encode(), hashlib.sha256).hexdigest()

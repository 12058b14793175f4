"""What people see beside a conversation: whether they may still write, replies that are ready, and the customer's past.

Who may not read a conversation learns nothing here of its ticket.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crdt_sync.domain import access
from crdt_sync.domain.access import Principal
from crdt_sync.domain.delivery import Conversation
from crdt_sync.domain.ids import ActorId, TicketId
from crdt_sync.domain.lifecycle.phrases import Language
from crdt_sync.domain.service_desk import NO_DESK, ServiceDesk, filled
from crdt_sync.ports import Ids, Store, TicketRow
from crdt_sync.service.command import Call
from crdt_sync.service.duplicates import ClearDuplicate, MarkDuplicate
from crdt_sync.service.lifecycles import Lifecycles
from crdt_sync.service.outbox import Outbox
from crdt_sync.service.tickets import Tickets, people_only
from crdt_sync.service.views import TicketView

PAGE_TICKETS_MAX = 100  # of one customer; who has more is asked for page by page


@dataclass(frozen=True, slots=True)
class Writing:
    """Whether an answer would be sent now. `closes_ms` and `left` are None where the platform sets no bound.

    `known` tells whether a gateway of the account has said that its platform sets one. `heard_ms` is when the customer
    last wrote, in the platform's time; `sent` parts have been sent since, and `waiting` ones are to be. `over` is the
    event by which the platform has ended the session since, empty if it has not.
    """

    known: bool
    may_write: bool
    heard_ms: int | None
    sent: int
    waiting: int
    closes_ms: int | None = None
    left: int | None = None
    over: str = ""


@dataclass(frozen=True, slots=True)
class ReadyReply:
    """A reply in every language that it has."""

    id: str
    title: Mapping[Language, str]
    text: Mapping[Language, str]


class Conversations:
    """What REST calls."""

    def __init__(
        self,
        store: Store,
        tickets: Tickets,
        outbox: Outbox,
        lifecycles: Lifecycles,
        ids: Ids,
        service_desk: ServiceDesk = NO_DESK,
    ) -> None:
        self._store = store
        self._tickets = tickets
        self._outbox = outbox
        self._lifecycles = lifecycles
        self._ids = ids
        self._service_desk = service_desk

    async def writing(self, principal: Principal, ticket: TicketId) -> Writing | None:
        """Say whether an answer would be sent now; None if the ticket is of no chat.

        Raises:
            NotThereYet: no such ticket for this caller.
            Forbidden: the department does not take part in the conversation.

        """
        row = await self._conversing(principal, ticket)
        answered = await self._store.ticket(row.answers_in) if row.answers_in is not None else row
        to = Conversation.read(await self._store.readable((answered or row).subject))
        if to is None:
            return None
        heard, window = await self._outbox.heard(row.id), await self._store.window(to.account)
        closes_ms = left = None
        if window is not None and heard.at_ms:
            closes_ms = heard.at_ms + window.duration_ms
            left = None if window.parts_max is None else max(0, window.parts_max - heard.sent_since - heard.waiting)
        may_write = (closes_ms is None or self._outbox.clock.now_ms() <= closes_ms) and left != 0
        may_write = may_write and not heard.over
        heard_ms = heard.at_ms or None
        return Writing(
            window is not None, may_write, heard_ms, heard.sent_since, heard.waiting, closes_ms, left, heard.over
        )

    async def replies(self, principal: Principal, ticket: TicketId | None) -> Sequence[ReadyReply]:
        """Return the replies of the caller's department, for a ticket with the names that they leave open.

        Raises:
            NotThereYet: no such ticket for this caller.
            Forbidden: the department does not take part in the conversation.

        """
        known: dict[str, str] = {}
        if ticket is not None:
            row = await self._conversing(principal, ticket)
            names = {"agent": self._service_desk.name_of(principal.actor), "customer": row.card.get("customer")}
            known = {name: str(value) for name, value in names.items() if value}
        return [
            ReadyReply(reply.id, reply.title, {tongue: filled(text, known) for tongue, text in reply.text.items()})
            for reply in self._service_desk.replies_of(principal.department)
        ]

    async def colleagues(self, principal: Principal) -> Mapping[ActorId, str]:
        """Return whom this service knows of the caller's own department, each with the name that customers are shown.

        The name is empty where none is set. Nobody learns of another department's people.

        Raises:
            Forbidden: the caller is a gateway.

        """
        people_only(principal)
        users = [user for user in await self._store.users() if not user.disabled]
        known = {user.name: "" for user in users if user.department == principal.department}
        desk = self._service_desk.people
        return known | {person.actor: person.name for person in desk if person.department == principal.department}

    async def past(
        self, principal: Principal, ticket: TicketId, *, after: TicketId | None = None, limit: int = PAGE_TICKETS_MAX
    ) -> tuple[Sequence[TicketView], TicketId | None]:
        """Return the customer's other tickets whose conversations the caller may read, those opened last first.

        Beside them where to go on; None if that was all.

        Raises:
            NotThereYet: no such ticket for this caller.
            Forbidden: the department does not take part in the conversation.

        """
        row = await self._conversing(principal, ticket)
        customer = await self._store.customer(row.id)
        if not customer:
            return [], None
        read = [one.digest for one in self._lifecycles.all() if access.converse(principal, one) is None]
        limit = max(1, min(limit, PAGE_TICKETS_MAX))
        rows = await self._store.tickets_of(customer, read, after=after, limit=limit + 1)
        shown = [
            TicketView.of_row(each)
            for each in rows[:limit]
            if each.id != row.id and access.see(principal, self._lifecycles.by_digest(each.lifecycle), each.id) is None
        ]
        return shown, rows[limit - 1].id if len(rows) > limit else None

    async def link(self, principal: Principal, ticket: TicketId, other: TicketId) -> None:
        """Say that two tickets are of one customer: from then on all of both are.

        Raises:
            NotThereYet: one of them is not for this caller.
            Forbidden: the department does not take part in both conversations, or the caller may only read.

        """
        rows = [await self._conversing(principal, each, writing=True) for each in (ticket, other)]
        await self._store.link(rows[0].id, rows[1].id)

    async def unlink(self, principal: Principal, ticket: TicketId) -> None:
        """Say that a ticket's side of the chat, with all of its tickets, is no other's.

        Raises:
            NotThereYet: no such ticket for this caller.
            Forbidden: the department does not take part in the conversation, or the caller may only read.

        """
        row = await self._conversing(principal, ticket, writing=True)
        await self._store.unlink(row.id, self._ids.uuid7())

    async def mark_duplicate(
        self,
        principal: Principal,
        ticket: TicketId,
        of: TicketId,
        *,
        request_id: str | None = None,
        trace: str | None = None,
    ) -> TicketView:
        """Say that a ticket is a duplicate of another one, in which its work and its conversation go on.

        Raises:
            NotThereYet: one of them is not for this caller.
            Forbidden: the department does not take part in both conversations, or the caller may only read.
            Conflict: it is a duplicate of another one (`duplicate`); the other's work goes on in this one (`circular`);
                a department would not take part in the other one (`other_departments`); a customer could not be
                answered there (`no_chat`), would be read by more departments (`more_readers`), or is another one than
                the one who writes there (`other_customer`).

        """
        people_only(principal)
        return await self._tickets.run(MarkDuplicate(Call(principal, request_id, trace), ticket, of))

    async def clear_duplicate(
        self, principal: Principal, ticket: TicketId, *, request_id: str | None = None, trace: str | None = None
    ) -> TicketView:
        """Say that a ticket is no duplicate.

        Raises:
            NotThereYet: no such ticket for this caller.
            Forbidden: the department does not take part in the conversation, or the caller may only read.

        """
        people_only(principal)
        return await self._tickets.run(ClearDuplicate(Call(principal, request_id, trace), ticket))

    async def _conversing(self, principal: Principal, ticket: TicketId, *, writing: bool = False) -> TicketRow:
        """Return a ticket whose conversation the caller takes part in."""
        row = await self._tickets.row(principal, ticket)
        lifecycle = self._lifecycles.by_digest(row.lifecycle)
        denial = access.link(principal, lifecycle) if writing else access.converse(principal, lifecycle)
        if denial is not None:
            raise denial.error()
        return row

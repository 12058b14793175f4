"""The commands that say that a ticket is a duplicate of another one, and that it is none after all.

A duplicate keeps everything: its documents, its journal, its conversation. From then on its work goes on in the other
ticket: what its customer writes goes there (`Ingest`), and nothing of it is owed. Nothing is copied. Whoever sees the
duplicate sees the other ticket, and whoever is in its conversation is in the other one: a mark shuts nobody out. What a
customer writes gets no other readers by it, and an answer to one customer never goes to another one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crdt_sync.domain import access
from crdt_sync.domain.delivery import Conversation
from crdt_sync.domain.ids import Position, TicketId
from crdt_sync.domain.lifecycle.phrases import Language
from crdt_sync.errors import Conflict
from crdt_sync.service.command import OnTicket, find_visible
from crdt_sync.service.commands import shown, view_of
from crdt_sync.service.draft import Draft
from crdt_sync.service.live_ticket import Desk, LiveTicket
from crdt_sync.service.views import TicketView

_TOLD: Mapping[Language, str] = {
    "en": "It is a duplicate: its work goes on in ticket {of}, and nothing is owed here.",
    "zh": "此工单为重复工单：后续处理在工单 {of}，此处没有待办。",
}


def told(of: TicketId | None, language: Language) -> tuple[str, ...]:
    """Say that a ticket is a duplicate of another one; nothing if it is none."""
    return (_TOLD[language].format(of=of),) if of is not None else ()


@dataclass(eq=False)
class _OnDuplicate(OnTicket[TicketView]):
    def permit(self) -> None:
        """Check that the caller answers the customer."""
        denial = access.link(self.call.principal, self.live.lifecycle)
        if denial is not None:
            raise denial.error()

    def answer(self, record: Mapping[str, Any], position: Position) -> TicketView:
        """Show the ticket."""
        return view_of(self.live, record, position)


@dataclass(eq=False)
class MarkDuplicate(_OnDuplicate):
    """Say that a ticket is a duplicate of another one, or of the one in which that one's work goes on."""

    of: str
    _way: Sequence[LiveTicket] = field(init=False, default=())  # from the other ticket on
    _former: LiveTicket | None = field(init=False, default=None)
    _customers: frozenset[str] = field(init=False, default=frozenset())  # of both

    async def load(self, desk: Desk, draft: Draft) -> None:
        """Load both, and where their work goes on."""
        await super().load(desk, draft)
        self.permit()
        other = await find_visible(desk, self.call.principal, self.of)
        denial = access.link(self.call.principal, other.lifecycle)
        if denial is not None:
            raise denial.error()
        self._way = await desk.goes_on(other)
        self._former = (await desk.goes_on(self.live))[-1] if self.live.duplicate_of is not None else None
        self._customers = frozenset([await desk.store.customer(each.id) for each in (self.live, self._way[-1])])

    def change(self, desk: Desk, draft: Draft) -> Mapping[str, Any]:
        """Mark it. Everything that was looked at is written, so that nobody changes it meanwhile."""
        del desk
        live, into, trace = self.live, self._way[-1], self.call.trace
        if self._former is not into:
            self._check(live, into)
            draft.mark_duplicate(live, into.id, self.call.principal.actor, trace)
            for each in self._way:
                draft.touch(each, trace)
        return shown(live, draft)

    def _check(self, live: LiveTicket, into: LiveTicket) -> None:
        if self._former is not None:
            raise Conflict(
                "The ticket is a duplicate of another one already.", code="duplicate", advice="Take that back first."
            )
        if live in self._way or into.duplicate_of is not None:
            raise Conflict(
                "The other ticket's work goes on in this one, or in none.", code="circular", advice="Mark that one."
            )
        for mine, others in (
            (live.lifecycle.departments, into.lifecycle.departments),
            (live.lifecycle.talk, into.lifecycle.talk),
        ):
            if out := sorted(set(mine) - set(others)):
                raise Conflict(f"In the other ticket {', '.join(out)} would not take part.", code="other_departments")
        if live.customer is not None:
            self._check_customer(live, into)

    def _check_customer(self, live: LiveTicket, into: LiveTicket) -> None:
        """Check that what a customer writes goes to those who read it now, and that answers go back to him."""
        if into.customer is None:
            raise Conflict(
                "The customer writes in this ticket, and could not be answered in the other one.",
                code="no_chat",
                advice="Mark the other one as a duplicate of this.",
            )
        if more := sorted(set(into.lifecycle.talk) - set(live.lifecycle.talk)):
            raise Conflict(
                f"In the other ticket {', '.join(more)} would read what the customer writes.", code="more_readers"
            )
        if len(self._customers) > 1:
            raise Conflict(
                "The two tickets are of different customers.",
                code="other_customer",
                advice="If they are one, link the tickets as those of one customer first.",
            )

    def request(self) -> Mapping[str, object]:
        """What is asked."""
        return {"ticket": self.ticket, "of": self.of}


@dataclass(eq=False)
class ClearDuplicate(_OnDuplicate):
    """Say that a ticket is no duplicate; one that is none stays as it is."""

    _way: Sequence[LiveTicket] = field(init=False, default=())
    _answered: Sequence[LiveTicket] = field(init=False, default=())  # from whose conversation the other is written to
    _own: Conversation | None = field(init=False, default=None)  # of the other ticket

    async def load(self, desk: Desk, draft: Draft) -> None:
        """Load it, where its work goes on, and to whom that answers."""
        await super().load(desk, draft)
        self.permit()
        self._way = await desk.goes_on(self.live)
        into = self._way[-1]
        self._answered = await desk.goes_on(await desk.get(into.answers_in)) if into.answers_in is not None else ()
        self._own = await desk.conversation(None, into.subject)

    def change(self, desk: Desk, draft: Draft) -> Mapping[str, Any]:
        """Clear it; what its customer wrote there is not answered there any more."""
        del desk
        live, into, trace = self.live, self._way[-1], self.call.trace
        if live.duplicate_of is not None:
            draft.clear_duplicate(live, self.call.principal.actor, trace)
            for each in self._way:
                draft.touch(each, trace)
            if live in self._answered:
                draft.answer_in(into, None, self._own)
        return shown(live, draft)

    def request(self) -> Mapping[str, object]:
        """What is asked."""
        return {"ticket": self.ticket}

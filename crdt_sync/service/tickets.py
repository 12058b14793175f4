"""Tickets for callers without a CRDT client: the same documents and the same rules, one call at a time."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import structlog

from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.rules import Scalar
from crdt_sync.documents.talk import TalkDocument
from crdt_sync.domain import access, holds
from crdt_sync.domain.access import Principal
from crdt_sync.domain.ids import ID_PATTERN, DocumentKind, DocumentName, TicketId
from crdt_sync.domain.lifecycle.explain import Language, explain
from crdt_sync.domain.message import Part
from crdt_sync.domain.service_desk import NO_DESK, ServiceDesk
from crdt_sync.domain.tripwire import Agreement, Alarm, Evidence, Fingerprint
from crdt_sync.errors import Forbidden, NotThereYet
from crdt_sync.ports import Clock, Ids, Store, TicketFilter, TicketRow
from crdt_sync.service import duplicates
from crdt_sync.service.alarms import check_claims, compared, contradicted, not_diverged
from crdt_sync.service.arrival import Arrival
from crdt_sync.service.command import Call, Command
from crdt_sync.service.commands import (
    MakeTransition,
    Open,
    PostMessage,
    Take,
    UpdateCard,
    UpdateForm,
)
from crdt_sync.service.committer import Committer
from crdt_sync.service.ingest import Ingest, Ingested
from crdt_sync.service.lifecycles import Lifecycles
from crdt_sync.service.live_ticket import LiveTicket, no_ticket
from crdt_sync.service.look import Look, settled
from crdt_sync.service.reception import Reception
from crdt_sync.service.rooms import Rooms
from crdt_sync.service.views import (
    Explained,
    FormView,
    Opened,
    Page,
    Posted,
    TicketView,
    Transitioned,
    conversation,
    entry,
)

PAGE_TICKETS_MAX = 500

_log = structlog.get_logger(__name__)

R = TypeVar("R")


class Tickets:
    """What REST, gRPC and the gateway call."""

    def __init__(
        self,
        *,
        store: Store,
        rooms: Rooms,
        committer: Committer,
        lifecycles: Lifecycles,
        clock: Clock,
        ids: Ids,
        secret: bytes,
        service_desk: ServiceDesk = NO_DESK,
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._committer = committer
        self._lifecycles = lifecycles
        self._clock = clock
        self._ids = ids
        self._secret = secret  # the deployment's key: what chat subjects are made with
        self._reception = Reception(service_desk, lifecycles)

    async def open(
        self,
        principal: Principal,
        *,
        title: str,
        lifecycle: str | None = None,
        subject: str | None = None,
        card: Mapping[str, Scalar] | None = None,
        request_id: str | None = None,
        trace: str | None = None,
    ) -> Opened:
        """Open a ticket, or find the one that `subject` has.

        Raises:
            Forbidden: the caller may not open tickets of this lifecycle.
            Conflict: the subject's ticket is not for this caller to see.
            NotFound: no such lifecycle.
            Malformed: a field that a card cannot hold.

        """
        people_only(principal)
        fields: dict[str, Scalar] = {**(card or {}), **({"title": title} if title else {})}
        call = Call(principal, request_id, trace)
        return await self.run(Open(call, fields, lifecycle, subject, self._ids.uuid7(), self._clock.now_ms()))

    async def get(self, principal: Principal, ticket: str) -> TicketView:
        """Show one ticket.

        Raises:
            NotThereYet: there is none, or not for this caller.

        """
        return TicketView.of_row(await self.row(principal, ticket))

    async def list(
        self, principal: Principal, where: TicketFilter, *, after: TicketId | None = None, limit: int = 100
    ) -> Page:
        """List tickets in which the caller takes part, whatever `where` says of department and tickets."""
        people_only(principal)
        mine = TicketFilter(
            department=principal.department,
            tickets=principal.tickets,
            stage=where.stage,
            lane_states=where.lane_states,
            owed_by=where.owed_by,
            changed_after=where.changed_after,
            together_with=where.together_with,
        )
        limit = max(1, min(limit, PAGE_TICKETS_MAX))
        position = await self._store.position()
        rows = await self._store.tickets(mine, after=after, limit=limit + 1)
        shown = [TicketView.of_row(row) for row in rows[:limit]]
        return Page(shown, shown[-1].id if len(rows) > limit else None, position)

    async def transition(
        self,
        principal: Principal,
        ticket: str,
        *,
        lane: str,
        name: str,
        seen: str | None,
        payload: Mapping[str, object] | None = None,
        request_id: str | None = None,
        trace: str | None = None,
    ) -> Transitioned:
        """Make a transition, judged in what the caller had seen; a stale `seen` is no error.

        Raises:
            NotThereYet: no such ticket for this caller.
            PreconditionMissing: no `seen`.
            PreconditionUnknown: `seen` names no version of this ticket.
            Forbidden: another department's lane, or no role.
            Conflict: not enabled in what was seen; the message says why.
            Malformed: no such transition, or a payload that it does not take.

        """
        people_only(principal)
        call = Call(principal, request_id, trace)
        now_ms, salt = self._clock.now_ms(), self._ids.salt()
        return await self.run(MakeTransition(call, ticket, lane, name, seen, payload, now_ms, salt))

    async def post_message(
        self,
        principal: Principal,
        ticket: str,
        *,
        text: str,
        contents: Sequence[Part] = (),
        request_id: str | None = None,
        trace: str | None = None,
    ) -> Posted:
        """Answer the customer, with a text, or with parts whose `ref` names what was uploaded for this ticket, or both.

        Raises:
            NotThereYet: no such ticket for this caller.
            Forbidden: the department does not take part in the conversation.
            NotFound: the ticket has no such content.
            Malformed: the text is empty or too long, or a content is not what its part says (`media_kind`).

        """
        people_only(principal)
        call = Call(principal, request_id, trace)
        return await self.run(PostMessage(call, ticket, text, contents, self._clock.now_ms(), self._ids.salt()))

    async def messages(self, principal: Principal, ticket: str) -> Sequence[Mapping[str, object]]:
        """Show the conversation in the order of the platform's time, then of ids.

        Raises:
            NotThereYet: no such ticket for this caller.
            Forbidden: the department does not take part in the conversation.

        """
        row = await self.row(principal, ticket)
        denial = access.converse(principal, self._lifecycles.by_digest(row.lifecycle))
        if denial is not None:
            raise denial.error()
        room = await self._rooms.get(str(DocumentName(row.id, DocumentKind.TALK)))
        await settled(room)
        talk = room.document
        assert isinstance(talk, TalkDocument), "the name says so"
        return conversation(talk)

    async def update_card(
        self,
        principal: Principal,
        ticket: str,
        *,
        fields: Mapping[str, Scalar],
        request_id: str | None = None,
        trace: str | None = None,
    ) -> TicketView:
        """Change fields of the card; null removes one.

        Raises:
            NotThereYet: no such ticket for this caller.
            Malformed: a field that a card cannot hold.

        """
        people_only(principal)
        return await self.run(UpdateCard(Call(principal, request_id, trace), ticket, fields))

    async def take(
        self, principal: Principal, ticket: str, lane: str, *, request_id: str | None = None, trace: str | None = None
    ) -> TicketView:
        """Take a lane of the caller's department, from whoever has it.

        Raises:
            NotThereYet: no such ticket for this caller.
            Forbidden: another department's lane.

        """
        people_only(principal)
        return await self.run(Take(Call(principal, request_id, trace), ticket, lane))

    async def form(self, principal: Principal, ticket: str, lane: str) -> FormView:
        """Show a lane's form.

        Raises:
            NotThereYet: no such ticket for this caller.
            Forbidden: the form is not for this department.

        """
        row = await self.row(principal, ticket)
        name = DocumentName(row.id, DocumentKind.FORM, lane)
        denial = access.read(principal, self._lifecycles.by_digest(row.lifecycle), name)
        if denial is not None:
            raise denial.error()
        room = await self._rooms.get(str(name))
        await settled(room)
        document = room.document
        assert isinstance(document, FormDocument), "the name says so"
        return FormView(document.fields(), document.notes(), await self._store.position())

    async def update_form(
        self,
        principal: Principal,
        ticket: str,
        lane: str,
        *,
        fields: Mapping[str, Scalar],
        note: str = "",
        request_id: str | None = None,
        trace: str | None = None,
    ) -> FormView:
        """Change fields of a lane's form, and add to its notes.

        Raises:
            NotThereYet: no such ticket for this caller.
            Forbidden: the form is not this department's to write.
            Malformed: a field that a form cannot hold.

        """
        people_only(principal)
        return await self.run(UpdateForm(Call(principal, request_id, trace), ticket, lane, fields, note))

    async def explain(self, principal: Principal, ticket: str, language: Language) -> Explained:
        """Say in words why the ticket stands where it stands.

        Raises:
            NotThereYet: no such ticket for this caller.

        """
        people_only(principal)

        def read(live: LiveTicket) -> Explained:
            assert live.row is not None, "what is looked at is committed"
            view = TicketView.of_row(live.row)
            lines = explain(live.lifecycle, live.fold, language=language)
            first = duplicates.told(view.duplicate_of, language)
            return Explained(view, (*first, *lines, *holds.told(live.lifecycle, view.card, language)))

        return await self.run(Look(principal, ticket, read))

    async def history(self, principal: Principal, ticket: str) -> Sequence[Mapping[str, object]]:
        """Show every admitted transition, oldest first, with what became of it.

        Raises:
            NotThereYet: no such ticket for this caller.

        """
        people_only(principal)

        def read(live: LiveTicket) -> Sequence[Mapping[str, object]]:
            statuses = live.fold.state().status
            return [
                {
                    **entry(live.fold.transition(id_)),
                    "version": str(position),
                    **(statuses[id_].to_json() if id_ in statuses else {}),
                }
                for id_, position in zip(live.order, live.positions, strict=True)
            ]

        return await self.run(Look(principal, ticket, read))

    async def compare(
        self, principal: Principal, claims: Sequence[tuple[TicketId, Fingerprint]]
    ) -> Sequence[Agreement]:
        """Say of each ticket, in order, whether the service finds in it what the caller does.

        One after the other, so that nobody's commit waits for all of them.

        Raises:
            TooLarge: more than `COMPARED_TICKETS_MAX` tickets.
            Malformed: something is no fingerprint.

        """
        people_only(principal)
        check_claims(claims)
        return [await self._compare(principal, ticket, claimed) for ticket, claimed in claims]

    async def raise_alarm(
        self, principal: Principal, ticket: str, *, claimed: Fingerprint, evidence: Evidence
    ) -> Evidence:
        """Keep what the caller and the service believe of a ticket, and return the latter.

        An alarm that is kept is logged with both explanations; one that is known, or one too many, is neither.

        Raises:
            NotThereYet: no such ticket for this caller.
            Conflict: both find the same, or one has seen more by now.
            Malformed, TooLarge: the fingerprint is none, or the evidence too long.

        """
        people_only(principal)
        claimed.check()
        evidence.check()
        found = await self.run(Look(principal, ticket, lambda live: contradicted(live, claimed)))
        if isinstance(found, Agreement):
            raise not_diverged(found)
        seen = (TicketId(ticket), principal.department, principal.actor, claimed.heads)
        alarm = Alarm(*seen, replica=evidence, service=found, at_ms=self._clock.now_ms())
        if await self._store.save_alarm(alarm):
            told = {"replica": evidence.explanation, "service": found.explanation}
            _log.error("replica diverged", ticket=ticket, department=alarm.department, heads=alarm.heads, **told)
        return found

    async def ingest(self, principal: Principal, arrivals: Sequence[Arrival]) -> Sequence[Ingested]:
        """Take what a gateway brings, in order; one result each.

        Raises:
            Forbidden: the caller is no gateway.

        """
        if not principal.is_gateway:
            raise Forbidden("Only a gateway ingests.", code="not_a_gateway")
        jobs = [Ingest(principal, arrival, self._secret, self._ids.salt(), self._reception) for arrival in arrivals]
        for job in jobs:
            self._committer.enqueue(job)
        return [await job.outcome for job in jobs]

    async def run(self, command: "Command[R] | Look[R]") -> R:
        """Have a command committed, and return its answer."""
        self._committer.enqueue(command)
        return await command.outcome

    async def _compare(self, principal: Principal, ticket: TicketId, claimed: Fingerprint) -> Agreement:
        if not ID_PATTERN.fullmatch(ticket):
            return Agreement.NO_TICKET
        try:
            return await self.run(Look(principal, ticket, lambda live: compared(live, claimed)))
        except NotThereYet:
            return Agreement.NO_TICKET

    async def row(self, principal: Principal, ticket: str) -> TicketRow:
        """Return the projection of one ticket; raises as `get`."""
        people_only(principal)
        row = await self._store.ticket(TicketId(ticket))
        if row is None or access.see(principal, self._lifecycles.by_digest(row.lifecycle), row.id) is not None:
            raise no_ticket(ticket)
        return row


def people_only(principal: Principal) -> None:
    """Keep gateways to what gateways do."""
    if principal.is_gateway:
        raise Forbidden("A gateway ingests; it reads and changes no tickets.", code="gateway")

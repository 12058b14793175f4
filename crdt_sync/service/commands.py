"""The commands on tickets of callers without a CRDT client."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crdt_sync.documents.rules import Scalar
from crdt_sync.domain import access, media, message, payload, transition
from crdt_sync.domain.holds import TAKEN, Hold
from crdt_sync.domain.ids import DocumentKind, DocumentName, LaneId, Position, TicketId, TransitionId
from crdt_sync.domain.lifecycle.model import TransitionSpec
from crdt_sync.domain.message import Part
from crdt_sync.domain.payload import Sealed
from crdt_sync.errors import Conflict, Forbidden, Malformed, PreconditionMissing
from crdt_sync.service.admission import DUPLICATE, MESSAGES_PER_TICKET_MAX, judge_transition
from crdt_sync.service.command import Command, OnTicket
from crdt_sync.service.draft import Draft
from crdt_sync.service.live_ticket import Desk, LiveTicket, no_media
from crdt_sync.service.refusals import refusal
from crdt_sync.service.views import FormView, Opened, Posted, TicketView, Transitioned, shown_fields


@dataclass(eq=False)
class Open(Command[Opened]):
    """Open a ticket, or find the one that the subject has already."""

    fields: Mapping[str, Scalar]
    lifecycle: str | None
    subject: str | None
    fresh_subject: str
    now_ms: int
    _opening: transition.Transition | None = field(init=False, default=None)

    async def load(self, desk: Desk, draft: Draft) -> None:
        """Load the subject's ticket, or prepare a fresh one."""
        principal = self.call.principal
        if self.subject is not None:
            bound = draft.subjects.get(self.subject) or await desk.store.subject(self.subject)
            if bound is not None:
                self._opening = None
                self.live = await desk.get(bound)
                return
        if not principal.roles:
            raise Forbidden("The caller holds no role.", code="role_not_held")
        lifecycle = desk.lifecycles.by_digest(self.lifecycle) if self.lifecycle else desk.lifecycles.default
        self._opening = transition.make(
            ticket=None,
            lane=lifecycle.control.id,
            name=transition.OPENING_NAME,
            actor=principal.actor,
            roles=principal.roles,
            after=(),
            lifecycle=lifecycle.digest,
            at=self.now_ms,
            subject=self.subject or self.fresh_subject,
        )
        self.live = await desk.fresh(TicketId(self._opening.id), lifecycle)

    def change(self, desk: Desk, draft: Draft) -> Mapping[str, Any]:
        """Bind the subject, admit the opening, fill the card."""
        live, opening, principal = self.live, self._opening, self.call.principal
        if opening is None:
            if access.see(principal, live.lifecycle, live.id) is not None:
                raise Conflict("The subject has a ticket that this caller may not see.", code="subject_taken")
            return shown(live, draft, created=False)
        denial = access.open_ticket(principal, live.lifecycle, opening)
        if denial is not None:
            raise denial.error()
        card = live.card.set_fields(self.fields) if self.fields else b""
        subject = opening.subject or ""
        live.opened(subject, draft.now_ms)
        draft.bind(subject, live)
        draft.admit(live, opening, self.call.trace)
        if card:
            draft.update(live.card_room, card, principal, trace=self.call.trace)
        desk.keep(live)
        return shown(live, draft, created=True)

    def answer(self, record: Mapping[str, Any], position: Position) -> Opened:
        """Show the ticket; one that was there already, as it stands."""
        if not record["created"] and self.live.row is not None:
            return Opened(TicketView.of_row(self.live.row), created=False)
        return Opened(view_of(self.live, record, position), bool(record["created"]))

    def request(self) -> Mapping[str, object]:
        """What is asked."""
        return {"fields": dict(self.fields), "lifecycle": self.lifecycle, "subject": self.subject}


@dataclass(eq=False)
class MakeTransition(OnTicket[Transitioned]):
    """Make a transition, judged in what its author had seen."""

    lane: str
    name: str
    seen: str | None
    payload: Mapping[str, object] | None
    now_ms: int
    salt: str
    _sealed: Sealed | None = field(init=False, default=None)

    async def load(self, desk: Desk, draft: Draft) -> None:
        """Load the ticket and the form that takes the payload."""
        await super().load(desk, draft)
        spec = self._spec()
        if self.payload is not None:
            payload.check(spec.payload, self.payload)
            self._sealed = payload.seal(self.payload, self.salt)
            await desk.with_form(self.live, spec.lane)
            self.builds_on = (self.live.form_room(spec.lane),)

    def change(self, desk: Desk, draft: Draft) -> Mapping[str, Any]:
        """Admit the transition, and keep its payload in the lane's form."""
        del desk
        live, principal, sealed = self.live, self.call.principal, self._sealed
        made = self._made()
        code = judge_transition(draft, live, made, principal, sealed=sealed.text if sealed else None)
        if code not in {"", DUPLICATE}:
            raise refusal(code, live, made, principal)
        if sealed is not None:
            form = live.form(made.lane).put_payload(sealed.digest, sealed.text)
            draft.update(live.form_room(made.lane), form, principal, trace=self.call.trace)
        if not code:
            draft.admit(live, made, self.call.trace)
        return {**shown(live, draft), "transition": made.id}

    def answer(self, record: Mapping[str, Any], position: Position) -> Transitioned:
        """Show the ticket after the transition."""
        return Transitioned(view_of(self.live, record, position), TransitionId(record["transition"]))

    def request(self) -> Mapping[str, object]:
        """What is asked."""
        asked = {"ticket": self.ticket, "lane": self.lane, "name": self.name, "seen": self.seen}
        return {**asked, "payload": dict(self.payload) if self.payload is not None else None}

    def _spec(self) -> TransitionSpec:
        lane = self.live.lifecycle.lanes.get(LaneId(self.lane))
        spec = lane.transitions.get(self.name) if lane is not None else None
        if spec is None:
            raise Malformed(
                f"The lifecycle has no transition {self.lane[:60]}.{self.name[:60]}.",
                code="unknown_transition",
                advice="GET /api/lifecycles/{digest} shows those that it has.",
            )
        return spec

    def _made(self) -> transition.Transition:
        live, principal = self.live, self.call.principal
        if self.seen is None:
            raise PreconditionMissing(
                "The command does not say which version of the ticket was seen.",
                advice="Send the 'version' of the ticket that was shown as 'seen'.",
            )
        if not principal.roles:
            raise Forbidden("The caller holds no role.", code="role_not_held")
        return transition.make(
            ticket=live.id,
            lane=LaneId(self.lane),
            name=self.name,
            actor=principal.actor,
            roles=principal.roles,
            after=live.fold.naming(live.seen(self.seen)),
            lifecycle=live.lifecycle.digest,
            payload=self._sealed.digest if self._sealed else None,
            at=self.now_ms,
        )


@dataclass(eq=False)
class PostMessage(OnTicket[Posted]):
    """Answer the customer."""

    text: str
    contents: Sequence[Part]
    now_ms: int
    salt: str

    async def load(self, desk: Desk, draft: Draft) -> None:
        """Load the ticket and its conversation, and look for the contents that the message names."""
        await super().load(desk, draft)
        await desk.with_talk(self.live)
        for part in self.contents:
            if part["type"] not in media.MEDIA_PARTS:
                raise Malformed("A content is an image, a voice, a video or a file.", code="content")
            digest = media.digest_of(part.get("ref", ""))
            stored = await desk.store.use_media(self.live.id, digest, self.now_ms) if digest is not None else None
            if stored is None:
                raise no_media()
            if not media.fits(part["type"], stored.media.type):
                raise Malformed(f"That content is no {part['type']}.", code="media_kind", advice="Send it as a file.")

    def change(self, desk: Desk, draft: Draft) -> Mapping[str, Any]:
        """Take the message into the conversation."""
        del desk
        principal, live = self.call.principal, self.live
        posted = message.make(
            ticket=live.id,
            kind="agent",
            author=principal.actor,
            at=self.now_ms,
            parts=(*([{"type": "text", "text": self.text}] if self.text or not self.contents else []), *self.contents),
            salt=self.salt,
        )
        denial = access.post_message(principal, live.lifecycle, posted)
        if denial is not None:
            raise denial.error()
        if len(live.messages or ()) >= MESSAGES_PER_TICKET_MAX:
            raise Conflict("The conversation holds as many messages as it may.", code="too_many")
        draft.post(live, posted, self.call.trace, principal.department)
        return {"id": live.id, "message": posted.id}

    def answer(self, record: Mapping[str, Any], position: Position) -> Posted:
        """Name the message."""
        return Posted(record["message"], position)

    def request(self) -> Mapping[str, object]:
        """What is asked."""
        contents = {"contents": [dict(part) for part in self.contents]} if self.contents else {}
        return {"ticket": self.ticket, "text": self.text, **contents}


@dataclass(eq=False)
class UpdateCard(OnTicket[TicketView]):
    """Change fields of the card; null removes one."""

    fields: Mapping[str, Scalar]

    async def load(self, desk: Desk, draft: Draft) -> None:
        """Load the ticket, its card with it."""
        await super().load(desk, draft)
        denial = access.write(self.call.principal, self.live.lifecycle, DocumentName(self.live.id, DocumentKind.CARD))
        if denial is not None:
            raise denial.error()
        self.builds_on = (self.live.card_room,)

    def change(self, desk: Desk, draft: Draft) -> Mapping[str, Any]:
        """Write the fields."""
        del desk
        live = self.live
        draft.update(live.card_room, live.card.set_fields(self.fields), self.call.principal, trace=self.call.trace)
        draft.touch(live, self.call.trace)
        return shown(live, draft)

    def answer(self, record: Mapping[str, Any], position: Position) -> TicketView:
        """Show the ticket."""
        return view_of(self.live, record, position)

    def request(self) -> Mapping[str, object]:
        """What is asked."""
        return {"ticket": self.ticket, "fields": dict(self.fields)}


@dataclass(eq=False)
class Take(OnTicket[TicketView]):
    """Take a lane of one's own department, from whoever has it."""

    lane: str

    async def load(self, desk: Desk, draft: Draft) -> None:
        """Load the ticket, its card with it."""
        await super().load(desk, draft)
        denial = access.take(self.call.principal, self.live.lifecycle, LaneId(self.lane))
        if denial is not None:
            raise denial.error()
        self.builds_on = (self.live.card_room,)

    def change(self, desk: Desk, draft: Draft) -> Mapping[str, Any]:
        """Write the hold."""
        del desk
        live, principal = self.live, self.call.principal
        data = live.card.take(LaneId(self.lane), Hold(draft.now_ms, principal.actor, TAKEN))
        draft.update(live.card_room, data, principal, trace=self.call.trace)
        draft.touch(live, self.call.trace)
        return shown(live, draft)

    def answer(self, record: Mapping[str, Any], position: Position) -> TicketView:
        """Show the ticket."""
        return view_of(self.live, record, position)

    def request(self) -> Mapping[str, object]:
        """What is asked."""
        return {"ticket": self.ticket, "lane": self.lane}


@dataclass(eq=False)
class UpdateForm(OnTicket[FormView]):
    """Change fields of a lane's form, or add to its notes; null removes a field."""

    lane: str
    fields: Mapping[str, Scalar]
    note: str

    async def load(self, desk: Desk, draft: Draft) -> None:
        """Load the ticket and the form."""
        await super().load(desk, draft)
        self.permit()
        await desk.with_form(self.live, LaneId(self.lane))
        self.builds_on = (self.live.form_room(LaneId(self.lane)),)

    def permit(self) -> None:
        """Check that the form is the caller's to write."""
        name = DocumentName(self.live.id, DocumentKind.FORM, self.lane)
        denial = access.write(self.call.principal, self.live.lifecycle, name)
        if denial is not None:
            raise denial.error()

    def change(self, desk: Desk, draft: Draft) -> Mapping[str, Any]:
        """Write the fields and the note."""
        del desk
        live, lane = self.live, LaneId(self.lane)
        form, room = live.form(lane), live.form_room(lane)
        changes = [form.set_fields(self.fields)] if self.fields else []
        if self.note:
            changes.append(form.append_note(self.note + "\n"))
        for data in changes:
            draft.update(room, data, self.call.principal, trace=self.call.trace)
        return {"id": live.id, "fields": form.fields(), "notes": form.notes()}

    def answer(self, record: Mapping[str, Any], position: Position) -> FormView:
        """Show the form."""
        return FormView(record["fields"], record["notes"], position)

    def request(self) -> Mapping[str, object]:
        """What is asked."""
        return {"ticket": self.ticket, "lane": self.lane, "fields": dict(self.fields), "note": self.note}


def shown(live: LiveTicket, draft: Draft, **more: object) -> dict[str, Any]:
    """What a ticket shows at this point of the batch, and which transition will give it its version."""
    touched = draft.tickets.get(live.id)
    newest = touched.admitted[-1].id if touched is not None and touched.admitted else live.order[-1]
    return {"id": live.id, "newest": newest, "ticket": shown_fields(live, draft.now_ms), **more}


def view_of(live: LiveTicket, record: Mapping[str, Any], position: Position) -> TicketView:
    """The ticket of what `shown` returned, once it is committed."""
    return TicketView.of_fields(record["ticket"], live.version_of(record["newest"]), position)

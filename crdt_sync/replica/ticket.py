"""One ticket in a replica: what it shows, and what its people do to it, with or without a network.

Every method that changes something returns when the change is durable here; whether it is delivered, the log says.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.document import Document
from crdt_sync.documents.document import Entry as Submitted
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.log import LogDocument
from crdt_sync.documents.rules import Scalar
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.documents.talk import TalkDocument
from crdt_sync.domain import access, holds, message, payload, transition
from crdt_sync.domain.access import Denial, Principal
from crdt_sync.domain.ids import Digest, DocumentKind, DocumentName, LaneId, MessageId, TicketId, TransitionId
from crdt_sync.domain.lifecycle.explain import Language, explain
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.lifecycle.model import Lifecycle, TransitionSpec
from crdt_sync.domain.lifecycle.result import Code, TicketState
from crdt_sync.domain.message import Message
from crdt_sync.domain.payload import Sealed
from crdt_sync.domain.transition import Transition
from crdt_sync.errors import NotFound, NotThereYet
from crdt_sync.ports import Clock, Ids
from crdt_sync.replica.edits import Edit
from crdt_sync.replica.moves import frontier_of, impossible, spec_of
from crdt_sync.replica.shelf import Shelf
from crdt_sync.replica.store import Known
from crdt_sync.replica.view import ROOTS, Entry, View, decoded, undelivered

D = TypeVar("D", bound=Document)


@dataclass(frozen=True, slots=True)
class Desk:
    """What every ticket of a replica works with; `edited` hears of updates that were made here and are durable."""

    principal: Principal
    shelf: Shelf
    clock: Clock
    ids: Ids
    edited: Callable[[Sequence[tuple[DocumentName, bytes]]], None]
    wait_until: Callable[[Callable[[], bool], float], Awaitable[bool]]


@dataclass(eq=False)
class Ticket:
    """A live view: it changes as updates arrive. `lifecycle` is None until it was fetched."""

    id: TicketId
    digest: Digest
    lifecycle: Lifecycle | None
    desk: Desk
    _view: View | None = field(default=None, init=False)
    _folded: tuple[Fold, tuple[int, int]] | None = field(default=None, init=False)

    @property
    def fold(self) -> Fold | None:
        """What the ticket's transitions amount to; None while its lifecycle is unknown."""
        if self.lifecycle is None:
            return None
        if self._view is None:
            self._view = View(self.lifecycle, self.id)
        revisions = self.desk.shelf.revisions
        now = (revisions[str(self._name(DocumentKind.LOG))], revisions[str(self.submit_name)])
        if self._folded is None or self._folded[1] != now:
            self._folded = self._view.fold(self._log, self._entries), now
        return self._folded[0]

    @property
    def state(self) -> TicketState:
        """Lanes, stage, flags, obligations and every transition's status, own undelivered moves included."""
        if self.fold is not None:
            return self.fold.state()
        ids = [transition.entry_key(record.encode()) for record in self._log.transitions()]
        return TicketState(ticket=self.id, codes={TransitionId(id_): Code.LIFECYCLE_UNKNOWN for id_ in ids})

    @property
    def code(self) -> str | None:
        """Why there is no stage: `lifecycle_unknown` or `not_there_yet`; None if there is one."""
        if self.lifecycle is None:
            return Code.LIFECYCLE_UNKNOWN.value
        return None if self.state.ticket is not None else NotThereYet.default_code

    @property
    def stage(self) -> str | None:
        """The stage's name."""
        return self.state.stage

    @property
    def kind(self) -> str | None:
        """The stage's kind."""
        return self.state.kind

    @property
    def lanes(self) -> Mapping[LaneId, str]:
        """Each lane's state, a named conflict included."""
        return self.state.lanes

    @property
    def frontier(self) -> tuple[TransitionId, ...]:
        """The newest transitions of what is shown now: what `do` takes as `seen`."""
        return self.fold.frontier() if self.fold is not None else ()

    @property
    def card(self) -> Mapping[str, Scalar]:
        """Title, customer, priority, tags and assignees."""
        return self._card.card()

    @property
    def title(self) -> str:
        """The card's title; empty if it has none."""
        return str(self.card.get("title") or "")

    @property
    def messages(self) -> Sequence[Message]:
        """The conversation with the customer in the order of its time, own undelivered answers included."""
        talk = self._loaded(TalkDocument, DocumentKind.TALK)
        own = [entry.record for entry in self.undelivered if entry.kind == "message" and entry.code is None]
        shown = {one.id: one for one in decoded([*(talk.messages() if talk else ()), *own])}
        return sorted(shown.values(), key=lambda one: (one.at, one.id))

    @property
    def undelivered(self) -> Sequence[Entry]:
        """Own entries that neither the log nor the conversation holds; those that were refused have their code."""
        talk = self._loaded(TalkDocument, DocumentKind.TALK)
        return undelivered(self._log, talk, self._entries, self.desk.principal.actor)

    @property
    def pending(self) -> tuple[str, ...]:
        """The ids of own entries that are neither delivered nor refused."""
        return tuple(entry.id for entry in self.undelivered if entry.code is None)

    @property
    def refused(self) -> Mapping[str, str]:
        """The ids of own entries that the service refused, each with its code."""
        return {entry.id: entry.code for entry in self.undelivered if entry.code is not None}

    def explain(self, language: Language = "en") -> tuple[str, ...]:
        """Say in sentences why the ticket is where it is; none while its lifecycle is unknown."""
        if self.lifecycle is None or self.fold is None:
            return ()
        told = holds.told(self.lifecycle, self.card, language)
        return (*explain(self.lifecycle, self.fold, language=language), *told)

    def form(self, lane: str) -> Mapping[str, Scalar]:
        """Return the fields of a lane's form.

        Raises:
            Forbidden: the form is not for this department.

        """
        return self._form(lane, access.read).fields()

    def notes(self, lane: str) -> str:
        """Return the notes of a lane's form.

        Raises:
            Forbidden: the form is not for this department.

        """
        return self._form(lane, access.read).notes()

    async def begin(self, known: Known, opening: Transition, title: str) -> None:
        """Write the ticket's first records: its title, and its opening among the submissions.

        Raises:
            Refused: a title that no card holds.

        """
        card = (self._name(DocumentKind.CARD), Edit("fields", {"title": title}))
        submit = (self.submit_name, Edit("transition", opening.record))
        self.desk.edited(await self.desk.shelf.write([card, submit], opens=known))

    async def do(
        self,
        lane: str,
        name: str,
        payload: Mapping[str, object] | None = None,
        *,
        seen: Sequence[TransitionId] | None = None,
    ) -> TransitionId:
        """Make a transition, judged in what was seen: the `frontier` that was shown, or the ticket as it is now.

        Raises:
            NotThereYet: the ticket or its lifecycle has not arrived.
            Malformed: no such transition, or a payload that it does not take.
            Forbidden: another department's lane.
            PreconditionUnknown: `seen` names a transition that is not here.
            Conflict: not possible in what was seen; the code is that of the check that failed.

        """
        lifecycle, fold = self._arrived()
        spec = spec_of(lifecycle, lane, name)
        sealed = self._sealed(spec, payload)
        made = transition.make(
            ticket=self.id,
            lane=lane,
            name=name,
            actor=self.desk.principal.actor,
            roles=self.desk.principal.roles,
            after=fold.naming(fold.frontier() if seen is None else frontier_of(fold, seen)),
            lifecycle=lifecycle.digest,
            payload=sealed.digest if sealed else None,
            at=self.desk.clock.now_ms(),
        )
        _allow(access.make_transition(self.desk.principal, lifecycle, made))
        verdict = fold.judge(made)
        if verdict is not None and verdict.code is not None:
            raise impossible(verdict.code, spec, fold, made)
        changes: list[tuple[DocumentName, Edit]] = []
        if sealed is not None:
            self._form(lane, access.write)
            changes.append((self._name(DocumentKind.FORM, lane), Edit("payload", [sealed.digest, sealed.text])))
        changes.append((self.submit_name, Edit("transition", made.record)))
        await self._write(changes)
        return made.id

    async def say(self, text: str) -> MessageId:
        """Answer the customer.

        Raises:
            NotThereYet: the ticket's lifecycle has not arrived.
            Forbidden: the department does not take part in the conversation.
            Malformed: the text is empty or too long.

        """
        lifecycle, _ = self._arrived()
        posted = message.make(
            ticket=self.id,
            kind="agent",
            author=self.desk.principal.actor,
            at=self.desk.clock.now_ms(),
            parts=({"type": "text", "text": text},),
            salt=self.desk.ids.salt(),
        )
        _allow(access.post_message(self.desk.principal, lifecycle, posted))
        await self._write([(self.submit_name, Edit("message", posted.record))])
        return posted.id

    async def set(self, fields: Mapping[str, Scalar] | None = None, **more: Scalar) -> None:
        """Change fields of the card; the last writer wins, and None removes a field.

        Raises:
            Refused: a field that a card does not hold.

        """
        await self._write([(self._name(DocumentKind.CARD), Edit("fields", {**(fields or {}), **more}))])

    async def take(self, lane: str) -> None:
        """Take a lane of the own department, from whoever is seen to have it.

        Raises:
            Forbidden: another department's lane.

        """
        actor, now_ms = self.desk.principal.actor, self.desk.clock.now_ms()
        _allow(access.take(self.desk.principal, self._arrived()[0], LaneId(lane)))
        await self._write([(self._name(DocumentKind.CARD), Edit("take", [lane, actor, now_ms]))])

    async def note(self, lane: str, text: str) -> None:
        """Add a line to the notes of a lane's form.

        Raises:
            Forbidden: only the lane's owner writes its form.

        """
        self._form(lane, access.write)
        await self._write([(self._name(DocumentKind.FORM, lane), Edit("note", text + "\n"))])

    async def set_form(self, lane: str, fields: Mapping[str, Scalar]) -> None:
        """Change fields of a lane's form.

        Raises:
            Forbidden: only the lane's owner writes its form.
            Refused: a field that a form does not hold.

        """
        self._form(lane, access.write)
        await self._write([(self._name(DocumentKind.FORM, lane), Edit("fields", dict(fields)))])

    async def retry(self, id_: str) -> None:
        """Submit a refused entry once more, the same bytes, to be judged anew.

        Raises:
            NotFound: nothing of that id was refused here.

        """
        entry = self._refused_entry(id_)
        await self._write([(self.submit_name, Edit(entry.kind, entry.record))])

    async def again(self, id_: str) -> TransitionId | MessageId:
        """Do again what was refused, as something new: a transition after what is shown now, a message anew.

        Raises:
            NotFound: nothing of that id was refused here.
            Conflict: the transition is not possible now.

        """
        entry = self._refused_entry(id_)
        if entry.kind == "message":
            return await self.say(entry.label)
        made = transition.decode(entry.record.encode())
        assert isinstance(made, Transition), "a replica makes nothing else"
        sealed = self._form(made.lane, access.read).payload(made.payload) if made.payload else None
        return await self.do(made.lane, made.name, payload.unseal(sealed) if sealed else None)

    async def delivered(self, id_: str, timeout_s: float) -> bool:
        """Wait until an own entry is in the log or the conversation, or refused; False if neither came in time."""
        return await self.desk.wait_until(lambda: id_ not in self.pending, timeout_s)

    @property
    def names(self) -> tuple[DocumentName, ...]:
        """The documents of this ticket that its department reads, as far as they are known."""
        names = [self.submit_name, self._name(DocumentKind.LOG), self._name(DocumentKind.CARD)]
        if self.lifecycle is None:
            return tuple(names)
        names.append(self._name(DocumentKind.TALK))
        names += [self._name(DocumentKind.FORM, lane) for lane in self.lifecycle.lanes]
        return tuple(name for name in names if access.read(self.desk.principal, self.lifecycle, name) is None)

    @property
    def submit_name(self) -> DocumentName:
        """The document of the department's submissions."""
        return self._name(DocumentKind.SUBMIT, self.desk.principal.department)

    def _refused_entry(self, id_: str) -> Entry:
        entry = next((entry for entry in self.undelivered if entry.id == id_ and entry.code is not None), None)
        if entry is None:
            raise NotFound(f"Nothing with the id {id_[:60]!r} was refused.", advice="Look at the ticket's `refused`.")
        return entry

    @property
    def _log(self) -> LogDocument:
        return self._held(LogDocument, DocumentKind.LOG)

    @property
    def _card(self) -> CardDocument:
        return self._held(CardDocument, DocumentKind.CARD)

    @property
    def _submit(self) -> SubmitDocument:
        return self._held(SubmitDocument, DocumentKind.SUBMIT, self.desk.principal.department)

    @property
    def submitted(self) -> Sequence[Submitted]:
        """What the department submitted, as far as it is here."""
        return self._submit.entries()

    @property
    def _entries(self) -> Sequence[Submitted]:
        """The same with what is to be submitted again."""
        kept = self.desk.shelf.kept(self.submit_name)
        return (*self.submitted, *(Submitted(ROOTS[edit.kind], edit.value) for edit in kept))

    def _form(self, lane: str, may: Callable[[Principal, Lifecycle, DocumentName], Denial | None]) -> FormDocument:
        lifecycle, _ = self._arrived()
        name = self._name(DocumentKind.FORM, lane)
        _allow(may(self.desk.principal, lifecycle, name))
        return self._held(FormDocument, DocumentKind.FORM, lane)

    def _name(self, kind: DocumentKind, part: str | None = None) -> DocumentName:
        return DocumentName(self.id, kind, part)

    def _loaded(self, document: type[D], kind: DocumentKind, part: str | None = None) -> D | None:
        found = self.desk.shelf.get(self._name(kind, part))
        assert found is None or isinstance(found, document), "the name says which it is"
        return found

    def _held(self, document: type[D], kind: DocumentKind, part: str | None = None) -> D:
        found = self._loaded(document, kind, part)
        assert found is not None, "the replica loads a ticket's documents before it hands the ticket out"
        return found

    def _arrived(self) -> tuple[Lifecycle, Fold]:
        fold = self.fold
        if self.lifecycle is None or fold is None:
            raise NotThereYet("The ticket's lifecycle has not arrived here.", code=Code.LIFECYCLE_UNKNOWN.value)
        if fold.state().ticket is None:
            raise NotThereYet("The ticket has not arrived here.", advice="Sync the replica, then try again.")
        return self.lifecycle, fold

    def _sealed(self, spec: TransitionSpec, data: Mapping[str, object] | None) -> Sealed | None:
        if data is None:
            return None
        payload.check(spec.payload, data)
        return payload.seal(data, self.desk.ids.salt())

    async def _write(self, changes: Sequence[tuple[DocumentName, Edit]]) -> None:
        self.desk.edited(await self.desk.shelf.write(changes))


def _allow(denial: Denial | None) -> None:
    if denial is not None:
        raise denial.error()

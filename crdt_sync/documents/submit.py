"""A department's `submit` document: transitions and messages that its people appended, for the service to admit.

Grow-only and attributable: nothing is ever deleted, and every client id belongs to the actor who used it first. Says
nothing about what an entry means.
"""

from collections.abc import Sequence
from typing import ClassVar

import pycrdt

from crdt_sync.documents.document import Entry, Outcome, Received
from crdt_sync.documents.ranges import Place, Placed
from crdt_sync.documents.rules import RuledDocument, check_text, client_id_reused
from crdt_sync.documents.updates import Content, Id, Struct, Update
from crdt_sync.domain.ids import ActorId, DocumentKind
from crdt_sync.errors import Refused, ServiceError
from crdt_sync.wire.limits import MESSAGE_BYTES_MAX, SUBMIT_ENTRIES_MAX, TRANSITION_BYTES_MAX

TRANSITIONS = "transitions"
MESSAGES = "messages"

_BYTES_MAX = {TRANSITIONS: TRANSITION_BYTES_MAX, MESSAGES: MESSAGE_BYTES_MAX}


class SubmitDocument(RuledDocument):
    """Two arrays of strings. `receive` returns the new entries, each client's in the order of its clocks."""

    kind = DocumentKind.SUBMIT
    joins_runs = False  # an opening that is refused takes no other entry with it
    roots: ClassVar = {TRANSITIONS: 0, MESSAGES: 0}

    def __init__(self, client_id: int) -> None:
        super().__init__(client_id)
        self._arrays = {root: self._doc.get(root, type=pycrdt.Array[str]) for root in self.roots}
        self._authors: dict[int, ActorId] = {}
        self._texts: dict[int, list[str]] = {}  # by client, one for each clock

    def entries(self) -> tuple[Entry, ...]:
        """Return every entry: the transitions, then the messages, each in the order of its array."""
        return tuple(Entry(root, text) for root, array in self._arrays.items() for text in array)

    def authored(self) -> tuple[tuple[Entry, ActorId], ...]:
        """Return every entry whose author is known, with its author, each client's in the order of its clocks."""
        return tuple(
            (Entry(self._root(client, clock), text), self._authors[client])
            for client, texts in self._texts.items()
            if client in self._authors
            for clock, text in enumerate(texts)
        )

    def append_transition(self, record: str, *, actor: ActorId | None = None) -> bytes:
        """Append a transition's record; return the update."""
        return self._write(lambda: self._arrays[TRANSITIONS].append(record), actor)

    def append_message(self, record: str, *, actor: ActorId | None = None) -> bytes:
        """Append a message's record; return the update."""
        return self._write(lambda: self._arrays[MESSAGES].append(record), actor)

    def _judge(self, update: Update, placed: Placed, actor: ActorId) -> Received:
        if update.deletes:
            raise _deletion()
        for item in update.structs:
            if item.kind is not Content.SKIP:
                self._check_known(item, _texts(item))
        for item, _ in placed:
            if self._authors.get(item.client, actor) != actor:
                raise Refused(f"The client id {item.client} is that of another author.", code="foreign_client")
        return Received(Outcome.APPLIED, self._new_entries(placed))

    def _root(self, client: int, clock: int) -> str:
        place = self._places.find(Id(client, clock))
        assert place is not None
        assert isinstance(place.root, str)
        return place.root

    def _check_known(self, item: Struct, texts: Sequence[str]) -> None:
        """Refuse other content for clocks that are known: two writers share one client id, or one rewrites history."""
        known = self._texts.get(item.client, [])[item.clock : item.end]
        if not known:
            return
        place = self._places.find(Id(item.client, item.clock))
        moved = isinstance(item.parent, str) and place != Place(item.parent, item.parent_sub)
        if moved or known != list(texts[: len(known)]):
            raise client_id_reused(item.client)

    def _new_entries(self, placed: Placed) -> tuple[Entry, ...]:
        entries: list[Entry] = []
        for item, root, _ in self._ruled(placed):
            for text in _texts(item)[max(0, self._state.get(item.client, 0) - item.clock) :]:
                check_text(root, text, _BYTES_MAX[root])
                entries.append(Entry(root, text))
        if sum(self._state.values()) + len(entries) > SUBMIT_ENTRIES_MAX:
            raise Refused(f"A submit document has at most {SUBMIT_ENTRIES_MAX} entries.", code="too_many")
        return tuple(entries)

    def _remember(self, placed: Placed, actor: ActorId | None) -> None:
        for item, _ in placed:
            if item.kind is not Content.ANY:
                raise ServiceError("A stored submit document holds something else than texts.", code="damaged")
            known = self._texts.setdefault(item.client, [])
            known += _texts(item)[len(known) - item.clock :]  # each clock is one text, so its length is the clock
            if actor is not None:
                self._know_author(item.client, actor)

    def _know_author(self, client: int, actor: ActorId) -> None:
        self._authors.setdefault(client, actor)

    def _authors_known(self) -> Sequence[tuple[int, ActorId]]:
        return tuple(self._authors.items())


def _texts(item: Struct) -> tuple[str, ...]:
    if item.kind in {Content.DELETED, Content.GC}:
        raise _deletion()
    if item.kind is not Content.ANY or not isinstance(item.content, tuple):
        raise _not_texts()
    if not all(isinstance(value, str) for value in item.content):
        raise _not_texts()
    return item.content


def _deletion() -> Refused:
    return Refused("Nothing is ever deleted from a submit document.", code="deletion")


def _not_texts() -> Refused:
    return Refused("A submit document holds texts and nothing else.", code="content")

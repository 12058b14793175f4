"""One document: a Yjs document of pycrdt behind checks that decide, before it changes, whether an update may enter.

Owns the state of one document in memory. It stores nothing, relays nothing and knows no session; what a kind of
document allows is said by the subclasses.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import pycrdt

from crdt_sync.documents import content, snapshots
from crdt_sync.documents.former import Former, clients_named, made_anew
from crdt_sync.documents.gaps import integrable
from crdt_sync.documents.halves import cuts, halves
from crdt_sync.documents.ranges import Deleted, Placed, Places
from crdt_sync.documents.runs import decode_run
from crdt_sync.documents.state_vectors import decode_state_vector, encode_state_vector
from crdt_sync.documents.updates import (
    XML_HOOK,
    Content,
    Deletion,
    Id,
    Struct,
    Update,
    decode,
    decode_stored,
    encode_deletes,
)
from crdt_sync.domain.ids import ActorId, Digest, DocumentKind, LaneId
from crdt_sync.errors import CallerError, Malformed, Refused, ServiceError, TooLarge
from crdt_sync.wire.limits import DOCUMENT_BYTES_MAX, DOCUMENT_CLIENTS_MAX

# A member of an enumeration costs a call to look up, and these are compared for every keystroke.
_JSON, _TYPE, _GC, _DELETED = Content.JSON, Content.TYPE, Content.GC, Content.DELETED


class Outcome(StrEnum):
    """What became of an update."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"  # the document held all of it
    GAP = "gap"  # it builds on something that the document lacks; nothing was applied


@dataclass(frozen=True, slots=True)
class Entry:
    """One record that was appended to a root of a `submit` document."""

    root: str
    text: str


@dataclass(frozen=True, slots=True)
class Received:
    """What became of an update, and what it brought.

    Entries of a `submit`, digests of payloads of a `form`, and of a `card` the lanes that its author takes.
    """

    kind: Outcome
    entries: tuple[Entry, ...] = ()
    payloads: tuple[str, ...] = ()
    taken: tuple[LaneId, ...] = ()


APPLIED = Received(Outcome.APPLIED)
DUPLICATE = Received(Outcome.DUPLICATE)
GAP = Received(Outcome.GAP)


class Document:
    """A document without rules of its own; every kind of a ticket's documents is a subclass.

    `client_id` must be fresh: the document writes under it, and nobody else may.
    """

    kind: ClassVar[DocumentKind | None] = None
    joins_runs: ClassVar[bool] = True  # updates of one breath may be judged, and fall, together

    def __init__(self, client_id: int) -> None:
        self._client_id = client_id
        self._doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=client_id)
        self._state: dict[int, int] = {}
        self._deleted = Deleted()
        self._places = Places()
        self._types: set[Id] = set()  # nested types: what may be a parent
        self._halves: set[Id] = set()
        self.former = Former()
        self._vector: bytes | None = None
        self._size = 0
        self._damaged = False
        self.handled = 0  # structs, ranges and clocks that were read and written so far: what its callers cost

    @property
    def is_damaged(self) -> bool:
        """Whether an update left the document half applied: drop it and load it anew. Every use of it raises."""
        return self._damaged

    @property
    def client_id(self) -> int:
        """The client id under which this process writes the document."""
        return self._client_id

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever written."""
        return not self._state

    @property
    def size_bytes(self) -> int:
        """An upper bound of the document's encoded size: what came in since it was measured, and that measure."""
        return self._size

    def state(self) -> dict[int, int]:
        """Return the clock that comes next, by client."""
        return dict(self._state)

    def state_vector(self) -> bytes:
        """Return the same, encoded for a step 1."""
        if self._vector is None:
            self._vector = encode_state_vector(self._state)
            self.handled += len(self._state)
        return self._vector

    def diff(self, state_vector: bytes) -> bytes:
        """Return the update that brings the holder of `state_vector` here, with all deletions.

        Raises:
            Malformed: not a state vector.

        """
        return self._diff(decode_state_vector(state_vector))

    def answer(self, state_vector: bytes) -> bytes:
        """Do the same for a session, whose copy may be of a former life of this document.

        Raises:
            Malformed: not a state vector.
            Reset: it names what belongs to an ended epoch.

        """
        theirs = decode_state_vector(state_vector)
        self.former.refuse(theirs)
        if self.former.restored and self._is_foreign(theirs):
            raise made_anew()
        return self._diff(theirs)

    def _diff(self, theirs: dict[int, int]) -> bytes:
        self._refuse_damaged()
        if self._halves:
            for client, clock in theirs.items():
                if Id(client, clock) in self._halves:
                    theirs[client] = clock - 1
        return self._doc.get_update(encode_state_vector(theirs))

    def holds(self, data: bytes) -> bool:
        """Whether the document has all that the update brings: a session that may only read may send it.

        Raises:
            Malformed: not an update.
            TooLarge: the update.
            Reset: it names what belongs to an ended epoch.

        """
        update = self._decoded(data)
        return self._brings_nothing(update, self._fresh(update))

    def receive(self, data: bytes, *, actor: ActorId) -> Received:
        """Take an update from outside, if the kind of this document allows it to `actor`.

        Raises:
            Malformed: not an update.
            TooLarge: the update, or the document with it.
            Reset: it names what belongs to an ended epoch.
            Refused: a rule is broken. Whatever is raised, nothing was applied.

        """
        return self._receive(data, self._decoded(data), actor)

    def receive_run(self, parts: Sequence[bytes], *, actor: ActorId) -> tuple[bytes, Received] | None:
        """Take updates that follow each other as one update, and return that.

        None, and nothing was applied, if they are none that can be taken so: `receive` says of each what it is.
        """
        if not self.joins_runs or self.former.ended:
            return None
        try:
            run = decode_run(parts)
            received = GAP if run is None else self._receive(*run, actor)
        except CallerError:
            return None
        return (run[0], received) if run is not None and received.kind is Outcome.APPLIED else None

    def _receive(self, data: bytes, update: Update, actor: ActorId) -> Received:
        fresh = self._fresh(update)
        if fresh is None:
            return GAP
        self._refuse_content(update, fresh)
        new_halves = halves(fresh)
        if new_halves or self._halves:
            self._refuse_cut(update, fresh, new_halves)
        placed = self._placed(fresh)
        received = self._judge(update, placed, actor)
        if not fresh and self._brings_nothing(update, fresh):
            return DUPLICATE
        self._refuse_growth(len(data), fresh)
        self._apply(data)
        self._account(data, update, placed, new_halves, actor)
        return received

    def apply_committed(self, data: bytes, *, actor: ActorId | None = None) -> Outcome:
        """Take an update that a service admitted and committed, without judging it again.

        Raises:
            Malformed: not an update.

        """
        update = decode_stored(data)
        fresh = integrable(update, self._state)
        if fresh is None:
            return Outcome.GAP
        if self._brings_nothing(update, fresh):
            return Outcome.DUPLICATE
        self._apply(data)
        self._account(data, update, self._placed(fresh, trusted=True), halves(fresh), actor)
        return Outcome.APPLIED

    def load(self, snapshot: bytes | None, updates: Iterable[tuple[bytes, ActorId | None]]) -> None:
        """Fill a new document from a `snapshot()` and the updates behind it, oldest first, each with its author.

        Raises:
            ServiceError: what was stored is damaged; it is never taken for an empty document.

        """
        assert self.is_empty
        try:
            whole = all([self._load_snapshot(snapshot), *(self._load_update(data, actor) for data, actor in updates)])
        except Malformed as error:
            raise ServiceError(f"A stored document does not decode: {error.message}", code="damaged") from error
        if not whole:
            raise ServiceError("A stored document lacks an update that a later one builds on.", code="damaged")
        self._size = len(self._doc.get_update())

    def _load_snapshot(self, snapshot: bytes | None) -> bool:
        if snapshot is None:
            return True
        authors, state = snapshots.decode(snapshot)
        for client, actor in authors:
            self._know_author(client, actor)
        return self._load_update(state, None)

    def _load_update(self, data: bytes, actor: ActorId | None) -> bool:
        return self.apply_committed(data, actor=actor) is not Outcome.GAP

    def snapshot(self) -> bytes:
        """Return all that `load` needs instead of the updates so far."""
        self._refuse_damaged()
        return snapshots.encode(self._authors_known(), self._doc.get_update())

    def digest(self) -> Digest:
        """Return the digest of all that the document is: two that have the same one are the same to every reader.

        It covers each element, its place and its content; which clocks are deleted; the clock that comes next, by
        client; and who writes under which client id. How yrs happens to hold them changes nothing.
        """
        self._refuse_damaged()
        return content.digest(decode_stored(self._doc.get_update()), self._authors_known())

    def _decoded(self, data: bytes) -> Update:
        update = decode(data)
        if self.former.ended:
            self.former.refuse(clients_named(update))
        return update

    def _fresh(self, update: Update) -> list[Struct] | None:
        self.handled += len(update.structs) + len(update.deletes)
        return integrable(update, self._state)

    def _is_foreign(self, theirs: Mapping[int, int]) -> bool:  # noqa: ARG002
        """Whether only a former life of a restored document can have told somebody of this state."""
        return False

    def _brings_nothing(self, update: Update, fresh: Sequence[Struct] | None) -> bool:
        return fresh is not None and not fresh and all(deletion in self._deleted for deletion in update.deletes)

    def _judge(self, update: Update, placed: Placed, actor: ActorId) -> Received:  # noqa: ARG002
        """Refuse what this kind of document does not allow; change nothing. `placed` is what is new, and where."""
        return APPLIED

    def _remember(self, placed: Placed, actor: ActorId | None) -> None:
        """Keep what later judgements need of structs that are being applied."""

    def _know_author(self, client: int, actor: ActorId) -> None:
        """Take `actor` as the one who writes under a client id, if this kind of document cares."""

    def _authors_known(self) -> Sequence[tuple[int, ActorId]]:
        """Return who writes under which client id, if this kind of document cares."""
        return ()

    def _write(self, change: Callable[[], None], actor: ActorId | None = None) -> bytes:
        """Change the document in one transaction and return exactly that change, for the log and the others.

        pycrdt answers with the whole set of deletions; those that were known are left out, so that nobody applies an
        old deletion before what replaces it.
        """
        self._refuse_damaged()
        before = encode_state_vector(self._state)
        with self._doc.transaction():
            change()
        diff = self._doc.get_update(before)
        update = decode_stored(diff)
        deletes = [deletion for deletion in update.deletes if deletion not in self._deleted]
        data = diff[: update.deletes_at] + encode_deletes(deletes)
        fresh = integrable(update, self._state)
        assert fresh is not None
        self._account(data, update, self._placed(fresh, trusted=True), halves(fresh), actor)
        return data

    def _apply(self, data: bytes) -> None:
        self._refuse_damaged()
        try:
            self._doc.apply_update(data)
        except ValueError as error:  # pycrdt could not decode it, and has applied nothing
            raise Malformed("The update does not decode.") from error
        except BaseException as error:
            self._damaged = True  # a panic of yrs has a type of its own that is derived from BaseException only
            if isinstance(error, RuntimeError) or type(error).__name__ == "PanicException":
                raise Malformed("The update cannot be integrated.") from error
            raise

    def _account(self, data: bytes, update: Update, placed: Placed, new_halves: set[Id], actor: ActorId | None) -> None:
        self._remember(placed, actor)
        self._vector = None
        for item, place in placed:
            client, clock, length, kind = item[:4]
            self._places.put(item, place)
            self._state[client] = clock + length
            if kind is _TYPE:
                self._types.add(Id(client, clock))
            elif kind is _GC or kind is _DELETED:
                self._deleted.add([Deletion(client, clock, length)])
        if update.deletes:
            self._deleted.add(update.deletes)
        self._halves |= new_halves
        self._size += len(data)

    def _refuse_growth(self, more: int, fresh: Sequence[Struct]) -> None:
        if len(self._state) + len(fresh) > DOCUMENT_CLIENTS_MAX:
            clients = len(self._state.keys() | {item.client for item in fresh})
            if clients > max(DOCUMENT_CLIENTS_MAX, len(self._state)):
                raise TooLarge(f"The document would have {clients} clients.", code="too_many_clients")
        if self._size + more > DOCUMENT_BYTES_MAX:
            self._size = len(self._doc.get_update())
        if self._size + more > DOCUMENT_BYTES_MAX:
            raise TooLarge(f"The document would grow above {DOCUMENT_BYTES_MAX} bytes.")

    def _refuse_damaged(self) -> None:
        if self._damaged:
            raise ServiceError("The document is half applied and must be loaded anew.", code="damaged")

    def _refuse_content(self, update: Update, fresh: Sequence[Struct]) -> None:
        """Refuse what only this process writes, and what yrs would read in another way than Yjs or stop at half-way."""
        for item in update.structs:
            if item.kind is _JSON or (item.kind is _TYPE and item.content == XML_HOOK):
                raise Refused("Neither the content JSON of old Yjs nor XML hooks are taken.", code="content")
        types: set[Id] = set()
        for item in fresh:
            if item.client == self._client_id:
                raise Refused("The client id is that of this service.", code="foreign_client")
            if item.kind is _TYPE:
                types.add(Id(item.client, item.clock))
            parent = item.parent
            if parent is None or isinstance(parent, str) or parent in types or parent in self._types:
                continue
            if Deletion(*parent, 1) not in self._deleted:
                raise Malformed("The parent of a struct is not a shared type.")

    def _placed(self, fresh: Sequence[Struct], *, trusted: bool = False) -> Placed:
        """Return the place of each struct.

        Raises:
            Refused: a struct that is not trusted links two places, which would corrupt the lists of yrs.

        """
        placed, torn = self._places.locate_all(fresh, self._state)
        if torn and not trusted:
            raise Refused("A struct is in two places at once.", code="torn")
        return placed

    def _refuse_cut(self, update: Update, fresh: Sequence[Struct], new_halves: set[Id]) -> None:
        """Refuse to cut a character in two, after which yrs loses the text behind it where Yjs keeps it."""
        if any(cut in new_halves or cut in self._halves for cut in cuts(update, fresh, self._state)):
            raise Refused(
                "The update cuts a character in two.",
                code="half_character",
                advice="Edit text by whole characters, not by UTF-16 code units.",
            )

"""One document in memory and who is subscribed to it, without I/O.

A room's document holds what was committed and what is pending in the committer, so that a client's second update finds
its first. Only committed updates are relayed, and what was asked for is answered when nothing is pending.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from crdt_sync.documents.document import Document, Received
from crdt_sync.domain.access import Principal
from crdt_sync.domain.ids import ActorId, DocumentName
from crdt_sync.protocol.dialect import Dialect
from crdt_sync.protocol.presence import Presence


class Member(Protocol):
    """One subscription as its room sees it."""

    @property
    def key(self) -> str:
        """The subscription's name on its connection."""
        ...

    @property
    def dialect(self) -> Dialect:
        """How this member is spoken to."""
        ...

    def put(self, frame: object) -> None:
        """Queue a frame of its dialect; it goes out with the others of this turn."""
        ...

    def encode(self, said: Sequence[object]) -> object:
        """Make frames of its dialect into what is written; the same for every member that is spoken to alike."""
        ...

    def put_encoded(self, encoded: object) -> None:
        """Queue what was encoded."""
        ...

    def end(self, reason: str) -> None:
        """Close its connection, so that its client comes again and loads what it lacks."""
        ...


@dataclass(slots=True)  # not frozen: that would double the cost of making one, and one is made for every keystroke
class Relay:
    """One committed update and who sent it."""

    data: bytes
    author: Member | None


class Room:
    """One document, its subscribers and its presence."""

    def __init__(
        self,
        text: str,
        name: DocumentName | None,
        document: Document,
        *,
        document_position: int,
        snapshot_position: int = 0,
        tail_bytes: int = 0,
    ) -> None:
        self.text = text
        self.name = name  # None for a plain document
        self.document = document
        self.document_position = document_position  # of the newest update, committed or pending
        self.snapshot_position = snapshot_position  # what the newest snapshot holds
        self.tail_bytes = tail_bytes  # of the updates behind it
        self.pending = 0  # updates in the committer
        self.undecided: dict[object, Received] = {}  # what the document holds of jobs that are not decided, in order
        self.generation = 0  # grows when the document was loaded anew; what was applied before is gone then
        self.stale = False  # a commit failed and the document was not loaded anew yet
        self.idle_since_s: float | None = None  # when it was first seen idle; None while it is used
        self.unasked = False  # members are still to be asked for what the document lost when it was loaded anew
        self.members: dict[Member, None] = {}
        self._asking: Counter[Member] = Counter()  # how many of a member's questions are not answered yet
        self.presence = Presence()
        self.authors: dict[ActorId, Principal] = {}
        self.on_settled: deque[Callable[[], None]] = deque()
        self._deferred: deque[Callable[[], None]] = deque()

    @property
    def idle(self) -> bool:
        """Tell whether nobody would miss the room."""
        return not (self.members or self.pending or self.on_settled or self.stale)

    @property
    def tail_rows(self) -> int:
        """How many updates there are behind the newest snapshot."""
        return self.document_position - self.snapshot_position

    def compacted(self, snapshot_position: int, rows_bytes: int) -> None:
        """Note that a snapshot holds everything up to a position, and that so many bytes of updates are gone."""
        self.snapshot_position = max(self.snapshot_position, snapshot_position)
        self.tail_bytes = max(0, self.tail_bytes - rows_bytes) if self.tail_rows else 0

    def replace(
        self, document: Document, *, document_position: int, snapshot_position: int = 0, tail_bytes: int = 0
    ) -> None:
        """Take what is committed in place of what is held."""
        self.document = document
        self.document_position = document_position
        self.snapshot_position = snapshot_position
        self.tail_bytes = tail_bytes
        self.generation += 1
        self.undecided.clear()
        self.stale = False

    def settled(self, then: Callable[[], None]) -> None:
        """Call `then` once nothing is pending; from now until then changes are deferred, so that it will be soon."""
        if self.pending or self.stale:
            self.on_settled.append(then)
        else:
            then()

    def asks(self, member: Member) -> None:
        """Note that a member waits for an answer: what is committed until then is in it, and is not relayed to him."""
        self._asking[member] += 1

    def answering(self, member: Member) -> None:
        """Note that the answer is made now."""
        self._asking[member] -= 1
        if not self._asking[member]:
            del self._asking[member]

    def leave(self, member: Member) -> None:
        """Forget a member."""
        del self.members[member]
        self._asking.pop(member, None)

    @property
    def defers(self) -> bool:
        """Tell whether changes wait for others, who wait for the room to settle."""
        return bool(self.on_settled or self._deferred)

    def changing(self, change: Callable[[], None]) -> None:
        """Run a change now, or after what waits for the room to settle."""
        if self.defers:
            self._deferred.append(change)
        else:
            change()

    def commit(self, count: int) -> None:
        """Note that `count` pending updates are committed or given up."""
        self.pending -= count
        try:
            while self.on_settled and not (self.pending or self.stale):
                self.on_settled.popleft()()
            while self._deferred and not self.on_settled:
                self._deferred.popleft()()
        except Exception:
            self.commit(0)  # what waits behind one that fails would wait for ever
            raise

    def relay(self, relays: Sequence[Relay]) -> None:
        """Send committed updates to every member, encoded once for all who are spoken to alike."""
        encoded: dict[tuple[type[Dialect], str], object] = {}
        for member in self.members:
            dialect, key = member.dialect, member.key
            if member in self._asking:  # his own he hears of all the same: that is how he is acknowledged
                heard = [relay for relay in relays if relay.author is member and dialect.echoes]
            elif dialect.echoes or all(relay.author is not member for relay in relays):
                alike = type(dialect), key
                if alike not in encoded:
                    encoded[alike] = member.encode([dialect.update(key, relay.data) for relay in relays])
                member.put_encoded(encoded[alike])
                continue
            else:
                heard = [relay for relay in relays if relay.author is not member]
            if heard:
                member.put_encoded(member.encode([dialect.update(key, relay.data) for relay in heard]))

    def relay_presence(self) -> None:
        """Send what changed in the room's presence to every member, its author included, encoded as updates are."""
        data = self.presence.drain()
        if data is None:
            return
        encoded: dict[tuple[type[Dialect], str], object] = {}
        for member in self.members:
            alike = type(member.dialect), member.key
            if alike not in encoded:
                encoded[alike] = member.encode([member.dialect.awareness(member.key, data)])
            member.put_encoded(encoded[alike])

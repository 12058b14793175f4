"""A department's submitted entries that are not decided, and which of them are to be judged.

What an entry comes to hangs on what it says and who submitted it, which stay, and on what it names: itself, its
parents, its payload. So it is judged anew when something came or was decided that it names, and not otherwise.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

from crdt_sync.documents.document import Entry
from crdt_sync.documents.submit import MESSAGES
from crdt_sync.domain import message, transition
from crdt_sync.domain.access import Principal
from crdt_sync.domain.message import Message
from crdt_sync.domain.transition import Transition, Undecodable


@dataclass(frozen=True, slots=True)
class Waiting:
    """A submitted entry, decoded once. `key` is its name in the log's `refused`."""

    record: Transition | Message | Undecodable
    key: str
    principal: Principal

    @classmethod
    def of(cls, entry: Entry, principal: Principal) -> "Waiting":
        """Decode an entry. What stands among the messages is read and named as a message, whatever it is."""
        data = entry.text.encode()
        record = message.decode(data) if entry.root == MESSAGES else transition.decode(data)
        key = hashlib.sha256(data).hexdigest() if isinstance(record, Undecodable) else record.id
        return cls(record, key, principal)

    @property
    def names(self) -> tuple[str, ...]:
        """What its verdict hangs on."""
        if not isinstance(self.record, Transition):
            return (self.key,)
        payload = self.record.payload
        return (self.key, *self.record.after, *([payload] if payload is not None else []))


class WaitingList:
    """What waits of one department, in the order in which it came."""

    def __init__(self) -> None:
        self._entries: dict[str, Waiting] = {}
        self._places: dict[str, int] = {}  # as they came
        self._next_place = count()
        self._naming: dict[str, set[str]] = {}  # which entries name an id or a digest
        self._concerned: set[str] = set()  # which are to be judged
        self._due: list[tuple[int, str]] = []  # a heap of these and their places, with some that are gone since

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._entries.values())

    def get(self, key: str) -> Waiting | None:
        """Return an entry, None if it does not wait."""
        return self._entries.get(key)

    def put(self, entry: Waiting) -> None:
        """Have an entry judged. If it waits already, it keeps its place."""
        self._entries[entry.key] = entry
        if entry.key not in self._places:
            self._places[entry.key] = next(self._next_place)
        self._concern(entry.key)
        for name in entry.names:
            self._naming.setdefault(name, set()).add(entry.key)

    def remove(self, key: str) -> None:
        """Let an entry wait no more."""
        self._concerned.discard(key)
        del self._places[key]
        for name in self._entries.pop(key).names:
            naming = self._naming[name]
            naming.discard(key)
            if not naming:
                del self._naming[name]

    def concern(self, name: str) -> None:
        """Have those judged that name this."""
        for key in self._naming.get(name, ()):
            self._concern(key)

    def concern_all(self) -> None:
        """Have everything judged."""
        for key in self._entries:
            self._concern(key)

    def concerned(self) -> Iterator[Waiting]:
        """Go through what is to be judged, the earliest first, and what comes to be so while it is gone through."""
        while self._due:
            _, key = heappop(self._due)
            if key in self._concerned:
                self._concerned.remove(key)
                yield self._entries[key]

    def _concern(self, key: str) -> None:
        if key not in self._concerned:
            self._concerned.add(key)
            heappush(self._due, (self._places[key], key))

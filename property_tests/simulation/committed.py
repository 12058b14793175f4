"""What the database holds at this moment, read on a connection of its own: the measure of all that is shown.

Of the code under test it uses the decoder of updates alone, which is held to Yjs by tests of its own.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pycrdt

from crdt_sync.documents.updates import Struct, decode
from crdt_sync.errors import TicketSyncError
from property_tests.model import Naive, identify, listed
from property_tests.model import decode as decode_record
from property_tests.simulation.database import Database


class Committed:
    """Reads the tables and nothing else. The clocks of a document are kept, since its rows only grow."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._clocks: dict[str, dict[int, int]] = {}
        self._read: dict[str, int] = {}

    def clocks(self, document: str) -> dict[int, int]:
        """The clock that comes next, by client, in a document as stored."""
        clocks, read = self._clocks.setdefault(document, {}), self._read.get(document, 0)
        for position, data, _ in self.updates(document):
            if position > read:
                self._read[document] = position
                for item in structs(data):
                    clocks[item.client] = max(clocks.get(item.client, 0), item.end)
        return clocks

    def holds(self, document: str, data: bytes) -> bool:
        """Say whether everything that an update inserts is stored."""
        clocks = self.clocks(document)
        return all(item.end <= clocks.get(item.client, 0) for item in structs(data))

    def has_record(self, record: str) -> bool:
        """Say whether a transition is in the journal."""
        return bool(self._database.rows("SELECT 1 FROM transitions WHERE id = ?", identify(record.encode())))

    def tickets(self) -> list[str]:
        """Every ticket, oldest first."""
        query = "SELECT ticket FROM transitions GROUP BY ticket ORDER BY min(position)"
        return [row[0] for row in self._database.rows(query)]

    def journal(self, ticket: str) -> list[str]:
        """The records of a ticket, in the order in which they were stored."""
        query = "SELECT record FROM transitions WHERE ticket = ? ORDER BY position"
        return [row[0] for row in self._database.rows(query, ticket)]

    def transitions(self) -> list[tuple[str, str, str, int]]:
        """Id, ticket, record and time of every transition."""
        return self._database.rows("SELECT id, ticket, record, at_ms FROM transitions ORDER BY position")  # type: ignore[return-value]

    def messages(self) -> list[tuple[str, str, str]]:
        """Id, ticket and record of every message."""
        return self._database.rows("SELECT id, ticket, record FROM messages ORDER BY position")  # type: ignore[return-value]

    def row(self, ticket: str) -> dict[str, Any]:
        """The projection of a ticket."""
        names = ("stage", "kind", "lanes", "flags", "obligations", "version", "opened_at_ms", "updated_at_ms", "card")
        [values] = self._database.rows(f"SELECT {', '.join(names)} FROM tickets WHERE id = ?", ticket)
        row = dict(zip(names, values, strict=True))
        return row | {name: json.loads(row[name]) for name in ("lanes", "flags", "obligations", "card")}

    def documents(self) -> list[str]:
        """The names of all that was ever written."""
        query = "SELECT name FROM documents UNION SELECT document FROM snapshots ORDER BY 1"
        return [row[0] for row in self._database.rows(query)]

    def updates(self, document: str) -> list[tuple[int, bytes, str]]:
        """Position, bytes and author of each update of a document; the first may be a snapshot, by nobody."""
        query = (
            "SELECT document_position, data, actor FROM updates JOIN documents ON documents.id = document_id"
            " WHERE name = ? ORDER BY 1"
        )
        return [*self._snapshot(document), *self._database.rows(query, document)]  # type: ignore[list-item]

    def is_whole(self, document: str) -> bool:
        """Say whether the positions of a document have no hole, from a snapshot's on if there is one."""
        positions = [position for position, _, _ in self.updates(document)]
        first = positions[0] if self._snapshot(document) else 1
        return positions == list(range(first, first + len(positions)))

    def _snapshot(self, document: str) -> list[tuple[int, bytes, str]]:
        query = "SELECT document_position, data FROM snapshots WHERE document = ?"
        return [(position, _state(data), "") for position, data in self._database.rows(query, document)]

    def document(self, name: str) -> "pycrdt.Doc[Any]":
        """The document as Yjs makes it of its updates."""
        found: pycrdt.Doc[Any] = pycrdt.Doc()
        for _, data, _ in self.updates(name):
            found.apply_update(data)
        return found


class Situation:
    """A ticket as the oracle folds it: what came last, and which moves that leaves open."""

    def __init__(self, spec: Mapping[str, Any], journal: Sequence[str]) -> None:
        self._lanes, self._naive = spec["lanes"], Naive(spec)
        for record in journal:
            self._naive.learn(identify(record.encode()), decode_record(record.encode()))
        self.view = set(self._naive.events)
        self.frontier = sorted(i for i in self.view if not any(i in self._naive.past[j] for j in self.view))

    def enabled(self, lanes: Iterable[str]) -> list[tuple[str, str]]:
        """The moves of these lanes that somebody with every role could make now."""
        opening = self._naive.events[self._naive.ticket]
        states = self._naive.states(self.view)
        return [
            (lane, name)
            for lane in lanes
            for name, rule in self._lanes[lane]["transitions"].items()
            if states[lane] in [*listed(rule.get("from")), rule.get("settles")]
            and self._naive.verdict(self._record(opening, lane, name, rule), self.view) is None
        ]

    def _record(self, opening: Mapping[str, Any], lane: str, name: str, rule: Mapping[str, Any]) -> dict[str, Any]:
        roles = listed(rule.get("by", self._lanes[lane]["owner"]))
        fields = {"ticket": self._naive.ticket, "lane": lane, "name": name, "roles": roles, "after": self.frontier}
        return fields | {"lifecycle": opening["lifecycle"]}


def _state(snapshot: bytes) -> bytes:
    """The update in a snapshot: behind its version and the actor of each client, and behind its own length."""
    at = 1

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte, at = snapshot[at], at + 1
            value, shift = value | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                return value

    for _ in range(number()):
        number()
        length = number()
        at += length
    length = number()
    return snapshot[at : at + length]


def structs(data: bytes) -> Sequence[Struct]:
    """What an update inserts; nothing if it is none."""
    try:
        return decode(data).structs
    except TicketSyncError:
        return ()


def texts(data: bytes) -> Iterator[str]:
    """Every text that an update inserts as a value."""
    for item in structs(data):
        if isinstance(item.content, tuple):
            yield from (value for value in item.content if isinstance(value, str))


def array(document: "pycrdt.Doc[Any]", root: str) -> list[str]:
    """The texts of a root array."""
    return [str(text) for text in document.get(root, type=pycrdt.Array)]


def mapping(document: "pycrdt.Doc[Any]", root: str) -> dict[str, Any]:
    """The entries of a root map."""
    return dict(document.get(root, type=pycrdt.Map).to_py() or {})

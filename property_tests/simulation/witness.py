"""What is checked while a world runs: each frame, view and answer, at the moment when somebody is shown it.

A finding never disturbs the run; the world stops at the end of the deed and tells.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crdt_sync.domain import transition
from crdt_sync.domain.ids import DocumentKind, DocumentName, TicketId
from crdt_sync.replica import Replica
from crdt_sync.replica.link import Change, Diff, Outbound
from crdt_sync.replica.ticket import Ticket
from crdt_sync.wire import hocuspocus, ysync
from property_tests import model
from property_tests.simulation.cast import Cast, readable, secret_of
from property_tests.simulation.committed import Committed, texts
from property_tests.simulation.network import Line


@dataclass(frozen=True)
class Finding:
    """A promise that was broken, and how."""

    promise: str
    detail: str


@dataclass
class Witness:
    """Sees what is shown, and remembers what everybody made and believed."""

    cast: Cast
    committed: Committed
    findings: list[Finding] = field(default_factory=list)
    made: dict[str, tuple[str, str]] = field(default_factory=dict)  # by id: who made it, and its record
    adopted: set[str] = field(default_factory=set)  # what was refused and submitted again, enabled or not
    asked: set[tuple[str, str, str, str]] = field(default_factory=set)  # commands, whose answer may be lost
    valid: dict[str, bool] = field(default_factory=dict)  # of each transition that any view ever held
    outstanding: dict[Line, dict[str, list[bytes]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    counts: Counter[str] = field(default_factory=Counter)

    def find(self, promise: str, detail: str) -> None:
        """Note a broken promise."""
        self.findings.append(Finding(promise, detail))

    def sent(self, line: Line, frame: Outbound) -> None:
        """Hear of an update that a replica sends."""
        if isinstance(frame, Change | Diff):
            self.outstanding[line][frame.document].append(frame.update)

    def show(self, line: Line, data: bytes) -> None:
        """See a frame before it leaves the service."""
        frame = hocuspocus.decode(data)
        if not isinstance(frame, hocuspocus.Addressed):
            return
        person, name = line.link.person, frame.document
        match frame.frame:
            case hocuspocus.PermissionDenied() | hocuspocus.Close():
                return
            case hocuspocus.SyncStatus(accepted=accepted):
                if accepted:
                    self._acknowledged(line, name)
            case ysync.Step2(update) | ysync.Update(update):
                self._updated(person.actor, name, update)
        kind, part = _kind(name)
        if not readable(self.cast.spec, person.department, kind, part):
            self.find("sandbox", f"{person.actor} was let into {name}")
        for other in {lane["owner"] for lane in self.cast.spec["lanes"].values()}:
            read = any(
                readable(self.cast.spec, person.department, "form", lane)
                for lane, rules in self.cast.spec["lanes"].items()
                if rules["owner"] == other
            )
            if not read and secret_of(other).encode() in data:
                self.find("sandbox", f"{person.actor} was sent what {other} keeps to itself, in {name}")

    def view(self, replica: Replica, ticket: Ticket) -> None:
        """Judge what a replica shows of a ticket."""
        lines = held(replica, ticket)
        shown = ticket.state.to_json()
        self._remember(shown)
        log = set(_log(replica, ticket.id))
        for line in lines:
            if line in log and not self.committed.has_record(line):
                self.find("committed when shown", f"{replica.principal.actor} shows {line[:120]}, which is not stored")
        expected = model.fold(self.cast.spec, [line.encode() for line in lines], ticket=ticket.id)
        if difference := differing(shown, expected, lines):
            self.find("the view is the fold", f"{replica.principal.actor}, ticket {ticket.id[:6]}: {difference}")
        self.counts["views"] += 1

    def answered(self, actor: str, *, transitions: Sequence[str] = (), messages: Sequence[str] = ()) -> None:
        """Judge what a command answered: it is stored."""
        known = {row[0] for row in self.committed.transitions()} if transitions else set()
        said = {row[0] for row in self.committed.messages()} if messages else set()
        for id_ in {*transitions} - known | {*messages} - said:
            self.find("acknowledged when committed", f"{actor} was told of {id_[:10]}, which is not stored")

    def _acknowledged(self, line: Line, name: str) -> None:
        waiting = self.outstanding[line][name] if line in self.outstanding else []
        stored = [update for update in waiting if self.committed.holds(name, update)]
        if stored:
            waiting.remove(stored[0])
        elif waiting:
            self.find("acknowledged when committed", f"{line.link.person.actor} in {name}")
        self.counts["acknowledgements"] += 1

    def _updated(self, actor: str, name: str, update: bytes) -> None:
        if not self.committed.holds(name, update):
            self.find("committed when shown", f"{actor} was sent of {name} what is not stored")
        if _kind(name)[0] == "log":
            for text in texts(update):
                if text.startswith("{") and not self.committed.has_record(text):
                    self.find("committed when shown", f"{actor} was sent a transition that is not stored: {text[:120]}")

    def _remember(self, shown: Mapping[str, Any]) -> None:
        for id_, status in shown["status"].items():
            if self.valid.setdefault(id_, status["status"] != "inert") != (status["status"] != "inert"):
                self.find("valid for ever", f"{id_[:10]} is judged otherwise than before")


def held(replica: Replica, ticket: Ticket) -> list[str]:
    """The records that a replica has to fold: the log, and what its department submitted that was not refused."""
    log, submit = _log(replica, ticket.id), replica._shelf.get(ticket.submit_name)
    refused = replica._shelf.get(DocumentName(ticket.id, DocumentKind.LOG)).refused()
    own = [entry.text for entry in submit.entries() if entry.root == "transitions"]
    kept = [text for text in own if transition.entry_key(text.encode()) not in refused]
    return sorted({text for text in [*log, *kept] if isinstance(model.decode(text.encode()), dict)})


def _log(replica: Replica, ticket: TicketId) -> list[str]:
    return replica._shelf.get(DocumentName(ticket, DocumentKind.LOG)).transitions()


def differing(shown: Mapping[str, Any], expected: Mapping[str, Any], lines: list[str]) -> str:
    """Say in which part two results differ; empty if they are the same, byte for byte."""
    names = {model.identify(line.encode()): model.sha(line.encode()) for line in lines}
    printed = shown | {"quarantined": {names.get(i, i): code for i, code in shown["quarantined"].items()}}
    if model.canonical(printed) == model.canonical(expected):
        return ""
    return "; ".join(
        f"{key} is {printed.get(key)} and should be {expected.get(key)}"
        for key in sorted({*printed, *expected})
        if model.canonical(printed.get(key)) != model.canonical(expected.get(key))
    )[:800]


def _kind(name: str) -> tuple[str, str | None]:
    parts = name.split("/")
    return (parts[2], parts[3] if len(parts) > 3 else None) if len(parts) > 2 else ("none", None)

"""What a replica and a service say to each other, whatever the wire. Knows neither sockets nor documents.

Failures are of two sorts: `Unauthenticated` ends all attempts, every other error means to come again later.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from crdt_sync.domain.event import EventType
from crdt_sync.domain.ids import Digest, Position, TicketId
from crdt_sync.domain.tripwire import Agreement, Evidence, Fingerprint
from crdt_sync.errors import Malformed
from crdt_sync.wire import cloudevents
from crdt_sync.wire.cloudevents import CloudEvent


@dataclass(frozen=True, slots=True)
class Join:
    """Open a document on this connection."""

    document: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Close a document on this connection."""

    document: str


@dataclass(frozen=True, slots=True)
class StateVector:
    """Sync step 1: what the sender has. Goes both ways."""

    document: str
    state_vector: bytes


@dataclass(frozen=True, slots=True)
class Diff:
    """Sync step 2: what the asker lacks. Goes both ways; the service acknowledges it."""

    document: str
    update: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """One update. Goes both ways; the service acknowledges it."""

    document: str
    update: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """The service has opened a document for this connection."""

    document: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """The service answers one `Diff` or `Change`: committed, or not accepted."""

    document: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """The service has closed a document on this connection."""

    document: str
    code: str
    message: str


Outbound = Join | Leave | StateVector | Diff | Change
Inbound = Opened | StateVector | Diff | Change | Answered | Closed


@dataclass(frozen=True, slots=True)
class Listing:
    """Tickets that changed, each with its lifecycle, and the position that this is not older than."""

    tickets: tuple[tuple[TicketId, Digest], ...]
    position: Position


@dataclass(frozen=True, slots=True)
class Heard:
    """What a watch has told: tickets that were opened, each with its lifecycle, all of which something happened to.

    Everything up to `position` was told with this.
    """

    opened: tuple[tuple[TicketId, Digest], ...]
    changed: tuple[TicketId, ...]
    position: Position


class Line(Protocol):
    """One connection. Every method raises a `TicketSyncError` once it has ended."""

    async def send(self, frames: Sequence[Outbound]) -> None:
        """Send these frames, in order."""
        ...

    async def receive(self) -> Sequence[Inbound]:
        """Wait for the next frames."""
        ...

    async def close(self) -> None:
        """End the connection; may be called at any time."""
        ...


class Link(Protocol):
    """The way to one service."""

    async def connect(self) -> Line:
        """Open a connection."""
        ...

    async def tickets(self, changed_after: Position) -> Listing:
        """List the tickets that the token may see and that changed after a position."""
        ...

    def watch(self, after: Position) -> AsyncGenerator[Heard]:
        """Hear what happens to the tickets that the token may see, behind a position; it ends with an error alone."""
        ...

    async def lifecycle(self, digest: Digest | None) -> str:
        """Fetch the source of a lifecycle; None is the service's default."""
        ...

    async def compare(self, claims: Sequence[tuple[TicketId, Fingerprint]]) -> Sequence[Agreement]:
        """Ask of each ticket, in order, whether the service finds in it what is claimed."""
        ...

    async def raise_alarm(self, ticket: TicketId, claimed: Fingerprint, evidence: Evidence) -> Evidence:
        """Tell the service what is believed here, where it does not agree; return what it believes."""
        ...

    async def close(self) -> None:
        """Release what the link holds."""
        ...


def agreements_of(words: Sequence[str], count: int) -> Sequence[Agreement]:
    """Return what a service answered to so many claims.

    Raises:
        Malformed: it is no such answer.

    """
    try:
        agreements = [Agreement(word) for word in words]
    except ValueError as error:
        raise Malformed("The service answered a comparison with a word that is none of its own.") from error
    if len(agreements) != count:
        raise Malformed("The service answered a comparison with too few words or too many.")
    return agreements


def heard(texts: Sequence[str]) -> Heard:
    """Return what events and heartbeats of a service tell, one at least.

    Raises:
        Malformed: they are none.

    """
    position, events = Position(0), list[CloudEvent]()
    for text in texts:
        told = cloudevents.decode(text)
        if isinstance(told, CloudEvent):
            events.append(told)
        position = told.position if isinstance(told, CloudEvent) else told
    opened = [event for event in events if event.type == EventType.OPENED]
    return Heard(
        tuple((event.ticket, Digest(str(event.data.get("lifecycle")))) for event in opened),
        tuple(dict.fromkeys(event.ticket for event in events)),
        position,
    )


def split_reason(reason: str) -> tuple[str, str]:
    """Return the code and the sentence of a reason that reads "code: sentence"."""
    code, colon, message = reason.partition(": ")
    return (code, message) if colon else ("closed", reason)

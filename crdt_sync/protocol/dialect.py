"""The seam between the session and the three wires: what each says for the same things.

A *key* names a subscription on its connection: the document's name, or Hocuspocus' routing key, which may carry a
session id. A *ref* is what the sender wants back in the acknowledgement; empty where acknowledgements are counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from crdt_sync.errors import TicketSyncError
from crdt_sync.wire.status import Wire


@dataclass(frozen=True, slots=True)
class Token:
    """The client presents a token for one document, or for the whole connection with an empty key."""

    token: str


@dataclass(frozen=True, slots=True)
class Join:
    """The client asks for a document."""


@dataclass(frozen=True, slots=True)
class Part:
    """The client leaves a document."""


@dataclass(frozen=True, slots=True)
class StateVector:
    """Sync step 1: the client says what it has."""

    state_vector: bytes


@dataclass(slots=True)  # not frozen: that would double the cost of making one, and one is made for every keystroke
class Change:
    """Sync step 2 or an update: both are acknowledged."""

    data: bytes
    ref: bytes = b""


@dataclass(frozen=True, slots=True)
class Awareness:
    """Presence of the client's users."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PresenceQuery:
    """The client asks for everybody's presence."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The dialect answers this alone: `frame` goes back, a refusal if it has a `code`. Without a key, at any time."""

    frame: object
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """A frame that does not decode; `data` goes to quarantine. Without a key the connection is at fault."""

    error: TicketSyncError
    data: bytes


Body = Token | Join | Part | StateVector | Change | Awareness | PresenceQuery | Answered | Broken


def size_of(body: Body) -> int:
    """Return how many bytes of the client's a body holds."""
    match body:
        case Change() | Awareness() | Broken():
            return len(body.data)
        case StateVector():
            return len(body.state_vector)
        case Token():
            return len(body.token)
        case _:
            return 0


@dataclass(slots=True)  # not frozen, as `Change`
class Inbound:
    """One thing that a client said about one document."""

    key: str
    document: str
    body: Body


class Dialect(Protocol):
    """How one wire says it. Implementations hold no state but what was said of the wire itself: a name, a version."""

    wire: Wire  # what refusals and connections are counted under
    echoes: bool  # the author of an update gets it relayed like everyone else
    token_per_document: bool  # each document has its own token; else one is good for the whole connection
    step1_follows_step1: bool  # the service sends its own step 1 after each of the client's, else once when it opens

    def decode(self, data: object) -> Sequence[Inbound]:
        """Read one message of the transport. Total: what does not decode comes back as `Broken`."""
        ...

    def opened(self, key: str, *, writable: bool) -> Sequence[object]:
        """The document is open for this client."""
        ...

    def denied(self, key: str, error: TicketSyncError) -> Sequence[object]:
        """The token or the access was refused; empty where only closing the connection says it."""
        ...

    def ask_token(self, key: str) -> Sequence[object]:
        """Ask for a fresh token, for the whole connection if the key is empty; empty where the wire has no word."""
        ...

    def step1(self, key: str, state_vector: bytes) -> object:
        """Ask for what the service lacks."""
        ...

    def step2(self, key: str, update: bytes) -> object:
        """Give what the client lacks."""
        ...

    def update(self, key: str, data: bytes) -> object:
        """Relay a committed update."""
        ...

    def awareness(self, key: str, data: bytes) -> object:
        """Relay presence."""
        ...

    def acknowledged(self, key: str, ref: bytes, position: int) -> Sequence[object]:
        """One update is committed; empty where the echo says it."""
        ...

    def refused(self, key: str, ref: bytes, error: TicketSyncError) -> Sequence[object]:
        """One update was refused and the document stays open."""
        ...

    def closed(self, key: str, ref: bytes | None, error: TicketSyncError) -> Sequence[object]:
        """The document is closed for this client; empty where only closing the connection says it.

        `ref` is that of the update that broke a rule, None if no update did.
        """
        ...

"""What a session asks of the outside: imperatives, executed in order by whoever drives it."""

from dataclasses import dataclass

from crdt_sync.domain.access import Principal


@dataclass(slots=True)  # not frozen, as `Push`
class Send:
    """Put one frame of the session's dialect on the wire."""

    frame: object


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection with this WebSocket close code."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Verify a token; answer with `Session.authenticated` or `Session.denied`.

    An empty key is the connection's. For what is open already it is a later token: the answer to a wrong one is
    `Session.not_renewed`.
    """

    key: str
    token: str


@dataclass(frozen=True, slots=True)
class Open:
    """Load a document and check access; answer with `Session.opened` or `Session.denied`."""

    key: str
    document: str
    principal: Principal


@dataclass(frozen=True, slots=True)
class Leave:
    """Take the subscription out of its room."""

    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer with what the state vector lacks, once what is pending in the room is committed."""

    key: str
    state_vector: bytes


@dataclass(slots=True)  # not frozen: that would double the cost of making one, and one is made for every keystroke
class Push:
    """Apply an update, commit it, then relay and acknowledge it with `ref`."""

    key: str
    data: bytes
    ref: bytes


@dataclass(frozen=True, slots=True)
class Present:
    """Merge an awareness update into the room's presence."""

    key: str
    data: bytes


@dataclass(frozen=True, slots=True)
class AskPresence:
    """Answer with the room's whole presence."""

    key: str


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Keep refused bytes for inspection."""

    document: str
    code: str
    data: bytes
    principal: Principal | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Count a refusal that the other effects say, under its code, and write down who asked for what."""

    document: str
    code: str
    principal: Principal | None


Immediate = Send | Close | Authenticate | Open | Leave | Answer | Present | AskPresence | Quarantine | Refusal
Effect = Push | Immediate

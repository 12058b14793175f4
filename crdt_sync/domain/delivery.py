"""What is sent to the other side of a chat: whom it is for, what names a part of an answer, and how its states join.

Pure. A part has two states: where it stands in the outbox, which the service and its operator alone know, and what
became of it, which stands in the ticket's conversation: sent, delivered, read, or failed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from crdt_sync.domain.canonical import base32_id, dumps
from crdt_sync.domain.ids import MessageId, TicketId
from crdt_sync.domain.message import Message, Part

SERVICE_AUTHOR = "service"
"""The author of what the service itself says to a customer. Whatever a gateway brings has an author that it made."""

_ID_PREFIX = b"ticket-delivery/1\n"

Fate = Literal["sent", "delivered", "read", "failed"]

# Failed stands beside the others: it follows `sent`, and what was delivered after all did not fail. So the order in
# which a platform tells them does not matter.
_RANKS: Mapping[Fate, int] = {"sent": 1, "failed": 2, "delivered": 3, "read": 4}
FATES: frozenset[Fate] = frozenset(_RANKS)


class DeliveryState(StrEnum):
    """Where a part stands in the outbox."""

    PENDING = "pending"
    LEASED = "leased"  # given to a gateway, which has not begun; goes back when the lease lapses
    SENDING = "sending"  # the gateway has begun; unknown when the lease lapses
    RETRY = "retry"  # surely not sent; to be tried again
    UNKNOWN = "unknown"  # perhaps sent; tried again only where the platform knows a second send, else by the operator
    DROPPED = "dropped"  # given up by the operator, which the ticket does not show yet
    SENT = "sent"
    WINDOW_CLOSED = "window_closed"  # the platform lets us write to this person no more until they write again
    DEAD = "dead"
    JOINED = "joined"  # a notice that leaves within another one


OPEN = tuple(state for state in DeliveryState if state not in {"sent", "window_closed", "dead", "joined"})
"""A part in one of these keeps what comes after it in its conversation waiting."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The other side of a chat, as its platform calls it: personal data, which no immutable record holds.

    `hears_events` says that it can be told of more than words, such as that the conversation has ended.
    """

    channel: str
    account: str
    conversation: str
    hears_events: bool = False

    def to_json(self) -> str:
        """Spell it."""
        hears = {"hears_events": True} if self.hears_events else {}
        return dumps({"channel": self.channel, "account": self.account, "conversation": self.conversation, **hears})

    @classmethod
    def read(cls, readable: str) -> "Conversation | None":
        """Return what `to_json` spelt; None for the empty text of a subject that is no chat's, or that was erased."""
        return cls(**json.loads(readable)) if readable else None


SESSION_OVER = frozenset({"session_ended", "session_human"})
"""Events by which a channel says that nothing may be written until the other side writes again: the platform has ended
the session, or a person serves it at the platform itself."""


@dataclass(frozen=True, slots=True)
class Window:
    """How long after the other side's last message one may write, and how many parts until they write again."""

    duration_ms: int
    parts_max: int | None = None


def delivery_id(ticket: TicketId, message: MessageId, index: int) -> str:
    """Return what names a part of a message for ever, on every node and at every attempt."""
    return base32_id(_ID_PREFIX, dumps([ticket, message, index]).encode())


def outgoing(posted: Message) -> tuple[tuple[int, Part], ...]:
    """Return the parts that are for the customer, with their places: of what an agent wrote here, or the service.

    What a channel brought its other side knows: of an agent's it has an origin, and of the system's another author. An
    event is no word to anybody.
    """
    by_agent = posted.kind == "agent" and posted.origin is None
    if not by_agent and (posted.kind, posted.author) != ("system", SERVICE_AUTHOR):
        return ()
    return tuple((index, part) for index, part in enumerate(posted.parts) if part["type"] != "event")


def session_over(posted: Message) -> str:
    """Return the event by which a message of a channel says that the session is over, empty if it does not."""
    first = posted.parts[0]
    told = posted.kind == "system" and posted.origin is not None and first["type"] == "event"
    return first["event"] if told and first["event"] in SESSION_OVER else ""


def as_fate(text: str | None) -> Fate | None:
    """Return a state by its name, None for what is none: a platform may say whatever it likes."""
    return text if text in FATES else None


def joined(known: Fate | None, told: Fate) -> Fate:
    """Join two states of one part: commutative, associative and idempotent, so the order of notices does not matter."""
    return told if known is None else max(known, told, key=_RANKS.__getitem__)

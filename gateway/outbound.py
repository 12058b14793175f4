"""The port of a chat platform's sending side: what each channel must do for the gateway that brings answers to it.

A channel that can send is a `Sender` beside its `Channel`. It makes one attempt at one part and says what became of it;
order, retries, rates, windows and leases are the gateway's. It owns its HTTP client and its access tokens, and renews
the second by itself: a token that has ended is no outcome, unless it cannot be replaced now.
"""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform took it. `platform_id` is the platform's own name of it, by which its delivery notices speak."""

    platform_id: str = ""


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Surely not sent, and worth another attempt: no connection, 429, 5xx. `delay_ms` is the platform's Retry-After."""

    code: str
    delay_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Perhaps sent: the bytes were written, and no answer came. Another attempt might send it twice."""

    code: str


@dataclass(frozen=True, slots=True)
class WindowClosed:
    """Surely not sent: the platform lets us write to this person no more until they write again."""

    code: str


@dataclass(frozen=True, slots=True)
class Dead:
    """Surely not sent, and never will be: refused for good, or a part that this platform has no form for."""

    code: str


Outcome: TypeAlias = Sent | RetryLater | Unknown | WindowClosed | Dead
"""What became of one attempt. A `code` is a constant name in lowercase, never the platform's text."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `burst` parts at once, and `per_s` a second in the long run."""

    burst: int
    per_s: float


@dataclass(frozen=True, slots=True)
class Window:
    """How long after the other side's last message one may write, and how many parts until they write again."""

    duration_ms: int
    parts_max: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a platform allows, as its documentation says; None is no bound. The gateway keeps them before it sends."""

    account: Rate | None = None
    conversation: Rate | None = None
    window: Window | None = None


class Sender(Protocol):
    """The sending side of one account on one chat platform."""

    @property
    def account(self) -> str:
        """Our name of the account, as `Channel.account`."""
        ...

    @property
    def has_idempotency(self) -> bool:
        """Whether the platform suppresses a second send of one `Delivery.id`, so that the unknown may be retried."""
        ...

    @property
    def limits(self) -> Limits:
        """What the platform allows."""
        ...

    async def send(self, delivery: Delivery) -> Outcome:
        """Make one attempt, within seconds. At most one of a conversation is under way, in the order of the parts.

        It raises nothing: whatever fails before a byte of the request was written is `RetryLater`, and afterwards
        `Unknown`. A cancelled attempt counts as unknown.
        """
        ...

    async def close(self) -> None:
        """Let go of connections; nothing is sent afterwards."""
        ...

"""What the service counts, as a contract: once a refusal or once a batch, never once a message.

What only is, such as how many rooms there are, is not counted but read when somebody looks: `Levels`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from crdt_sync.domain.delivery import DeliveryState
from crdt_sync.wire.status import Wire


@dataclass(frozen=True, slots=True)
class OutboxLevels:
    """What is to be sent: how many parts are in each open state, and for how long the oldest has been, in seconds."""

    parts: Mapping[DeliveryState, int]
    oldest_s: float


@dataclass(frozen=True, slots=True)
class WebhookLevels:
    """Subscriptions of other systems, by what this process does with them, and events that are to be sent again."""

    states: Mapping[str, int]  # sent, away (its receiver takes nothing), paused
    waiting: int


@dataclass(frozen=True, slots=True)
class Levels:
    """How much of everything there is at this moment."""

    connections: Mapping[Wire, int]
    rooms: int
    presence: int  # clients whose presence is held
    queued_jobs: int
    queued_bytes: int
    outbox: OutboxLevels
    webhooks: WebhookLevels


class Meter(Protocol):
    """Counts. Every method returns at once and raises nothing."""

    def refused(self, wire: Wire, code: str, count: int = 1) -> None:
        """Count refusals. `code` is a stable code of `crdt_sync.errors` or of the fold, never a caller's text."""
        ...

    def committed(self, *, jobs: int, updates: int, seconds: float) -> None:
        """Count one committed batch: what it decided, what it stored, and how long the store took."""
        ...

    def commit_failed(self) -> None:
        """Count one batch that the store did not take."""
        ...

    def compacted(self, *, rows: int, proven: bool) -> None:
        """Count one compaction and the log rows that it removed; none if it was not `proven`."""
        ...

    def settled(self, state: DeliveryState) -> None:
        """Count one part, or one notice, by what became of it for good."""
        ...

    def notices_left_out(self, count: int) -> None:
        """Count notices to groups that gave way to newer ones, and which nobody was told but as a number."""
        ...

    def media_taken(self, size: int) -> None:
        """Count one picture, recording or file that was stored, and its bytes."""
        ...

    def media_refused(self, code: str) -> None:
        """Count one that was not, by its stable code."""
        ...

    def signed_in(self, way: str) -> None:
        """Count one sign-in; `way` is one of those that the settings have."""
        ...

    def webhook(self, outcome: str) -> None:
        """Count one event to another system that was `taken`, `failed` once or is `dead`, or that one was `paused`."""
        ...

"""Events for other systems, as contracts: who subscribed, how far each was given events, and which wait to be repeated.

A subscription is a position in the events, as a watcher's is: everything up to it was taken by the receiver, or has a
row. So a row stands for an event that was not taken, or that waits behind such a one of its ticket, and for nothing
else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from crdt_sync.domain.event import EventType
from crdt_sync.domain.ids import ActorId, Department, Position, TicketId
from crdt_sync.domain.webhook import Paused

if TYPE_CHECKING:
    from crdt_sync.ports import NewResult


@dataclass(frozen=True, slots=True)
class Webhook:
    """One subscription. It stands on the access of `actor`, who showed a token for it at `granted_ms`.

    `version` counts the changes that people made. `former_secret` signs as well until `former_until_ms`.
    """

    id: str
    department: Department
    actor: ActorId
    tickets: tuple[TicketId, ...] | None  # those alone, as the token says that it was made with
    granted_ms: int
    url: str
    types: tuple[EventType, ...]  # none for all
    created_ms: int
    position: Position
    secret: str = field(repr=False)
    former_secret: str = field(default="", repr=False)
    former_until_ms: int = 0
    version: int = 1
    paused: Paused = Paused.NO
    failures: int = 0  # attempts in a row that were not taken, of whichever events
    failing_since_ms: int | None = None  # the first attempt that failed since the last that did not
    taken_ms: int | None = None  # when an event was taken last


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """An event that waits to be sent again, or behind one of its ticket, or that was given up (`dead`).

    `since_ms` is when it was tried first, `at_ms` when last, 0 where it was not; `code` is what became of that.
    """

    webhook: str
    position: Position
    ticket: TicketId
    dead: bool = False
    attempts: int = 0
    due_ms: int = 0
    since_ms: int = 0
    at_ms: int = 0
    code: str = ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of some events, by whoever leads: changes of `before`, rows that are there now, and those that go.

    Of the subscription itself it changes the position, the failures, when it took something, and why it is paused.
    """

    owner: str
    before: Webhook
    after: Webhook
    kept: Sequence[WebhookRow] = ()
    gone: Sequence[Position] = ()


class WebhookStore(Protocol):
    """The part of the store that knows of webhooks. Every method raises `StoreUnavailable`."""

    async def add_webhook(
        self, new: Webhook, *, department_max: int, total_max: int, result: "NewResult | None" = None
    ) -> bool:
        """Keep a new subscription; False, and nothing changed, if its department or the service has enough.

        Raises:
            StoreConflict: `result`, which is kept with it, is not the first of its key.

        """
        ...

    async def webhook(self, id_: str) -> Webhook | None:
        """Return a subscription."""
        ...

    async def webhooks(self, department: Department | None = None) -> Sequence[Webhook]:
        """Return all of a department, or all, by their ids."""
        ...

    async def amend_webhook(
        self,
        id_: str,
        amend: Callable[[Webhook], Webhook],
        *,
        rows: Sequence[WebhookRow] = (),
        forget_after: Position | None = None,
    ) -> Webhook | None:
        """Keep what `amend` makes of a subscription, and these rows; None, and nothing changed, if there is none.

        Its version becomes the next one. `forget_after` removes the rows behind a position first, since the events
        there are to be sent anew. All of it in one transaction; `amend` may run in another thread.
        """
        ...

    async def remove_webhook(self, id_: str) -> bool:
        """Forget a subscription and its rows; tell whether there was one."""
        ...

    async def webhook_rows(self, id_: str, *, dead: bool, after: int = 0, limit: int = 100) -> Sequence[WebhookRow]:
        """Return rows of a subscription behind a position: those that wait, or those that were given up."""
        ...

    async def lead_webhooks(self, owner: str, now_ms: int, until_ms: int) -> bool:
        """Lead, or go on to lead, until a moment; False if another owner leads now. Who leads alone sends."""
        ...

    async def settle_webhooks(self, settlements: Sequence[Settlement]) -> Sequence[bool]:
        """Write down what became of events of several subscriptions, in one transaction.

        Says of each whether it was. It was not, and nothing of it changed, if the owner does not lead, or the
        subscription is gone or at another position.
        """
        ...

    async def prune_webhook_rows(self, before_ms: int, *, limit: int = 1000) -> int:
        """Remove up to `limit` dead rows that were tried last before an instant, and return how many."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """What a receiver said: nothing where it took the event, else a stable code, and for how long it is to be left."""

    code: str = ""
    retry_after_ms: int = 0


class Receiver(Protocol):
    """The way to one receiver for a while."""

    async def post(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one event and hear whether it was taken; bounded in time, and nothing is raised."""
        ...

    async def close(self) -> None:
        """Let go of its connections."""
        ...


class Receivers(Protocol):
    """The way to all receivers."""

    def check(self, url: str) -> None:
        """Judge an address as it stands; what its host means is judged with each call.

        Raises:
            Malformed: nothing may be sent there (`webhook_url`).

        """
        ...

    def open(self, url: str) -> Receiver:
        """Return the way to a receiver; connects to nothing yet."""
        ...

"""What is to be sent to chat platforms, as contracts. A row is one part of one answer, or a notice to a group chat.

A conversation keeps its order. A row is written by the commit that admits its message, or that a notice tells of. From
then on it changes by comparison: whoever changes it says in which state, under which owner and at which attempt they
have seen it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from crdt_sync.domain.delivery import Conversation, DeliveryState, Window
from crdt_sync.domain.ids import MessageId, TicketId


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One part to be sent, of a message of the same batch. `content` is the part as canonical JSON.

    A notice belongs to no message: `message` is empty then, and so is `ticket` where it is about none.
    """

    id: str
    ticket: TicketId
    message: MessageId
    index: int
    to: Conversation
    content: str
    at_ms: int
    traceparent: str | None = None

    @property
    def is_notice(self) -> bool:
        """Tell whether it goes to a group of ours, and takes a position of its own."""
        return not self.message


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """One part, as stored. `place` orders all of them: by position, of the message or the notice, then by the part."""

    place: int
    id: str
    ticket: TicketId
    message: MessageId
    index: int
    channel: str
    account: str
    conversation: str
    content: str
    at_ms: int
    traceparent: str | None
    state: DeliveryState = DeliveryState.PENDING
    owner: str = ""  # to whom it was leased last
    attempts: int = 0  # leases, the present one among them
    due_ms: int = 0  # when a lease lapses, or a retry is due
    platform_id: str = ""  # the platform's name of what was sent
    code: str = ""  # why it is not sent

    @property
    def is_notice(self) -> bool:
        """Tell whether it goes to a group of ours, so that no ticket shows what became of it."""
        return not self.message


@dataclass(frozen=True, slots=True)
class DeliveryChange:
    """What becomes of a row, if it still has `before`'s state, owner, attempt and content.

    It changes the state, when the row is due, what its platform calls it, the code, the ticket and the content.
    """

    before: StoredDelivery
    after: StoredDelivery


@dataclass(frozen=True, slots=True)
class Claim:
    """Who asks for rows of which accounts. What is unknown is given again for the accounts in `idempotent` alone."""

    owner: str
    accounts: tuple[str, ...]
    idempotent: tuple[str, ...]
    now_ms: int
    until_ms: int
    limit: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """Rows that are leased to the claimer now, and when a further one may be claimed by the passing of time alone."""

    rows: Sequence[StoredDelivery]
    next_ms: int | None


@dataclass(frozen=True, slots=True)
class OutboxFilter:
    """Which rows to list; None restricts nothing."""

    state: DeliveryState | None = None
    account: str | None = None
    after: int = 0  # a `place`
    notices: bool = False  # those alone
    conversation: str | None = None


@dataclass(frozen=True, slots=True)
class OpenDeliveries:
    """How many rows are in one of the states that keep others waiting, and when the oldest of them was admitted."""

    state: DeliveryState
    count: int
    oldest_ms: int


class OutboxStore(Protocol):
    """The part of the store that holds what is to be sent. Every method raises `StoreUnavailable`."""

    async def claim(self, asked: Claim) -> Claimed:
        """Lease up to `limit` rows: the first open one of each conversation, if it may be sent now. All of it or none.

        That is what is pending, a retry that is due, a lease that has lapsed before anything was sent, and what is
        unknown where that may be sent again. Whatever was being sent when its lease lapsed becomes unknown first.

        It takes what has been due for longest, of each account and state, and of these the first places; how much else
        waits makes it no slower.
        """
        ...

    async def release(self, owner: str) -> None:
        """Let go of what was leased to an owner who has gone, and not begun."""
        ...

    async def delivery(self, id_: str) -> StoredDelivery | None:
        """Return one row."""
        ...

    async def sent_as(self, account: str, platform_id: str) -> StoredDelivery | None:
        """Return the newest row that a platform calls so."""
        ...

    async def newest_notice(self, account: str, conversation: str) -> TicketId | None:
        """Return the ticket of the newest notice about one that was sent to a group."""
        ...

    async def deliveries(self, where: OutboxFilter, *, limit: int = 100) -> Sequence[StoredDelivery]:
        """Return rows in the order of their places."""
        ...

    async def amend_delivery(self, id_: str, before: Sequence[DeliveryState], after: DeliveryState) -> bool:
        """Move a row to a state, due at once, and tell whether it was in one of those before."""
        ...

    async def window(self, account: str) -> Window | None:
        """Return what an account's platform allows, None where nobody has said that it sets a bound."""
        ...

    async def keep_window(self, account: str, window: Window | None) -> None:
        """Keep what an account's platform allows, in the place of what was kept."""
        ...

    async def delivery_states(self, ids: Sequence[str]) -> Mapping[str, DeliveryState]:
        """Return the states of those of these rows that are there."""
        ...

    async def open_deliveries(self) -> Sequence[OpenDeliveries]:
        """Count what is not settled, by the order of the states' names."""
        ...

    async def prune_deliveries(self, before_ms: int, *, limit: int = 1000) -> int:
        """Remove up to `limit` settled rows that were admitted before an instant, and return how many."""
        ...

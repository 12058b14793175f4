"""What the service desk keeps beside tickets, as contracts: who has which, whose turn it is, and whose they are."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from crdt_sync.domain.ids import ActorId, Digest, LaneId, TicketId

if TYPE_CHECKING:
    from crdt_sync.ports import TicketRow


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who has which lane of a ticket after the batch, in the place of all before; nobody once it is closed."""

    ticket: TicketId
    lanes: Mapping[LaneId, ActorId]


@dataclass(frozen=True, slots=True)
class Turn:
    """Whom a rule has chosen, `after` whom: a batch that has seen another's turn is refused. Empty if nobody."""

    rule: str
    actor: ActorId
    after: str = ""


@dataclass(frozen=True, slots=True)
class NewParty:
    """The other side of a new ticket's conversation, as an opaque name: no personal data.

    Its customer is that of the party's other tickets, and the party itself where there are none.
    """

    ticket: TicketId
    party: str


class DeskStore(Protocol):
    """The part of the store that the service desk uses. Every method raises `StoreUnavailable`."""

    async def open_tickets(self, actors: Collection[ActorId]) -> Mapping[ActorId, int]:
        """Return how many open tickets each of these has; those who have none are left out."""
        ...

    async def turn(self, rule: str) -> str:
        """Return whom a rule has chosen last; empty if nobody."""
        ...

    async def customer(self, ticket: TicketId) -> str:
        """Return whose a ticket is; empty if nobody knows."""
        ...

    async def customer_of(self, party: str) -> str:
        """Return which customer a party is; empty if there is no ticket of theirs."""
        ...

    async def tickets_of(
        self, customer: str, lifecycles: Collection[Digest], *, after: TicketId | None = None, limit: int = 100
    ) -> "Sequence[TicketRow]":
        """Return a customer's tickets of some lifecycles, those opened last first, those behind `after` only."""
        ...

    async def link(self, ticket: TicketId, other: TicketId) -> None:
        """Make the customers of two tickets one. A ticket without one gets one."""
        ...

    async def unlink(self, ticket: TicketId, customer: str) -> None:
        """Give the party of a ticket, with all of its tickets, a customer of their own under a name that is new."""
        ...

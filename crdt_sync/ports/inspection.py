"""What proving a whole database takes beyond reading it, as a contract. Only an operator's command asks for it."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from crdt_sync.domain.ids import Position, TicketId


class Inspector(Protocol):
    """Looks at every row, a page at a time. Every method raises `StoreUnavailable` if the store cannot answer."""

    def damage(self) -> AsyncIterator[str]:
        """Yield a sentence for whatever is not as it was written: pages, rows, indexes."""
        ...

    def positions(self) -> AsyncIterator[Position]:
        """Yield the position of every row that has one, in no order."""
        ...

    async def begun(self) -> Position:
        """Return the position at which the newest epoch began: below it there may be holes. 0 without a restore."""
        ...

    async def tickets(self, after: str = "", *, limit: int = 1000) -> Sequence[TicketId]:
        """Return the ids of up to `limit` tickets in their order, those after `after` only."""
        ...

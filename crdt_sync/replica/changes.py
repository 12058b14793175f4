"""Who waits for something to change in a replica, and how they are woken. Nothing that decides safety hangs on it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from crdt_sync.domain.ids import TicketId


@dataclass(frozen=True, slots=True)
class Change:
    """Something of a ticket is new, or the ticket itself is."""

    ticket: TicketId


@dataclass(slots=True, eq=False)
class _Watcher:
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    tickets: dict[TicketId, None] = field(default_factory=dict)


class Changes:
    """Tells every watcher which tickets changed; of a ticket that changed twice meanwhile, it tells once."""

    def __init__(self) -> None:
        self._watchers: set[_Watcher] = set()

    def tell(self, ticket: TicketId | None) -> None:
        """Wake every watcher: a ticket changed, or (None) the connection did."""
        for watcher in self._watchers:
            if ticket is not None:
                watcher.tickets[ticket] = None
            watcher.woken.set()

    async def watch(self) -> AsyncIterator[Change]:
        """Yield each ticket that changes from now on."""
        watcher = _Watcher()
        self._watchers.add(watcher)
        try:
            while True:
                await watcher.woken.wait()
                watcher.woken.clear()
                tickets, watcher.tickets = watcher.tickets, {}
                for ticket in tickets:
                    yield Change(ticket)
        finally:
            self._watchers.discard(watcher)

    async def until(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something is so; False if it was not in time."""
        watcher = _Watcher()
        self._watchers.add(watcher)
        try:
            async with asyncio.timeout(timeout_s):
                while not is_so():
                    await watcher.woken.wait()
                    watcher.woken.clear()
        except TimeoutError:
            return is_so()
        finally:
            self._watchers.discard(watcher)
        return True

"""Which tickets a replica knows, and the lifecycles that they were opened with; kept offline. Knows no document."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Protocol

from crdt_sync.adapters import lifecycle_files
from crdt_sync.domain.ids import Digest, Position, TicketId
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.errors import Malformed, NotFound
from crdt_sync.replica.link import Heard, Listing
from crdt_sync.replica.store import Known, ReplicaStore

DEFAULT_LIFECYCLE = "connect-order"  # of a replica that has never heard its service's


class Directory(Protocol):
    """The half of a link that says which tickets and lifecycles there are."""

    async def tickets(self, changed_after: Position) -> Listing:
        """List the tickets that changed after a position."""
        ...

    async def lifecycle(self, digest: Digest | None) -> str:
        """Fetch the source of a lifecycle; None is the service's default."""
        ...


class Index:
    """Tickets by id and lifecycles by digest, from the store, and from the service when it is asked."""

    def __init__(self, store: ReplicaStore) -> None:
        self._store = store
        self._tickets: dict[TicketId, Known] = {}
        self._lifecycles: dict[Digest, Lifecycle] = {}
        self._position = Position(0)
        self._refreshing = asyncio.Lock()

    @property
    def position(self) -> Position:
        """Up to where the service has told everything."""
        return self._position

    @property
    def tickets(self) -> Collection[Known]:
        """Every ticket that is known."""
        return self._tickets.values()

    def is_listed(self, ticket: TicketId) -> bool:
        """Tell whether the service has this ticket."""
        return ticket in self._tickets and self._tickets[ticket].listed

    def known(self, ticket: TicketId) -> Known:
        """Return what is known of a ticket."""
        return self._tickets[ticket]

    def lifecycle(self, digest: Digest) -> Lifecycle | None:
        """Return a lifecycle; None if it was not fetched yet."""
        return self._lifecycles.get(digest)

    async def load(self) -> None:
        """Read what is stored."""
        self._tickets = {known.id: known for known in await self._store.tickets()}
        self._position = await self._store.position()
        self._lifecycles = {}
        for digest, source in (await self._store.lifecycles()).items():
            self._lifecycles[digest] = await asyncio.to_thread(lifecycle_files.load_accepted, source)

    def enter(self, known: Known) -> None:
        """Take in a ticket that was opened here and is stored."""
        self._tickets[known.id] = known

    async def default_lifecycle(self) -> Lifecycle:
        """Return what tickets are opened with: the service's default, or the shipped one if that was never heard."""
        digest = await self._store.default_lifecycle()
        if digest is not None:
            return self._lifecycles[digest]
        source = lifecycle_files.shipped()[DEFAULT_LIFECYCLE]
        lifecycle = await asyncio.to_thread(lifecycle_files.load, source)
        if lifecycle.digest not in self._lifecycles:
            await self._store.save_lifecycle(lifecycle.digest, source)
            self._lifecycles[lifecycle.digest] = lifecycle
        return lifecycle

    async def refresh(self, directory: Directory, *, anew: bool = False) -> list[TicketId]:
        """Ask the service for what changed since it was asked last; return the tickets.

        `anew` asks for all of them, and finds out which of those that were listed the service has lost.
        """
        async with self._refreshing:
            if await self._store.default_lifecycle() is None:
                await self._learn(directory, None)
            listing = await directory.tickets(Position(0) if anew else self._position)
            if listing.position < self._position:  # another database than before: what it lists is not whole
                anew = True
                listing = await directory.tickets(Position(0))
            found = [Known(id_, digest, listed=True) for id_, digest in listing.tickets]
            if anew:
                there = {known.id for known in found}
                lost = [known for known in self._tickets.values() if known.listed and known.id not in there]
                found += [replace(known, listed=False) for known in lost]
            if found or listing.position != self._position:
                await self._store.save_listing(found, listing.position)
                self._position = listing.position
            await self._enter(directory, found)
            return [known.id for known in found]

    async def hear(self, directory: Directory, heard: Heard) -> None:
        """Take in what the service has told. The position is stored with what is new, and with heartbeats."""
        async with self._refreshing:
            found = [Known(id_, digest, listed=True) for id_, digest in heard.opened if not self.is_listed(id_)]
            self._position = max(self._position, heard.position)
            if found or not heard.changed:
                await self._store.save_listing(found, self._position)
            await self._enter(directory, found)

    async def _enter(self, directory: Directory, found: Sequence[Known]) -> None:
        self._tickets.update({known.id: known for known in found})
        for digest in {known.lifecycle for known in self._tickets.values()} - self._lifecycles.keys():
            await self._learn(directory, digest)

    async def _learn(self, directory: Directory, digest: Digest | None) -> None:
        """Fetch a lifecycle, which the service has proven. One that it lacks stays unknown: the ticket says so."""
        try:
            source = await directory.lifecycle(digest)
            lifecycle = await asyncio.to_thread(lifecycle_files.load_accepted, source)
        except (NotFound, Malformed):
            return
        if digest in {None, lifecycle.digest}:
            self._lifecycles[lifecycle.digest] = lifecycle  # first: whoever reads in the store which is the default
            await self._store.save_lifecycle(lifecycle.digest, source, default=digest is None)

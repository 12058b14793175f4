"""Reading what is committed, and nothing that is still under way."""

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, TypeVar

from crdt_sync.domain.access import Principal
from crdt_sync.errors import TicketSyncError
from crdt_sync.ports import Committed
from crdt_sync.protocol.room import Room
from crdt_sync.service.command import find_visible
from crdt_sync.service.draft import Draft
from crdt_sync.service.live_ticket import Desk, LiveTicket

R = TypeVar("R")


class Look(Generic[R]):
    """Read a ticket between two batches, when its memory and the journal agree; a job that writes nothing."""

    room: ClassVar[None] = None
    builds_on: ClassVar[Sequence[Room]] = ()

    def __init__(self, principal: Principal, ticket: str, read: Callable[[LiveTicket], R]) -> None:
        self._principal = principal
        self._ticket = ticket
        self._read = read
        self._live: LiveTicket | None = None
        self.outcome: asyncio.Future[R] = asyncio.get_running_loop().create_future()

    async def prepare(self, desk: Desk, draft: Draft) -> None:
        """Load the ticket."""
        del draft
        self._live = await find_visible(desk, self._principal, self._ticket)

    def decide(self, desk: Desk, draft: Draft) -> None:
        """Decide nothing."""

    def succeed(self, committed: Committed) -> None:
        """Look now: what the batch decided is committed."""
        del committed
        assert self._live is not None, "prepare loaded it"
        if not self.outcome.done():
            self.outcome.set_result(self._read(self._live))

    def fail(self, error: TicketSyncError) -> None:
        """Answer with the error."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


async def settled(room: Room) -> None:
    """Wait until nothing in the room is pending, so that what is read is committed."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle() -> None:
        if not done.done():
            done.set_result(None)

    room.settled(settle)
    await done

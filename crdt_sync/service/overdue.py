"""Turns red what has been owed for too long: once, by a commit that tells it. Owns the looking, not the rule.

Since when something is owed stands in the store, so a service that was down finds at its start what turned red
meanwhile, and one that is killed in between has either told it or tells it later.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import structlog

from crdt_sync.errors import TicketSyncError
from crdt_sync.ports import Clock, Committed, Store, StoreUnavailable
from crdt_sync.ports.owed import StoredOwed
from crdt_sync.protocol.room import Room
from crdt_sync.service.committer import Committer
from crdt_sync.service.draft import Draft
from crdt_sync.service.live_ticket import Desk, LiveTicket
from crdt_sync.service.projection import owed_of

LOOK_S = 15.0  # what is red is so by the hour; an empty look is one read of an index
PAGE_ROWS = 10  # at a time, so that commits of people come in between: a ticket may have to be loaded for each
FAILED_MAX = 1_000  # of one look, after which the next one begins anew

_log = structlog.get_logger(__name__)


class Overdue:
    """The one task that looks for what has been owed for too long."""

    def __init__(self, store: Store, clock: Clock, *, red_after_ms: int) -> None:
        self._store = store
        self._clock = clock
        self._red_after_ms = red_after_ms
        self._committer: Committer | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, committer: Committer) -> None:
        """Begin to look; what is found is committed there."""
        self._committer = committer
        self._task = asyncio.get_running_loop().create_task(self._keep_looking(), name="overdue")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> None:
        """Turn red whatever is to be by now; what fails stays for the next look."""
        assert self._committer is not None, "it was started with one"
        failed: set[StoredOwed] = set()
        while len(failed) < FAILED_MAX and (rows := await self._found(failed)):
            jobs = [TurnRed(row) for row in rows]
            for job in jobs:
                self._committer.enqueue(job)
            failed |= {job.owed for job in jobs if not await job.outcome}

    async def _found(self, failed: Collection[StoredOwed]) -> Sequence[StoredOwed]:
        """Return the next ones, behind those that have failed: they are the oldest, and would hold up all others."""
        raised_by_ms = self._clock.now_ms() - self._red_after_ms
        try:
            rows = await self._store.overdue(raised_by_ms, limit=PAGE_ROWS + len(failed))
        except StoreUnavailable as error:
            _log.warning("what is owed was not read", reason=str(error))
            return []
        return [row for row in rows if row not in failed]

    async def _keep_looking(self) -> None:
        while True:
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - the task's boundary: nobody would look any more until a restart
                _log.exception("what is owed was not looked at")
            await asyncio.sleep(LOOK_S)


@dataclass(eq=False)
class TurnRed:
    """One obligation as a job of the committer; its `outcome` tells whether it is settled."""

    room: ClassVar[None] = None
    builds_on: ClassVar[Sequence[Room]] = ()
    owed: StoredOwed
    outcome: "asyncio.Future[bool]" = field(init=False)
    _live: LiveTicket | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Make the promise."""
        self.outcome = asyncio.get_running_loop().create_future()

    async def prepare(self, desk: Desk, draft: Draft) -> None:
        """Load the ticket, unless somebody was faster."""
        del draft
        ticket = self.owed.ticket
        known = await desk.store.overdue(self.owed.raised_ms, ticket=ticket)
        self._live = await desk.get(ticket) if self.owed in known else None

    def decide(self, desk: Desk, draft: Draft) -> None:
        """Tell it, if it is owed after all that this batch has decided; else nothing is to be looked for any more."""
        del desk
        if self._live is not None:
            if self.owed.obligation in owed_of(self._live):
                draft.turn_red(self._live, self.owed)
            else:
                draft.discharge(self._live, self.owed.obligation)

    def succeed(self, committed: Committed) -> None:
        """Say so."""
        del committed
        self._settle(done=True)

    def fail(self, error: TicketSyncError) -> None:
        """Leave it for the next look."""
        _log.warning("not turned red", ticket=self.owed.ticket, reason=error.message)
        self._settle(done=False)

    def _settle(self, *, done: bool) -> None:
        if not self.outcome.done():
            self.outcome.set_result(done)

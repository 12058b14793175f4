"""Group commit: what is decided together is made durable together, and only then relayed and acknowledged.

One consumer takes whatever has queued while the last commit ran, so an idle service commits at once and a busy one
commits in batches. A job is prepared (loading what it needs), decided (against memory, in order) and, after the COMMIT,
told so. If a batch fails, everything it touched is loaded anew and its jobs are tried one by one: only the failing one
is refused.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from crdt_sync.domain.ids import Position
from crdt_sync.errors import ServiceError, TicketSyncError, Unavailable
from crdt_sync.ports import Clock, Committed, StoreConflict, StoreUnavailable
from crdt_sync.ports.meter import Meter
from crdt_sync.protocol.room import Room
from crdt_sync.service.draft import Draft
from crdt_sync.service.jobs import Change, KeepRefused
from crdt_sync.service.live_ticket import Desk
from crdt_sync.service.rooms import SWEEP_S
from crdt_sync.service.transport import Transport
from crdt_sync.wire import limits

BATCH_JOBS_MAX = 1_000  # some 20 ms of rows; a longer batch would make its first job wait for its last
STALE_RETRY_S = 1.0

_log = structlog.get_logger(__name__)


class Job(Protocol):
    """One thing to decide and make durable. If it fails, its `room` is loaded anew."""

    @property
    def room(self) -> Room | None:
        """The room whose document holds the change; None if none does."""
        ...

    @property
    def builds_on(self) -> Sequence[Room]:
        """The rooms, once it is prepared, to whose documents `decide` adds something.

        What sessions have put there before is decided first, so that no row comes before one that it builds on.
        """
        ...

    def prepare(self, desk: Desk, draft: Draft) -> Awaitable[None] | None:
        """Load what `decide` needs, which follows at once; None if all is there. Called again before each attempt."""
        ...

    def decide(self, desk: Desk, draft: Draft) -> None:
        """Add rows to the draft. A `TicketSyncError` refuses this job alone, and must come before any row."""
        ...

    def succeed(self, committed: Committed) -> None:
        """Hear that everything is durable."""
        ...

    def fail(self, error: TicketSyncError) -> None:
        """Hear that nothing was kept."""
        ...


class Committer:
    """The queue of jobs and its one consumer."""

    def __init__(self, desk: Desk, clock: Clock, meter: Meter, *, notice: Callable[[], None]) -> None:
        """`notice` hears of each commit that held events."""
        self._desk = desk
        self._clock = clock
        self._meter = meter
        self._notice = notice
        self._queue: deque[Job] = deque()
        self._queued_bytes = 0  # what waits costs so much; counted anew behind each batch
        self._held: dict[Transport, None] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._store_fails = False

    def start(self) -> None:
        """Begin to consume."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="committer")

    async def stop(self) -> None:
        """Commit what is queued, then end; what comes later is refused as unavailable."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    @property
    def full(self) -> bool:
        """Tell whether so much waits that clients should wait."""
        return self._queued_bytes > limits.COMMIT_QUEUE_BYTES_MAX

    def enqueue(self, job: Job) -> None:
        """Queue a job; its `succeed` or `fail` is called exactly once."""
        if self._stopping:
            self._fail(job, Unavailable("The service is stopping.", advice="Connect again in a moment."))
            return
        self._queue.append(job)
        self._queued_bytes += _size(job)
        self._wake.set()

    def enqueue_from(self, transport: Transport, job: Job) -> None:
        """Queue a job of a client, from whom nothing more is taken while too much waits."""
        self.enqueue(job)
        if self.full and transport not in self._held:
            self._held[transport] = None
            transport.pause()

    def queued(self) -> tuple[int, int]:
        """Say how many jobs wait, and how many bytes of updates they hold."""
        return len(self._queue), sum(len(job.data) for job in self._queue if isinstance(job, Change | KeepRefused))

    def spoil(self, room: Room) -> None:
        """Have a room loaded anew whose document is not to be trusted any more."""
        self._desk.rooms.spoil(room)
        self._wake.set()

    async def _run(self) -> None:
        time = asyncio.get_running_loop().time
        while True:
            try:
                async with asyncio.timeout(STALE_RETRY_S if self._desk.rooms.stale else SWEEP_S):
                    await self._wake.wait()
            except TimeoutError:
                if self._store_fails:
                    await self._store_answers()  # nobody else may ask it now
                self._desk.trim(time())
            self._wake.clear()
            await self._refresh()
            while self._queue:
                await self._commit(self._next())  # in no name of ours, which would keep it until there is another
                await self._refresh()
                self._desk.trim(time())
                self._let_go()
            if self._stopping:
                return

    def _next(self) -> list[Job]:
        jobs = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_JOBS_MAX))]
        self._queued_bytes -= sum(map(_size, jobs))
        return jobs

    async def _refresh(self) -> None:
        """Load anew what a failure spoiled, and ask for what it lost, but not for what the store cannot keep yet.

        Clients answer at once with all that is missing: to ask while no commit passes would go round and round.
        """
        await self._desk.rooms.refresh()
        if not self._store_fails:
            self._desk.rooms.ask()

    def _let_go(self) -> None:
        """Take messages again of who was held, once half of what may wait is gone."""
        self._queued_bytes = sum(map(_size, self._queue))
        if self._held and self._queued_bytes <= limits.COMMIT_QUEUE_BYTES_MAX // 2:
            held, self._held = self._held, {}
            for transport in held:
                transport.resume()

    async def _commit(self, jobs: list[Job]) -> None:
        """Commit the jobs together, or one by one if that fails."""
        draft = Draft(self._clock.now_ms())
        queue, decided = deque(jobs), list[Job]()
        try:
            while queue:
                await self._take(queue, draft, decided)
            committed = await self._write(draft, len(decided))
        except (StoreConflict, StoreUnavailable) as error:
            self._meter.commit_failed()
            await self._abandon(draft)
            _log.warning("commit failed", jobs=len(decided), reason=str(error))
            answers = isinstance(error, StoreConflict) or await self._store_answers()
            if len(decided) == 1 or not answers:
                refusal = Unavailable("The change could not be stored.", advice="It was not accepted; send it again.")
                for job in decided:
                    self._fail(job, refusal)
                return
            for job in decided:
                await self._commit([job])
        except Exception:  # noqa: BLE001 - the task's boundary: one bad job must not end every later one
            await self._abandon(draft)
            self._queue.extendleft(reversed(queue))
            if len(decided) == 1:
                _log.exception("job failed")
                self._fail(
                    decided[0], ServiceError("The service failed on this change.", advice="It was not accepted.")
                )
                return
            for job in decided:
                await self._commit([job])
        else:
            self._tell(draft, decided, committed)

    async def _take(self, queue: deque[Job], draft: Draft, decided: list[Job]) -> None:
        """Decide the first job of the queue. A fault of ours leaves it among the decided, to be tried alone."""
        job = queue.popleft()
        decided.append(job)
        prepared = await self._prepared(job, draft)
        before = self._before(job, queue) if prepared else []
        if before:
            queue.extendleft([decided.pop(), *reversed(before)])
        elif not (prepared and self._decided(job, draft)):
            decided.pop()

    def _before(self, job: Job, queue: deque[Job]) -> list[Job]:
        """Take the undecided jobs, whose changes `job` would build on, out of the queues."""
        if not job.builds_on:
            return []
        undecided = {other for room in job.builds_on for other in room.undecided}
        if not undecided:
            return []
        found = [other for other in (*queue, *self._queue) if other in undecided]
        for jobs in (queue, self._queue):
            kept = [other for other in jobs if other not in undecided]
            jobs.clear()
            jobs.extend(kept)
        return found

    async def _prepared(self, job: Job, draft: Draft) -> bool:
        try:
            loading = job.prepare(self._desk, draft)
            if loading is not None:
                await loading
        except TicketSyncError as error:
            self._fail(job, error)
            return False
        except StoreUnavailable:
            self._fail(job, Unavailable("The store does not answer.", advice="Nothing was accepted; try again."))
            return False
        return True

    def _decided(self, job: Job, draft: Draft) -> bool:
        try:
            if job.room is not None and job.room.stale:
                raise Unavailable("An earlier change was not stored.", advice="Send everything since then again.")
            job.decide(self._desk, draft)
        except TicketSyncError as error:
            self._fail(job, error)
            return False
        return True

    def _fail(self, job: Job, error: TicketSyncError) -> None:
        if job.room is not None:
            self._desk.rooms.spoil(job.room)
        job.fail(error)

    async def _write(self, draft: Draft, jobs: int) -> Committed:
        batch = draft.batch()
        if batch.empty:
            position = await self._desk.store.position()
            return Committed(Position(position + 1), position)
        now_s = asyncio.get_running_loop().time
        began_s = now_s()
        committed = await self._desk.store.commit(batch)
        self._store_fails = False
        self._meter.committed(jobs=jobs, updates=len(batch.updates), seconds=now_s() - began_s)
        for refusal in batch.refusals:
            if refusal.wire == "submit":  # the others were counted where they were said
                self._meter.refused("submit", refusal.code, refusal.count)
        return committed

    def _tell(self, draft: Draft, jobs: list[Job], committed: Committed) -> None:
        """Let memory, authors and members know what is committed. A fault of ours here undoes nothing."""
        draft.committed(committed)
        if draft.has_events:
            self._notice()
        for job in jobs:
            try:
                job.succeed(committed)
            except Exception:  # noqa: BLE001 - the change is stored, whatever became of the answer
                _log.exception("answer failed")
                job.fail(ServiceError("The change was stored, but the answer could not be made."))
        for room, relays in draft.relays.items():
            room.relay(relays)
        for room, relays in draft.relays.items():
            room.commit(len(relays))
            self._desk.rooms.grown(room)

    async def _abandon(self, draft: Draft) -> None:
        """Forget what memory holds beyond the log: the touched tickets, and the documents of the touched rooms."""
        for ticket in draft.tickets.keys() | draft.judged:
            self._desk.drop(ticket)
        for room, relays in draft.relays.items():
            room.pending -= len(relays)
            self._desk.rooms.spoil(room)
        await self._desk.rooms.refresh()

    async def _store_answers(self) -> bool:
        try:
            await self._desk.store.check()
        except StoreUnavailable:
            self._store_fails = True
        else:
            self._store_fails = False
        return not self._store_fails


def _size(job: Job) -> int:
    return limits.CHANGE_OVERHEAD_BYTES + len(job.data) if isinstance(job, Change | KeepRefused) else 0

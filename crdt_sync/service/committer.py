"""Group commit: what is decided together is made durable together, and only then relayed and acknowledged.

One consumer takes whatever has queued while the last commit ran, so an idle service commits at once and a busy one
commits in batches. A job is prepared (loading what it needs), decided (against memory, in order) and, after the COMMIT,
told so. If a batch fails, everything it touched is loaded anew and its jobs are tried one by one: only the failing one
is refused.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import structlog

from crdt_sync.domain.ids import Position
from crdt_sync.errors import ServiceError, TicketSyncError, Unavailable
from crdt_sync.ports import Batch, Clock, Committed, StoreConflict, StoreUnavailable
from crdt_sync.ports.meter import Meter
from crdt_sync.protocol.room import Relay, Room
from crdt_sync.service.draft import Draft
from crdt_sync.service.jobs import Change, KeepRefused
from crdt_sync.service.live_ticket import Desk
from crdt_sync.service.rooms import SWEEP_S
from crdt_sync.service.transport import Transport
from crdt_sync.wire import limits

BATCH_JOBS_MAX = 1_000  # some 20 ms of rows, for which the first job waits; beyond it comes only what they build on
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

    def __init__(
        self, desk: Desk, clock: Clock, meter: Meter, *, notice: Callable[[], None], outbox: Callable[[], None]
    ) -> None:
        """`notice` hears of each commit that held events, `outbox` of each after which something may be sent."""
        self._desk = desk
        self._clock = clock
        self._meter = meter
        self._notice = notice
        self._outbox = outbox
        self._queue: deque[Job] = deque()
        self._owed: dict[Job, None] = {}  # who hears what became of them: the queued, and those of the batch in hand
        self._queued_bytes = 0  # what waits costs so much; counted anew behind each batch
        self._held: dict[Transport, None] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._dead = False
        self._store_fails = False

    def start(self) -> None:
        """Begin to consume."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="committer")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Commit what is queued, then end; what comes later is refused as unavailable."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task])  # what ended it was said when it did

    @property
    def dead(self) -> bool:
        """Tell whether it ended though nobody stopped it; nothing is committed any more."""
        return self._dead

    @property
    def full(self) -> bool:
        """Tell whether so much waits that clients should wait."""
        return self._queued_bytes > limits.COMMIT_QUEUE_BYTES_MAX

    def enqueue(self, job: Job) -> None:
        """Queue a job; its `succeed` or `fail` is called exactly once."""
        if self._dead or self._stopping:
            why = "The service is stopping." if not self._dead else "The service cannot commit any more."
            self._fail(job, Unavailable(why, advice="Connect again in a moment."))
            return
        self._queue.append(job)
        self._owed[job] = None
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
        while True:
            try:
                async with asyncio.timeout(STALE_RETRY_S if self._desk.rooms.stale else SWEEP_S):
                    await self._wake.wait()
            except TimeoutError:
                if self._store_fails:
                    await self._store_answers()  # nobody else may ask it now
            self._wake.clear()
            await self._tidy()
            while self._queue:
                await self._commit(self._next())  # in no name of ours, which would keep it until there is another
                await self._tidy()
            if self._stopping:
                return

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Say so, if no guard held what ended the consumer; `/readyz` fails from now on."""
        error = None if task.cancelled() else task.exception()
        if self._stopping and error is None and not task.cancelled():
            return
        self._dead = True
        _log.critical("committer ended", exc_info=error)
        self._queue.clear()
        for job in list(self._owed):
            self._fail(job, Unavailable("The service cannot commit any more.", advice="Send it again in a moment."))
        self._let_go()

    async def _tidy(self) -> None:
        """Between batches: load anew what a failure spoiled, forget what is not used, and read from clients again."""
        await self._refresh()
        with _kept("forgetting"):
            self._desk.trim(asyncio.get_running_loop().time())
        self._let_go()

    def _next(self) -> list[Job]:
        jobs = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_JOBS_MAX))]
        self._queued_bytes -= sum(map(_size, jobs))
        return jobs

    async def _refresh(self) -> None:
        """Load anew what a failure spoiled, and ask for what it lost, but not for what the store cannot keep yet.

        Clients answer at once with all that is missing: to ask while no commit passes would go round and round.
        """
        with _kept("loading anew"):
            await self._desk.rooms.refresh()
            if not self._store_fails:
                self._desk.rooms.ask()

    def _let_go(self) -> None:
        """Take messages again of who was held, once half of what may wait is gone."""
        self._queued_bytes = sum(map(_size, self._queue))
        if self._held and self._queued_bytes <= limits.COMMIT_QUEUE_BYTES_MAX // 2:
            held, self._held = self._held, {}
            for transport in held:
                with _kept("reading on"):
                    transport.resume()

    async def _commit(self, jobs: list[Job]) -> None:
        """Commit the jobs together, or one by one if that fails."""
        draft = Draft(self._clock.now_ms(), self._desk.groups)
        queue, decided = deque(jobs), list[Job]()
        try:
            while queue or self._take_along(queue, draft):
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
        return _taken(job.builds_on, queue, self._queue) if job.builds_on else []

    def _take_along(self, queue: deque[Job], draft: Draft) -> bool:
        """Queue the undecided changes of the cards whose tickets the batch touches; True if there are any.

        A ticket's row says what its card holds, and may say nothing that is not committed with it.
        """
        if self._queue:  # else nothing is undecided
            queue.extend(_taken([touched.live.card_room for touched in draft.tickets.values()], self._queue))
        return bool(queue)

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
        self._owed.pop(job, None)
        if job.room is not None:
            self._desk.rooms.spoil(job.room)
        with _kept("refusing"):
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
        with _kept("counting"):
            self._count(batch, jobs, now_s() - began_s)
        return committed

    def _count(self, batch: Batch, jobs: int, seconds: float) -> None:
        self._meter.committed(jobs=jobs, updates=len(batch.updates), seconds=seconds)
        for refusal in batch.refusals:
            if refusal.wire == "submit":  # the others were counted where they were said
                self._meter.refused("submit", refusal.code, refusal.count)

    def _tell(self, draft: Draft, jobs: list[Job], committed: Committed) -> None:
        """Let memory, authors and members know what is committed. A fault of ours here undoes nothing."""
        try:
            draft.committed(committed)
        except Exception:  # noqa: BLE001 - what memory holds is made anew from what is stored
            _log.exception("tickets not brought up to date")
            for ticket in draft.tickets:
                self._desk.drop(ticket)
        if draft.has_events:
            with _kept("noticing"):
                self._notice()
        if draft.has_deliveries:
            with _kept("noticing what is to be sent"):
                self._outbox()
        for job in jobs:
            self._owed.pop(job, None)
            try:
                job.succeed(committed)
            except Exception:  # noqa: BLE001 - the change is stored, whatever became of the answer
                _log.exception("answer failed")
                with _kept("refusing"):
                    job.fail(ServiceError("The change was stored, but the answer could not be made."))
        for room, relays in draft.relays.items():
            self._relay(room, relays)
        for room, relays in draft.relays.items():
            with _kept("settling"):
                room.commit(len(relays))
            self._desk.rooms.grown(room)

    def _relay(self, room: Room, relays: Sequence[Relay]) -> None:
        """Send what is committed to the members; should that fail, each comes again and loads what it missed."""
        try:
            room.relay(relays)
        except Exception:  # noqa: BLE001 - the boundary of a room
            _log.exception("relay failed", document=room.text)
            for member in list(room.members):
                with _kept("ending"):
                    member.end("service_error: A change could not be relayed.")

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


def _taken(rooms: Sequence[Room], *queues: deque[Job]) -> list[Job]:
    """Take the undecided jobs of rooms out of the queues, in order."""
    undecided = {job for room in rooms for job in room.undecided}
    if not undecided:
        return []
    found = [job for jobs in queues for job in jobs if job in undecided]
    for jobs in queues:
        kept = [job for job in jobs if job not in undecided]
        jobs.clear()
        jobs.extend(kept)
    return found


@contextmanager
def _kept(deed: str) -> Iterator[None]:
    """Keep a fault of ours to the deed in which it is: nothing that is committed hangs on it."""
    try:
        yield
    except Exception:  # noqa: BLE001 - a boundary of the task
        _log.exception("committer fault", deed=deed)


def _size(job: Job) -> int:
    return limits.CHANGE_OVERHEAD_BYTES + len(job.data) if isinstance(job, Change | KeepRefused) else 0

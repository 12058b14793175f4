"""Brings what waits in the inbox to the service, over gRPC, for as long as it takes.

Owns the order and the retries: one lane a conversation, its oldest row first, and a row is tried until the service has
taken it or refused it for good. All of that is in the rows, so another process goes on where this one ended. Never
answers a platform: a service that is down is invisible to them.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import grpc
import structlog

from crdt_sync.errors import Malformed, Unavailable
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import (
    INGEST_STATUS_ACCEPTED,
    INGEST_STATUS_DUPLICATE,
    INGEST_STATUS_REJECTED,
    Envelope,
    IngestRequest,
    IngestResult,
)
from crdt_sync.rpc.ticketsync.v1.gateway_pb2_grpc import IngressServiceStub
from gateway.arrivals import State, arrival_of
from gateway.channels.base import Channel, ReadsAgain
from gateway.counts import Counts
from gateway.inbox import Inbox, Outcome, Waiting
from gateway.media_queue import wanted_of
from gateway.ports import Chance, Clock
from gateway.waiting import grown_ms, woken

_BATCH_MAX = 100  # gateway.proto
_LANES_MAX = 1_000  # looked up at once: to find them takes some milliseconds where an hour's callbacks wait
_ROUNDS_MAX = 10  # for some conversations, before others have their turn: half a second or so
_PAUSE_MS_MAX = 1_000  # a call waits for the service by itself, so one that came back is found within two seconds
_LOOK_MS = 60_000  # how late it may be noticed that an operator has something replayed
_BATCH_BYTES_MAX = 1_048_576  # gRPC refuses a request above 4 MiB; one callback has at most 1 MiB

# No row's fault: it is the service that is down, slow or full, or our token that it does not take. Every row stays due.
_OF_THE_SERVICE = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE.name,
        grpc.StatusCode.DEADLINE_EXCEEDED.name,
        grpc.StatusCode.RESOURCE_EXHAUSTED.name,
        grpc.StatusCode.UNAUTHENTICATED.name,
        "secret",
    }
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long one call may take, and between which delays the retries of a row grow."""

    call_timeout_ms: int
    retry_delay_ms_min: int
    retry_delay_ms_max: int


@dataclass(frozen=True, slots=True)
class _Item:
    row: Waiting
    envelope: Envelope


class Forwarder:
    """The one reader of what waits. At most one row of a conversation is on its way, so nothing overtakes."""

    def __init__(
        self,
        inbox: Inbox,
        channels: Mapping[str, Channel],
        *,
        token: Callable[[], str],
        pace: Pace,
        clock: Clock,
        chance: Chance,
        counts: Counts,
        wanted: Callable[[], None] = lambda: None,
        route: Callable[[Sequence[Envelope]], Awaitable[None]] | None = None,
    ) -> None:
        """`wanted` hears that contents of messages are to be fetched; `route` may name each one's rule in time."""
        self._route = route
        self._wanted = wanted
        self._inbox = inbox
        self._channels = channels
        self._token = token
        self._pace = pace
        self._clock = clock
        self._chance = chance
        self._counts = counts
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._stopping = False
        self._failures = 0  # of calls, one after the other
        self._batch_max = _BATCH_MAX  # halved by a call that took too long, doubled by one that did not
        self._slow: set[int] = set()  # rows that took too long alone: every other goes first
        self._task: asyncio.Task[None] | None = None

    def start(self, stub: IngressServiceStub) -> None:
        """Begin with what an earlier process left."""
        self._task = asyncio.create_task(self._run(stub), name="forwarder")

    async def stop(self) -> None:
        """Let the call that is on its way end and be written down, and begin no other."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    def wake(self) -> None:
        """A new row was committed."""
        self._idle.clear()
        self._wake.set()

    async def idle(self) -> None:
        """Return when nothing waits for the service."""
        await self._idle.wait()

    async def _run(self, stub: IngressServiceStub) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                pause_ms = await self._forward_due(stub)
            except Unavailable as error:
                self._counts.add("forward.store_failed")
                _log.error("inbox unavailable to the forwarder", reason=error.message)
                pause_ms = self._pace.retry_delay_ms_max
            await self._rest(pause_ms)

    async def _forward_due(self, stub: IngressServiceStub) -> int | None:
        """Forward what is due; milliseconds until more will be, None if nothing waits."""
        lanes = await self._inbox.lanes(tuple(self._channels), limit=_LANES_MAX)
        if not lanes:
            return None
        now_ms = self._clock.now_ms()
        due = sorted((row_id for row_id, attempt_ms in lanes if attempt_ms <= now_ms), key=self._slow.__contains__)
        if not due:
            return lanes[0][1] - now_ms
        while due and not self._stopping:
            rows = _bounded(await self._inbox.waiting(due[: self._batch_max]))
            del due[: len(rows)]
            if not await self._forward_lanes(stub, rows):
                most_ms = min(self._pace.retry_delay_ms_max, _PAUSE_MS_MAX)
                return grown_ms(self._failures - 1, self._pace.retry_delay_ms_min, most_ms, self._chance)
        return 0

    async def _forward_lanes(self, stub: IngressServiceStub, rows: Sequence[Waiting]) -> bool:
        """Forward these, and some of what follows in their conversations; False if the service fails.

        It has loaded their tickets then: an hour's callbacks, one of each conversation in turn, would have it load
        every ticket for every message.
        """
        for _ in range(_ROUNDS_MAX):
            failures = self._failures
            outcomes = await self._forward(stub, rows)
            await self._inbox.settle(outcomes)
            if any(outcome.wanted for outcome in outcomes):
                self._wanted()
            if self._failures > failures:
                return False
            if self._stopping or len(rows) < _BATCH_MAX // 2:
                break
            following = await self._inbox.waiting(await self._inbox.following([row.id for row in rows]))
            rows = _bounded([row for row in following if row.next_attempt_ms <= self._clock.now_ms()])
        return True

    async def _rest(self, pause_ms: int | None) -> None:
        """Until `pause_ms` are over or something new came; None if nothing waits."""
        if pause_ms == 0 or self._wake.is_set():
            return
        if pause_ms is None:
            self._idle.set()
        await woken(self._wake, self._clock, _LOOK_MS if pause_ms is None else pause_ms)

    async def _forward(self, stub: IngressServiceStub, rows: Sequence[Waiting]) -> list[Outcome]:
        there = [row for row in rows if row.account in self._channels]  # one may have gone meanwhile; its rows wait
        mapped = [outcome for row in there if (outcome := await self._read(row)) is not None]
        batch = [item for item in mapped if isinstance(item, _Item)]
        unreadable = [outcome for outcome in mapped if isinstance(outcome, Outcome)]
        if batch and self._route is not None:
            await self._route([item.envelope for item in batch])
        return unreadable + (await self._ingest(stub, batch) if batch else [])

    async def _read(self, row: Waiting) -> _Item | Outcome | None:
        """Map a row; None where it could not be read when it came, is replayed, and was replaced by what it is now."""
        channel: object = self._channels.get(row.account)
        if row.conversation or not isinstance(channel, ReadsAgain):
            return self._map(row)
        try:
            callbacks = channel.read_again(row.raw)
        except Malformed as error:
            return self._dead(row, error.code)
        now_ms = self._clock.now_ms()
        arrivals = [
            arrival_of(row.account, callback, received_at_ms=now_ms, traceparent=row.traceparent)
            for callback in callbacks
        ]
        await self._inbox.replace(row.id, arrivals)
        self._counts.add("callback.read_again")
        spec = next((callback.spec for callback in callbacks), None)
        _log.info("callback read again", account=row.account, row=row.id, callbacks=len(callbacks), spec=spec)
        self._wake.set()
        return None

    def _map(self, row: Waiting) -> _Item | Outcome:
        """Boundary of the channels' code: a row that no code can read is set aside, its content kept."""
        try:
            envelope = self._channels[row.account].envelope(row.raw)
        except Malformed as error:
            return self._dead(row, error.code)
        except Exception as error:  # noqa: BLE001 - a mapping's bug must not stop every other conversation
            _log.error("callback not mapped", account=row.account, row=row.id, error=type(error).__name__)
            return self._dead(row, "mapping")
        if envelope.WhichOneof("kind") == "unknown":
            self._counts.add("forward.unknown_kind")
        envelope.traceparent = row.traceparent
        return _Item(row, envelope)

    async def _ingest(self, stub: IngressServiceStub, batch: Sequence[_Item]) -> list[Outcome]:
        try:
            results = await self._call(stub, batch)
        except (grpc.aio.AioRpcError, Malformed) as error:
            reason = error.code().name if isinstance(error, grpc.aio.AioRpcError) else error.code
            if reason == grpc.StatusCode.INVALID_ARGUMENT.name:
                return await self._search(stub, batch)
            self._counts.add(f"forward.failed.{reason.lower()}")
            _log.warning("service did not take the callbacks", reason=reason, callbacks=len(batch))
            if reason in _OF_THE_SERVICE:
                self._failures += 1
                if reason == grpc.StatusCode.DEADLINE_EXCEEDED.name:
                    self._narrow(batch)
                return []
            return [self._later(item.row) for item in batch]
        self._failures = 0
        self._batch_max = min(self._batch_max * 2, _BATCH_MAX)
        self._slow.difference_update(item.row.id for item in batch)
        return [self._outcome(item, result) for item, result in zip(batch, results, strict=True)]

    async def _call(self, stub: IngressServiceStub, batch: Sequence[_Item]) -> Sequence[IngestResult]:
        response = await stub.Ingest(
            IngestRequest(envelopes=[item.envelope for item in batch]),
            timeout=self._pace.call_timeout_ms / 1000,
            metadata=(("authorization", f"Bearer {self._token()}"),),
            wait_for_ready=True,
        )
        results: Sequence[IngestResult] = response.results
        if [one.idempotency_key for one in results] != [item.envelope.idempotency_key for item in batch]:
            raise Malformed("The service answered other callbacks than it was given.", code="mismatch")
        return results

    async def _search(self, stub: IngressServiceStub, batch: Sequence[_Item]) -> list[Outcome]:
        """The service calls the request itself wrong: halve it until the one that is wrong stands alone."""
        if len(batch) == 1:
            return [self._dead(batch[0].row, "invalid_argument")]
        middle = len(batch) // 2
        return [*await self._ingest(stub, batch[:middle]), *await self._ingest(stub, batch[middle:])]

    def _narrow(self, batch: Sequence[_Item]) -> None:
        """Try fewer at once: if it is one of them on which the service is stuck, it comes to stand alone and last."""
        self._batch_max = max(1, len(batch) // 2)
        if len(batch) == 1:
            self._slow.add(batch[0].row.id)

    def _outcome(self, item: _Item, result: IngestResult) -> Outcome:
        row = item.row
        match result.status:
            case status if status in (INGEST_STATUS_ACCEPTED, INGEST_STATUS_DUPLICATE):
                self._counts.add("forward.accepted" if status == INGEST_STATUS_ACCEPTED else "forward.duplicate")
                wanted = wanted_of(item.envelope, self._clock.now_ms())
                return Outcome(row.id, State.FORWARDED, None, result.ticket, result.message, wanted=wanted)
            case status if status == INGEST_STATUS_REJECTED:
                return self._dead(row, result.code or "rejected")
            case _:
                self._counts.add("forward.later")
                return self._later(row)

    def _dead(self, row: Waiting, code: str) -> Outcome:
        self._counts.add("forward.dead")
        _log.error("callback set aside", account=row.account, row=row.id, lane=_lane(row), code=code)
        return Outcome(row.id, State.DEAD, code=code)

    def _later(self, row: Waiting) -> Outcome:
        delay_ms = grown_ms(row.attempts, self._pace.retry_delay_ms_min, self._pace.retry_delay_ms_max, self._chance)
        return Outcome(row.id, State.RECEIVED, next_attempt_ms=self._clock.now_ms() + delay_ms)


def _bounded(rows: Sequence[Waiting]) -> Sequence[Waiting]:
    """The first rows that fit into one request, and at least one."""
    size_bytes = 0
    for count, row in enumerate(rows):
        size_bytes += len(row.raw)
        if count and size_bytes > _BATCH_BYTES_MAX:
            return rows[:count]
    return rows


def _lane(row: Waiting) -> str:
    """Tells lanes apart in logs without naming a customer."""
    return hashlib.sha256(f"{row.account}/{row.conversation}".encode()).hexdigest()[:12]

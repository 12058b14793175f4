"""Stand-ins for the gateway's surroundings; test_gateway_fakes.py holds them to what they claim."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import (
    INGEST_STATUS_ACCEPTED,
    INGEST_STATUS_DUPLICATE,
    AttachResponse,
    Envelope,
    IngestRequest,
    IngestResponse,
    IngestResult,
    MediaContent,
)
from crdt_sync.rpc.ticketsync.v1.gateway_pb2_grpc import (
    EgressServiceServicer,
    IngressServiceServicer,
    add_EgressServiceServicer_to_server,
    add_IngressServiceServicer_to_server,
)

LONG_S = 60  # what is done in the background so rarely is none of a test that does not ask for it


class SteppingClock:
    """A clock that stands still, but that whoever sleeps moves on at once; from `LONG_S` on a sleep never ends."""

    def __init__(self, now_s: int) -> None:
        self._now_ms = now_s * 1000
        self.sleeps_s: list[float] = []
        self.slept = asyncio.Event()

    def now_ms(self) -> int:
        return self._now_ms

    async def sleep(self, delay_s: float) -> None:
        if delay_s >= LONG_S:
            await asyncio.Event().wait()
        self.sleeps_s.append(delay_s)
        self.slept.set()
        self._now_ms += round(delay_s * 1000)


class HeldClock:
    """A clock that moves only when a test says so."""

    def __init__(self, now_s: int) -> None:
        self._now_ms = now_s * 1000
        self._changed = asyncio.Event()
        self._sleepers: list[tuple[float, int]] = []

    def now_ms(self) -> int:
        return self._now_ms

    async def sleep(self, delay_s: float) -> None:
        sleeper = (delay_s, self._now_ms + round(delay_s * 1000))
        self._sleepers.append(sleeper)
        self._tell()
        try:
            while self._now_ms < sleeper[1]:
                await self._changed.wait()
        finally:
            self._sleepers.remove(sleeper)

    async def asleep(self, *delays_s: float) -> None:
        """Return once somebody waits for one of these delays, which is not over."""
        async with asyncio.timeout(20):
            while not any(delay_s in delays_s and until_ms > self._now_ms for delay_s, until_ms in self._sleepers):
                await self._changed.wait()

    def advance(self, by_s: float) -> None:
        """Move on."""
        self._now_ms += round(by_s * 1000)
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class FixedChance:
    """The same bytes and the same jitter every time."""

    def octets(self, count: int) -> bytes:
        return b"\xa5" * count

    def jitter(self) -> float:
        return 0.5


class NothingToSend(EgressServiceServicer):
    """The service's side of `Claim` while nobody answers."""

    async def Claim(self, request, context: grpc.aio.ServicerContext) -> None:  # noqa: N802
        await asyncio.Event().wait()


class FakeIngress(IngressServiceServicer):
    """The service's side of `Ingest`: takes each key once, unless a script says otherwise.

    `failures` are call failures, used up one a call. `verdicts` are statuses for a key, used up one a call.
    While `gate` is closed, calls are taken and not answered. A call with a key in `stuck` takes nothing and has no end.
    """

    def __init__(self) -> None:
        self.taken: dict[str, Envelope] = {}
        self.calls: list[list[str]] = []
        self.metadata: list[dict[str, str]] = []
        self.failures: deque[grpc.StatusCode] = deque()
        self.verdicts: dict[str, deque[int]] = {}
        self.poison: set[str] = set()
        self.stuck: set[str] = set()
        self.reversed = False
        self.attached: list[tuple[str, int, str | bytes]] = []
        self.attach_failures: deque[grpc.StatusCode] = deque()
        self.attach_code = ""
        self.entered = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def Ingest(self, request: IngestRequest, context: grpc.aio.ServicerContext) -> IngestResponse:  # noqa: N802
        keys = [envelope.idempotency_key for envelope in request.envelopes]
        self.calls.append(keys)
        self.metadata.append({key: str(value) for key, value in context.invocation_metadata() or ()})
        if self.failures:
            await context.abort(self.failures.popleft(), "scripted")
        if self.poison & set(keys):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "scripted")
        if self.stuck & set(keys):
            await asyncio.Event().wait()
        results = [self._take(envelope) for envelope in request.envelopes]
        self.entered.set()
        await self.gate.wait()
        return IngestResponse(results=reversed(results) if self.reversed else results)

    async def Attach(self, steps, context: grpc.aio.ServicerContext) -> AttachResponse:  # noqa: N802
        first, data = await anext(aiter(steps)), bytearray()
        async for step in steps:
            data += step.piece
        if self.attach_failures:
            await context.abort(self.attach_failures.popleft(), "scripted")
        head = first.head
        self.attached.append((head.idempotency_key, head.index, head.code or bytes(data)))
        code = head.code or self.attach_code
        return AttachResponse(code=code) if code else AttachResponse(content=MediaContent(size=len(data)))

    def _take(self, envelope: Envelope) -> IngestResult:
        key = envelope.idempotency_key
        if self.verdicts.get(key):
            return IngestResult(idempotency_key=key, status=self.verdicts[key].popleft(), code="scripted")
        status = INGEST_STATUS_DUPLICATE if key in self.taken else INGEST_STATUS_ACCEPTED
        self.taken.setdefault(key, envelope)
        return IngestResult(idempotency_key=key, status=status, ticket="ticket", message=f"message of {key}")

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[int]:
        """Serve on loopback; the port."""
        server = grpc.aio.server()
        add_IngressServiceServicer_to_server(self, server)
        add_EgressServiceServicer_to_server(NothingToSend(), server)
        bound = server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        try:
            yield bound
        finally:
            await server.stop(None)

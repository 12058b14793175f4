"""Brings the contents of messages to the service: downloads each from its platform, or takes it from where it is held.

A lane of its own beside the forwarder, so that no text waits for a picture. At most `IN_FLIGHT_MAX` contents are in
memory at once, and one of an account, so that a platform which is stuck holds up no other. What the service does not
take at once is held beside the inbox, up to `HELD_BYTES_MAX` and what is in memory then. What a platform does not give,
or never will, ends as a code in the conversation.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import grpc
import structlog

from crdt_sync.errors import Malformed, Unavailable
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2 as pb
from crdt_sync.rpc.ticketsync.v1.gateway_pb2_grpc import IngressServiceStub
from gateway.counts import Counts
from gateway.media import PIECE_BYTES, MediaFailed, MediaPort
from gateway.media_queue import MediaQueue, Wanted
from gateway.ports import Chance, Clock
from gateway.waiting import ended, grown_ms, woken

IN_FLIGHT_MAX = 2  # contents; some 20 a second of the size of photographs, and 40 MiB of memory at worst
PATIENCE_MS = 3 * 86_400_000  # as long as WeChat and WeCom keep a content; afterwards it is not to be had
_RETRY_MS_MIN, _RETRY_MS_MAX = 1_000, 300_000
_LOOK_MS = 60_000  # how late it may be noticed that an operator has something tried again
_ATTACH_S = 30.0  # the bound of the service's calls
_FINAL = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT})
_AWAY = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})

_log = structlog.get_logger(__name__)


class Fetcher:
    """The one reader of what is wanted. `ports` are those of the accounts whose platform gives contents."""

    def __init__(
        self,
        queue: MediaQueue,
        ports: Mapping[str, MediaPort],
        *,
        bytes_max: int,
        token: Callable[[], str],
        clock: Clock,
        chance: Chance,
        counts: Counts,
    ) -> None:
        self._queue = queue
        self._ports = ports
        self._bytes_max = bytes_max
        self._token = token
        self._clock = clock
        self._chance = chance
        self._counts = counts
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    def start(self, stub: IngressServiceStub) -> None:
        """Begin with what an earlier process left."""
        self._task = asyncio.create_task(self._run(stub), name="fetcher")

    async def stop(self) -> None:
        """Give up what is under way: its row stays, and the next start begins it anew."""
        await ended(self._task)

    async def _run(self, stub: IngressServiceStub) -> None:
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    await self._bring_all(stub, group)
            except* Unavailable as errors:
                _log.error("inbox unavailable to the fetcher", reason=str(errors.exceptions[0]))
            await self._clock.sleep(grown_ms(self._failures, _RETRY_MS_MIN, _RETRY_MS_MAX, self._chance) / 1000)
            self._failures += 1

    async def _bring_all(self, stub: IngressServiceStub, group: asyncio.TaskGroup) -> None:
        """Bring what is due of accounts of which nothing is under way, for as long as the inbox answers."""
        busy: set[str] = set()
        while True:
            self._queue.news.clear()
            pause_ms = _LOOK_MS
            levels = await self._queue.levels()
            self._counts.show("media.wanted", levels.wanted)
            self._counts.show("media.held_bytes", levels.held_bytes)
            self._counts.show("media.refused_held_bytes", levels.refused_bytes)
            # Nothing more is downloaded while too much is held: that is brought first, once the service takes it.
            if len(busy) < IN_FLIGHT_MAX and (row := await self._queue.first(busy, held=levels.full)) is not None:
                pause_ms = row.next_attempt_ms - self._clock.now_ms()
                if pause_ms <= 0:
                    busy.add(row.account)
                    group.create_task(self._bring(stub, row, busy))
                    continue
            await woken(self._queue.news, self._clock, pause_ms)

    async def _bring(self, stub: IngressServiceStub, row: Wanted, busy: set[str]) -> None:
        """Boundary of a content: whatever goes wrong with it, the others are brought."""
        try:
            await self._attach(stub, row, await self._content(row))
        except MediaFailed as error:
            await self._later(row, error.code, error.delay_ms)
        except grpc.aio.AioRpcError as error:
            if error.code() in _FINAL or (error.code() not in _AWAY and self._is_late(row)):
                await self._end(row, "service_refused")
            else:
                await self._later(row, error.code().name)
        except Malformed as error:
            await self._later(row, error.code)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - see above
            _log.error("content not brought", account=row.account, error=type(error).__name__)
            await (self._end(row, "bug") if self._is_late(row) else self._later(row, "bug"))
        busy.remove(row.account)
        self._failures = 0
        self._queue.notice()

    def _is_late(self, row: Wanted) -> bool:
        return self._clock.now_ms() - row.since_ms > PATIENCE_MS

    async def _content(self, row: Wanted) -> bytes | str:
        """The bytes, or the code that says why there are none; raises `MediaFailed` where it may be asked again."""
        held = await self._queue.held(row)
        if held is not None:
            return held
        port = self._ports.get(row.account)
        if port is None or not row.platform_id:
            return "media_unsupported"
        try:
            return await port.download(row.media, bytes_max=self._bytes_max)
        except MediaFailed as error:
            if not error.again:
                return error.code
            if self._is_late(row):
                return "media_unavailable"
            raise

    async def _attach(self, stub: IngressServiceStub, row: Wanted, content: bytes | str) -> None:
        code = content if isinstance(content, str) else ""
        data = content if isinstance(content, bytes) else b""
        head = pb.AttachHead(account=row.account, idempotency_key=row.key, index=row.index, code=code)

        async def steps() -> AsyncIterator[pb.AttachRequest]:
            yield pb.AttachRequest(head=head)
            for start in range(0, len(data), PIECE_BYTES):
                yield pb.AttachRequest(piece=data[start : start + PIECE_BYTES])

        metadata = (("authorization", f"Bearer {self._token()}"),)
        try:
            shown = await stub.Attach(steps(), timeout=_ATTACH_S, metadata=metadata, wait_for_ready=True)
        except grpc.aio.AioRpcError:
            if data:
                await self._queue.hold(row, data)  # so that it is not downloaded once for each attempt
            raise
        self._counts.add("media.refused_bytes" if shown.code else "media.bytes", len(data))
        await self._end(row, shown.code)

    async def _end(self, row: Wanted, code: str) -> None:
        self._counts.add(f"media.refused.{code}" if code else "media.fetched")
        if code:
            _log.warning("content not shown", account=row.account, type=row.type, code=code)
            await self._queue.refuse(row, code)
        else:
            await self._queue.done(row)

    async def _later(self, row: Wanted, code: str, delay_ms: int | None = None) -> None:
        self._counts.add("media.later")
        _log.warning("content tried again later", account=row.account, type=row.type, code=code)
        if delay_ms is None:
            delay_ms = grown_ms(row.attempts, _RETRY_MS_MIN, _RETRY_MS_MAX, self._chance)
        await self._queue.later(row, self._clock.now_ms() + delay_ms)

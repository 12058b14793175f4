"""SyncService: batches of frames between a stream and a connection of the service. Knows no document.

A stream ends when its caller cancels it, when the service stops, or with an error. A caller that has said everything
(half-close) still hears: acknowledgements may be under way.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from itertools import chain
from typing import cast

from crdt_sync.domain.identity import Identity
from crdt_sync.errors import (
    Forbidden,
    Malformed,
    NotFound,
    NotThereYet,
    Reset,
    ServiceError,
    TicketSyncError,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from crdt_sync.rpc.status import abort
from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import sync_pb2_grpc
from crdt_sync.server.auth import Authenticator
from crdt_sync.server.grpc_calls import Context, Room, caller_of, metadata_of, read_in_time, source_of
from crdt_sync.server.grpc_dialect import GrpcDialect
from crdt_sync.server.handshake_rate import HandshakeRate
from crdt_sync.server.problems import as_ours, log_failure
from crdt_sync.server.requests import traceparent_of
from crdt_sync.service.audit import Asked, Audit
from crdt_sync.service.connection import Connection
from crdt_sync.service.connections import Connections
from crdt_sync.wire import limits
from crdt_sync.wire.status import TABLE

BATCH_BYTES = 64 * 1024  # of one message, unless a frame alone is larger: for each a reader has `STALLED_S`

_BY_CLOSE: Mapping[int, type[TicketSyncError]] = {
    TABLE[kind].close: kind
    for kind in (
        Malformed,
        TooLarge,
        Unauthenticated,
        Forbidden,
        NotFound,
        NotThereYet,
        Reset,
        Unavailable,
        ServiceError,
    )
} | {1012: Unavailable, 4501: Unauthenticated}


class SyncServicer(sync_pb2_grpc.SyncServiceServicer):
    """The call of SyncService."""

    def __init__(
        self, authenticator: Authenticator, connections: Connections, audit: Audit, rate: HandshakeRate, room: Room
    ) -> None:
        self._authenticator = authenticator
        self._rate = rate
        self._room = room
        self._connections = connections
        self._audit = audit

    async def Sync(  # noqa: N802 (named by the proto)
        self, requests: AsyncIterator[pb.ClientFrames], context: Context
    ) -> AsyncIterator[pb.ServerFrames]:
        """Carry frames both ways until the stream ends."""
        headers, source = metadata_of(context), source_of(context)
        stream = Stream(partial(self._audit.refused, Asked("grpc", "Sync", source)))

        async def authenticate(token: str | None) -> Identity:
            return await self._authenticator.authenticate(token or None, headers)

        with ExitStack() as room:
            try:
                room.enter_context(self._room())
                identity = await caller_of(context, self._authenticator, self._rate)
            except TicketSyncError as error:
                stream.fail(error)
                await abort(context, error)
            connection = self._connections.connect(
                GrpcDialect(),
                stream,
                authenticate=authenticate,
                identity=identity,
                source=source,
                trace=traceparent_of(headers.get("traceparent")),
            )
            stream.on_end = connection.ended  # what it says behind its end is answered to nobody
            reading = asyncio.ensure_future(_read(requests, connection, stream))
            try:
                async for batch in stream:
                    with read_in_time(stream.refused):
                        yield batch
            finally:
                reading.cancel()
                connection.ended()
                with suppress(asyncio.CancelledError):
                    await reading
            assert stream.failure is not None, "a stream ends with a reason"
            with read_in_time(stream.refused):
                await abort(context, stream.failure)


class Stream:
    """The outgoing half of a stream: frames queue here, up to a bound, and are given out in batches."""

    def __init__(self, refused: Callable[[str], None]) -> None:
        self.failure: TicketSyncError | None = None
        self.on_end: Callable[[], None] = lambda: None
        self._refused = refused
        self._frames: deque[pb.ServerFrame] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._pauses = 0
        self.readable = asyncio.Event()
        self.readable.set()

    def encode(self, said: Sequence[object]) -> object:
        """Leave it to gRPC."""
        return said

    def write(self, frames: Sequence[object]) -> None:
        """Queue encoded frames; a reader that is too slow for them loses the stream, and comes back for a diff."""
        if self.failure is not None:
            return
        for frame in chain.from_iterable(cast("Sequence[Sequence[pb.ServerFrame]]", frames)):
            self._frames.append(frame)
            self._bytes += frame.ByteSize()
        if len(self._frames) > limits.SEND_QUEUE_FRAMES_MAX or self._bytes > limits.SEND_QUEUE_BYTES_MAX:
            self._frames.clear()
            self.fail(Unavailable("The client reads too slowly.", code="slow_reader", advice="Connect again."))
        self._wake.set()

    def pause(self) -> None:
        """Take no message until `resume` was called as often; then HTTP/2 makes the caller wait."""
        self._pauses += 1
        self.readable.clear()

    def resume(self) -> None:
        """Take messages again."""
        self._pauses -= 1
        if self._pauses == 0:
            self.readable.set()

    def close(self, code: int, reason: str) -> None:
        """End the stream after what is queued, with the error that has this close code."""
        name, _, message = reason.partition(": ")
        kind = _BY_CLOSE.get(code, ServiceError)
        self._end(kind(message or reason, code=name if message else None))

    def fail(self, error: TicketSyncError) -> None:
        """End the stream after what is queued, and have it counted; the first reason counts."""
        self.refused(error.code)
        self._end(error)

    def refused(self, code: str) -> None:
        """Have a reason to end counted, if it is the first."""
        if self.failure is None:
            self._refused(code)

    def _end(self, error: TicketSyncError) -> None:
        self.failure = self.failure or error.detached()
        self._wake.set()
        self.on_end()

    async def __aiter__(self) -> AsyncIterator[pb.ServerFrames]:
        """Give out what queues, until the end."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._frames:
                yield pb.ServerFrames(frames=self._batch())
            if self.failure is not None:
                return

    def _batch(self) -> list[pb.ServerFrame]:
        batch: list[pb.ServerFrame] = []
        size = 0
        while self._frames and (not batch or size + self._frames[0].ByteSize() <= BATCH_BYTES):
            frame = self._frames.popleft()
            size += frame.ByteSize()
            batch.append(frame)
        self._bytes -= size
        return batch


async def _read(requests: AsyncIterator[pb.ClientFrames], connection: Connection, stream: Stream) -> None:
    try:
        async for batch in requests:
            if stream.failure is not None:
                return  # the caller has yet to read why; what it says meanwhile is of no session
            connection.receive(batch, len(batch.frames))
            await stream.readable.wait()
    except Exception as error:  # noqa: BLE001 (the task boundary of a connection: nobody else is disturbed)
        ours = as_ours(error)
        if isinstance(ours, ServiceError):
            log_failure("connection failed", error)
        stream.fail(ours)

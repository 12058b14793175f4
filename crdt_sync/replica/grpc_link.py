"""The way to a service over gRPC: documents and events on a stream each, the index and lifecycles by calls.

Each update carries a batch id, which its acknowledgement names; one that names another is a fault of the service.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Iterator, Sequence
from typing import TypeVar

import grpc

from crdt_sync.domain.ids import Digest, Position, TicketId
from crdt_sync.domain.tripwire import Agreement, Evidence, Fingerprint
from crdt_sync.errors import Malformed, NotFound, TicketSyncError, Unauthenticated, Unavailable
from crdt_sync.replica.link import (
    Answered,
    Change,
    Closed,
    Diff,
    Heard,
    Inbound,
    Join,
    Leave,
    Line,
    Listing,
    Opened,
    Outbound,
    StateVector,
    agreements_of,
    heard,
)
from crdt_sync.rpc.status import code_of
from crdt_sync.rpc.ticketsync.v1 import (
    events_pb2,
    events_pb2_grpc,
    sync_pb2,
    sync_pb2_grpc,
    tickets_pb2,
    tickets_pb2_grpc,
)
from crdt_sync.wire import cloudevents
from crdt_sync.wire.limits import BATCH_FRAMES_MAX, FRAME_BYTES_MAX

PAGE_TICKETS = 500
TIMEOUT_S = 10.0  # of a call; a phone on a bad line needs a few seconds
BATCH_BYTES = 1024 * 1024  # of one message, unless one frame alone is larger

_OPTIONS = (
    ("grpc.max_send_message_length", FRAME_BYTES_MAX),
    ("grpc.max_receive_message_length", FRAME_BYTES_MAX),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # The replica has a back-off of its own, and a channel must not be slower.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),
)

T = TypeVar("T")
Call = grpc.aio.StreamStreamCall[sync_pb2.ClientFrames, sync_pb2.ServerFrames]


class GrpcLink:
    """A service at HOST:PORT."""

    def __init__(self, target: str, token: str, *, encrypted: bool = False) -> None:
        if encrypted:
            self._channel = grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options=_OPTIONS)
        else:
            self._channel = grpc.aio.insecure_channel(target, options=_OPTIONS)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._tickets = tickets_pb2_grpc.TicketServiceStub(self._channel)
        self._events = events_pb2_grpc.EventServiceStub(self._channel)
        self._sync = sync_pb2_grpc.SyncServiceStub(self._channel)

    async def connect(self) -> Line:
        """Open a stream. That nobody answers, its first use tells."""
        return GrpcLine(self._sync.Sync(metadata=self._metadata))

    async def tickets(self, changed_after: Position) -> Listing:
        """List the tickets that changed, over as many pages as there are."""
        found: list[tuple[TicketId, Digest]] = []
        position: Position | None = None
        request = tickets_pb2.ListRequest(changed_after=changed_after, page_size=PAGE_TICKETS)
        while True:
            page = await _answer(self._tickets.List(request, metadata=self._metadata, timeout=TIMEOUT_S))
            found += [(TicketId(ticket.id), Digest(ticket.lifecycle)) for ticket in page.tickets]
            position = Position(page.position) if position is None else position
            if not page.next_page_token:
                return Listing(tuple(found), position)
            request.page_token = page.next_page_token

    async def watch(self, after: Position) -> AsyncGenerator[Heard]:
        """Hear the events on a stream of their own."""
        call = self._events.Watch(metadata=self._metadata)
        try:
            await _answer(call.write(events_pb2.WatchRequest(after_position=after)))
            while True:
                answer = await _answer(call.read())
                if not isinstance(answer, events_pb2.WatchResponse):
                    raise Unavailable("The service ended the stream.", code="unreachable")
                yield heard([*answer.events, cloudevents.encode_heartbeat(Position(answer.position))])
        except asyncio.InvalidStateError as error:  # how grpc.aio says that the call is over
            raise Unavailable("The stream has ended.", code="unreachable") from error
        finally:
            call.cancel()

    async def lifecycle(self, digest: Digest | None) -> str:
        """Fetch a lifecycle; None is the service's default."""
        request = tickets_pb2.GetLifecycleRequest(digest=digest or "")
        answer = await _answer(self._tickets.GetLifecycle(request, metadata=self._metadata, timeout=TIMEOUT_S))
        return str(answer.source)

    async def compare(self, claims: Sequence[tuple[TicketId, Fingerprint]]) -> Sequence[Agreement]:
        """Compare tickets in one call."""
        shown = [tickets_pb2.Claim(ticket=ticket, fingerprint=_fingerprint(claimed)) for ticket, claimed in claims]
        request = tickets_pb2.CompareRequest(claims=shown)
        answer = await _answer(self._tickets.Compare(request, metadata=self._metadata, timeout=TIMEOUT_S))
        return agreements_of(answer.agreements, len(claims))

    async def raise_alarm(self, ticket: TicketId, claimed: Fingerprint, evidence: Evidence) -> Evidence:
        """Exchange evidence in one call."""
        request = tickets_pb2.RaiseAlarmRequest(
            id=ticket,
            fingerprint=_fingerprint(claimed),
            evidence=tickets_pb2.Evidence(explanation=evidence.explanation, state=evidence.state),
        )
        answer = await _answer(self._tickets.RaiseAlarm(request, metadata=self._metadata, timeout=TIMEOUT_S))
        return Evidence(answer.evidence.explanation, answer.evidence.state)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close(None)


class GrpcLine:
    """One stream with many documents."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._batch_ids = itertools.count(1)
        self._unanswered: set[bytes] = set()

    async def send(self, frames: Sequence[Outbound]) -> None:
        """Send the frames in as few messages as their size allows."""
        try:
            for batch in _batches([self._encoded(frame) for frame in frames]):
                await self._call.write(sync_pb2.ClientFrames(frames=batch))
        except grpc.aio.AioRpcError as error:
            raise _failure(error) from error
        except asyncio.InvalidStateError as error:  # how grpc.aio says that the call is over
            raise Unavailable("The stream has ended.", code="unreachable") from error

    async def receive(self) -> Sequence[Inbound]:
        """Wait for the next batch."""
        batch = await _answer(self._call.read())
        if not isinstance(batch, sync_pb2.ServerFrames):
            raise Unavailable("The service ended the stream.", code="unreachable")
        return [one for frame in batch.frames for one in self._decoded(frame)]

    async def close(self) -> None:
        """End the stream."""
        self._call.cancel()

    def _encoded(self, frame: Outbound) -> sync_pb2.ClientFrame:
        document = frame.document
        match frame:
            case Join():
                return sync_pb2.ClientFrame(document=document, open=sync_pb2.Open())
            case Leave():
                return sync_pb2.ClientFrame(document=document, leave=sync_pb2.Leave())
            case StateVector():
                return sync_pb2.ClientFrame(document=document, step1=frame.state_vector)
            case Diff():
                return sync_pb2.ClientFrame(document=document, step2=self._update(frame.update))
            case Change():
                return sync_pb2.ClientFrame(document=document, update=self._update(frame.update))

    def _update(self, data: bytes) -> sync_pb2.Update:
        batch_id = next(self._batch_ids).to_bytes(8, "big")
        self._unanswered.add(batch_id)
        return sync_pb2.Update(data=data, batch_id=batch_id)

    def _decoded(self, frame: sync_pb2.ServerFrame) -> Iterator[Inbound]:
        document = frame.document
        match frame.WhichOneof("body"):
            case "opened":
                yield Opened(document, frame.opened.read_only)
            case "closed":
                yield Closed(document, frame.closed.code, frame.closed.message)
            case "step1":
                yield StateVector(document, frame.step1)
            case "step2":
                yield Diff(document, frame.step2)
            case "update":
                yield Change(document, frame.update)
            case "ack":
                if frame.ack.batch_id not in self._unanswered:
                    raise Malformed("The service acknowledged what was not sent.")
                self._unanswered.discard(frame.ack.batch_id)
                yield Answered(document, frame.ack.status == sync_pb2.ACK_STATUS_OK)
            case _:
                return  # presence, and requests for a token that this replica does not have


def _fingerprint(claimed: Fingerprint) -> tickets_pb2.Fingerprint:
    return tickets_pb2.Fingerprint(heads=claimed.heads, state=claimed.state)


def _batches(frames: Sequence[sync_pb2.ClientFrame]) -> Iterator[list[sync_pb2.ClientFrame]]:
    batch: list[sync_pb2.ClientFrame] = []
    size = 0
    for frame in frames:
        if batch and (size + frame.ByteSize() > BATCH_BYTES or len(batch) == BATCH_FRAMES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(frame)
        size += frame.ByteSize()
    if batch:
        yield batch


async def _answer(call: Awaitable[T]) -> T:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise _failure(error) from error


def _failure(error: grpc.aio.AioRpcError) -> TicketSyncError:
    code, message = code_of(error), error.details() or "The service cannot be reached."
    match error.code():
        case grpc.StatusCode.UNAUTHENTICATED:
            return Unauthenticated(message, code=code or None)
        case grpc.StatusCode.NOT_FOUND:
            return NotFound(message, code=code or None)
        case _:
            return Unavailable(message, code=code or "unreachable")

"""EventService: a caller's view of the domain events as one stream. Knows no event.

The token of a stream may end while it lasts: it asks for a fresh one, as SyncService does, and ends if none comes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, suppress
from functools import partial

import structlog

from crdt_sync.domain.access import Principal
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import Position
from crdt_sync.errors import CallerError, Malformed, Unavailable
from crdt_sync.ports import Clock
from crdt_sync.rpc.status import abort
from crdt_sync.rpc.ticketsync.v1 import events_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import events_pb2_grpc, sync_pb2
from crdt_sync.server.auth import Authenticator
from crdt_sync.server.grpc_calls import Context, Room, caller_of, metadata_of, read_in_time, source_of
from crdt_sync.server.handshake_rate import HandshakeRate
from crdt_sync.server.problems import as_ours, log_failure
from crdt_sync.service.audit import Asked, Audit
from crdt_sync.service.events import Events, Watch
from crdt_sync.service.pace import Pace, too_fast

START_S = 10.0  # for the message that says where to start
TOKEN_MESSAGES = (
    300  # what a token counts for: judging a hundred of them takes some 15 ms, and a watch needs one an hour
)
POSITION_MAX = 2**63 - 1  # a database's whole numbers end there

_log = structlog.get_logger(__name__)

Authenticate = Callable[[str | None], Awaitable[Identity]]


class EventServicer(events_pb2_grpc.EventServiceServicer):
    """The call of EventService."""

    def __init__(
        self,
        authenticator: Authenticator,
        events: Events,
        audit: Audit,
        clock: Clock,
        rate: HandshakeRate,
        room: Room,
    ) -> None:
        self._clock = clock
        self._authenticator = authenticator
        self._rate = rate
        self._room = room
        self._audit = audit
        self._events = events

    async def Watch(  # noqa: N802 (named by the proto)
        self, requests: AsyncIterator[pb.WatchRequest], context: Context
    ) -> AsyncIterator[pb.WatchResponse]:
        """Give events until the stream ends."""
        headers, source = metadata_of(context), source_of(context)
        watch: Watch | None = None
        room = ExitStack()
        principal: Principal | None = None

        async def authenticate(token: str | None) -> Identity:
            return await self._authenticator.authenticate(token or None, headers)

        try:
            room.enter_context(self._room())
            identity = await caller_of(context, self._authenticator, self._rate)
            principal = identity.principal
            watch = await self._events.watch(identity, await _start(requests), wire="grpc")
            reading = asyncio.ensure_future(_read(requests, watch, authenticate, self._clock))
            try:
                async for page in watch:
                    response = pb.WatchResponse(events=[told.text for told in page.events], position=page.position)
                    if watch.asking:
                        response.token_request.CopyFrom(sync_pb2.TokenRequest())
                    with read_in_time(partial(self._audit.refused, Asked("grpc", "Watch", source, principal))):
                        yield response
            finally:
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading
        except Exception as raised:  # noqa: BLE001 (the task boundary of a stream: nobody else is disturbed)
            error = as_ours(raised)
            if isinstance(error, CallerError) or error.code in {"full", "too_fast"}:
                self._audit.refused(Asked("grpc", "Watch", source, principal), error.code)
            elif error is not raised:
                log_failure("watch failed", raised)
        finally:
            room.close()
            if watch is not None:
                watch.close()
        await abort(context, error)


async def _start(requests: AsyncIterator[pb.WatchRequest]) -> Position | None:
    try:
        async with asyncio.timeout(START_S):
            first = await anext(aiter(requests), None)
    except TimeoutError:
        first = None
    if first is None:
        raise Malformed("The first message of a watch says where to start.", code="start_missing")
    if not first.HasField("after_position"):
        return None
    if first.after_position > POSITION_MAX:
        raise Malformed("No position is as large.", code="after")
    return Position(first.after_position)


async def _read(
    requests: AsyncIterator[pb.WatchRequest], watch: Watch, authenticate: Authenticate, clock: Clock
) -> None:
    """Take fresh tokens, not too many; a caller that has said everything still hears."""
    pace = Pace()
    try:
        async for request in requests:
            if pace.too_fast(clock, TOKEN_MESSAGES):
                watch.fail(too_fast())
                return
            try:
                identity = await authenticate(request.token.token)  # without one it is as a missing token
            except Unavailable as error:  # it was not judged; he is asked again with each page until his time is over
                _log.warning("token not judged", reason=str(error))
                continue
            watch.renew(identity)
    except Exception as raised:  # noqa: BLE001 (as above)
        watch.fail(as_ours(raised))

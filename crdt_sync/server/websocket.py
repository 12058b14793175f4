"""WebSockets: bytes between a socket and a connection of the service. Knows no frame but the signs of life.

A handshake that is refused is accepted first and then closed, because a browser never sees why it was not accepted.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

import structlog
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from crdt_sync.domain.identity import Identity
from crdt_sync.errors import ServiceError, TicketSyncError, TooLarge, Unauthenticated, Unavailable
from crdt_sync.protocol.collab_dialect import CollabDialect
from crdt_sync.protocol.dialect import Dialect
from crdt_sync.protocol.yjs_dialect import YjsDialect
from crdt_sync.server.auth import Authenticator, bearer
from crdt_sync.server.requests import check_origin, source_of, traceparent_of
from crdt_sync.service.audit import Asked, Audit
from crdt_sync.service.connection import Connection
from crdt_sync.service.connections import Connections
from crdt_sync.wire import hocuspocus, limits, ysync
from crdt_sync.wire.status import status_of

KEEPALIVE_S = 20.0  # unmodified clients of both kinds give up after 30 s without a message (wire.md, 2a and 2b)
CLOSE_S = 5.0  # a reader that does not take the close frame by then is cut off
REASON_BYTES_MAX = 123  # what RFC 6455, 5.5, leaves of a close frame beside its code
NOBODY = b"\x00"  # an awareness update about no client
NO_DOCUMENT = b"."  # an address that no provider has

_log = structlog.get_logger(__name__)


class Sockets:
    """The two endpoints."""

    def __init__(
        self,
        connections: Connections,
        authenticator: Authenticator,
        audit: Audit,
        origins: tuple[str, ...],
    ) -> None:
        self._connections = connections
        self._authenticator = authenticator
        self._audit = audit
        self._origins = origins

    def routes(self) -> list[WebSocketRoute]:
        """Return `/sync/{document}` and `/collab`."""
        return [
            WebSocketRoute("/sync/{document:path}", self.sync, name="sync"),
            WebSocketRoute("/collab", self.collab, name="collab"),
        ]

    async def sync(self, websocket: WebSocket) -> None:
        """Serve one document to a y-websocket client; its token is that of the handshake."""
        document = websocket.path_params["document"]
        keepalive = ysync.encode_awareness(NOBODY)
        await self._serve(websocket, YjsDialect(document), document, keepalive=keepalive)

    async def collab(self, websocket: WebSocket) -> None:
        """Serve many documents to a Hocuspocus provider; tokens come in-band, or with the handshake for all."""
        keepalive = hocuspocus.encode_awareness(NO_DOCUMENT, NOBODY)  # a Ping would throw in providers before 4
        await self._serve(websocket, CollabDialect(), None, keepalive=keepalive)

    async def _serve(self, websocket: WebSocket, dialect: Dialect, document: str | None, *, keepalive: bytes) -> None:
        source = source_of(websocket)
        asked = Asked(dialect.wire, document or websocket.url.path, source)
        socket = Socket(websocket, keepalive=keepalive, refused=partial(self._audit.refused, asked))
        await websocket.accept()
        authenticate = partial(_authenticate, self._authenticator, websocket.headers)
        try:
            check_origin(websocket, self._origins)
            token = bearer(websocket.headers.get("authorization")) or websocket.query_params.get("token")
            identity = await _at_handshake(authenticate, token, required=document is not None)
        except TicketSyncError as error:
            socket.fail(error)
            await socket.send()
            return
        connection = self._connections.connect(
            dialect,
            socket,
            authenticate=authenticate,
            identity=identity,
            source=source,
            trace=traceparent_of(websocket.headers.get("traceparent")),
        )
        deadline = asyncio.get_running_loop().call_later(limits.UNAUTHENTICATED_S, _demand_token, socket, connection)
        try:
            if document is not None:
                connection.join(document)
            await _exchange(socket, connection)
        finally:
            deadline.cancel()
            connection.ended()


class Socket:
    """The outgoing half of a WebSocket: frames queue here, up to a bound, and one task writes them."""

    def __init__(self, websocket: WebSocket, *, keepalive: bytes, refused: Callable[[str], None]) -> None:
        self.websocket = websocket
        self._keepalive = keepalive
        self._refused = refused
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._closing: tuple[int, str] | None = None
        self.given_up = asyncio.Event()

    def write(self, frames: Sequence[object]) -> None:
        """Queue frames; a reader that is too slow for them is closed, so that it comes back and asks for a diff."""
        if self._closing is not None:
            return
        for frame in frames:
            assert isinstance(frame, bytes), "both dialects of WebSockets speak bytes"
            self._frames.append(frame)
            self._bytes += len(frame)
        if len(self._frames) > limits.SEND_QUEUE_FRAMES_MAX or self._bytes > limits.SEND_QUEUE_BYTES_MAX:
            self._frames.clear()
            self.fail(Unavailable("The client reads too slowly.", code="slow_reader", advice="Connect again."))
        self._wake.set()

    def close(self, code: int, reason: str) -> None:
        """Close after what is queued; the first close counts."""
        if self._closing is None:
            self._closing = (code, reason)
            self._wake.set()
            asyncio.get_running_loop().call_later(CLOSE_S, self.given_up.set)

    def fail(self, error: TicketSyncError) -> None:
        """Close with what the error is on this wire, and have it counted."""
        self._refused(error.code)
        self.close(status_of(error).close, f"{error.code}: {error.message}")

    async def send(self) -> None:
        """Write what queues until the socket is closed."""
        with suppress(WebSocketDisconnect):  # whoever reads hears of it
            while True:
                try:
                    async with asyncio.timeout(KEEPALIVE_S):
                        await self._wake.wait()
                except TimeoutError:
                    await self.websocket.send_bytes(self._keepalive)
                    continue
                self._wake.clear()
                while self._frames:
                    frame = self._frames.popleft()
                    self._bytes -= len(frame)
                    await self.websocket.send_bytes(frame)
                if self._closing is not None:
                    code, reason = self._closing
                    await self.websocket.close(code, _shortened(reason))
                    return


async def _exchange(socket: Socket, connection: Connection) -> None:
    """Read and write until one side is done; a mistake of ours ends this connection alone."""
    reading = asyncio.ensure_future(_read(socket, connection))
    sending = asyncio.ensure_future(socket.send())
    giving_up = asyncio.ensure_future(socket.given_up.wait())
    try:
        await asyncio.wait({reading, sending, giving_up}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (reading, sending, giving_up):
            task.cancel()
        await asyncio.gather(reading, sending, giving_up, return_exceptions=True)


async def _read(socket: Socket, connection: Connection) -> None:
    while True:
        said = await socket.websocket.receive()
        if said["type"] == "websocket.disconnect":
            return
        data = said.get("bytes")
        if data is not None and len(data) > limits.FRAME_BYTES_MAX:
            socket.fail(TooLarge(f"A frame has at most {limits.FRAME_BYTES_MAX} bytes.", code="frame_size"))
            await asyncio.Event().wait()  # until the close is written
        try:
            connection.receive(said.get("text") if data is None else data)
        except Exception:  # noqa: BLE001 (the task boundary of a connection: nobody else is disturbed)
            _log.exception("connection failed")
            socket.fail(ServiceError("The service made a mistake; it is logged."))
            await asyncio.Event().wait()


async def _authenticate(authenticator: Authenticator, headers: Mapping[str, str], token: str | None) -> Identity:
    return await authenticator.authenticate(token or None, headers)


async def _at_handshake(
    authenticate: Callable[[str | None], Awaitable[Identity]], token: str | None, *, required: bool
) -> Identity | None:
    """Return whom the handshake names; where tokens come in-band it need not name anybody."""
    try:
        return await authenticate(token)
    except TicketSyncError:
        if token or required:
            raise
        return None


def _demand_token(socket: Socket, connection: Connection) -> None:
    if not connection.identified:
        socket.fail(Unauthenticated("No token came in time.", code="token_missing", advice="Send one, then frames."))


def _shortened(reason: str) -> str:
    return reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")

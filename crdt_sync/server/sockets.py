"""The two WebSocket endpoints: who may come in, and what each socket speaks. Carries no frame.

A handshake that is refused for what it asks is accepted first and then closed, because a browser never sees why it was
not accepted. One that comes when there is no room, or that is no handshake, is answered in HTTP.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

from starlette.datastructures import Headers

from crdt_sync.domain.identity import Identity
from crdt_sync.errors import Malformed, NotFound, TicketSyncError, Unavailable
from crdt_sync.protocol.collab_dialect import CollabDialect
from crdt_sync.protocol.dialect import Dialect
from crdt_sync.protocol.yjs_dialect import YjsDialect
from crdt_sync.server.auth import Authenticator, bearer, shown_token, vouching
from crdt_sync.server.deadlines import Deadlines
from crdt_sync.server.frame_readers import FrameReaders
from crdt_sync.server.handshake_rate import HandshakeRate, TooOften
from crdt_sync.server.partial_messages import PartialMessages
from crdt_sync.server.problems import unknown_address
from crdt_sync.server.requests import check_origin, traceparent_of
from crdt_sync.server.websocket import CLOSE_S, Socket
from crdt_sync.service.audit import Asked, Audit
from crdt_sync.service.connections import Connections
from crdt_sync.wire import hocuspocus, websocket, ysync

SYNC, COLLAB = b"/sync/", b"/collab"
ADDRESSES = ("/sync/{document:path}", "/collab")  # as a router would spell them
VERSION = "13"  # of the WebSocket protocol: RFC 6455's
RETRY_AFTER_S = 5  # for whom there is no room: by then silent strangers are gone
NOBODY = b"\x00"  # an awareness update about no client
NO_CHARACTER = "\ufffd"  # what stands for bytes that are no UTF-8
NO_DOCUMENT = b"."  # an address that no provider has
KEEPALIVE = {
    SYNC: websocket.frame(ysync.encode_awareness(NOBODY)),
    COLLAB: websocket.frame(hocuspocus.encode_awareness(NO_DOCUMENT, NOBODY)),  # a Ping throws in providers before 4
}


@dataclass(frozen=True, slots=True)
class Handshake:
    """A request that asks for a WebSocket, as HTTP has parsed it: the path undecoded."""

    path: bytes
    query: bytes
    headers: Headers
    source: str  # the address that it comes from


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a connection becomes no WebSocket, for an answer in HTTP."""

    error: TicketSyncError
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None  # where it is not the error's


class Sockets:
    """The endpoints, and every socket that they have open."""

    def __init__(
        self,
        connections: Connections,
        authenticator: Authenticator,
        deadlines: Deadlines,
        audit: Audit,
        rate: HandshakeRate,
        origins: tuple[str, ...],
        connections_max: int,
    ) -> None:
        self.open: set[Socket] = set()
        self._connections = connections
        self._authenticator = authenticator
        self.deadlines = deadlines
        self.audit = audit
        self._rate = rate
        self._origins = origins
        self._connections_max = connections_max
        self._readers: FrameReaders | None = None
        self._partials = PartialMessages()
        self._stopping = False
        self._streams = 0  # of gRPC

    def start(self, readers: FrameReaders) -> None:
        """Take sockets from now on, with frames found by these readers."""
        self._readers = readers
        self.deadlines.start()

    async def stop(self) -> None:
        """Refuse new sockets; wait until those that are open have closed, and cut off who does not."""
        self._stopping = True
        end_s = asyncio.get_running_loop().time() + CLOSE_S
        while self.open and asyncio.get_running_loop().time() < end_s:  # noqa: ASYNC110 (once in a process)
            await asyncio.sleep(0.01)
        for socket in list(self.open):
            socket.abort()
        await self.deadlines.stop()

    def full(self, beside: int) -> Denial | None:
        """Return why there is no room, if so; `beside` counts the connections that are not these sockets."""
        if not self._stopping and len(self.open) + self._streams + beside < self._connections_max:
            return None
        error = Unavailable("The service has no room for another connection.", code="full", advice="Come again.")
        return Denial(error, {"Retry-After": str(RETRY_AFTER_S)})

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Count a stream of gRPC among these for as long as it lasts.

        Raises:
            Unavailable: there is no room (`full`).

        """
        if (denial := self.full(beside=0)) is not None:
            raise denial.error
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    def upgrade(self, handshake: Handshake, transport: asyncio.Transport) -> Denial | None:
        """Make the connection a WebSocket, or return why it is none."""
        headers, path = handshake.headers, handshake.path
        if path != COLLAB and not path.startswith(SYNC):
            return Denial(unknown_address())
        if headers.get("sec-websocket-version") != VERSION:
            error = Malformed("WebSockets are spoken as in RFC 6455.", code="handshake")
            return Denial(
                error, {"Sec-WebSocket-Version": VERSION, "Upgrade": "websocket"}, HTTPStatus.UPGRADE_REQUIRED
            )
        try:
            accepted = websocket.accept(headers.get("sec-websocket-key"))
        except Malformed as error:
            return Denial(error)
        assert self._readers is not None, "the service was started"
        try:
            self._rate.arrive(handshake.source, _shown(handshake))
        except TooOften as error:
            return Denial(error)
        document = None if path == COLLAB else unquote(path.removeprefix(SYNC).decode("latin-1"))
        dialect: Dialect = CollabDialect() if document is None else YjsDialect(document)
        keepalive = KEEPALIVE[COLLAB if document is None else SYNC]
        refused = partial(self.audit.refused, Asked(dialect.wire, document or path.decode("latin-1"), handshake.source))
        socket = Socket(transport, self._readers, self.deadlines, keepalive, refused, self.open, self._partials)
        transport.set_protocol(socket)
        transport.write(_switching(accepted))
        try:
            if document is not None and NO_CHARACTER in document:
                raise NotFound("A document's name is UTF-8.", code="unknown_document")
            check_origin(handshake, self._origins)
            token = bearer(headers.get("authorization")) or _query_token(handshake.query)
        except TicketSyncError as error:
            socket.fail(error)
            return None
        socket.pause()
        arriving = self._arrive(socket, dialect, document, token, handshake)
        socket.arriving = asyncio.get_running_loop().create_task(arriving)
        return None

    async def _arrive(
        self, socket: Socket, dialect: Dialect, document: str | None, token: str | None, handshake: Handshake
    ) -> None:
        """Judge the token of the handshake, and begin; nothing is read before."""
        vouched = vouching(handshake.headers)  # the others are not kept for as long as a socket lives
        caller = Caller(self._authenticator, vouched, self._rate, handshake.source)
        judge = partial(caller.authenticate, shown=_shown(handshake))
        try:
            identity = await _at_handshake(judge, token, required=document is not None)
        except TicketSyncError as error:
            socket.fail(error)
            return
        finally:
            socket.arriving = None
        connection = self._connections.connect(
            dialect,
            socket,
            authenticate=caller.authenticate,
            identity=identity,
            source=handshake.source,
            trace=traceparent_of(handshake.headers.get("traceparent")),
        )
        socket.begin(connection)
        if document is not None:
            connection.join(document)
        socket.resume()


class Caller:
    """Whoever is at the other end of a socket: counted once a token is good, whether it came at first or in-band."""

    __slots__ = ("_authenticator", "_counted", "_headers", "_rate", "_source")

    def __init__(
        self, authenticator: Authenticator, headers: Mapping[str, str], rate: HandshakeRate, source: str
    ) -> None:
        self._authenticator = authenticator
        self._headers = headers
        self._rate = rate
        self._source = source
        self._counted = False

    async def authenticate(self, token: str | None, shown: str | None = None) -> Identity:
        """Judge a token; `shown` is what the handshake showed of it."""
        judging = self._authenticator.authenticate(token or None, self._headers)
        if self._counted:
            return await judging
        identity = await self._rate.judged(judging, shown)
        if shown is None and identity.principal.department:
            self._rate.excuse(self._source)
        self._counted = True
        return identity


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


def _shown(handshake: Handshake) -> str | None:
    return shown_token(handshake.headers.get("authorization"), _query_token(handshake.query))


def _query_token(query: bytes) -> str | None:
    return dict(parse_qsl(query.decode("latin-1"))).get("token")


def _switching(accepted: str) -> bytes:
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accepted}\r\n\r\n"
    ).encode()

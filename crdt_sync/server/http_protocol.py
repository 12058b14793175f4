"""HTTP on a connection: uvicorn's, with bounds before a request is whole, and with our own way to WebSockets.

uvicorn waits for a request's head for ever and keeps all of it; here it has seconds and bytes. Connections that ask for
`/sync` or `/collab` leave HTTP and become a `Socket`; other WebSockets are the ASGI application's.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import unquote

from starlette.datastructures import Headers
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import PayloadTooBig
from websockets.frames import Frame

from crdt_sync.errors import Malformed, TicketSyncError, TooLarge
from crdt_sync.ports import Clock
from crdt_sync.server.problems import problem
from crdt_sync.server.sockets import Denial, Handshake, Sockets
from crdt_sync.server.websocket import QUIET_S
from crdt_sync.service.audit import Asked
from crdt_sync.service.pace import Pace, too_fast
from crdt_sync.wire import limits
from crdt_sync.wire.status import Wire, status_of
from crdt_sync.wire.websocket import Violation, close_frame, text_of, too_large

HEAD_S: float = limits.UNAUTHENTICATED_S  # from the open connection to a request's whole head
SPARE_CONNECTIONS = 1_000  # beyond those for WebSockets: a full service still answers probes and requests
HEAD_BYTES_MAX = 32 * 1024  # of a request without its body: a token of 8 KiB, cookies, and as much again


class Proxies(Protocol):
    """uvicorn's, of `ProxyHeadersMiddleware`: those whose headers are believed."""

    def __contains__(self, host: str) -> bool:
        """Tell whether an address is one of them."""
        ...

    def get_trusted_client_address(self, x_forwarded_for: str) -> tuple[str, int]:
        """Return the last address that is none of them."""
        ...


class EventSocket(WebSocketsSansIOProtocol):
    """One connection that has become a WebSocket of the application's, and ends if it reads nothing or says a lot."""

    def __init__(self, *, sockets: Sockets, clock: Clock, **uvicorns: Any) -> None:  # noqa: ANN401
        super().__init__(**uvicorns)
        self.slot: int | None = None
        self._sockets = sockets
        self._clock = clock
        self._pace = Pace()
        self._deaf = False  # it has heard the last word, and what it still says is not taken

    def pause_writing(self) -> None:
        """Wait until what was written is read, but not for ever."""
        super().pause_writing()
        self._sockets.deadlines.set(self, limits.STALLED_S)

    def resume_writing(self) -> None:
        """Wait no more."""
        super().resume_writing()
        self._sockets.deadlines.discard(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._sockets.deadlines.discard(self)
        super().connection_lost(exc)

    def due(self) -> None:
        """Cut it off: a close frame would wait behind what nobody reads."""
        self._count("slow_reader")
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes, until it is told to go."""
        if not self._deaf:
            super().data_received(data)

    def handle_ping(self) -> None:
        """Answer, unless that is asked too often."""
        if not self._too_fast():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """Take it, unless it comes too often."""
        if not self._too_fast():
            super().handle_pong(event)

    def handle_cont(self, event: Frame) -> None:
        """Take a fragment, unless they come too often: empty ones have no size."""
        if not self._too_fast():
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Pass a message on, unless it is text that is none: the library would log that as a fault of ours."""
        try:
            if self.curr_msg_data_type == "text" and not self.close_sent:
                text_of(b"".join(self.frames))
        except Violation as violation:
            self._fail(violation)
        else:
            super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """Tell in our words of what is no frame that a client may send; the library's are not counted."""
        if self.close_sent:
            self.transport.close()
            return
        match self.conn.parser_exc:
            case PayloadTooBig():
                self._fail(too_large(self.config.ws_max_size))
            case UnicodeDecodeError():
                self._fail(Violation("A reason to close is UTF-8.", code="not_utf8"))
            case error:
                self._fail(Violation(str(error)))

    def _too_fast(self) -> bool:
        """Count what is no message, and costs as much."""
        if not self._deaf and self._pace.too_fast(self._clock):
            self._fail(too_fast())
        return self._deaf

    def _fail(self, error: TicketSyncError) -> None:
        """Close with a reason, a little later: to close while bytes come would reset it before that is read."""
        self._count(error.code)
        self._deaf = self.close_sent = self.disconnected = True
        self.stop_keepalive()
        status = status_of(error).close
        self.queue.put_nowait({"type": "websocket.disconnect", "code": status})
        self.transport.write(close_frame(status, f"{error.code}: {error.message}"))
        self.close_timer = self.loop.call_later(QUIET_S, self.transport.close)

    def _count(self, code: str) -> None:
        path, client = (self.scope["path"], self.scope["client"]) if self.handshake_complete else ("", self.client)
        wire: Wire = "events" if path == "/events" else "http"
        self._sockets.audit.refused(Asked(wire, path, client[0] if client else ""), code)


class HttpProtocol(HttpToolsProtocol):
    """One connection while it speaks HTTP."""

    def __init__(
        self,
        *,
        sockets: Sockets,
        proxies: Proxies,
        elsewhere: Callable[[str], bool],  # tells the paths of the application's own WebSockets
        **uvicorns: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**uvicorns)
        self._elsewhere = elsewhere
        self._proxies = proxies
        self.slot: int | None = None
        self._sockets = sockets
        self._deadlines = sockets.deadlines
        self._overhead = 0  # bytes of the current request that are not its body

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401
        """Wait for a request, but not for long."""
        super().connection_made(transport)
        denial = self._sockets.full(beside=len(self.connections) - SPARE_CONNECTIONS)
        if denial is None:
            self._deadlines.set(self, HEAD_S)
        else:
            self._deny(denial)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._deadlines.discard(self)
        super().connection_lost(exc)

    def due(self) -> None:
        """Cut off who has not sent a whole head by now, or not read what was written."""
        self._count("slow_reader" if self.flow.write_paused else "slow_head")
        self.transport.abort()

    def pause_writing(self) -> None:
        """Wait until what was written is read, but not for ever."""
        super().pause_writing()
        self._deadlines.set(self, limits.STALLED_S)

    def resume_writing(self) -> None:
        """Wait for the next head, if that is what comes."""
        super().resume_writing()
        if self.cycle is None or self.cycle.response_complete:
            self._deadlines.set(self, HEAD_S)
        else:
            self._deadlines.discard(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes, and count those that are no body."""
        if self.slot is None and not self.flow.write_paused and (self.cycle is None or self.cycle.response_complete):
            self._deadlines.set(self, HEAD_S)
        self._overhead += len(data)
        super().data_received(data)
        if self._overhead > HEAD_BYTES_MAX and self in self.connections and not self.transport.is_closing():
            error = TooLarge("A request has at most 32 KiB beside its body.", code="head_size")
            self._deny(Denial(error, status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))

    def on_message_begin(self) -> None:
        """Begin to count anew."""
        self._overhead = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Wait no more for a head; who does not read is waited for no longer because he asks for more."""
        if not self.flow.write_paused:
            self._deadlines.discard(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Leave bodies to the application's own limit."""
        self._overhead -= len(body)
        super().on_body(body)

    def handle_websocket_upgrade(self) -> None:
        """Make this a WebSocket, if there is room."""
        denial = self._sockets.full(beside=len(self.connections) - 1)
        if (self.parser.get_method(), self.parser.get_http_version()) != (b"GET", "1.1"):  # RFC 6455, 4.1
            denial = Denial(Malformed("A WebSocket handshake is a GET of HTTP/1.1.", code="handshake"))
        path, _, query = self.url.partition(b"?")
        if denial is None and self._elsewhere(unquote(path.decode("latin-1"))):
            super().handle_websocket_upgrade()
            return
        if denial is None:
            handshake = Handshake(path, query, Headers(raw=self.headers), self._source)
            denial = self._sockets.upgrade(handshake, self.transport)
        if denial is not None:
            self._deny(denial)
            return
        self.connections.discard(self)
        del self.parser  # it holds this object and is held by it

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as every other refusal."""
        self._deny(Denial(Malformed(msg, code="no_http", advice="Speak HTTP/1.1.")))

    @property
    def _source(self) -> str:
        """Return the address of the client: the peer's, or what a proxy that is believed says of it."""
        peer = self.client[0] if self.client else ""
        if peer not in self._proxies:
            return peer
        told = b",".join(value for name, value in self.headers or () if name == b"x-forwarded-for")
        return self._proxies.get_trusted_client_address(told.decode("latin-1"))[0] or peer

    def _count(self, code: str) -> None:
        path = self.url.partition(b"?")[0].decode("latin-1") if self.headers is not None else ""
        self._sockets.audit.refused(Asked("http", path, self._source), code)

    def _deny(self, denial: Denial) -> None:
        """Answer past the application, and close."""
        self._count(denial.error.code)
        answer = problem(denial.error, denial.headers, status=denial.status)
        headers = [*answer.raw_headers, *self.server_state.default_headers, (b"connection", b"close")]
        head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[answer.status_code] + head + b"\r\n" + bytes(answer.body))
        self.transport.close()

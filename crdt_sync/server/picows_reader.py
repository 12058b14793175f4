"""Frames by picows: its protocol class as a parser that is fed by hand and whose words go nowhere.

picows wants a transport, a handshake and the last word on errors. It gets an outlet that takes what it says: our own
handshake has been answered before, and an oversize frame has a close code of ours. So it can neither write past the
bounds of a socket nor close it, TLS is nothing to it, and a handshake that it would not like (`Connection: keep-alive,
Upgrade`, as Firefox sends) never reaches it. None of this is its documented surface: `problem` tries it when the
service starts, and `tests/server/test_picows_reader.py` names what changed.
"""

import logging

from picows import WSAutoPingStrategy, WSListener, WSTransport
from picows.picows import WSFrame, WSProtocol  # type: ignore[attr-defined] # its stub keeps the class to itself

from crdt_sync.server.frame_reader import Sink
from crdt_sync.wire import limits, websocket
from crdt_sync.wire.websocket import Violation

READ_BUFFER_BYTES = 2048  # picows' least; a socket holds one only while a frame is under way
KEPT_BUFFER_BYTES_MAX = 64 * 1024  # a buffer only grows, so one that grew beyond is thrown away with its reader

_NOT_UTF8, _TOO_BIG = 1007, 1009
_HANDSHAKE = (
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class PicowsReader:
    """One parser, past its handshake."""

    def __init__(self) -> None:
        self._outlet = _Outlet()
        self._listener = _Listener(self._outlet)
        self._protocol = WSProtocol(  # it takes its arguments by position
            None,  # host_port, a client's
            None,  # ws_path, a client's
            False,  # is_client_side
            lambda _: self._listener,
            _QUIET,
            True,  # disconnect_on_exception
            None,  # websocket_handshake_timeout: the handshake is fed below
            False,  # enable_auto_ping: silence is ours to break
            1,  # auto_ping_idle_timeout, unused
            1,  # auto_ping_reply_timeout, unused
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # enable_auto_pong: a pong counts against the bound of what a socket holds
            limits.FRAME_BYTES_MAX,
            None,  # extra_headers, a client's
            READ_BUFFER_BYTES,
        )
        self._protocol.connection_made(self._outlet)
        self._feed(_HANDSHAKE)
        self._outlet.said.clear()

    def feed(self, data: bytes, sink: Sink) -> bool:
        """Give each whole frame to `sink`, as `FrameReader`."""
        listener, outlet = self._listener, self._outlet
        listener.sink, listener.held = sink, True
        self._feed(data)
        if outlet.said or outlet.failure is not None:
            raise outlet.failure or _failure_of(b"".join(outlet.said))
        return listener.held

    @property
    def spent(self) -> bool:
        """Tell whether its buffer has grown too large to keep, or a close frame has come: it takes no second one."""
        return self._listener.closed or len(self._protocol.get_buffer(-1)) > KEPT_BUFFER_BYTES_MAX

    def _feed(self, data: bytes) -> None:
        protocol, listener = self._protocol, self._listener
        view, begin = memoryview(data), 0
        while begin < len(view):
            room = protocol.get_buffer(-1)
            size = min(len(room), len(view) - begin)
            room[:size] = view[begin : begin + size]
            begin += size
            listener.held = True
            protocol.buffer_updated(size)


class _Outlet:
    """What picows takes for its transport: it keeps what is written, and has nothing to send or to close."""

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.failure: Violation | None = None

    def get_extra_info(self, name: str, default: object = None) -> object:
        return _Nowhere() if name == "socket" else default

    def get_write_buffer_size(self) -> int:
        return 1  # at 0 it would write to the socket itself

    def write(self, data: bytes) -> None:
        self.said.append(bytes(data))

    def close(self) -> None:
        """Do nothing: closing is the socket's."""


class _Nowhere:
    """What picows takes for its socket, and sets options of."""

    def fileno(self) -> int:
        return -1

    def setsockopt(self, *_: object) -> None:
        pass

    def getsockopt(self, *_: object) -> int:
        return 0


class _Listener(WSListener):
    """Passes frames on."""

    def __init__(self, outlet: _Outlet) -> None:
        self._outlet = outlet
        self.sink: Sink = _nobody
        self.held = False
        self.closed = False

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        del transport
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._outlet.failure = Violation("Reserved bits are 0 where no extension was agreed on.")
        if self._outlet.failure is None:
            opcode = int(frame.msg_type)  # type: ignore[call-overload] # an IntEnum, whatever the stub says
            self.held = frame.tail_size > 0
            self.closed |= opcode == websocket.CLOSE
            self.sink(opcode, bool(frame.fin), frame.get_payload_as_bytes())


class _Quiet(logging.LoggerAdapter):  # type: ignore[type-arg]
    """Logs nothing: what a stranger sends is no error of ours, and a `Logger` would be copied for each parser."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 (logging's)
        del level
        return False


_QUIET = _Quiet(logging.getLogger("picows"), {})


def problem() -> str | None:
    """Say what picows does otherwise than we rely on, None if nothing. Call it within an event loop."""
    found: list[tuple[int, bool, bytes]] = []
    try:
        reader = PicowsReader()
        held = reader.feed(b"\x82\x83\1\2\3\4" + bytes((0x61 ^ 1, 0x62 ^ 2, 0x63 ^ 3)) + b"\x82", _append_to(found))
    except Exception as error:  # noqa: BLE001 (whatever a changed library raises)
        return repr(error)
    return None if (found, held) == ([(websocket.BINARY, True, b"abc")], True) else f"it found {found!r}"


def _append_to(found: list[tuple[int, bool, bytes]]) -> Sink:
    return lambda opcode, fin, payload: found.append((opcode, fin, payload))


def _failure_of(said: bytes) -> Exception:
    """Return why picows would close: it says so in a close frame of its own."""
    code = int.from_bytes(said[2:4], "big")
    if code == _TOO_BIG:
        return websocket.too_large()
    return Violation(said[4:].decode(errors="replace"), code="not_utf8" if code == _NOT_UTF8 else None)


def _nobody(opcode: int, fin: bool, payload: bytes) -> None:
    del opcode, fin, payload

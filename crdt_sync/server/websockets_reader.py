"""Frames by websockets, in Python: for where picows is missing.

The library takes a length in more bytes than it needs, and judges a control frame only when it is there in whole. The
head is judged here first, so that both libraries refuse the same bytes, as early and with the same code.
"""

from collections.abc import Generator

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Frame
from websockets.streams import StreamReader

from crdt_sync.server.frame_reader import Sink
from crdt_sync.wire import limits, websocket
from crdt_sync.wire.websocket import Violation

_LENGTHS = {2: range(126, 1 << 16), 8: range(1 << 16, 1 << 63)}  # RFC 6455, 5.2: what the longer forms are for


class WebsocketsReader:
    """One parser."""

    spent = False  # its buffer shrinks with what is taken out

    def __init__(self) -> None:
        self._bytes = StreamReader()
        self._parsing: Generator[None, None, Frame] | None = None
        self._reads = 0  # of the frame that is parsed: its head, and the length where that is long

    def feed(self, data: bytes, sink: Sink) -> bool:
        """Give each whole frame to `sink`, as `FrameReader`."""
        self._bytes.feed_data(data)
        while self._parsing is not None or self._bytes.buffer:
            if self._parsing is None:
                self._parsing = Frame.parse(self._read_exact, mask=True, max_size=limits.FRAME_BYTES_MAX)
                self._reads = 0
            try:
                next(self._parsing)
            except StopIteration as done:
                self._parsing = None
                found: Frame = done.value
                sink(int(found.opcode), found.fin, bytes(found.data))
            except PayloadTooBig:
                raise websocket.too_large() from None
            except ProtocolError as error:
                raise Violation(str(error)) from None
            else:
                return True
        return False

    def _read_exact(self, size: int) -> Generator[None, None, bytes | bytearray]:
        data = yield from self._bytes.read_exact(size)
        self._reads += 1
        if self._reads == 1:
            is_control, fin, length = data[0] & websocket.CLOSE, data[0] & websocket.FIN, data[1] & 0x7F
            if is_control and not (fin and length <= websocket.CONTROL_BYTES_MAX):
                raise Violation("A control frame is one frame, and short.")
        elif self._reads == 2 and size in _LENGTHS and int.from_bytes(data, "big") not in _LENGTHS[size]:
            raise Violation("A length is written in as few bytes as it needs.")
        return data

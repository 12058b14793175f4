"""Frames by websockets, in Python: for where picows is missing."""

from collections.abc import Generator

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Frame
from websockets.streams import StreamReader

from crdt_sync.server.frame_readers import Sink
from crdt_sync.wire import limits, websocket
from crdt_sync.wire.websocket import Violation


class WebsocketsReader:
    """One parser."""

    spent = False  # its buffer shrinks with what is taken out

    def __init__(self) -> None:
        self._bytes = StreamReader()
        self._parsing: Generator[None, None, Frame] | None = None

    def feed(self, data: bytes, sink: Sink) -> bool:
        """Give each whole frame to `sink`, as `FrameReader`."""
        self._bytes.feed_data(data)
        while self._parsing is not None or self._bytes.buffer:
            if self._parsing is None:
                self._parsing = Frame.parse(self._bytes.read_exact, mask=True, max_size=limits.FRAME_BYTES_MAX)
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

"""One WebSocket: bytes between a transport of the event loop and a connection of the service. Knows no document.

It has no task and no timer of its own, and holds nothing of what it has written but what the transport could not send
yet. Frames come from a reader (`frame_readers`); what they mean is said in `wire.websocket`.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import structlog

from crdt_sync.errors import ServiceError, TicketSyncError, TooLarge, Unauthenticated, Unavailable
from crdt_sync.server.deadlines import Deadlines
from crdt_sync.server.frame_reader import FrameReader
from crdt_sync.server.frame_readers import FrameReaders
from crdt_sync.server.partial_messages import PartialMessages
from crdt_sync.service.connection import Connection
from crdt_sync.wire import limits, websocket
from crdt_sync.wire.status import status_of
from crdt_sync.wire.websocket import Message, Violation

LISTEN_S = 10.0  # after a silence of this long to twice as long comes a sign of life: clients give up after 30 s
CLOSE_S = 5.0  # a peer that has not closed its side by then is cut off
QUIET_S = 0.1  # what a client still sends when it is refused follows at once
UNFINISHED_MAX = limits.MESSAGE_S // LISTEN_S  # looks that may find the same message under way
STALLS_MAX = 3  # looks, LISTEN_S apart, that may find bytes unsent and no fewer than the look before

_log = structlog.get_logger(__name__)


class Socket(asyncio.Protocol):
    """One WebSocket after its handshake; the event loop's protocol, and the connection's transport."""

    __slots__ = (
        "_closing",
        "_connection",
        "_deadlines",
        "_deaf",
        "_held_bytes",
        "_keepalive",
        "_message",
        "_noise",
        "_partial_bytes",
        "_partials",
        "_pauses",
        "_reader",
        "_readers",
        "_refused",
        "_spoke",
        "_stalls",
        "_transport",
        "_unfinished",
        "_unsent",
        "arriving",
        "open",
        "slot",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        readers: FrameReaders,
        deadlines: Deadlines,
        keepalive: bytes,
        refused: Callable[[str], None],  # hears the code of every refusal
        open_sockets: set["Socket"],
        partials: PartialMessages,
    ) -> None:
        self.slot: int | None = None
        self.arriving: asyncio.Task[None] | None = None  # while the token of the handshake is judged
        self.open = open_sockets
        self._transport = transport
        self._readers = readers
        self._deadlines = deadlines
        self._keepalive = keepalive
        self._refused = refused
        self._connection: Connection | None = None
        self._reader: FrameReader | None = None  # while it holds part of a frame
        self._held_bytes = 0  # of that part, at most
        self._message: Message | None = None  # while one comes in fragments
        self._partials = partials
        self._partial_bytes = 0  # of a message that has not ended, as `partials` was told
        self._unfinished = 0  # looks that found the same message under way
        self._pauses = 0
        self._spoke = False  # since the last look
        self._stalls = self._unsent = 0
        self._closing = False
        self._deaf = self._noise = False  # what comes is no WebSocket any more; it does come
        open_sockets.add(self)
        transport.set_write_buffer_limits(high=limits.SEND_QUEUE_BYTES_MAX)  # `pause_writing` tells of a slow reader
        deadlines.set(self, limits.UNAUTHENTICATED_S)

    def begin(self, connection: Connection) -> None:
        """Carry messages to this connection from now on."""
        self._connection = connection

    def encode(self, said: Sequence[object]) -> object:
        """Return what a dialect says as the bytes of its frames."""
        return b"".join([websocket.frame(cast(bytes, each)) for each in said])

    def write(self, frames: Sequence[object]) -> None:
        """Send encoded frames, all at once."""
        if not self._closing:
            self._spoke = True
            whole = cast("Sequence[bytes]", frames)
            self._transport.write(whole[0] if len(whole) == 1 else b"".join(whole))

    def pause(self) -> None:
        """Read nothing until `resume` was called as often."""
        self._pauses += 1
        if self._pauses == 1:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self._pauses -= 1
        if self._pauses == 0 and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self, code: int, reason: str) -> None:
        """Close after what was written; the first close counts."""
        if self._closing:
            return
        if self._connection is not None:
            self._connection.flush()
        self._end(code, reason)

    def fail(self, error: TicketSyncError) -> None:
        """Close with what the error is on this wire, and have it counted."""
        if not self._closing:
            self._refused(error.code)
        self.close(status_of(error).close, f"{error.code}: {error.message}")

    def abort(self) -> None:
        """Cut the other side off."""
        self._transport.abort()

    def due(self) -> None:
        """Look after a while: is there a token, does somebody read, was something said."""
        if self._closing:
            self._transport.abort()
            return
        if not self._identified:
            self.fail(_late_token() if self.arriving is None else _late_judgement())
            return
        unsent, before = self._transport.get_write_buffer_size(), self._unsent
        self._unsent = unsent
        self._stalls = self._stalls + 1 if unsent and unsent >= before else 0
        if self._stalls > STALLS_MAX:
            self._give_up_on_reader()
            return
        self._unfinished = self._unfinished + 1 if self._partial_bytes else 0
        if self._unfinished > UNFINISHED_MAX:
            self.fail(Unavailable("The message took too long.", code="slow_message", advice="Connect again."))
            return
        if not self._spoke:
            self._transport.write(self._keepalive)
        self._spoke = False
        self._deadlines.set(self, LISTEN_S)

    def data_received(self, data: bytes) -> None:
        """Take what came; a reader is held only while it holds part of a frame."""
        if self._deaf:
            self._noise = True
            return
        reader = self._reader or self._readers.take()
        self._reader = None
        try:
            held = reader.feed(data, self._take)
        except (Violation, TooLarge) as error:
            self.fail(error)
            self._hear_no_more()
        else:
            if held:
                self._hold(reader, len(data))
            else:
                self._held_bytes = 0
                self._readers.give_back(reader)
            if held or self._message is not None or self._partial_bytes:
                self._note_partial()

    def crowd_out(self) -> None:
        """Go, because the messages that have begun are too much together, and this one has taken the longest."""
        if self._closing:
            self._transport.abort()
        else:
            self.fail(Unavailable("Too much has begun to arrive.", code="crowded_out", advice="Connect again."))

    def pause_writing(self) -> None:
        """Give up on a client that is too slow for what it asked for: it comes back and asks for a diff."""
        if self._closing:
            self._transport.abort()
        else:
            self._give_up_on_reader()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything; the transport is gone."""
        del exc
        self._closing = True
        self._leave()
        self._reader = self._message = None
        self._deadlines.discard(self)
        self.open.discard(self)

    @property
    def _message_bytes_max(self) -> int:
        return limits.FRAME_BYTES_MAX if self._identified else limits.UNAUTHENTICATED_BYTES_MAX

    @property
    def _identified(self) -> bool:
        return self._connection is not None and self._connection.identified

    def _hold(self, reader: FrameReader, size: int) -> None:
        """Keep the part of a frame that came, unless a stranger sends too much of it."""
        self._reader = reader
        self._held_bytes += size
        if self._held_bytes > self._message_bytes_max + size:
            self._reader = None
            self.fail(websocket.too_large(self._message_bytes_max))
            self._hear_no_more()

    def _note_partial(self) -> None:
        """Have the part of a message that is held counted."""
        self._partial_bytes = self._held_bytes + (0 if self._message is None else self._message.held_bytes)
        self._partials.set(self, self._partial_bytes)

    def _hear_no_more(self) -> None:
        """Close once it is quiet: to close while bytes come would reset the connection before the last word is read."""
        self._deaf, self._noise = True, False
        asyncio.get_running_loop().call_later(QUIET_S, self._close_if_quiet)

    def _close_if_quiet(self) -> None:
        if self._noise:
            self._hear_no_more()
        else:
            self._transport.close()

    def _take(self, opcode: int, fin: bool, payload: bytes) -> None:
        """Take one frame."""
        self._held_bytes = 0
        try:
            if opcode >= websocket.CLOSE:
                self._control(opcode, payload)
            elif not self._closing:
                self._data(opcode, payload, fin=fin)
        except (Violation, TooLarge) as error:
            self.fail(error)
        except Exception:  # noqa: BLE001 (the boundary of a connection: nobody else is disturbed)
            _log.exception("connection failed")
            self.fail(ServiceError("The service made a mistake; it is logged."))

    def _data(self, opcode: int, payload: bytes, *, fin: bool) -> None:
        message: bytes | str | None = payload
        if self._message is not None or not fin or opcode != websocket.BINARY:
            if self._message is None:
                self._message = Message()
            message = self._message.take(opcode, payload, fin=fin, bytes_max=self._message_bytes_max)
            if message is None:
                self._too_fast()
                return
            self._message = None
        self._unfinished = 0
        if self._connection is None:
            raise Violation("A client waits for the answer to its handshake.")
        self._connection.receive(message)

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode != websocket.CLOSE:
            if not (self._closing or self._too_fast()) and opcode == websocket.PING:
                self._transport.write(websocket.frame(payload, websocket.PONG))
        else:
            code = websocket.close_code(payload)
            if not self._closing:
                self._end(code, "")
            self._transport.close()

    def _too_fast(self) -> bool:
        """Count what is no message, and costs as much."""
        return self._connection is not None and self._connection.too_fast()

    def _give_up_on_reader(self) -> None:
        error = Unavailable("The client reads too slowly.", code="slow_reader", advice="Connect again.")
        self._refused(error.code)
        self._end(status_of(error).close, f"{error.code}: {error.message}")

    def _end(self, code: int, reason: str) -> None:
        """Say the last word; what comes now is not heard, but for the other side's."""
        self._closing = True
        self._transport.write(websocket.close_frame(code, reason))
        self._leave()
        if self._pauses and not self._transport.is_closing():
            self._transport.resume_reading()
        self._deadlines.set(self, CLOSE_S)

    def _leave(self) -> None:
        """Let go of the service."""
        if self.arriving is not None and self.arriving is not asyncio.current_task():
            self.arriving.cancel()
        self._partials.set(self, 0)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.ended()


def _late_token() -> Unauthenticated:
    return Unauthenticated("No token came in time.", code="token_late", advice="Connect again, and send one.")


def _late_judgement() -> Unavailable:
    return Unavailable("The token could not be judged in time.", advice="Connect again in a moment.")

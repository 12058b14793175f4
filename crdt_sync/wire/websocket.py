"""RFC 6455, the server's half, without I/O: the handshake's answer, frames to send, messages out of frames that came.

Whoever parses the bytes that arrive (`crdt_sync.server.frame_readers`) only finds frames; what they mean is decided
here, so that every parser means the same.
"""

import base64
import binascii
import hashlib
import struct

from crdt_sync.errors import Malformed, TooLarge
from crdt_sync.wire import limits

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

NO_CODE = 1005  # never on the wire: the close frame was empty

CONTROL_BYTES_MAX = 125  # RFC 6455, 5.5
REASON_BYTES_MAX = CONTROL_BYTES_MAX - 2  # beside the close code
FIN = 0x80  # in the first byte of a message's last frame

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_KEY_BYTES = 16


class Violation(Malformed):
    """The other side broke RFC 6455; text that is none has the code `not_utf8`."""

    default_code = "protocol"


def accept(key: str | None) -> str:
    """Return the `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`.

    Raises:
        Malformed: the key is not 16 bytes in base64.

    """
    try:
        bare = base64.b64decode((key or "").encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        bare = b""
    if key is None or len(bare) != _KEY_BYTES:
        raise Malformed("A WebSocket handshake has a key of 16 bytes in base64.", code="handshake")
    return base64.b64encode(hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()).decode()


def frame(payload: bytes, opcode: int = BINARY) -> bytes:
    """Return a whole message in one frame, unmasked as a server's are."""
    size = len(payload)
    if size < 126:
        return bytes((FIN | opcode, size)) + payload
    if size < 65_536:
        return struct.pack("!BBH", FIN | opcode, 126, size) + payload
    return struct.pack("!BBQ", FIN | opcode, 127, size) + payload


def close_frame(code: int, reason: str) -> bytes:
    """Return a close frame; a reason that is too long is `shortened`. `NO_CODE` makes an empty one."""
    if code == NO_CODE:
        return frame(b"", CLOSE)
    return frame(struct.pack("!H", code) + shortened(reason).encode(), CLOSE)


def shortened(reason: str) -> str:
    """Return as much of a reason as a close frame holds, cut between characters."""
    return reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")


def close_code(payload: bytes) -> int:
    """Return the code of a close frame that came.

    Raises:
        Violation: the frame is none, or its code is none that may be sent (RFC 6455, 7.4).

    """
    if not payload:
        return NO_CODE
    if len(payload) == 1:
        raise Violation("A close frame has no code or one of two bytes.")
    code = int.from_bytes(payload[:2], "big")
    if not (3000 <= code < 5000 or (1000 <= code <= 1014 and code not in {1004, 1005, 1006})):
        raise Violation("No such close code may be sent.")
    text_of(payload[2:])
    return code


class Message:
    """The message that is arriving: it may come in fragments, and control frames between them."""

    __slots__ = ("_opcode", "_parts")

    def __init__(self) -> None:
        self._parts: bytearray | None = None
        self._opcode = BINARY

    @property
    def held_bytes(self) -> int:
        """What has come so far."""
        return len(self._parts or b"")

    def take(self, opcode: int, payload: bytes, *, fin: bool, bytes_max: int) -> bytes | str | None:
        """Add a data frame; return the message if this was its last.

        Raises:
            Violation: a fragment of no message, a message within a message, or text that is not UTF-8.
            TooLarge: the fragments are more than `bytes_max` together (`frame_size`).

        """
        if (opcode == CONTINUATION) != (self._parts is not None):
            raise Violation("A fragment belongs to the message that was begun, and nothing else comes before its end.")
        if self._parts is None:
            if fin:
                return text_of(payload) if opcode == TEXT else payload
            self._parts, self._opcode = bytearray(), opcode
        if len(self._parts) + len(payload) > bytes_max:
            raise too_large(bytes_max)
        self._parts += payload
        if not fin:
            return None
        whole, self._parts = bytes(self._parts), None
        return text_of(whole) if self._opcode == TEXT else whole


def too_large(bytes_max: int = limits.FRAME_BYTES_MAX) -> TooLarge:
    """Return what refuses a message over the limit."""
    return TooLarge(f"A message has at most {bytes_max} bytes here.", code="frame_size")


def text_of(payload: bytes) -> str:
    """Return what a message of text says.

    Raises:
        Violation: it is not UTF-8 (`not_utf8`).

    """
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise Violation("Text is UTF-8.", code="not_utf8") from None

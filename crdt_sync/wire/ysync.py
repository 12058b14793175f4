"""The frames of y-websocket: bytes to frames and back, one message a WebSocket frame.

It judges form only: updates, state vectors and presence inside a frame stay bytes here, and `crdt_sync.documents` and
`crdt_sync.wire.awareness` read them.

Source: https://github.com/yjs/y-protocols, PROTOCOL.md, and y-websocket 3.1.
"""

from dataclasses import dataclass

from crdt_sync.errors import Malformed, TooLarge
from crdt_sync.wire.lib0 import Reader, var_bytes, var_string, var_uint_at
from crdt_sync.wire.limits import FRAME_BYTES_MAX, TEXT_BYTES_MAX

_SYNC, _AWARENESS, _AUTH, _QUERY_AWARENESS = range(4)
_STEP1, _STEP2, _UPDATE = range(3)
_PERMISSION_DENIED = 0
UPDATE_HEAD = bytes((_SYNC, _UPDATE))


@dataclass(frozen=True, slots=True)
class Step1:
    """What the sender has: answer with what it lacks."""

    state_vector: bytes


@dataclass(slots=True)  # not frozen: that would double the cost of making one, and one is made for every keystroke
class Step2:
    """The answer to a `Step1`."""

    update: bytes


@dataclass(slots=True)  # not frozen, as `Step2`
class Update:
    """One update that its sender made."""

    update: bytes


@dataclass(frozen=True, slots=True)
class Awareness:
    """Presence of some clients, still encoded."""

    states: bytes


@dataclass(frozen=True, slots=True)
class QueryAwareness:
    """Asks for all presence."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The document may not be read or written; only a service sends it."""

    reason: str


Sync = Step1 | Step2 | Update
Frame = Sync | Awareness | QueryAwareness | Denied


def decode(data: bytes) -> Frame:
    """Return the one frame that `data` holds.

    Raises:
        Malformed: `data` is not exactly one frame of a known type.
        TooLarge: more than `FRAME_BYTES_MAX`, or a reason above `TEXT_BYTES_MAX`.

    """
    check_size(data)
    frame: Frame
    reader = Reader(data)
    kind = reader.var_uint()
    if kind == _SYNC:
        frame = read_sync(reader)
    elif kind == _AWARENESS:
        frame = Awareness(reader.var_bytes())
    elif kind == _QUERY_AWARENESS:
        frame = QueryAwareness()
    elif kind == _AUTH:
        frame = _read_auth(reader)
    else:
        raise Malformed(f"There is no message type {kind}.")
    reader.end()
    return frame


def update_of(data: bytes) -> bytes | None:
    """Return the update that the frame holds, as nearly every one does; None if `decode` is to say what it is.

    Raises:
        Malformed: the length of an update does not decode.

    """
    if data.startswith(UPDATE_HEAD):
        length, start = var_uint_at(data, len(UPDATE_HEAD))
        if start + length == len(data) <= FRAME_BYTES_MAX:
            return data[start:]
    return None


def check_size(data: bytes) -> None:
    """Refuse a frame that no socket may carry.

    Raises:
        TooLarge: more than `FRAME_BYTES_MAX`.

    """
    if len(data) > FRAME_BYTES_MAX:
        raise TooLarge(f"A frame of {len(data)} bytes where {FRAME_BYTES_MAX} are allowed.")


def read_sync(reader: Reader) -> Sync:
    """Return the body of a sync message, whose type was read."""
    step = reader.var_uint()
    if step == _UPDATE:
        return Update(reader.var_bytes())
    if step == _STEP2:
        return Step2(reader.var_bytes())
    if step == _STEP1:
        return Step1(reader.var_bytes())
    raise Malformed(f"There is no sync message {step}.")


def _read_auth(reader: Reader) -> Denied:
    code = reader.var_uint()
    if code != _PERMISSION_DENIED:
        raise Malformed(f"There is no authentication message {code}.")
    return Denied(reader.var_string(TEXT_BYTES_MAX))


def encode_step1(state_vector: bytes) -> bytes:
    """Write a `Step1`."""
    return b"\x00\x00" + var_bytes(state_vector)


def encode_step2(update: bytes) -> bytes:
    """Write a `Step2`."""
    return b"\x00\x01" + var_bytes(update)


def encode_update(update: bytes) -> bytes:
    """Write an `Update`."""
    return b"\x00\x02" + var_bytes(update)


def encode_awareness(states: bytes) -> bytes:
    """Write an `Awareness`."""
    return b"\x01" + var_bytes(states)


def encode_query_awareness() -> bytes:
    """Write a `QueryAwareness`."""
    return b"\x03"


def encode_denied(reason: str) -> bytes:
    """Write a `Denied`."""
    return b"\x02\x00" + var_string(reason)

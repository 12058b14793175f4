"""The frames of Hocuspocus: many documents on one socket, each frame behind the address of its document.

One decoder reads both directions. It judges form only; which frames a client may send is the session's to say.

Source: https://github.com/ueberdosis/hocuspocus, packages common, provider and server, 2.x to 4.7.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from crdt_sync.domain.ids import DOCUMENT_NAME_BYTES_MAX
from crdt_sync.errors import Malformed, TooLarge
from crdt_sync.wire import ysync
from crdt_sync.wire.lib0 import Reader, var_bytes, var_bytes_at, var_string, var_string_at, var_uint_at
from crdt_sync.wire.limits import ADDRESS_BYTES_MAX, TEXT_BYTES_MAX, TOKEN_BYTES_MAX
from crdt_sync.wire.ysync import UPDATE_HEAD, Awareness, QueryAwareness, Sync, Update


class _Type(IntEnum):
    SYNC = 0
    AWARENESS = 1
    AUTH = 2
    QUERY_AWARENESS = 3
    SYNC_REPLY = 4
    STATELESS = 5
    BROADCAST_STATELESS = 6
    CLOSE = 7
    SYNC_STATUS = 8
    PING = 9
    PONG = 10


_TOKEN, _PERMISSION_DENIED, _AUTHENTICATED = range(3)
_READ_WRITE, _READONLY = "read-write", "readonly"


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for a `Pong`; the whole frame is one byte without address."""


@dataclass(frozen=True, slots=True)
class Pong:
    """Answers a `Ping`; the whole frame is one byte without address."""


@dataclass(frozen=True, slots=True)
class SyncReply:
    """A sync message that asks for no further step 1; servers exchange it, clients do not."""

    frame: Sync


@dataclass(frozen=True, slots=True)
class Token:
    """A client's token for one document. `version` is the provider's; providers before 4 send none."""

    token: str
    version: str | None


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Asks the client for a fresh token."""


@dataclass(frozen=True, slots=True)
class PermissionDenied:
    """The token does not open the document."""

    reason: str


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The token opens the document."""

    read_only: bool


@dataclass(frozen=True, slots=True)
class Stateless:
    """A text outside the document."""

    payload: str


@dataclass(frozen=True, slots=True)
class BroadcastStateless:
    """A text for every other client; refused from clients."""

    payload: str


@dataclass(frozen=True, slots=True)
class Close:
    """One document ends on this socket. Clients give no reason."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """Answers exactly one Step2 or Update: accepted means committed."""

    accepted: bool


Frame = (
    Sync
    | Awareness
    | QueryAwareness
    | SyncReply
    | Token
    | TokenRequest
    | PermissionDenied
    | Authenticated
    | Stateless
    | BroadcastStateless
    | Close
    | SyncStatus
)


@dataclass(slots=True)  # not frozen, as `ysync.Step2`
class Addressed:
    """A frame and the document that it concerns.

    `address` goes back verbatim on every answer: the document's name, or the name, a zero byte and a session id.
    """

    address: bytes
    document: str
    frame: Frame


def decode(data: bytes) -> Addressed | Ping | Pong:
    """Return the one frame that `data` holds.

    Raises:
        Malformed: `data` is not exactly one frame of a known type.
        TooLarge: the frame, its address or one of its texts is over its limit.

    """
    ysync.check_size(data)
    if len(data) == 1:
        return _beat(data[0])
    length, _ = var_uint_at(data, 0)
    if length > ADDRESS_BYTES_MAX:
        raise TooLarge(f"An address of {length} bytes where {ADDRESS_BYTES_MAX} are allowed.")
    address, at = var_bytes_at(data, 0)
    document = _document(address)
    if data.startswith(UPDATE_HEAD, at):  # as nearly every frame does; one that is wrong is read again, slowly
        size, start = var_uint_at(data, at + len(UPDATE_HEAD))
        if start + size == len(data):
            return Addressed(address, document, Update(data[start:]))
    reader = Reader(data, at)
    frame = _read_body(reader, reader.var_uint())
    reader.end()
    return Addressed(address, document, frame)


@lru_cache(maxsize=1024)  # a connection names a few documents, in every frame
def _document(address: bytes) -> str:
    text, _ = var_string_at(var_bytes(address), 0)
    document, _, session = text.partition("\0")
    if not document.strip() or len(document.encode()) > DOCUMENT_NAME_BYTES_MAX or "\0" in session:
        raise Malformed("The frame's address names no document.")
    return document


def _beat(byte: int) -> Ping | Pong:
    if byte == _Type.PING:
        return Ping()
    if byte == _Type.PONG:
        return Pong()
    raise Malformed(f"A frame of the single byte {byte} is neither Ping nor Pong.")


def _read_body(reader: Reader, kind: int) -> Frame:
    match kind:
        case _Type.SYNC:
            return ysync.read_sync(reader)
        case _Type.AWARENESS:
            return Awareness(reader.var_bytes())
        case _Type.AUTH:
            return _read_auth(reader)
        case _Type.QUERY_AWARENESS:
            return QueryAwareness()
        case _Type.SYNC_REPLY:
            return SyncReply(ysync.read_sync(reader))
        case _Type.STATELESS:
            return Stateless(reader.var_string(TEXT_BYTES_MAX))
        case _Type.BROADCAST_STATELESS:
            return BroadcastStateless(reader.var_string(TEXT_BYTES_MAX))
        case _Type.CLOSE:
            return Close(None if reader.at_end() else reader.var_string(TEXT_BYTES_MAX))
        case _Type.SYNC_STATUS:
            return _read_status(reader)
        case _:
            raise Malformed(f"There is no addressed message type {kind}.")


def _read_auth(reader: Reader) -> Token | TokenRequest | PermissionDenied | Authenticated:
    code = reader.var_uint()
    if code == _TOKEN:
        if reader.at_end():
            return TokenRequest()
        token = reader.var_string(TOKEN_BYTES_MAX)
        return Token(token, None if reader.at_end() else reader.var_string(TEXT_BYTES_MAX))
    if code == _PERMISSION_DENIED:
        return PermissionDenied(reader.var_string(TEXT_BYTES_MAX))
    if code == _AUTHENTICATED:
        scope = reader.var_string(TEXT_BYTES_MAX)
        if scope in {_READ_WRITE, _READONLY}:
            return Authenticated(scope == _READONLY)
        raise Malformed(f"There is no scope {scope[:40]!r}.")
    raise Malformed(f"There is no authentication message {code}.")


def _read_status(reader: Reader) -> SyncStatus:
    status = reader.var_uint()
    if status > 1:
        raise Malformed(f"There is no sync status {status}.")
    return SyncStatus(status == 1)


def _addressed(address: bytes, kind: int, body: bytes = b"") -> bytes:
    return b"%b%c%b" % (var_bytes(address), kind, body)


def encode_step1(address: bytes, state_vector: bytes) -> bytes:
    """Write a `Step1`."""
    return b"%b\x00\x00%b" % (var_bytes(address), var_bytes(state_vector))


def encode_step2(address: bytes, update: bytes) -> bytes:
    """Write a `Step2`."""
    return b"%b\x00\x01%b" % (var_bytes(address), var_bytes(update))


def encode_update(address: bytes, update: bytes) -> bytes:
    """Write an `Update`."""
    return b"%b\x00\x02%b" % (var_bytes(address), var_bytes(update))


def encode_awareness(address: bytes, states: bytes) -> bytes:
    """Write an `Awareness`."""
    return _addressed(address, _Type.AWARENESS, var_bytes(states))


def encode_query_awareness(address: bytes) -> bytes:
    """Write a `QueryAwareness`."""
    return _addressed(address, _Type.QUERY_AWARENESS)


def encode_token(address: bytes, token: str, version: str | None = None) -> bytes:
    """Write a `Token`."""
    tail = b"" if version is None else var_string(version)
    return _addressed(address, _Type.AUTH, b"\x00" + var_string(token) + tail)


def encode_token_request(address: bytes) -> bytes:
    """Write a `TokenRequest`."""
    return _addressed(address, _Type.AUTH, b"\x00")


def encode_permission_denied(address: bytes, reason: str) -> bytes:
    """Write a `PermissionDenied`."""
    return _addressed(address, _Type.AUTH, b"\x01" + var_string(reason))


def encode_authenticated(address: bytes, *, read_only: bool) -> bytes:
    """Write an `Authenticated`."""
    return _addressed(address, _Type.AUTH, b"\x02" + var_string(_READONLY if read_only else _READ_WRITE))


def encode_stateless(address: bytes, payload: str) -> bytes:
    """Write a `Stateless`."""
    return _addressed(address, _Type.STATELESS, var_string(payload))


def encode_close(address: bytes, reason: str | None = None) -> bytes:
    """Write a `Close`; a service gives its reason."""
    return _addressed(address, _Type.CLOSE, b"" if reason is None else var_string(reason))


@lru_cache(maxsize=1024)  # one an update, and the same for all of a document
def encode_sync_status(address: bytes, *, accepted: bool) -> bytes:
    """Write a `SyncStatus`."""
    return _addressed(address, _Type.SYNC_STATUS, b"\x01" if accepted else b"\x00")


def encode_ping() -> bytes:
    """Write a `Ping`."""
    return b"\x09"


def encode_pong() -> bytes:
    """Write a `Pong`."""
    return b"\x0a"

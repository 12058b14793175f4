"""The Hocuspocus wire as a dialect: many documents a connection, in-band tokens, one SyncStatus an update.

A key is the frame's address: the document's name, or the name and a session id behind a NUL.
Source: @hocuspocus/provider 2.15, 3.4 and 4.7, server 4.7; proto/PROTOCOL.md says what we refuse.
"""

from collections.abc import Sequence

from crdt_sync.errors import CallerError, Malformed, ServiceError, TicketSyncError
from crdt_sync.protocol import dialect as said
from crdt_sync.protocol.dialect import Inbound
from crdt_sync.wire import hocuspocus, ysync
from crdt_sync.wire.lib0 import Reader
from crdt_sync.wire.limits import ADDRESS_BYTES_MAX
from crdt_sync.wire.status import Wire

STATELESS_REFUSED = '{"code":"stateless","message":"This service passes no stateless texts on."}'


class CollabDialect:
    """What Hocuspocus clients say and hear."""

    wire: Wire = "collab"
    echoes = True
    token_per_document = True
    step1_follows_step1 = True

    def __init__(self) -> None:
        self._brings_tokens = False  # 2.x sends none where none is configured: its first frame is then a Step1
        self._names_version = False  # providers before 4 do not, and 2.x fails on a Close

    def decode(self, data: object) -> Sequence[Inbound]:
        """Read one WebSocket message."""
        if not isinstance(data, bytes):
            return (Inbound("", "", said.Broken(Malformed("A text message came where only binary ones count."), b"")),)
        try:
            frame = hocuspocus.decode(data)
        except CallerError as error:
            address = _address(data)
            document = address.partition("\0")[0]
            return (Inbound(address, document, said.Broken(error.detached(), data)),)
        match frame:
            case hocuspocus.Ping():
                return (Inbound("", "", said.Answered(hocuspocus.encode_pong())),)
            case hocuspocus.Pong():
                return ()
            case hocuspocus.Addressed():
                if isinstance(frame.frame, hocuspocus.Token):
                    self._brings_tokens, self._names_version = True, frame.frame.version is not None
                key, document = frame.address.decode(), frame.document
                inbound = Inbound(key, document, _body(frame, data))
                joins = isinstance(inbound.body, said.StateVector) and not self._brings_tokens
                return (Inbound(key, document, said.Join()), inbound) if joins else (inbound,)

    def opened(self, key: str, *, writable: bool) -> Sequence[object]:
        """Say that the token opens the document."""
        return (hocuspocus.encode_authenticated(key.encode(), read_only=not writable),)

    def denied(self, key: str, error: TicketSyncError) -> Sequence[object]:
        """Say that it does not; the socket stays open for other documents. A failure of ours closes the socket."""
        if isinstance(error, ServiceError) or error.retryable:
            return ()
        return (hocuspocus.encode_permission_denied(key.encode(), f"{error.code}: {error.message}"),)

    def ask_token(self, key: str) -> Sequence[object]:
        """Ask as a Hocuspocus server does; the provider answers with what its `token` gives now."""
        return (hocuspocus.encode_token_request(key.encode()),)

    def step1(self, key: str, state_vector: bytes) -> object:
        """Ask for what the service lacks."""
        return hocuspocus.encode_step1(key.encode(), state_vector)

    def step2(self, key: str, update: bytes) -> object:
        """Give what the client lacks."""
        return hocuspocus.encode_step2(key.encode(), update)

    def update(self, key: str, data: bytes) -> object:
        """Relay a committed update."""
        return hocuspocus.encode_update(key.encode(), data)

    def awareness(self, key: str, data: bytes) -> object:
        """Relay presence."""
        return hocuspocus.encode_awareness(key.encode(), data)

    def acknowledged(self, key: str, ref: bytes, position: int) -> Sequence[object]:
        """Say that one update is committed; the provider counts."""
        del ref, position
        return (hocuspocus.encode_sync_status(key.encode(), accepted=True),)

    def refused(self, key: str, ref: bytes, error: TicketSyncError) -> Sequence[object]:
        """Say that one update was not accepted."""
        del ref, error
        return (hocuspocus.encode_sync_status(key.encode(), accepted=False),)

    def closed(self, key: str, ref: bytes | None, error: TicketSyncError) -> Sequence[object]:
        """Refuse the update and close the document; a provider does not attach it again.

        So a failure of ours closes the socket instead, and the provider comes back with all its documents.
        """
        if isinstance(error, ServiceError) or error.retryable:
            return ()
        address, reason = key.encode(), f"{error.code}: {error.message}"
        nack = () if ref is None else (hocuspocus.encode_sync_status(address, accepted=False),)
        end = hocuspocus.encode_close if self._names_version else hocuspocus.encode_permission_denied
        return (*nack, end(address, reason))


def _address(data: bytes) -> str:
    """Return the address of a frame whose body does not decode, so that only its document is closed."""
    try:
        return Reader(data).var_string(ADDRESS_BYTES_MAX)
    except CallerError:
        return ""


def _body(addressed: hocuspocus.Addressed, data: bytes) -> said.Body:
    match addressed.frame:
        case ysync.Step1(state_vector):
            return said.StateVector(state_vector)
        case ysync.Step2(update) | ysync.Update(update):
            return said.Change(update)
        case ysync.Awareness(states):
            return said.Awareness(states)
        case ysync.QueryAwareness():
            return said.PresenceQuery()
        case hocuspocus.Token(token):
            return said.Token(token)
        case hocuspocus.Close():
            return said.Part()
        case hocuspocus.Stateless():
            refusal = hocuspocus.encode_stateless(addressed.address, STATELESS_REFUSED)
            return said.Answered(refusal, "stateless")
        case _:
            return said.Broken(Malformed("This frame is not for clients to send.", code="not_for_clients"), data)

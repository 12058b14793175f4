"""The y-websocket wire as a dialect: one document a connection, and the echo of an update is its acknowledgement.

Source: y-websocket 3.1 and y-protocols; proto/PROTOCOL.md says what we add.
"""

from collections.abc import Sequence

from crdt_sync.errors import CallerError, Malformed, TicketSyncError
from crdt_sync.protocol import dialect as said
from crdt_sync.protocol.dialect import Inbound
from crdt_sync.wire import ysync
from crdt_sync.wire.status import Wire


class YjsDialect:
    """What y-websocket clients say and hear. The only key is the document's name."""

    wire: Wire = "sync"
    echoes = True
    token_per_document = False
    step1_follows_step1 = False

    def __init__(self, document: str) -> None:
        self.document = document

    def decode(self, data: object) -> Sequence[Inbound]:
        """Read one WebSocket message."""
        return (Inbound(self.document, self.document, _body(data)),)

    def opened(self, key: str, *, writable: bool) -> Sequence[object]:
        """Say nothing: the wire has no word for it."""
        del key, writable
        return ()

    def denied(self, key: str, error: TicketSyncError) -> Sequence[object]:
        """Say nothing: the close code says it."""
        del key, error
        return ()

    def ask_token(self, key: str) -> Sequence[object]:
        """Say nothing: the token is that of the handshake."""
        del key
        return ()

    def step1(self, key: str, state_vector: bytes) -> object:
        """Ask for what the service lacks."""
        del key
        return ysync.encode_step1(state_vector)

    def step2(self, key: str, update: bytes) -> object:
        """Give what the client lacks."""
        del key
        return ysync.encode_step2(update)

    def update(self, key: str, data: bytes) -> object:
        """Relay a committed update."""
        del key
        return ysync.encode_update(data)

    def awareness(self, key: str, data: bytes) -> object:
        """Relay presence."""
        del key
        return ysync.encode_awareness(data)

    def acknowledged(self, key: str, ref: bytes, position: int) -> Sequence[object]:
        """Say nothing: the echo says it."""
        del key, ref, position
        return ()

    def refused(self, key: str, ref: bytes, error: TicketSyncError) -> Sequence[object]:
        """Name the refusal; clients print it. A failure of ours is silent: the client will be asked for it again."""
        del key, ref
        return (ysync.encode_denied(f"{error.code}: {error.message}"),) if isinstance(error, CallerError) else ()

    def closed(self, key: str, ref: bytes | None, error: TicketSyncError) -> Sequence[object]:
        """Say nothing: the close code says it."""
        del key, ref, error
        return ()


def _body(data: object) -> said.Body:
    if not isinstance(data, bytes):
        return said.Broken(Malformed("A text message came where only binary ones are spoken."), b"")
    try:
        if (update := ysync.update_of(data)) is not None:
            return said.Change(update)
        frame = ysync.decode(data)
    except CallerError as error:
        return said.Broken(error.detached(), data)
    match frame:
        case ysync.Update() | ysync.Step2():
            return said.Change(frame.update)
        case ysync.Step1():
            return said.StateVector(frame.state_vector)
        case ysync.Awareness():
            return said.Awareness(frame.states)
        case ysync.QueryAwareness():
            return said.PresenceQuery()
        case ysync.Denied():
            return said.Broken(Malformed("Only the service says 'permission denied'."), data)

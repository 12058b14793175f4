"""The gRPC wire as a dialect: frames of `ticketsync.v1`, each update with a batch id that its acknowledgement names."""

from collections.abc import Sequence

from crdt_sync.domain.ids import DOCUMENT_NAME_BYTES_MAX
from crdt_sync.errors import CallerError, Forbidden, Malformed, ServiceError, TicketSyncError, TooLarge, TooMany
from crdt_sync.protocol import dialect as said
from crdt_sync.protocol.dialect import Inbound
from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.wire import limits
from crdt_sync.wire.status import Wire

BATCH_ID_BYTES = 8


class GrpcDialect:
    """What gRPC clients say and hear. A key is the document's name; a token has none, it is the whole stream's."""

    wire: Wire = "grpc"
    echoes = False
    token_per_document = False
    step1_follows_step1 = False

    def decode(self, data: object) -> Sequence[Inbound]:
        """Read one batch of frames."""
        assert isinstance(data, pb.ClientFrames), "gRPC has decoded it"
        if len(data.frames) > limits.BATCH_FRAMES_MAX:
            error = TooLarge(f"A message has at most {limits.BATCH_FRAMES_MAX} frames.", code="too_many_frames")
            return [Inbound("", "", said.Broken(error, b""))]
        return [_inbound(frame) for frame in data.frames]

    def opened(self, key: str, *, writable: bool) -> Sequence[object]:
        """Say that the document is open."""
        return (pb.ServerFrame(document=key, opened=pb.Opened(read_only=not writable)),)

    def denied(self, key: str, error: TicketSyncError) -> Sequence[object]:
        """Say that the document does not open; the stream stays."""
        return (_closed(key, error),)

    def ask_token(self, key: str) -> Sequence[object]:
        """Ask for a token of the stream."""
        del key
        return (pb.ServerFrame(token_request=pb.TokenRequest()),)

    def step1(self, key: str, state_vector: bytes) -> object:
        """Ask for what the service lacks."""
        return pb.ServerFrame(document=key, step1=state_vector)

    def step2(self, key: str, update: bytes) -> object:
        """Give what the client lacks."""
        return pb.ServerFrame(document=key, step2=update)

    def update(self, key: str, data: bytes) -> object:
        """Relay a committed update."""
        return pb.ServerFrame(document=key, update=data)

    def awareness(self, key: str, data: bytes) -> object:
        """Relay presence."""
        return pb.ServerFrame(document=key, awareness=data)

    def acknowledged(self, key: str, ref: bytes, position: int) -> Sequence[object]:
        """Say that one update is committed, and where."""
        return (pb.ServerFrame(document=key, ack=pb.Ack(batch_id=ref, status=pb.ACK_STATUS_OK, position=position)),)

    def refused(self, key: str, ref: bytes, error: TicketSyncError) -> Sequence[object]:
        """Say why one update was not accepted."""
        ack = pb.Ack(batch_id=ref, status=_ack_status(error), code=error.code, message=error.message)
        return (pb.ServerFrame(document=key, ack=ack),)

    def closed(self, key: str, ref: bytes | None, error: TicketSyncError) -> Sequence[object]:
        """Refuse the update, and close the document on this stream."""
        refusal = self.refused(key, ref, error) if ref else ()
        return (*refusal, _closed(key, error))


def _inbound(frame: pb.ClientFrame) -> Inbound:
    document = frame.document
    if frame.WhichOneof("body") == "token":
        return Inbound("", "", said.Token(frame.token.token))
    if not document or len(document.encode()) > DOCUMENT_NAME_BYTES_MAX:
        return Inbound("", "", said.Broken(Malformed("A frame names its document."), b""))
    return Inbound(document, document, _body(frame))


def _body(frame: pb.ClientFrame) -> said.Body:
    match frame.WhichOneof("body"):
        case "open":
            return said.Join()
        case "leave":
            return said.Part()
        case "step1":
            return said.StateVector(frame.step1)
        case "step2":
            return _change(frame.step2)
        case "update":
            return _change(frame.update)
        case "awareness":
            return said.Awareness(frame.awareness)
        case _:
            return said.Broken(Malformed("A frame without a body that is known here."), frame.SerializeToString())


def _change(update: pb.Update) -> said.Body:
    if len(update.batch_id) != BATCH_ID_BYTES:
        return said.Broken(Malformed(f"A batch id has {BATCH_ID_BYTES} bytes."), update.data)
    return said.Change(update.data, update.batch_id)


def _closed(key: str, error: TicketSyncError) -> pb.ServerFrame:
    return pb.ServerFrame(document=key, closed=pb.Closed(code=error.code, message=error.message))


def _ack_status(error: TicketSyncError) -> pb.AckStatus:
    match error:
        case Forbidden():
            return pb.ACK_STATUS_PERMISSION_DENIED
        case TooLarge():
            return pb.ACK_STATUS_PAYLOAD_TOO_LARGE
        case TooMany():
            return pb.ACK_STATUS_RATE_LIMITED
        case CallerError():
            return pb.ACK_STATUS_INVALID_UPDATE
        case ServiceError() | _:
            return pb.ACK_STATUS_UNAVAILABLE

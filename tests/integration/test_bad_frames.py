"""Every frame type of the three wires, malformed in every field, over real sockets to one service.

Each gets its code, is counted once, and ends no more than its document (`/collab`, gRPC) or its socket (`/sync`); after
all of them a colleague who was there the whole time has missed nothing.
"""

import grpc
import pytest

from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.wire import hocuspocus, limits, ysync
from crdt_sync.wire.awareness import State, encode
from crdt_sync.wire.lib0 import var_bytes, var_string, var_uint
from tests.access.site import edit_of
from tests.access.wires import BATCH, Socket, collab_socket, grpc_stream, open_frame, sync_socket, update_frame
from tests.counted import refused
from tests.integration.test_bad_input import PROVIDER, bystander
from tests.server.conftest import run_service
from tests.server.test_grpc_decoding import end

GOOD = State(7, 1, '{"name":"me"}')
HUGE = b"\x80" * 7 + b"\x10"  # 2**53: one above what JavaScript holds exactly
OVERLONG = b"\x80\x00"  # a varUint in more bytes than it needs
NOT_UTF8 = b"\x02\xff\xfe"
LONG_NAME = "x" * 10_000

STATE_VECTORS = [
    (b"", "malformed"),
    (b"\x01", "malformed"),  # one client is announced, none is there
    (b"\x01\x05", "malformed"),  # a client without a clock
    (b"\x01" + HUGE + b"\x01", "malformed"),
    (b"\x00\x00", "malformed"),  # something behind the end
    (b"\x02\x05\x01\x05\x02", "malformed"),  # a client named twice
    (var_uint(limits.STATE_VECTOR_CLIENTS_MAX + 1), "too_many"),
]
UPDATES = [
    (b"", "malformed"),
    (b"\x00", "malformed"),  # no deletions
    (b"\x01", "malformed"),
    (b"\x01\x01\x05\x00", "malformed"),  # a struct is announced, none is there
    (b"\x01\x01" + HUGE + b"\x00\x04\x01\x01a\x01x\x00", "malformed"),
    (b"\x01\x01\x05\x00\x1f\x01\x01a\x01x\x00", "malformed"),  # a kind of content that does not exist
    (b"\x01\x01\x05\x00\x04\x01" + NOT_UTF8 + b"\x01x\x00", "malformed"),
    (b"\x00\x01\x05\x01\x00", "malformed"),  # a deletion without its length
    (b"\x00\x00\x00", "malformed"),
    (b"\xff\xff\xff", "malformed"),
    (bytes(limits.UPDATE_BYTES_MAX + 1), "size"),
]
PRESENCES = [
    (b"", "malformed"),
    (b"\x01", "malformed"),
    (b"\x01\x05", "malformed"),
    (b"\x01\x05\x00", "malformed"),
    (b"\x01\x05\x00" + NOT_UTF8, "malformed"),
    (b"\x01" + HUGE + b"\x00\x02{}", "malformed"),
    (b"\x01\x05" + OVERLONG + b"\x02{}", "malformed"),
    (b"\x01\x05\x00" + var_string("{"), "malformed"),
    (b"\x01\x05\x00" + var_string("NaN"), "malformed"),
    (encode([GOOD, GOOD]), "malformed"),
    (encode([GOOD]) + b"\x00", "malformed"),
    (var_uint(limits.AWARENESS_STATES_MAX + 1), "too_many"),
    (encode([State(7, 1, '"' + "x" * limits.PRESENCE_STATE_BYTES_MAX + '"')]), "size"),
]
SYNC_BODIES = (  # as both wires frame them: behind the type of the message
    [(b"\x00" + var_bytes(vector), code) for vector, code in STATE_VECTORS]
    + [(step + var_bytes(update), code) for step in (b"\x01", b"\x02") for update, code in UPDATES]
    + [(step + b"\x05abc", "malformed") for step in (b"\x00", b"\x01", b"\x02")]  # shorter than announced
    + [(b"\x02" + var_bytes(b"\x00\x00") + b"\x00", "malformed"), (b"\x03\x00", "malformed"), (b"", "malformed")]
)
AWARENESS_BODIES = [(var_bytes(presence), code) for presence, code in PRESENCES] + [(b"\x05abc", "malformed")]

SYNC = [
    *[(b"\x00" + body, code) for body, code in SYNC_BODIES],
    *[(b"\x01" + body, code) for body, code in AWARENESS_BODIES],
    (b"\x02\x00" + var_string("no"), "malformed"),  # only the service denies
    (b"\x02\x01", "malformed"),
    (b"\x02\x00" + NOT_UTF8, "malformed"),
    (b"\x03\x00", "malformed"),
    (b"\x04", "malformed"),
    (OVERLONG, "malformed"),
    (b"", "malformed"),
    ("text", "malformed"),
]
COLLAB = [
    *[(b"\x00" + body, code) for body, code in SYNC_BODIES],
    *[(b"\x01" + body, code) for body, code in AWARENESS_BODIES],
    (b"\x02\x03", "malformed"),
    (b"\x02\x00" + NOT_UTF8, "malformed"),
    (b"\x02\x00" + var_string("t") + NOT_UTF8, "malformed"),
    (b"\x02\x00" + var_string("t" * (limits.TOKEN_BYTES_MAX + 1)), "size"),
    (b"\x02\x00", "not_for_clients"),  # the service asks for tokens,
    (b"\x02\x01" + var_string("no"), "not_for_clients"),  # denies
    (b"\x02\x02" + var_string("read-write"), "not_for_clients"),  # and grants
    (b"\x02\x02" + var_string("admin"), "malformed"),
    (b"\x03\x00", "malformed"),
    (b"\x04" + b"\x01" + var_bytes(b"\x00\x00"), "not_for_clients"),
    (b"\x04\x09", "malformed"),
    (b"\x05" + NOT_UTF8, "malformed"),
    (b"\x05" + var_string("t" * (limits.TEXT_BYTES_MAX + 1)), "size"),
    (b"\x06" + var_string("forged"), "not_for_clients"),
    (b"\x06" + NOT_UTF8, "malformed"),
    (b"\x07" + NOT_UTF8, "malformed"),
    (b"\x07" + var_string("bye") + b"\x00", "malformed"),
    (b"\x08\x01", "not_for_clients"),
    (b"\x08\x02", "malformed"),
    (b"\x09", "malformed"),
    (b"\x0a", "malformed"),
    (b"\x0b", "malformed"),
    (OVERLONG, "malformed"),
    (b"", "malformed"),
]


def framed(frame):
    """A message of one frame, whatever its bytes."""
    return b"\x0a" + var_uint(len(frame)) + frame


INVALID, UNAUTHENTICATED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAUTHENTICATED
DOCUMENT = b"\x0a\x03doc"  # a frame's first field, as protobuf writes it
GRPC = [
    *[(pb.ClientFrame(step1=vector), code) for vector, code in STATE_VECTORS],
    *[(pb.ClientFrame(step2=pb.Update(data=update, batch_id=BATCH)), code) for update, code in UPDATES],
    *[(pb.ClientFrame(update=pb.Update(data=update, batch_id=BATCH)), code) for update, code in UPDATES],
    *[(pb.ClientFrame(step2=pb.Update(data=b"\x00\x00", batch_id=BATCH[:size])), "malformed") for size in (0, 7)],
    *[(pb.ClientFrame(update=pb.Update(data=b"\x00\x00", batch_id=BATCH[:size])), "malformed") for size in (0, 7)],
    (pb.ClientFrame(update=pb.Update(data=b"\x00\x00", batch_id=BATCH + b"9")), "malformed"),
    *[(pb.ClientFrame(awareness=presence), code) for presence, code in PRESENCES],
    (pb.ClientFrame(), "malformed"),
    (pb.ClientFrame.FromString(b"\xfa\x3f\x01x"), "malformed"),  # a body that nobody knows
    (pb.ClientFrame.FromString(b"\x10\x05"), "malformed"),  # a body that is a number
]
GRPC_STREAMS = [  # what names no document, or is no message
    (framed(b""), INVALID, "malformed"),
    (framed(pb.ClientFrame(open=pb.Open()).SerializeToString()), INVALID, "malformed"),
    (framed(pb.ClientFrame(document="x" * 257, open=pb.Open()).SerializeToString()), INVALID, "malformed"),
    (framed(pb.ClientFrame(document=LONG_NAME, open=pb.Open()).SerializeToString()), INVALID, "malformed"),
    (framed(b"\x0a\x02\xff\xfe"), INVALID, "malformed"),
    (framed(b"\x0a\x7fdoc"), INVALID, "malformed"),  # shorter than announced, as are those that follow
    *[(framed(DOCUMENT + bytes((field << 3 | 2, 5)) + b"abc"), INVALID, "malformed") for field in range(2, 9)],
    (framed(DOCUMENT)[:-1], INVALID, "malformed"),
    (b"\x0b", INVALID, "malformed"),  # a group that nothing ends
    (framed(pb.ClientFrame(token=pb.Token(token="no")).SerializeToString()), UNAUTHENTICATED, "token_invalid"),
    (framed(pb.ClientFrame(token=pb.Token()).SerializeToString()), UNAUTHENTICATED, "token_missing"),
    (framed(b"") * (limits.BATCH_FRAMES_MAX + 1), grpc.StatusCode.RESOURCE_EXHAUSTED, "too_many_frames"),
]


@pytest.fixture
async def running(tmp_path):
    async with run_service(tmp_path / "data", open_documents=True) as running:
        yield running


async def test_every_bad_frame_ends_its_sync_socket_with_its_code(running):
    document = f"ticket/{await running.ticket()}/card"
    token, codes = running.token(), []
    async with bystander(running, document), refused(running, *(("sync", code) for _, code in SYNC)):
        for frame, _ in SYNC:
            async with sync_socket(running, document, token) as socket:
                await socket.hear(ysync.Step1)
                await socket.say(frame)
                codes.append((frame, await socket.end()))
    assert [(frame, (4413 if code == "size" else 4422, code)) for frame, code in SYNC] == codes


async def test_every_bad_frame_ends_its_collab_document_with_its_code_and_no_other(running):
    ticket = await running.ticket()
    bad, good = f"ticket/{ticket}/card", f"ticket/{ticket}/form/sales".encode()
    token, codes = running.token(), []
    counted = refused(running, *(("collab", code) for _, code in COLLAB))
    async with bystander(running, bad), counted, collab_socket(running) as socket:
        await opened(socket, good, token)
        for index, (body, _) in enumerate(COLLAB):
            address = f"{bad}\0{index}".encode()  # a session of its own, since what was refused stays so
            await opened(socket, address, token)
            await socket.say(var_bytes(address) + body)
            close = await socket.hear(hocuspocus.Close)
            codes.append((body, close.reason.partition(":")[0]))
        await socket.say(hocuspocus.encode_update(good, edit_of("form", 9)))
        await socket.hear(hocuspocus.SyncStatus, where=lambda frame: frame.accepted)
    assert COLLAB == codes


async def test_every_bad_frame_ends_its_grpc_document_with_its_code_and_no_other(running):
    ticket = await running.ticket()
    bad, good = f"ticket/{ticket}/card", f"ticket/{ticket}/form/sales"
    codes = []
    async with bystander(running, bad), refused(running, *(("grpc", code) for _, code in GRPC)):
        for index, (frame, _) in enumerate(GRPC):
            async with grpc_stream(running, running.token()) as stream:
                await stream.say(open_frame(bad), open_frame(good), named(frame, bad))
                closed = await stream.hear("closed")
                codes.append((index, closed.document, closed.closed.code))
                await stream.say(update_frame(good, edit_of("form", 9)))
                await stream.hear("ack", where=lambda frame: frame.ack.status == pb.ACK_STATUS_OK)
    assert [(index, bad, code) for index, (_, code) in enumerate(GRPC)] == codes


async def test_every_bad_message_ends_its_grpc_stream_with_its_code(running):
    document = f"ticket/{await running.ticket()}/card"
    ends = []
    async with bystander(running, document), refused(running, *(("grpc", code) for _, _, code in GRPC_STREAMS)):
        for message, _, _ in GRPC_STREAMS:
            ends.append((message, *await end(running, "SyncService/Sync", "stream_stream", message)))
    assert ends == GRPC_STREAMS


def named(frame, document):
    frame = pb.ClientFrame.FromString(frame.SerializeToString())
    frame.document = document
    return frame


async def opened(socket: Socket, address: bytes, token: str) -> None:
    await socket.say(hocuspocus.encode_token(address, token, PROVIDER))
    await socket.hear(hocuspocus.Authenticated)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        (b"\x00", "malformed"),
        (var_string("  "), "malformed"),
        (var_string("\0session"), "malformed"),
        (var_string("doc\0a\0b"), "malformed"),
        (var_string("x" * 257), "malformed"),
        (var_string(LONG_NAME), "size"),
        (b"\x02\xff\xfe", "malformed"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "malformed"),
    ],
    ids=["empty", "blank", "session alone", "two sessions", "long", "10 kB", "no UTF-8", "no length"],
)
async def test_a_name_that_is_none_closes_its_collab_socket(running, address, code):
    document = f"ticket/{await running.ticket()}/card"
    counted = refused(running, ("collab", code))
    async with bystander(running, document), counted, collab_socket(running) as socket:
        await socket.say(address + b"\x00\x00\x01\x00")
        assert (4413 if code == "size" else 4422, code) == await socket.end()


@pytest.mark.parametrize(
    "path", ["%00", "a%00b", "%20", "%FF%FE", "x" * 257], ids=["NUL", "NUL inside", "blank", "no UTF-8", "long"]
)
async def test_a_name_that_is_none_closes_its_sync_socket(running, path):
    document = f"ticket/{await running.ticket()}/card"
    counted = refused(running, ("sync", "unknown_document"))
    async with bystander(running, document), counted, sync_socket(running, path, running.token()) as socket:
        assert (4404, "unknown_document") == await socket.end()


async def test_presence_in_anothers_name_is_not_passed_on(running):
    document = f"ticket/{await running.ticket()}/card"
    async with (
        sync_socket(running, document, running.token()) as owner,
        sync_socket(running, document, running.token("tech")) as forger,
        refused(running, *[("sync", "foreign_presence")] * 2),
    ):
        for socket in (owner, forger):
            await socket.hear(ysync.Step1)
        mine = encode([GOOD])
        await owner.say(ysync.encode_awareness(mine))
        await forger.hear(ysync.Awareness, where=lambda frame: frame.states == mine)
        await forger.say(
            ysync.encode_awareness(encode([State(GOOD.client, 9, '{"name":"forged"}')])),
            ysync.encode_awareness(encode([State(GOOD.client, 9, None)])),
            ysync.encode_awareness(encode([State(8, 1, '{"name":"forger"}')])),
        )
        told = await owner.hear(ysync.Awareness, where=lambda frame: frame.states != mine)
        assert encode([State(8, 1, '{"name":"forger"}')]) == told.states


@pytest.mark.parametrize("wire", ["sync", "collab"])
async def test_a_token_of_another_department_opens_nothing_and_says_why(running, wire):
    ticket = await running.ticket()
    document, token = f"ticket/{ticket}/form/sales", running.token("tech")
    async with bystander(running, document), refused(running, (wire, "department")):
        if wire == "sync":
            async with sync_socket(running, document, token) as socket:
                assert (4403, "department") == await socket.end()
        else:
            async with collab_socket(running) as socket:
                await socket.say(hocuspocus.encode_token(document.encode(), token, PROVIDER))
                denied = await socket.hear(hocuspocus.PermissionDenied)
                assert "department" == denied.reason.partition(":")[0]
                await socket.say(hocuspocus.encode_ping())
                assert hocuspocus.Pong() == await socket.hear(hocuspocus.Pong)

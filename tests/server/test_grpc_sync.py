import asyncio
from contextlib import nullcontext

import grpc
import pycrdt
import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.document import Document
from crdt_sync.domain.identity import Identity
from crdt_sync.errors import Forbidden, Malformed, Refused, Reset, ServiceError, TooLarge, TooMany, Unavailable
from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import sync_pb2_grpc
from crdt_sync.server import grpc_sync
from crdt_sync.server.grpc_dialect import GrpcDialect
from crdt_sync.server.grpc_sync import Stream, SyncServicer
from crdt_sync.server.handshake_rate import HandshakeRate
from crdt_sync.wire import limits
from tests.counted import refused
from tests.fakes import CountingMeter
from tests.grpc_ends import Ending
from tests.server.fakes import FakeAuthenticator, FakeConnections, audit
from tests.world import SALES, Wire, World


def update_of(text):
    document = pycrdt.Doc()
    document["t"] = pycrdt.Text(text)
    return document.get_update()


class Talking:
    """A caller's side of a stream, a frame at a time."""

    def __init__(self, channel, metadata):
        self.call = sync_pb2_grpc.SyncServiceStub(channel).Sync(metadata=metadata)
        self._ending = Ending(self.call)
        self._frames = []

    async def say(self, *frames):
        await self.call.write(pb.ClientFrames(frames=frames))

    async def hear(self, body):
        """Return the next frame with that body; others wait, for documents open in any order."""
        while True:
            for frame in self._frames:
                if frame.WhichOneof("body") == body:
                    self._frames.remove(frame)
                    return frame
            batch = await self.call.read()
            assert batch is not grpc.aio.EOF, f"{self.call.code()} before {body}"
            self._frames += batch.frames

    async def end(self):
        """Return how the stream ended."""
        try:
            while await self.call.read() is not grpc.aio.EOF:
                pass
        except grpc.aio.AioRpcError:
            return self._ending.told
        return await self.call.code(), ""


def opening(document):
    return pb.ClientFrame(document=document, open=pb.Open())


def change(document, data, batch_id=b"12345678"):
    return pb.ClientFrame(document=document, update=pb.Update(data=data, batch_id=batch_id))


async def test_updates_are_acknowledged_by_batch_id_and_relayed_to_others(running):
    author, reader = (Talking(running.channel, running.metadata()) for _ in range(2))
    await author.say(opening("a"), opening("b"))
    await reader.say(opening("b"))
    assert {"a", "b"} == {(await author.hear("opened")).document for _ in range(2)}
    await reader.hear("opened")
    await author.say(change("b", update_of("x"), b"batch--1"))

    ack = (await author.hear("ack")).ack
    assert (b"batch--1", pb.ACK_STATUS_OK, True) == (ack.batch_id, ack.status, ack.position > 0)
    assert update_of("x")[-3:] == (await reader.hear("update")).update[-3:]
    author.call.cancel()
    reader.call.cancel()


async def test_a_state_vector_is_answered_with_what_the_caller_lacks(running):
    talking = Talking(running.channel, running.metadata())
    update = update_of("x")
    await talking.say(opening("a"), change("a", update), pb.ClientFrame(document="a", step1=b"\x00"))

    document = pycrdt.Doc()
    document.apply_update((await talking.hear("step2")).step2)
    assert "x" == str(document.get("t", type=pycrdt.Text))
    talking.call.cancel()


async def test_a_read_only_document_refuses_the_update_and_stays_open(running):
    ticket = await running.ticket()
    talking = Talking(running.channel, running.metadata())
    await talking.say(opening(f"ticket/{ticket}/log"))
    assert (await talking.hear("opened")).opened.read_only
    await talking.say(change(f"ticket/{ticket}/log", update_of("x")))

    ack = (await talking.hear("ack")).ack
    assert (pb.ACK_STATUS_PERMISSION_DENIED, "read_only") == (ack.status, ack.code)
    talking.call.cancel()


@pytest.mark.parametrize(
    ("document", "code"),
    [("ticket/x/log", "unknown_document"), ("ticket/" + "a" * 52 + "/log", "not_there_yet")],
)
async def test_a_document_that_does_not_open_leaves_the_stream(running, document, code):
    talking = Talking(running.channel, running.metadata())
    await talking.say(opening(document), opening("a"))

    assert code == (await talking.hear("closed")).closed.code
    assert "a" == (await talking.hear("opened")).document
    talking.call.cancel()


async def test_undecodable_bytes_close_the_document_and_not_the_stream(running):
    talking = Talking(running.channel, running.metadata())
    await talking.say(opening("a"), opening("b"), change("a", b"\xff\xff\xff"))

    ack = (await talking.hear("ack")).ack
    assert (pb.ACK_STATUS_INVALID_UPDATE, True) == (ack.status, bool(ack.code))
    assert "a" == (await talking.hear("closed")).document
    await talking.say(change("b", update_of("x")))
    assert pb.ACK_STATUS_OK == (await talking.hear("ack")).ack.status
    talking.call.cancel()


@pytest.mark.parametrize(
    "frame",
    [
        pb.ClientFrame(),
        pb.ClientFrame(open=pb.Open()),
        pb.ClientFrame(document="x" * 257, open=pb.Open()),
        pb.ClientFrame(document="a"),
        change("a", b"", b"short"),
    ],
    ids=range(5),
)
async def test_a_frame_of_another_form_ends_the_stream(running, frame):
    talking = Talking(running.channel, running.metadata())
    await talking.say(frame)

    assert (grpc.StatusCode.INVALID_ARGUMENT, "malformed") == await talking.end()


@pytest.mark.parametrize("metadata", [(), (("authorization", "Bearer x"),)])
async def test_a_stream_needs_a_good_token(running, metadata):
    status, _ = await Talking(running.channel, metadata).end()

    assert grpc.StatusCode.UNAUTHENTICATED is status


async def test_a_caller_that_has_said_everything_still_hears(running):
    talking = Talking(running.channel, running.metadata())
    await talking.say(opening("a"), change("a", update_of("x")))
    await talking.call.done_writing()

    assert pb.ACK_STATUS_OK == (await talking.hear("ack")).ack.status
    talking.call.cancel()


async def test_a_token_of_somebody_else_ends_the_stream(running):
    talking = Talking(running.channel, running.metadata())
    await talking.say(pb.ClientFrame(token=pb.Token(token=running.token())), opening("a"))
    await talking.hear("opened")
    await talking.say(pb.ClientFrame(token=pb.Token(token=running.token("tech"))))

    assert (grpc.StatusCode.PERMISSION_DENIED, "token_changed") == await talking.end()


async def test_a_service_that_stops_ends_the_stream_so_that_callers_come_back(running):
    talking = Talking(running.channel, running.metadata())
    await talking.say(opening("a"))
    await talking.hear("opened")
    stopping = asyncio.ensure_future(running.service.stop())

    assert (grpc.StatusCode.UNAVAILABLE, "stopping") == await talking.end()
    await stopping


async def test_a_token_that_ends_is_asked_for_and_a_new_one_keeps_the_stream(running):
    talking = Talking(running.channel, running.metadata(seconds=2))
    await talking.say(opening("a"))
    await talking.hear("token_request")
    await talking.say(pb.ClientFrame(token=pb.Token(token=running.token())), change("a", update_of("x")))
    await talking.hear("ack")
    (lease,) = running.service._leases._leases
    assert lease.grace_ends_ms is None
    running.service._leases.look()
    talking.call.cancel()


async def test_a_stream_without_a_new_token_in_time_ends(running, monkeypatch):
    monkeypatch.setattr(limits, "TOKEN_GRACE_S", 0)
    talking = Talking(running.channel, running.metadata(seconds=2))
    await talking.say(opening("a"))

    assert (grpc.StatusCode.UNAUTHENTICATED, "session_expired") == await talking.end()


async def test_a_slow_reader_loses_the_stream_and_nothing_of_a_document(monkeypatch):
    monkeypatch.setattr(limits, "SEND_QUEUE_FRAMES_MAX", 2)
    stream = Stream(lambda code: None)
    stream.write([[pb.ServerFrame(document="a")] * 3])

    assert [] == [batch async for batch in stream]
    assert "slow_reader" == stream.failure.code


async def test_behind_the_end_of_a_stream_nothing_is_answered(running, monkeypatch):
    talking = Talking(running.channel, running.metadata())
    await talking.say(opening("a"), change("a", update_of("hello"), b"batch--1"))
    await talking.hear("ack")
    answers = []
    answer = Document.answer
    monkeypatch.setattr(Document, "answer", lambda self, vector: answers.append(vector) or answer(self, vector))
    monkeypatch.setattr(limits, "SEND_QUEUE_BYTES_MAX", 0)
    await talking.say(*[pb.ClientFrame(document="a", step1=b"\0")] * 50)

    assert (grpc.StatusCode.UNAVAILABLE, "slow_reader") == await talking.end()
    assert 1 == len(answers)


async def test_batches_fit_what_a_client_takes(monkeypatch):
    monkeypatch.setattr(grpc_sync, "BATCH_BYTES", 100)
    stream = Stream(lambda code: None)
    stream.write([[GrpcDialect().update("a", b"x" * size)] for size in (40, 40, 40, 400, 1)])
    stream.close(1012, "stopping: now")

    sizes = [[len(frame.update) for frame in batch.frames] async for batch in stream]
    assert [[40, 40], [40], [400], [1]] == sizes
    assert ("stopping", "now") == (stream.failure.code, stream.failure.message)


async def test_our_own_mistake_ends_one_stream_without_a_word_about_it():
    connections, server = FakeConnections(), grpc.aio.server()
    sync_pb2_grpc.add_SyncServiceServicer_to_server(
        SyncServicer(FakeAuthenticator(), connections, audit(CountingMeter()), HandshakeRate(), nullcontext), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        talking = Talking(channel, (("authorization", "Bearer t"),))
        await talking.say()
        connection = await connections.made.get()
        connection.failure = RuntimeError("secret")
        await talking.say()

        assert (grpc.StatusCode.INTERNAL, "internal") == await talking.end()
        assert "secret" not in await talking.call.details()
    await server.stop(None)

    assert connection.has_ended


def test_every_status_of_an_acknowledgement_is_that_of_some_error():
    dialect = GrpcDialect()
    told = {
        kind: dialect.refused("a", b"batch--1", kind("x"))[0].ack.status
        for kind in (Forbidden, Refused, Malformed, TooLarge, TooMany, Unavailable, ServiceError)
    }
    told[None] = dialect.acknowledged("a", b"batch--1", 1)[0].ack.status

    assert {
        None: pb.ACK_STATUS_OK,
        Forbidden: pb.ACK_STATUS_PERMISSION_DENIED,
        Refused: pb.ACK_STATUS_INVALID_UPDATE,
        Malformed: pb.ACK_STATUS_INVALID_UPDATE,
        TooLarge: pb.ACK_STATUS_PAYLOAD_TOO_LARGE,
        TooMany: pb.ACK_STATUS_RATE_LIMITED,
        Unavailable: pb.ACK_STATUS_UNAVAILABLE,
        ServiceError: pb.ACK_STATUS_UNAVAILABLE,
    } == told
    assert set(pb.AckStatus.values()) - {pb.ACK_STATUS_UNSPECIFIED} == set(told.values())


@pytest.mark.parametrize(
    "frame",
    [
        change("a", update_of("x")),
        pb.ClientFrame(document="a", step1=b"\x00"),
        pb.ClientFrame(document="a", awareness=b"\x00"),
    ],
    ids=["update", "step 1", "presence"],
)
async def test_what_is_said_of_a_document_before_it_is_opened_is_refused_and_it_may_open(running, frame):
    talking = Talking(running.channel, running.metadata())
    for _ in range(2):
        async with refused(running, ("grpc", "not_open")):
            await talking.say(frame)
            closed = await talking.hear("closed")
            assert ("a", "not_open") == (closed.document, closed.closed.code)
    await talking.say(opening("a"))

    assert "a" == (await talking.hear("opened")).document
    talking.call.cancel()


async def test_a_document_that_was_denied_is_denied_again_to_who_goes_on(running):
    document, talking = "ticket/" + "a" * 52 + "/card", Talking(running.channel, running.metadata())
    await talking.say(opening(document))
    told = [(await talking.hear("closed")).closed.code]
    await talking.say(change(document, update_of("x")))
    told.append((await talking.hear("closed")).closed.code)

    assert ["not_there_yet"] * 2 == told
    talking.call.cancel()


async def test_a_message_has_so_many_frames(running):
    talking = Talking(running.channel, running.metadata())
    await talking.say(*[pb.ClientFrame(document="notes", open=pb.Open())] * (limits.BATCH_FRAMES_MAX + 1))

    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "too_many_frames") == await talking.end()
    assert f"A message has at most {limits.BATCH_FRAMES_MAX} frames." == await talking.call.details(), "and not less"


async def test_a_stream_that_has_to_start_anew_is_told_so():
    stream = Stream(lambda code: None)
    stream.close(4410, "reset: This is a former life of the document.")

    assert (Reset, "reset") == (type(stream.failure), stream.failure.code)


async def test_frames_without_bytes_leave_nothing_in_quarantine():
    world = await World.start(MemoryStore(), open_documents=True)
    wire = Wire()
    identity = Identity(SALES, None)
    connection = world.connections.connect(GrpcDialect(), wire, authenticate=world.authenticate, identity=identity)
    connection.receive(pb.ClientFrames(frames=[pb.ClientFrame(open=pb.Open())]))
    await world.settle()

    assert (4422, []) == (wire.closed[0], list(world.store.quarantine))
    await world.stop()

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.server.grpc_dialect import GrpcDialect
from crdt_sync.service import connection, pace
from crdt_sync.service.pace import Pace
from crdt_sync.wire import hocuspocus, ysync
from crdt_sync.wire.lib0 import var_string
from tests.documents import forge
from tests.fakes import ManualClock
from tests.world import SALES, World


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(pace, "MESSAGES_MAX", 5)


def test_so_many_messages_within_so_short_a_time_are_too_fast():
    clock, measured = ManualClock(), Pace()

    assert [False] * 5 + [True] == [measured.too_fast(clock) for _ in range(6)]


def test_as_many_in_a_longer_time_are_not():
    clock, measured = ManualClock(), Pace()
    for _ in range(20):
        clock.advance(pace.WITHIN_MS // 5)

        assert not measured.too_fast(clock)


def test_the_clock_is_read_once_in_many_messages():
    class Counted(ManualClock):
        read = 0

        def now_ms(self):
            Counted.read += 1
            return super().now_ms() + Counted.read * pace.WITHIN_MS

    measured = Pace()
    for _ in range(50):
        measured.too_fast(Counted())

    assert 10 == Counted.read


async def test_a_client_that_talks_too_fast_loses_its_socket_and_may_come_back():
    world = await World.start(MemoryStore(), open_documents=True)
    author, wire = world.collab()
    _, other = world.collab()
    for _ in range(6):
        author.receive(hocuspocus.encode_ping())

    assert (1013, "too_fast") == (wire.closed[0], wire.closed[1].partition(":")[0])
    assert 1 == world.meter.refusals["collab", "too_fast"]
    assert other.closed is None
    await world.stop()


async def test_what_an_update_brings_beyond_a_few_structs_counts_as_messages():
    world = await World.start(MemoryStore(), open_documents=True)
    author, wire = await world.yjs("notes", SALES)
    blocks = [(client, (0, [forge.gc(1)])) for client in range(100, 100 + pace.STRUCTS_FREE + 6)]
    author.receive(ysync.encode_update(forge.update(dict(blocks[: pace.STRUCTS_FREE]))))
    await world.settle()
    assert wire.closed is None

    author.receive(ysync.encode_update(forge.update(dict(blocks))))
    await world.settle()
    assert (1013, "too_fast") == (wire.closed[0], wire.closed[1].partition(":")[0])
    await world.stop()


async def test_answers_count_by_their_size(monkeypatch):
    monkeypatch.setattr(connection, "ANSWER_BYTES_FREE", 100)
    world = await World.start(MemoryStore(), open_documents=True)
    author, wire = await world.yjs("notes", SALES)
    author.receive(
        ysync.encode_update(forge.update({100: (0, [forge.item(b"\x04" + var_string("x" * 600), root="t")])}))
    )
    await world.settle()
    author.receive(ysync.encode_step1(b"\0"))
    await world.settle()

    assert (1013, "too_fast") == (wire.closed[0], wire.closed[1].partition(":")[0])
    await world.stop()


async def test_the_frames_of_one_message_count_each():
    world = await World.start(MemoryStore(), open_documents=True)
    author, wire = world.connect(GrpcDialect(), SALES)
    frame = pb.ClientFrame(document="notes", step1=b"\0")
    author.receive(pb.ClientFrames(frames=[frame]))
    author.receive(pb.ClientFrames(frames=[frame] * 5), 5)

    assert (1013, "too_fast") == (wire.closed[0], wire.closed[1].partition(":")[0])
    await world.stop()

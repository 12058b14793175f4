"""An update that builds on what the service lacks, on each wire: asked for, held back, bounded, and then in order."""

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.updates import decode
from crdt_sync.protocol.collab_dialect import CollabDialect
from crdt_sync.protocol.yjs_dialect import YjsDialect
from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.server.grpc_dialect import GrpcDialect
from crdt_sync.wire import hocuspocus, limits, ysync
from tests.world import SALES, World


class Yjs:
    def __init__(self, world, document):
        self.connection, self.wire = world.connect(YjsDialect(document), SALES)
        self.connection.join(document)

    def push(self, data):
        self.connection.receive(ysync.encode_update(data))

    def heard(self):
        """An echo may be of several updates that follow each other."""
        heard = []
        for frame in map(ysync.decode, self.wire.frames):
            heard += ["ack"] * len(decode(frame.update).structs) if isinstance(frame, ysync.Update) else ["step1"]
        return heard

    def refused(self):
        return self.wire.closed is not None and self.wire.closed[1].partition(":")[0] == "gap"


class Collab:
    def __init__(self, world, document):
        self.address = document.encode()
        self.connection, self.wire = world.connect(CollabDialect())
        self.connection.receive(hocuspocus.encode_token(self.address, "sales-1", "4.7.0"))

    def push(self, data):
        self.connection.receive(hocuspocus.encode_update(self.address, data))

    def heard(self):
        frames = [hocuspocus.decode(frame).frame for frame in self.wire.frames]
        kinds = {hocuspocus.SyncStatus: "ack", ysync.Step1: "step1"}
        return [kinds[type(frame)] for frame in frames if type(frame) in kinds]

    def refused(self):
        last = hocuspocus.decode(self.wire.frames[-1]).frame
        return isinstance(last, hocuspocus.Close) and last.reason.startswith("gap: ")


class Grpc:
    def __init__(self, world, document):
        self.document, self.count = document, 0
        self.connection, self.wire = world.connect(GrpcDialect(), SALES)
        self._say(open=pb.Open())

    def _say(self, **body):
        self.connection.receive(pb.ClientFrames(frames=[pb.ClientFrame(document=self.document, **body)]))

    def push(self, data):
        self.count += 1
        self._say(update=pb.Update(data=data, batch_id=self.count.to_bytes(8, "big")))

    def heard(self):
        return [body for frame in self.wire.frames if (body := frame.WhichOneof("body")) in {"ack", "step1"}]

    def refused(self):
        return self.wire.frames[-1].closed.code == "gap"


@pytest.fixture
async def world():
    world = await World.start(MemoryStore())
    yield world
    await world.stop()


@pytest.fixture(params=[Yjs, Collab, Grpc], ids=["y-websocket", "Hocuspocus", "gRPC"])
async def client(request, world):
    view = await world.opened()
    client = request.param(world, f"ticket/{view.id}/card")
    await world.settle()
    client.wire.frames.clear()
    return client


def edits(count):
    card = CardDocument(77)
    return [card.set_fields({"priority": number}) for number in range(count)]


async def test_a_gap_is_asked_for_and_nothing_of_it_is_acknowledged_before_it_is_filled(world, client):
    first, second, third = edits(3)
    client.push(second)
    client.push(third)
    await world.settle()
    assert ["step1"] == client.heard(), "asked once: the answer has all that both lack"

    client.push(first)
    await world.settle()
    assert ["step1", "ack", "ack", "ack"] == client.heard()


async def test_too_many_updates_behind_a_gap_close_the_document(world, client):
    for update in edits(limits.GAP_UPDATES_MAX + 2)[1:]:
        client.push(update)
    await world.settle()

    assert client.refused()


async def test_a_gap_that_nobody_fills_in_time_closes_the_document(world, client):
    client.push(edits(2)[1])
    await world.settle()
    world.clock.advance(limits.GAP_S * 1000 + 1)
    client.connection.sweep()
    await world.settle()

    assert client.refused()

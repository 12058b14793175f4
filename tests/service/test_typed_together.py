"""What one client says in one turn of the loop: stored and relayed as one, answered one by one."""

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.documents.updates import decode
from crdt_sync.errors import Malformed, ServiceError, Unauthenticated
from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.server.grpc_dialect import GrpcDialect
from crdt_sync.wire import hocuspocus, ysync
from tests.gated_store import GatedStore
from tests.world import SALES, TECH, World


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store)
    yield world
    store.gate.set()
    store.down = False
    await world.stop()


@pytest.fixture
async def document(world):
    return f"ticket/{(await world.opened()).id}/card"


def edits(count: int) -> list[bytes]:
    card = CardDocument(77)
    return [card.set_fields({"priority": str(number)}) for number in range(count)]


def relayed(wire) -> list[bytes]:
    return [frame.update for frame in map(ysync.decode, wire.frames) if isinstance(frame, ysync.Update)]


async def collab(world, document):
    connection, wire = world.collab()
    connection.receive(hocuspocus.encode_token(document.encode(), "sales-1", "4.7.0"))
    await world.settle()
    wire.frames.clear()
    return connection, wire


async def grpc(world, document):
    connection, wire = world.connect(GrpcDialect(), SALES)
    connection.receive(pb.ClientFrames(frames=[pb.ClientFrame(document=document, open=pb.Open())]))
    await world.settle()
    wire.frames.clear()
    return connection, wire


def batch(document, parts):
    frames = [
        pb.ClientFrame(document=document, update=pb.Update(data=data, batch_id=number.to_bytes(8, "big")))
        for number, data in enumerate(parts)
    ]
    return pb.ClientFrames(frames=frames)


async def test_they_are_one_row_and_one_relay(world, store, document):
    author, author_wire = await world.yjs(document, SALES)
    _, other_wire = await world.yjs(document, TECH)
    parts = edits(4)
    for data in parts:
        author.receive(ysync.encode_update(data))
    await world.settle()

    (row,) = (await store.document(document)).updates[1:]  # behind the title
    assert [row.data] == relayed(author_wire) == relayed(other_wire)
    assert [item.clock for data in parts for item in decode(data).structs] == [
        x.clock for x in decode(row.data).structs
    ]
    card = CardDocument(5)
    card.apply_committed(row.data)
    assert {"priority": "3"} == card.card()


async def test_each_has_its_own_answer_on_the_wire_that_counts(world, document):
    author, wire = await collab(world, document)
    for data in edits(4):
        author.receive(hocuspocus.encode_update(document.encode(), data))
    await world.settle()

    heard = [hocuspocus.decode(frame).frame for frame in wire.frames]
    assert [hocuspocus.SyncStatus(True)] * 4 == [each for each in heard if isinstance(each, hocuspocus.SyncStatus)]
    assert 1 == sum(isinstance(each, ysync.Update) for each in heard)


async def test_each_has_its_own_answer_on_the_wire_that_names(world, document):
    author, wire = await grpc(world, document)
    author.receive(batch(document, edits(4)))
    await world.settle()

    assert [(n.to_bytes(8, "big"), pb.ACK_STATUS_OK) for n in range(4)] == [
        (frame.ack.batch_id, frame.ack.status) for frame in wire.frames if frame.WhichOneof("body") == "ack"
    ]


async def test_one_that_is_wrong_takes_down_none_before_it(world, store, document):
    """As ever: what came before it is taken, it is refused, the document closes, and what follows is dropped."""
    author, wire = await grpc(world, document)
    card, wrong = CardDocument(77), CardDocument(78)
    right = [card.set_fields({"priority": number}) for number in range(3)]
    bad = wrong.set_fields({"priority": "x"}).replace(b"priority", b"whatever")
    author.receive(batch(document, [*right[:2], bad, right[2]]))
    await world.settle()

    acks = [(frame.ack.batch_id[-1], frame.ack.status) for frame in wire.frames if frame.WhichOneof("body") == "ack"]
    assert {(0, pb.ACK_STATUS_OK), (1, pb.ACK_STATUS_OK), (2, pb.ACK_STATUS_INVALID_UPDATE)} >= set(acks)
    assert (2, pb.ACK_STATUS_INVALID_UPDATE) in acks
    assert 3 not in dict(acks)
    assert "key" == next(frame.closed.code for frame in wire.frames if frame.WhichOneof("body") == "closed")
    assert right[:2] == [update.data for update in (await store.document(document)).updates[1:]]


async def test_what_the_store_does_not_keep_is_said_of_each(world, store, document):
    author, wire = await grpc(world, document)
    store.down = True
    author.receive(batch(document, edits(3)))
    await world.settle()

    said = [(frame.ack.batch_id[-1], frame.ack.status) for frame in wire.frames if frame.WhichOneof("body") == "ack"]
    assert [(number, pb.ACK_STATUS_UNAVAILABLE) for number in range(3)] == said


async def test_a_submission_is_judged_alone(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/submit/sales"
    author, _ = await world.yjs(document, SALES)
    submitted = SubmitDocument(77)
    parts = [submitted.append_message("junk"), submitted.append_message("more")]
    for data in parts:
        author.receive(ysync.encode_update(data))
    await world.settle()

    assert parts == [update.data for update in (await store.document(document)).updates]


async def test_what_came_whole_before_the_end_is_taken(world, store, document):
    author, _ = await world.yjs(document, SALES)
    for data in edits(2):
        author.receive(ysync.encode_update(data))
    author.ended()
    await world.settle()

    assert 2 == len((await store.document(document)).updates)


async def test_a_mistake_of_ours_closes_one_connection_alone(world, store, document, monkeypatch):
    author, wire = await world.yjs(document, SALES)
    other, other_wire = await world.yjs("ticket/" + document.split("/")[1] + "/form/tech", TECH)
    member = next(iter(author._members.values()))

    def broken(*_, **__):
        raise ValueError("a mistake")

    monkeypatch.setattr(member.room.document, "receive", broken)
    author.receive(ysync.encode_update(edits(1)[0]))
    note = CardDocument(79)
    other.receive(ysync.encode_update(note.set_fields({"priority": 1}).replace(b"\x04card", b"\x06fields")))
    await world.settle()

    assert 1011 == wire.closed[0]
    assert ServiceError("").code in wire.closed[1]
    assert other_wire.closed is None
    assert 1 == len((await store.document("ticket/" + document.split("/")[1] + "/form/tech")).updates)


# What else may happen in the same turn


def gap() -> bytes:
    return edits(2)[1]


async def test_a_gap_that_is_left_at_once_disturbs_no_other_document(world, document):
    author, wire = await collab(world, document)
    author.receive(hocuspocus.encode_update(document.encode(), gap()))
    author.receive(hocuspocus.encode_close(document.encode()))
    await world.settle()

    assert wire.closed is None
    assert [] == list(world.connections.rooms._rooms[document].members)


async def test_a_gap_does_not_keep_a_connection_whose_access_is_taken(world, document):
    author, wire = await world.yjs(document, SALES)
    room = await world.rooms.get(document)
    author.receive(ysync.encode_update(gap()))
    author.lose(None, Unauthenticated("It has ended."))
    await world.settle()

    assert 4401 == wire.closed[0]
    assert [] == list(room.members)


async def test_a_gap_behind_which_the_document_was_closed_is_not_held(world, document):
    author, _ = await collab(world, document)
    author.receive(hocuspocus.encode_update(document.encode(), gap()))
    author.receive(hocuspocus.encode_awareness(document.encode(), b"\xff"))
    await world.settle()

    assert [] == [one.held for one in author.session._subscriptions.values() if one.held]


async def test_what_was_held_goes_before_what_follows(world, document):
    author, wire = await grpc(world, document)
    first, second, *more = edits(30)
    author.receive(batch(document, [second]))
    await world.settle()
    author.receive(batch(document, [first, *more]))
    await world.settle()

    said = [frame.WhichOneof("body") for frame in wire.frames]
    assert (1, 30) == (said.count("step1"), said.count("ack"))


async def test_one_that_damages_the_document_is_found_once_it_is_loaded_anew(world, document, monkeypatch):
    author, wire = await grpc(world, document)
    fine, poison = edits(2)
    apply = CardDocument._apply

    def panics(self, data):
        if decode(data).structs[-1] == decode(poison).structs[-1]:
            self._damaged = True
            raise Malformed("The update cannot be integrated.")
        apply(self, data)

    monkeypatch.setattr(CardDocument, "_apply", panics)
    author.receive(batch(document, [fine, poison]))
    await world.settle()

    acks = [(frame.ack.batch_id[-1], frame.ack.status) for frame in wire.frames if frame.WhichOneof("body") == "ack"]
    assert [(1, pb.ACK_STATUS_INVALID_UPDATE)] == acks
    assert 1 == sum(frame.WhichOneof("body") == "closed" for frame in wire.frames)
    assert not (await world.rooms.get(document)).document.is_damaged


async def test_who_writes_into_a_room_that_waits_is_not_read_meanwhile(world, store, document):
    author, author_wire = await world.yjs(document, SALES)
    asking, _ = await world.yjs(document, TECH)
    first, second = edits(2)
    store.gate.clear()
    author.receive(ysync.encode_update(first))
    author.take()
    asking.receive(ysync.encode_step1(b"\0"))
    author.receive(ysync.encode_update(second))
    author.take()
    assert 1 == author_wire.pauses
    store.gate.set()
    await world.settle()

    assert 0 == author_wire.pauses
    assert [first, second] == relayed(author_wire)


async def test_a_socket_that_cannot_be_written_keeps_nobody_else_waiting(world, document, monkeypatch):
    author, _ = await world.yjs(document, SALES)
    _, broken = await world.yjs(document, TECH)
    _, there = await world.yjs(document, SALES)

    def fails(_):
        raise ValueError("a mistake")

    monkeypatch.setattr(broken, "write", fails)
    for number, data in enumerate(edits(2)):
        author.receive(ysync.encode_update(data))
        await world.settle()
        assert number + 1 == len(relayed(there))
    assert 1011 == broken.closed[0]

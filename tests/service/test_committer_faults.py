"""Faults of ours in the committer: each is said, undoes nothing that is committed, and ends nothing else."""

import pycrdt
import pytest
from structlog.testing import capture_logs

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.errors import Conflict, ServiceError
from crdt_sync.ports import Committed
from crdt_sync.service.draft import Draft
from crdt_sync.service.jobs import Change
from crdt_sync.wire import limits, ysync
from tests.service.test_committer import Job, ends, enqueue, raises
from tests.world import SALES, Wire, World


def update(client):
    document = pycrdt.Doc(client_id=client)
    document.get("text", type=pycrdt.Text).insert(0, "x")
    return document.get_update()


def faulty(*_):
    raise ZeroDivisionError


async def plant_in_loading(world, diary, monkeypatch):
    """The first of the spoiled rooms cannot be loaded; the second is."""
    rooms = [await world.rooms.get(name) for name in ("notes", "other")]
    monkeypatch.setattr(rooms[0], "replace", faulty)
    for room in rooms:
        world.committer.spoil(room)
    await world.settle()
    assert [True, False] == [room.stale for room in rooms]


async def plant_in_asking(world, diary, monkeypatch):
    connection, _ = await world.yjs("notes", SALES)
    monkeypatch.setattr(connection, "put_encoded", faulty)
    world.committer.spoil(await world.rooms.get("notes"))
    await world.settle()


async def plant_in_reading_on(world, diary, monkeypatch):
    wire = Wire()
    monkeypatch.setattr(wire, "resume", faulty)
    monkeypatch.setattr(limits, "COMMIT_QUEUE_BYTES_MAX", -1)
    world.committer.enqueue_from(wire, Job(diary, "held"))
    monkeypatch.setattr(limits, "COMMIT_QUEUE_BYTES_MAX", 1_000)
    await world.settle()
    assert 1 == wire.pauses


async def plant_in_refusing(world, diary, monkeypatch):
    fault = Job(diary, "a", decide=raises(Conflict("No.")))
    fault.fail = faulty
    await enqueue(world, fault, Job(diary, "b"))
    assert [("succeed", "b")] == [entry[:2] for entry in ends(diary)]


async def plant_in_counting(world, diary, monkeypatch):
    monkeypatch.setattr(world.meter, "committed", faulty)
    await enqueue(world, Job(diary, "a"))
    assert [("succeed", "a")] == [entry[:2] for entry in ends(diary)]


async def plant_in_noticing(world, diary, monkeypatch):
    monkeypatch.setattr(world.committer, "_notice", faulty)
    await world.opened()


async def plant_in_remembering(world, diary, monkeypatch):
    monkeypatch.setattr(Draft, "committed", faulty)
    with pytest.raises(ServiceError):
        await world.opened(subject="one")
    monkeypatch.undo()
    assert "presale" == (await world.opened(subject="one")).stage


async def plant_in_relaying(world, diary, monkeypatch):
    """The members of that room come again and find the change; those of another have heard theirs."""
    (author, _), (_, there) = [await world.yjs(name, SALES) for name in ("notes", "other")]
    monkeypatch.setattr(await world.rooms.get("notes"), "relay", faulty)
    other, _ = await world.yjs("other", SALES)
    author.receive(ysync.encode_update(update(1)))
    other.receive(ysync.encode_update(update(2)))
    await world.settle()
    assert 1011 == author._transport.closed[0]
    assert ysync.encode_update(update(2)) in there.frames
    assert (await world.rooms.get("notes")).document.holds(update(1))


async def plant_in_answering(world, diary, monkeypatch):
    """Who asked has no answer, the next has, and the room is owed nothing."""
    connection, _ = await world.yjs("notes", SALES)
    room = await world.rooms.get("notes")
    connection.receive(ysync.encode_update(update(1)))
    connection.take()
    room.settled(faulty)
    connection.receive(ysync.encode_step1(b"\0"))
    await world.settle()
    assert 0 == room.pending
    connection.receive(ysync.encode_update(update(3)))
    await world.settle()
    assert (0, False) == (room.pending, bool(room.on_settled))


@pytest.mark.parametrize(
    "plant",
    [
        plant_in_loading,
        plant_in_asking,
        plant_in_reading_on,
        plant_in_refusing,
        plant_in_counting,
        plant_in_noticing,
        plant_in_remembering,
        plant_in_relaying,
        plant_in_answering,
    ],
)
async def test_a_fault_of_ours_is_said_and_the_committer_goes_on(monkeypatch, plant):
    diary, world = [], await World.start(MemoryStore(), open_documents=True)
    with capture_logs() as logs:
        await plant(world, diary, monkeypatch)
        monkeypatch.undo()
        await enqueue(world, Job(diary, "z"))

    assert ("succeed", "z") == ends(diary)[-1][:2]
    assert {"error"} == {entry["log_level"] for entry in logs if entry.get("exc_info")}
    await world.stop()


@pytest.mark.parametrize("heard", [("succeed", "fail"), ("fail", "fail"), ("fail",)])
async def test_a_change_is_pending_once_whatever_becomes_of_its_answers(heard):
    world = await World.start(MemoryStore(), open_documents=True)
    room = await world.rooms.get("notes")
    received = room.document.receive(update(1), actor=SALES.actor)
    change = Change(room, update(1), received, SALES, None, on_success=faulty, on_failure=faulty)
    assert 1 == room.pending
    for deed in heard:
        with pytest.raises(ZeroDivisionError):
            getattr(change, deed)(Committed(1, 1))

    assert 0 == room.pending
    await world.stop()

"""Who sends faster than the store writes is not read until it has caught up; who waits for nothing is not disturbed."""

import pycrdt
import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.wire import limits, ysync
from tests.gated_store import GatedStore
from tests.world import SALES, TECH, World


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store, open_documents=True)
    yield world
    store.gate.set()
    await world.stop()


def updates(count, size=100):
    """So many updates of one author, each of some bytes."""
    document, made = pycrdt.Doc(client_id=7), []
    notes = document.get("notes", type=pycrdt.Text)
    for _ in range(count):
        before = document.get_state()
        notes += "x" * size
        made.append(ysync.encode_update(document.get_update(before)))
    return made


def say(connection, update):
    """Send an update in a turn of its own."""
    connection.receive(update)
    connection.take()


async def test_who_sends_too_much_is_not_read_until_half_of_it_is_written(world, store, monkeypatch):
    each = limits.CHANGE_OVERHEAD_BYTES + 100
    monkeypatch.setattr(limits, "COMMIT_QUEUE_BYTES_MAX", 4 * each)
    sender, wire = await world.yjs("a", SALES)
    other, others_wire = await world.yjs("b", TECH)
    store.gate.clear()
    first, *more = updates(8)
    sender.receive(first)
    await world.settle()  # it is in the commit under way; what follows waits
    for update in more[:3]:
        say(sender, update)
    assert 0 == wire.pauses
    for update in more[3:]:
        say(sender, update)
    assert (1, 0) == (wire.pauses, others_wire.pauses)
    say(other, updates(1)[0])
    assert 1 == others_wire.pauses, "whoever adds to what waits too long, waits"

    store.gate.set()
    await world.settle()
    assert (0, 0) == (wire.pauses, others_wire.pauses)
    assert [1, 8] == [len(batch.updates) for batch in store.batches]


async def test_many_small_changes_count_for_what_they_cost(world, store, monkeypatch):
    monkeypatch.setattr(limits, "COMMIT_QUEUE_BYTES_MAX", 10 * limits.CHANGE_OVERHEAD_BYTES)
    sender, wire = await world.yjs("a", SALES)
    store.gate.clear()
    first, *more = updates(12, size=1)
    sender.receive(first)
    await world.settle()
    for update in more:
        say(sender, update)

    assert 1 == wire.pauses


async def test_a_socket_that_ended_while_it_was_held_disturbs_nobody(world, store, monkeypatch):
    monkeypatch.setattr(limits, "COMMIT_QUEUE_BYTES_MAX", 0)
    sender, wire = await world.yjs("a", SALES)
    store.gate.clear()
    sender.receive(updates(1)[0])
    sender.ended()
    assert 1 == wire.pauses
    store.gate.set()
    await world.settle()

    assert 0 == wire.pauses


async def test_an_idle_committer_writes_at_once_and_a_busy_one_in_batches(world, store):
    """No clock is asked: what is idle begins within the turns that it takes to be told, what comes meanwhile is one."""
    sender, _ = await world.yjs("a", SALES)
    store.gate.clear()
    first, *more = updates(50)
    sender.receive(first)
    await world.settle()
    assert 1 == store.waiting, "the store was asked, without any timer"
    for update in more:
        say(sender, update)
    await world.settle()
    store.gate.set()
    await world.settle()

    assert [1, 49] == [len(batch.updates) for batch in store.batches]

"""What a department may leave waiting, and how many tickets a person may name that are not there."""

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.ports.operator import HOUR_MS
from crdt_sync.service import admission, connections
from crdt_sync.wire import ysync
from tests.world import SALES, SALES_2, World


@pytest.fixture
async def world():
    world = await World.start(MemoryStore())
    yield world
    await world.stop()


async def test_a_department_leaves_so_many_entries_waiting_and_further_ones_are_refused(world, monkeypatch):
    monkeypatch.setattr(admission, "WAITING_MAX", 2)
    view = await world.opened()
    connection, _ = await world.yjs(f"ticket/{view.id}/submit/sales", SALES)
    submit, made = SubmitDocument(7), []
    for index in range(4):
        made.append(world.made(SALES, view, "sales", "quote", ["bcde"[index] * 51 + "a"]))
        connection.receive(ysync.encode_update(submit.append_transition(made[-1].record)))
        await world.settle()
    live = await world.desk.find(view.id)

    assert [one.id for one in made[:2]] == [entry.key for entry in live.waiting["sales"]]
    assert {one.id: "too_many" for one in made[2:]} == live.log.refused()
    assert 2 == world.meter.refusals["submit", "too_many"]


async def test_a_person_names_so_many_tickets_an_hour_that_are_not_there(world, monkeypatch):
    monkeypatch.setattr(connections, "DRAFTS_PER_HOUR_MAX", 2)
    names = [f"ticket/{letter * 51}a/submit/sales" for letter in "bcd"]
    wires = [(await world.yjs(name, SALES))[1] for name in [*names, names[0]]]

    assert [None, None, 1013, None] == [wire.closed and wire.closed[0] for wire in wires]
    assert {("sync", "too_many_drafts"): 1} == world.meter.refusals
    assert (await world.yjs(names[2], SALES_2))[1].closed is None
    world.clock.advance(HOUR_MS)
    assert (await world.yjs(names[2], SALES))[1].closed is None

"""Rooms over a store: loaded once, kept while needed, quick to load after many updates."""

import asyncio

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.ports import StoreUnavailable
from crdt_sync.service import rooms as rooms_module
from crdt_sync.wire import ysync
from tests.gated_store import GatedStore
from tests.world import SALES, World


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store)
    yield world
    await world.stop()


async def edited(world: World, times: int) -> tuple[str, CardDocument]:
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    connection, _ = await world.yjs(document, SALES)
    card = CardDocument(77)
    for number in range(times):
        connection.receive(ysync.encode_update(card.set_fields({"priority": str(number)})))
    await world.settle()
    connection.ended()
    return document, card


async def test_a_room_is_loaded_once_for_all_who_ask_at_the_same_time(world):
    first, second = await asyncio.gather(world.rooms.get("plain"), world.rooms.get("plain"))

    assert first is second


async def test_a_long_tail_becomes_a_snapshot_from_which_the_room_is_the_same_again(world, store, monkeypatch):
    monkeypatch.setattr(rooms_module, "SNAPSHOT_TAIL_UPDATES", 10)
    document, _ = await edited(world, 25)

    stored = await store.document(document)
    assert stored.snapshot is not None
    assert len(stored.updates) < 10
    again = await World.start(store)
    room = await again.rooms.get(document)
    assert "24" == room.document.card()["priority"]
    assert (await world.rooms.get(document)).document.state() == room.document.state()
    await again.stop()


async def test_a_snapshot_that_cannot_be_written_fails_nothing(world, store, monkeypatch):
    async def refuse(*_):
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(rooms_module, "SNAPSHOT_TAIL_UPDATES", 5)
    monkeypatch.setattr(store, "write_snapshot", refuse, raising=False)
    document, _ = await edited(world, 12)

    assert "11" == (await world.rooms.get(document)).document.card()["priority"]
    assert 13 == len((await store.document(document)).updates)


async def test_a_submit_document_keeps_its_rows_because_they_name_roles(world, store, monkeypatch):
    monkeypatch.setattr(rooms_module, "SNAPSHOT_TAIL_UPDATES", 2)
    view = await world.opened()
    document = f"ticket/{view.id}/submit/sales"
    connection, _ = await world.yjs(document, SALES)
    submit = SubmitDocument(9)
    for number in range(6):
        connection.receive(ysync.encode_update(submit.append_message(str(number))))
    await world.settle()

    assert (await store.document(document)).snapshot is None


async def test_idle_rooms_give_way_and_come_back_as_they_were(world, monkeypatch):
    document, _ = await edited(world, 3)
    before = await world.rooms.get(document)
    monkeypatch.setattr(rooms_module, "IDLE_ROOMS_MAX", 0)

    world.rooms.trim()

    after = await world.rooms.get(document)
    assert after is not before
    assert before.document.state() == after.document.state()


async def test_a_room_with_members_never_gives_way(world, monkeypatch):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    await world.yjs(document, SALES)
    before = await world.rooms.get(document)
    monkeypatch.setattr(rooms_module, "IDLE_ROOMS_MAX", 0)

    world.rooms.trim()

    assert before is await world.rooms.get(document)


async def test_a_room_that_was_unloaded_before_its_first_visitor_woke_is_not_doubled(world, monkeypatch):
    monkeypatch.setattr(rooms_module, "IDLE_ROOMS_MAX", 0)
    load = world.rooms._load

    async def load_and_trim(text):
        room = await load(text)
        asyncio.get_running_loop().call_soon(world.rooms.trim)
        return room

    world.rooms._load = load_and_trim

    assert await world.rooms.get("plain") is await world.rooms.get("plain")

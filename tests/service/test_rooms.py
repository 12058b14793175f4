"""Rooms over a store: loaded once, kept while needed, quick to load after many updates."""

import asyncio
import gc
import weakref

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.card import CardDocument
from crdt_sync.ports import Batch, StoreDamaged
from crdt_sync.protocol.room import Room
from crdt_sync.service import committer, live_ticket
from crdt_sync.service import rooms as rooms_module
from crdt_sync.service.rooms import ROOM_IDLE_S
from crdt_sync.wire import ysync
from tests.contracts.batches import update
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


async def test_a_damaged_document_is_never_an_empty_one(world, store):
    await store.commit(Batch(updates=[update("plain", 2)]))

    with pytest.raises(StoreDamaged):
        await world.rooms.get("plain")


async def test_a_damaged_document_is_told_of_once_and_tried_less_and_less_while_others_are_loaded(
    world, store, logged, monkeypatch
):
    now_s, tries, real = [1_000.0], [], store.document
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now_s[0])
    damage = StoreDamaged("a row is not as it was written")

    async def document(name):
        if name == "damaged":
            tries.append(now_s[0] - 1_000)
            raise damage
        return await real(name)

    damaged, other = await world.rooms.get("damaged"), await world.rooms.get("other")
    store.document = document
    world.rooms.spoil(damaged)
    for _ in range(300):
        world.rooms.spoil(damaged)  # as every message to it does
        world.rooms.spoil(other)
        await world.rooms.refresh()
        assert (True, False) == (damaged.stale, other.stale)
        now_s[0] += 0.5

    assert [0, 1, 3, 7, 15, 31, 63, 123] == tries
    assert ["a row is not as it was written"] == [entry["reason"] for entry in logged]

    damage = StoreDamaged("another row is not")
    now_s[0] += 60
    await world.rooms.refresh()
    assert "another row is not" == logged[-1]["reason"]

    store.document = real
    now_s[0] += 60
    await world.rooms.refresh()
    assert not damaged.stale


async def test_a_document_that_the_store_does_not_read_lets_others_go_first(world, store):
    unread, other = await world.rooms.get("unread"), await world.rooms.get("other")
    store.unreadable.add("unread")
    world.rooms.spoil(unread)
    world.rooms.spoil(other)
    await world.rooms.refresh()
    await world.rooms.refresh()

    assert (True, False) == (unread.stale, other.stale)


async def test_idle_rooms_give_way_and_come_back_as_they_were(world, monkeypatch):
    document, _ = await edited(world, 3)
    before = await world.rooms.get(document)
    monkeypatch.setattr(rooms_module, "IDLE_ROOMS_MAX", 0)

    world.rooms.trim(1e9)

    after = await world.rooms.get(document)
    assert after is not before
    assert before.document.state() == after.document.state()


async def test_a_room_with_members_never_gives_way(world, monkeypatch):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    await world.yjs(document, SALES)
    before = await world.rooms.get(document)
    monkeypatch.setattr(rooms_module, "IDLE_ROOMS_MAX", 0)

    world.rooms.trim(1e9)

    assert before is await world.rooms.get(document)


async def test_a_room_that_nobody_uses_is_unloaded_after_a_while_and_comes_back_as_it_was(world):
    document, _ = await edited(world, 3)
    before = await world.rooms.get(document)
    state = before.document.state()

    world.rooms.trim(1e9)
    world.rooms.trim(1e9 + ROOM_IDLE_S - 1)
    assert before is world.rooms._rooms[document]

    world.rooms.trim(1e9 + 2 * ROOM_IDLE_S)
    assert document not in world.rooms._rooms
    assert state == (await world.rooms.get(document)).document.state()


async def test_a_room_that_is_used_again_begins_to_be_idle_anew(world):
    document, _ = await edited(world, 1)
    world.rooms.trim(1e9)
    room = await world.rooms.get(document)

    world.rooms.trim(1e9 + ROOM_IDLE_S)
    assert room is world.rooms._rooms[document]

    connection, _ = await world.yjs(document, SALES)
    world.rooms.trim(1e9 + 3 * ROOM_IDLE_S)
    world.rooms.trim(1e9 + 5 * ROOM_IDLE_S)
    assert room is world.rooms._rooms[document]

    connection.ended()
    world.rooms.trim(1e9 + 7 * ROOM_IDLE_S)
    assert room is world.rooms._rooms[document]


async def test_what_is_unloaded_leaves_nothing_in_memory(world):
    """What observes a document of pycrdt keeps it for ever; so nothing here observes one."""
    view = await world.opened()
    names = [f"ticket/{view.id}/{kind}" for kind in ("log", "talk", "card", "submit/sales", "form/sales")]
    for name in names:
        (await world.yjs(name, SALES))[0].ended()
    await world.do(SALES, view, "sales", "quote")
    rooms = [world.rooms._rooms[name] for name in names]
    held = [weakref.ref(each) for room in rooms for each in (room, room.document, room.document._doc)]
    held.append(weakref.ref(world.desk._tickets[view.id].fold))
    del rooms

    world.desk.trim(1e9)
    world.desk.trim(1e9 + ROOM_IDLE_S)
    gc.collect()

    assert [None] * len(held) == [each() for each in held]
    assert 2 == len((await world.desk.get(view.id)).order)


async def test_a_service_that_rests_unloads_what_it_does_not_need(world, monkeypatch):
    monkeypatch.setattr(committer, "SWEEP_S", 0.001)
    monkeypatch.setattr(rooms_module, "SWEEP_S", 0.0)
    monkeypatch.setattr(rooms_module, "ROOM_IDLE_S", 0.0)
    monkeypatch.setattr(live_ticket, "TICKET_IDLE_S", 0.0)
    await world.opened()

    while world.rooms._rooms or world.desk._tickets:  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.001)


async def test_many_rooms_in_use_are_not_looked_at_with_every_batch(world, monkeypatch):
    monkeypatch.setattr(rooms_module, "IDLE_ROOMS_MAX", 4)
    for number in range(20):
        world.rooms._rooms[str(number)] = room = Counted()
        room.members[room] = None
    world.rooms.trim(1e9)
    looks = Counted.looks

    for _ in range(10):
        world.rooms.trim(1e9 + 1)
    assert looks == Counted.looks

    for number in range(20, 23):
        world.rooms._rooms[str(number)] = Counted()
    world.rooms.trim(1e9 + 2)
    assert [str(number) for number in range(20)] == list(world.rooms._rooms)


class Counted(Room):
    """A room that says how often it was looked at."""

    looks = 0

    def __init__(self):
        super().__init__("", None, None, document_position=0)

    @property
    def idle(self):
        Counted.looks += 1
        return super().idle


async def test_a_room_that_was_unloaded_before_its_first_visitor_woke_is_not_doubled(world, monkeypatch):
    monkeypatch.setattr(rooms_module, "IDLE_ROOMS_MAX", 0)
    load = world.rooms._load

    async def load_and_trim(text):
        room = await load(text)
        asyncio.get_running_loop().call_soon(world.rooms.trim, 1e9)
        return room

    world.rooms._load = load_and_trim

    assert await world.rooms.get("plain") is await world.rooms.get("plain")

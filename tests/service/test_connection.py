"""One connection that ends while something of it is under way: what came in whole is taken, and nobody else is told."""

import asyncio

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.form import FormDocument
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
    store.reads.set()
    await world.stop()


def edit(client: int) -> bytes:
    return CardDocument(client).set_fields({f"assignee.{'abc'[client % 3]}": "someone"})


def form_edit() -> bytes:
    return FormDocument(78).append_note("on the stairs")


def relayed(wire) -> list[bytes]:
    frames = [ysync.decode(frame) for frame in wire.frames]
    return [frame.update for frame in frames if isinstance(frame, ysync.Update)]


async def test_an_update_that_waits_for_the_room_is_taken_although_its_sender_has_left(world, store):
    document = f"ticket/{(await world.opened()).id}/card"
    author, author_wire = await world.yjs(document, SALES)
    asking, wire = await world.yjs(document, TECH)
    first, second = edit(76), edit(77)
    store.gate.clear()
    author.receive(ysync.encode_update(first))
    author.take()
    asking.receive(ysync.encode_step1(b"\0"))
    author.receive(ysync.encode_update(second))
    author.ended()
    store.gate.set()
    await world.settle()

    assert [second] == [update for update in relayed(wire) if update], "the first is in the answer"
    assert [] == relayed(author_wire)


async def test_an_update_that_waits_for_its_document_is_taken_although_its_sender_has_left(world, store):
    document = f"ticket/{(await world.opened()).id}/form/tech"
    address, update = document.encode(), form_edit()
    connection, wire = world.collab()
    store.reads.clear()
    connection.receive(hocuspocus.encode_token(address, "tech-1"))
    await world.settle()
    connection.receive(hocuspocus.encode_update(address, update))
    connection.ended()
    store.reads.set()
    await world.settle()

    assert update == (await store.document(document)).updates[-1].data
    assert [] == wire.frames
    assert {} == (await world.rooms.get(document)).members


async def test_nothing_is_loaded_for_a_sender_that_has_left_without_an_update(world, store):
    document = f"ticket/{(await world.opened()).id}/form/tech"
    connection, _ = world.collab()
    store.reads.clear()
    connection.receive(hocuspocus.encode_token(document.encode(), "tech-1"))
    await world.settle()
    (opening,) = [task for task in asyncio.all_tasks() if "Connection._open" in repr(task.get_coro())]
    connection.ended()
    await world.settle()

    assert opening.cancelled()


async def test_what_is_refused_of_a_sender_that_has_left_is_kept_and_what_builds_on_it_is_not_taken(world, store):
    document = f"ticket/{(await world.opened()).id}/form/tech"
    address = document.encode()
    connection, _ = world.collab()
    store.reads.clear()
    connection.receive(hocuspocus.encode_token(address, "tech-1"))
    await world.settle()
    connection.receive(hocuspocus.encode_update(address, b"\xff\xff\xff"))
    connection.receive(hocuspocus.encode_update(address, form_edit()))
    connection.ended()
    store.reads.set()
    await world.settle()

    assert () == tuple((await store.document(document)).updates)
    assert [b"\xff\xff\xff"] == [kept.data for batch in store.batches for kept in batch.quarantined]


async def test_two_sessions_of_one_document_on_one_socket_have_each_their_own(world):
    document = f"ticket/{(await world.opened()).id}/card"
    connection, wire = world.collab()
    here, there = (f"{document}\0{session}".encode() for session in ("a", "b"))
    for address in (here, there):
        connection.receive(hocuspocus.encode_token(address, "sales-1"))
    await world.settle()
    wire.frames.clear()
    connection.receive(hocuspocus.encode_update(here, edit(76)))
    await world.settle()

    expected = [
        hocuspocus.encode_sync_status(here, accepted=True),
        hocuspocus.encode_update(here, edit(76)),
        hocuspocus.encode_update(there, edit(76)),
    ]
    assert expected == wire.frames


@pytest.mark.parametrize("when", ["it is opened", "it is judged again"])
async def test_whose_access_could_not_be_judged_keeps_nothing(world, monkeypatch, when):
    """A fault of ours while access is judged must not leave things as they were."""
    faults = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))
    view = await world.opened()

    async def broken(document, principal):
        raise ValueError("a mistake")

    if when == "it is opened":
        monkeypatch.setattr(world.connections, "admit", broken)
        _, wire = await world.yjs(f"ticket/{view.id}/card", SALES)
    else:
        connection, wire = await world.yjs(f"ticket/{view.id}/card", SALES)
        monkeypatch.setattr(world.connections, "admit", broken)
        (member,) = connection._members.values()
        connection._arrive(member.key, connection._look_again(member, TECH))
        await world.settle()

    assert (1011, "internal") == (wire.closed[0], wire.closed[1].partition(":")[0])
    assert ["a mistake"] == [str(fault) for fault in faults]

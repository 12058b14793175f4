"""Compaction over the real service: what a document says survives it, and what is not proven is not removed."""

import asyncio
import hashlib

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain.access import Principal
from crdt_sync.domain.ids import DocumentKind
from crdt_sync.ports import StoreConflict, StoreDamaged, StoreUnavailable
from crdt_sync.ports.stored import Author
from crdt_sync.service import authorship
from crdt_sync.service import compaction as compaction_module
from crdt_sync.service.compaction import NotProven, compact, kind_of
from crdt_sync.wire import ysync
from tests.empty_database import empty_store
from tests.gated_store import GatedStore
from tests.world import LEAD, SALES, World


@pytest.fixture(params=["memory", "sql"])
async def store(request, tmp_path):
    inner = MemoryStore() if request.param == "memory" else await empty_store(tmp_path / "l.db")
    yield GatedStore(inner)
    await inner.close()


@pytest.fixture
async def world(store):
    world = await World.start(store, open_documents=True)
    yield world
    await world.stop()


async def until(true):
    """Wait for what threads do; the test's own time limit is the limit."""
    while not true():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0)


async def typed(world: World, document: str, edits: list[bytes], by: Principal = SALES):
    connection, wire = await world.yjs(document, by)
    room = await world.rooms.get(document)
    await until(lambda: room.members)
    before = room.document_position
    for data in edits:
        connection.receive(ysync.encode_update(data))
        connection.take()  # a row each
    await until(lambda: not room.pending and room.document_position == before + len(edits))
    return connection, wire


async def a_card(world: World, times: int) -> str:
    view = await world.opened()
    card = CardDocument(77)
    edits = [card.set_fields({"priority": str(number)}) for number in range(times)]
    await typed(world, f"ticket/{view.id}/card", edits)
    return f"ticket/{view.id}/card"


# One compaction


async def test_a_compacted_document_says_what_its_rows_said(world, store):
    document = await a_card(world, 6)
    before, room = await store.document(document), await world.rooms.get(document)

    done = await compact(store, document, world.ids)

    stored = await store.document(document)
    assert () == stored.updates
    assert (7, 7, sum(len(row.data) for row in before.updates), len(stored.snapshot.data)) == (
        done.document_position,
        done.rows,
        done.rows_bytes,
        done.snapshot_bytes,
    )
    assert (room.document.digest(), before.authors()) == (stored.snapshot.digest, stored.authors())
    again = await World.start(store)
    loaded = (await again.rooms.get(document)).document
    assert (room.document.state(), room.document.digest()) == (loaded.state(), loaded.digest())
    await again.stop()


async def test_it_stays_known_who_wrote_which_update_when(world, store):
    document = await a_card(world, 3)
    rows = (await store.document(document)).updates

    await compact(store, document, world.ids)

    (kept,) = await store.authorship(document)
    assert [(row.position, row.author, row.at_ms, hashlib.sha256(row.data).hexdigest()) for row in rows] == [
        (each.position, each.author, each.at_ms, each.digest) for each in authorship.decode(kept)
    ]


async def test_a_second_compaction_goes_on_where_the_first_ended(world, store):
    document = await a_card(world, 3)
    await compact(store, document, world.ids)
    assert await compact(store, document, world.ids) is None

    await typed(world, document, [CardDocument(78).set_fields({"priority": "high"})])
    done = await compact(store, document, world.ids)

    assert (5, 1) == (done.document_position, done.rows)
    assert [4, 5] == [authorship.decode(kept)[-1].document_position for kept in await store.authorship(document)]
    assert (await world.rooms.get(document)).document.digest() == (await store.document(document)).snapshot.digest


async def test_a_submit_document_keeps_the_roles_of_its_authors(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/submit/sales"
    lead, clerk = SubmitDocument(8), SubmitDocument(9)
    waiting = world.made(LEAD, view, "sales", "sign", ["a" * 52])
    await typed(world, document, [lead.append_transition(waiting.record)], LEAD)
    await typed(world, document, [clerk.append_message("no message")], SALES)

    await compact(store, document, world.ids)

    by = [Author(who.actor, who.department, who.roles) for who in (LEAD, SALES)]
    assert by == list((await store.document(document)).snapshot.authors)
    again = await World.start(store)
    room = await again.rooms.get(document)
    assert (LEAD.roles, SALES.roles) == (room.authors[LEAD.actor].roles, room.authors[SALES.actor].roles)
    assert {waiting.record: LEAD.actor, "no message": SALES.actor} == {
        entry.text: actor for entry, actor in room.document.authored()
    }
    await again.stop()


async def test_only_so_many_rows_are_removed_at_once(world, store, monkeypatch):
    document = await a_card(world, 6)
    monkeypatch.setattr(compaction_module, "ROWS_AT_ONCE_MAX", 4)

    done = [await compact(store, document, world.ids) for _ in range(3)]

    assert [4, 3] == [each.rows for each in done[:2]]
    assert done[2] is None


@pytest.mark.parametrize("broken", ["state", "digest"])
async def test_what_is_not_proven_is_not_removed(world, store, monkeypatch, broken):
    document = await a_card(world, 3)
    before = await store.document(document)
    if broken == "state":  # a snapshot that lacks the newest
        monkeypatch.setattr(CardDocument, "snapshot", lambda self: earlier)
        card = CardDocument(5)
        card.load(None, [(row.data, row.actor) for row in before.updates[:-1]])
        earlier = b"\x01\x00" + bytes([len(card.diff(b"\0"))]) + card.diff(b"\0")
    else:  # one that has another letter in it
        real = CardDocument.snapshot
        monkeypatch.setattr(CardDocument, "snapshot", lambda self: real(self).replace(b"bakery", b"bakerx"))

    with pytest.raises(NotProven, match="differs from the replay"):
        await compact(store, document, world.ids)

    assert before == await store.document(document)
    assert [] == await store.authorship(document)


async def test_a_document_that_does_not_load_is_not_compacted(world, store):
    await typed(world, "plain", [CardDocument(7).set_fields({"title": "x"})])
    rows = store._inner._updates["plain"] if isinstance(store._inner, MemoryStore) else None
    if rows is None:
        plain = "(SELECT id FROM documents WHERE name = 'plain')"
        damage = f"UPDATE updates SET data = x'ff', checksum = NULL WHERE document_id = {plain}"
        await store._inner._database.write(lambda connection: connection.exec_driver_sql(damage))
    else:
        object.__setattr__(rows[0], "data", b"\xff")

    with pytest.raises(NotProven, match="does not decode"):
        await compact(store, "plain", world.ids)


async def test_a_document_that_was_compacted_meanwhile_stays_as_it_is(world, store, monkeypatch):
    document = await a_card(world, 3)
    write = store._inner.compact

    async def second(compaction):
        monkeypatch.setattr(store, "compact", write, raising=False)
        await compact(store, document, world.ids)
        await write(compaction)

    monkeypatch.setattr(store, "compact", second, raising=False)
    with pytest.raises(StoreConflict):
        await compact(store, document, world.ids)

    assert 1 == len(await store.authorship(document))
    assert 4 == (await store.document(document)).snapshot_position


async def test_what_is_written_while_it_is_proven_stays_behind_the_snapshot(world, store, monkeypatch):
    document = await a_card(world, 3)
    write = store._inner.compact

    async def later(compaction):
        await typed(world, document, [CardDocument(78).set_fields({"priority": "high"})])
        await write(compaction)

    monkeypatch.setattr(store, "compact", later, raising=False)
    await compact(store, document, world.ids)

    stored = await store.document(document)
    assert (4, [5]) == (stored.snapshot_position, [row.document_position for row in stored.updates])
    assert "high" == (await world.rooms.get(document)).document.card()["priority"]


def test_a_name_says_the_kind():
    assert kind_of("plain") is None
    assert DocumentKind.CARD == kind_of(f"ticket/{'a' * 52}/card")


# What is due


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(compaction_module, "TAIL_ROWS_MAX", 5)


async def test_a_long_tail_is_compacted_and_counted(world, store, short):
    document = await a_card(world, 9)
    room = await world.rooms.get(document)
    await until(lambda: room.tail_rows < 5)

    stored = await store.document(document)
    assert room.snapshot_position == stored.snapshot_position
    assert room.tail_bytes == sum(len(row.data) for row in stored.updates)
    assert [True] * len(world.meter.compactions) == [proven for _, proven in world.meter.compactions]
    assert stored.snapshot_position == sum(rows for rows, _ in world.meter.compactions)


async def test_a_tail_that_is_longer_than_what_is_removed_at_once_is_gone_on_with(world, store, monkeypatch):
    document = await a_card(world, 17)
    room = await world.rooms.get(document)
    monkeypatch.setattr(compaction_module, "TAIL_ROWS_MAX", 3)
    monkeypatch.setattr(compaction_module, "ROWS_AT_ONCE_MAX", 4)
    world.compactor.consider(room)
    await until(lambda: room.tail_rows < 3)

    assert [4, 4, 4, 4] == [rows for rows, _ in world.meter.compactions]
    assert 16 == (await store.document(document)).snapshot_position


async def test_large_updates_make_a_tail_long(world, store, monkeypatch):
    monkeypatch.setattr(compaction_module, "TAIL_BYTES_MAX", 1_000)
    await typed(world, "plain", [CardDocument(7).set_fields({"title": "x" * 600})])
    assert [] == world.meter.compactions

    await typed(world, "plain", [CardDocument(8).set_fields({"title": "y" * 600})])
    await until(lambda: world.meter.compactions)

    assert 2 == (await store.document("plain")).snapshot_position


async def test_a_tail_that_is_long_when_it_is_loaded_is_compacted(world, store, short, monkeypatch):
    monkeypatch.setattr(compaction_module, "TAIL_ROWS_MAX", 100)
    document = await a_card(world, 9)
    monkeypatch.setattr(compaction_module, "TAIL_ROWS_MAX", 5)

    again = await World.start(store)
    room = await again.rooms.get(document)
    await until(lambda: room.tail_rows == 0)

    assert 10 == (await store.document(document)).snapshot_position
    await again.stop()


async def test_a_room_that_never_settles_is_compacted_where_it_is_committed(world, store, short):
    card = CardDocument(77)
    connection, _ = await typed(world, "plain", [card.set_fields({"priority": str(n)}) for n in range(4)])
    room = await world.rooms.get("plain")
    store.gate.clear()
    connection.receive(ysync.encode_update(card.set_fields({"priority": "pending"})))
    await until(lambda: store.waiting)
    world.compactor.consider(room)
    await until(lambda: world.meter.compactions)
    assert (4, 1) == (room.snapshot_position, room.pending and 1)

    store.gate.set()
    await until(lambda: not room.pending)
    (row,) = (await store.document("plain")).updates
    assert (5, True) == (row.document_position, b"pending" in row.data)


async def test_one_compaction_runs_at_a_time_and_what_grew_meanwhile_is_due_once_more(world, store, short, monkeypatch):
    running, most, begun = set(), [], asyncio.Event()
    gate = asyncio.Event()

    async def slow(store, document, ids):
        running.add(document)
        most.append(len(running))
        begun.set()
        await gate.wait()
        try:
            return await compact(store, document, ids)
        finally:
            running.discard(document)

    monkeypatch.setattr(compaction_module, "compact", slow)
    card = CardDocument(77)
    edits = [card.set_fields({"priority": str(n)}) for n in range(15)]
    await typed(world, "one", edits[:5])
    await typed(world, "two", edits[:5])
    await begun.wait()
    await typed(world, "one", edits[5:])
    gate.set()
    await until(lambda: 20 == sum(rows for rows, _ in world.meter.compactions))

    assert {1} == set(most)
    assert 3 >= len(most), "one, two, and one again at the most"


@pytest.mark.parametrize("error", [NotProven("it differs"), StoreDamaged("a row is not as it was written")])
async def test_what_is_not_proven_is_told_and_left_alone_for_a_while(world, store, short, monkeypatch, logged, error):
    tried = []

    async def fails(store, document, ids):
        tried.append(document)
        raise error

    monkeypatch.setattr(compaction_module, "compact", fails)
    document = await a_card(world, 12)
    room = await world.rooms.get(document)
    world.compactor.consider(room)
    await until(lambda: not world.compactor._due)

    assert [document] == tried
    assert [(0, False)] == world.meter.compactions
    told = [line for line in logged if line["event"] == "compaction not proven"]
    assert [("error", document, str(error))] == [(line["log_level"], line["document"], line["reason"]) for line in told]

    monkeypatch.setattr(compaction_module, "RETRY_S", 0)
    world.compactor._barred[document] = 0.0
    world.compactor.consider(room)
    await until(lambda: len(tried) == 2)


async def test_what_an_operator_compacted_is_not_looked_at_with_every_commit(world, store, monkeypatch):
    document = await a_card(world, 3)
    room = await world.rooms.get(document)
    await compact(store, document, world.ids)
    monkeypatch.setattr(compaction_module, "TAIL_ROWS_MAX", 4)

    world.compactor.consider(room)
    await until(lambda: not room.tail_rows)

    assert (4, 0) == (room.snapshot_position, room.tail_bytes)
    assert [] == world.meter.compactions


async def test_a_fault_of_ours_in_one_document_leaves_the_others_to_be_compacted(
    world, store, short, monkeypatch, logged
):
    async def fails(store, document, ids):
        if document == "one":
            raise ZeroDivisionError
        return await compact(store, document, ids)

    monkeypatch.setattr(compaction_module, "compact", fails)
    for document in ("one", "two"):
        await typed(world, document, [CardDocument(n).set_fields({"priority": "x"}) for n in range(1, 6)])
    await until(lambda: world.meter.compactions)

    assert [(5, True)] == world.meter.compactions
    assert ["one"] == [line["document"] for line in logged if line["event"] == "compaction failed"]


@pytest.mark.parametrize("error", [StoreUnavailable("the disk is full"), StoreConflict(["plain"])])
async def test_a_store_that_refuses_costs_nothing_but_a_line_in_the_log(
    world, store, short, monkeypatch, logged, error
):
    async def refuse(_):
        raise error

    monkeypatch.setattr(store, "compact", refuse, raising=False)
    document = await a_card(world, 9)
    await until(lambda: any(line["event"] == "document not compacted" for line in logged))

    assert 10 == len((await store.document(document)).updates)
    assert [] == world.meter.compactions
    monkeypatch.undo()
    world.compactor.consider(await world.rooms.get(document))
    monkeypatch.setattr(compaction_module, "TAIL_ROWS_MAX", 5)
    world.compactor.consider(await world.rooms.get(document))
    await until(lambda: world.meter.compactions)

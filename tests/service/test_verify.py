"""A database that holds proves itself, and whatever is changed in it is found."""

import asyncio
import shutil
import sqlite3
from dataclasses import replace

import pytest
import pytest_asyncio

from crdt_sync.adapters import lifecycle_files
from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain.delivery import DeliveryState
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import Position
from crdt_sync.domain.media import ref_of
from crdt_sync.domain.message import make
from crdt_sync.ports import Batch
from crdt_sync.ports.outbox import DeliveryChange, OutboxFilter
from crdt_sync.service.compaction import compact
from crdt_sync.service.media import Place
from crdt_sync.service.sending import Report, lease_of
from crdt_sync.service.verify import Fault, verify
from crdt_sync.wire import ysync
from tests.contracts.batches import AT_MS, delivery, message, notice, update
from tests.fakes import SeededIds
from tests.samples import PNG
from tests.world import GATEWAY, SALES, SUPPORT, TECH, World, arrival

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(tmp_path_factory):
    """A database with something in every table that a service fills by itself."""
    file = tmp_path_factory.mktemp("whole") / "log.db"
    store = await SqlStore.open(f"sqlite:///{file}")
    world = await World.start(store, open_documents=True)
    view = await world.opened(subject="order:7", request_id="k1")
    owing = await world.opened()
    for principal, lane, name in ((SALES, "sales", "quote"), (SALES, "sales", "sign"), (TECH, "tech", "start")):
        owing = await world.do(principal, owing, lane, name)
    await world.do(SALES, owing, "sales", "withdraw")
    view = await world.do(SALES, view, "sales", "quote")
    await world.tickets.update_form(SALES, view.id, "sales", fields={"discount_percent": 5}, note="hello")
    await world.tickets.post_message(SUPPORT, view.id, text="welcome")
    await world.tickets.ingest(GATEWAY, [arrival("m1"), arrival("m2", "again")])
    picture = {"type": "image", "ref": "media-1", "name": ""}
    await world.tickets.ingest(GATEWAY, [arrival("m3", parts=(picture,))])
    await world.contents.attach(GATEWAY, Place("shop", "m3", 0), _pieces(PNG * 5_000))
    card, submit = CardDocument(77), SubmitDocument(78)
    edits = {
        f"ticket/{view.id}/card": [card.set_fields({"priority": str(number)}) for number in range(5)],
        f"ticket/{view.id}/submit/sales": [submit.append_transition("{}")],
        "plain": [CardDocument(79).set_fields({"title": "x"})],
    }
    for document, updates in edits.items():
        connection, _ = await world.yjs(document, SALES)
        room = await world.rooms.get(document)
        while not room.members:  # noqa: ASYNC110 - a session opens without an event
            await asyncio.sleep(0)
        before = room.document_position
        for data in updates:
            connection.receive(ysync.encode_update(data))
        while room.pending or room.document_position == before:  # noqa: ASYNC110
            await asyncio.sleep(0)
        connection.ended()
    for document in (f"ticket/{view.id}/card", f"ticket/{view.id}/submit/sales", f"ticket/{view.id}/log"):
        await compact(store, document, world.ids)
    await world.tickets.update_card(SALES, view.id, fields={"priority": "high"})
    await world.stop()
    await store.close()
    return file


async def _pieces(*pieces):
    for piece in pieces:
        yield piece


async def faults_of(file) -> list[Fault]:
    store = await SqlStore.open(f"sqlite:///{file}")
    try:
        return [fault async for fault in verify(store, store.inspector(), lifecycle_files.load_accepted, SeededIds(5))]
    finally:
        await store.close()


def changed(whole, tmp_path, *statements):
    """A copy of the database in which somebody did this."""
    file = tmp_path / "copy.db"
    shutil.copy(whole, file)
    connection = sqlite3.connect(file)
    for statement in statements:
        assert connection.execute(statement).rowcount > 0, statement
    connection.commit()
    connection.close()
    return file


async def test_a_database_that_holds_has_no_fault(whole):
    assert [] == await faults_of(whole)


FLIPS = {
    "documents": ["id", "name"],
    "updates": ["data", "actor", "roles", "at_ms"],
    "snapshots": ["data", "authors", "digest", "document_position"],
    "authorship": ["data"],
    "transitions": ["record", "id", "at_ms"],
    "messages": ["record", "id", "ticket"],
    "events": ["data", "type", "audience", "at_ms"],
    "subjects": ["ticket", "readable"],
    "results": ["result", "at_ms"],
    "tickets": ["stage", "lanes", "flags", "obligations", "card", "participants", "version", "subject", "lifecycle"],
    "ticket_facets": ["value"],
    "owed": ["obligation"],
    "lifecycles": ["source", "digest"],
    "media_pieces": ["data", "upload", "at_ms"],
    "media": ["digest", "size", "type", "upload"],
    "media_uses": ["ticket", "digest"],
}


@pytest.mark.parametrize(("table", "column"), [(table, column) for table in FLIPS for column in FLIPS[table]])
async def test_a_flipped_byte_is_found_in_every_table(whole, tmp_path, table, column):
    connection = sqlite3.connect(whole)
    where = "facet = 'stage'" if table == "ticket_facets" else f"rowid = (SELECT max(rowid) FROM {table})"
    (value,) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
    connection.close()
    if isinstance(value, int):
        new = str(value + 1)
    else:
        raw = bytearray(value if isinstance(value, bytes) else value.encode())
        raw[len(raw) // 2] ^= 1
        new = f"x'{raw.hex()}'" if isinstance(value, bytes) else f"CAST(x'{raw.hex()}' AS TEXT)"
    file = changed(whole, tmp_path, f"UPDATE {table} SET {column} = {new} WHERE {where}")

    assert [] != await faults_of(file)


GONE = [table for table in FLIPS if table != "results"]  # a result may be forgotten


@pytest.mark.parametrize("table", GONE)
async def test_a_row_that_is_gone_is_found(whole, tmp_path, table):
    where = "facet = 'stage'" if table == "ticket_facets" else f"rowid = (SELECT max(rowid) FROM {table})"
    file = changed(whole, tmp_path, f"DELETE FROM {table} WHERE {where}")

    assert [] != await faults_of(file)


async def test_a_fault_is_found_where_no_checksum_tells_of_it(whole, tmp_path):
    """Somebody wrote a row anew, and left out its checksum: what stands there twice does not agree any more."""
    dropped = "UPDATE {} SET checksum = NULL"
    for statement, where in {
        "UPDATE snapshots SET data = (SELECT data FROM updates ORDER BY position DESC LIMIT 1)": "ticket/",
        "UPDATE transitions SET record = replace(record, 'quote', 'quotf')": "ticket ",
        "UPDATE messages SET record = replace(record, 'welcome', 'welcomf')": "ticket ",
        "UPDATE subjects SET ticket = 'x'": "ticket ",
        "UPDATE events SET ticket = 'x'": "events",
        "UPDATE media_pieces SET data = zeroblob(10)": "content ",
        "UPDATE events SET position = position + 1000": "positions",
        "UPDATE updates SET position = 1 WHERE position = (SELECT max(position) FROM updates)": "positions",
    }.items():
        table = statement.split()[1]
        file = changed(whole, tmp_path, dropped.format(table), statement)
        assert any(fault.where.startswith(where) for fault in await faults_of(file)), statement


async def test_a_content_that_never_came_is_a_warning_and_one_that_was_sent_and_is_gone_is_damage(tmp_path):
    file = tmp_path / "log.db"
    store = await SqlStore.open(f"sqlite:///{file}")
    world = await World.start(store)
    (made,) = await world.tickets.ingest(GATEWAY, [arrival("m1")])
    taken = await world.contents.upload(SALES, made.ticket, _pieces(PNG))
    parts = [{"type": "image", "ref": ref_of(digest), "name": ""} for digest in (taken.digest, "0" * 64)]
    said = make(ticket=made.ticket, kind="agent", author=SALES.actor, at=1, parts=parts, salt="0" * 32)
    connection, _ = await world.yjs(f"ticket/{made.ticket}/submit/sales", SALES)
    connection.receive(ysync.encode_update(SubmitDocument(78).append_message(said.record)))
    await world.settle()
    claiming = world.outbox.claim(Identity(GATEWAY, None), accounts=(), idempotent=(), in_flight_max=1)
    row = await anext(claiming)
    await world.outbox.report(GATEWAY, Report(row.id, lease_of(row), "sent"))
    await world.stop()
    await store.close()

    absent = f"the content {'0' * 64} that message {said.id}/1 names is not there"
    assert [(absent, False)] == [(fault.what, fault.is_damage) for fault in await faults_of(file)]
    gone = changed(file, tmp_path, *(f"DELETE FROM {table}" for table in ("media_uses", "media", "media_pieces")))
    assert [True, False] == [fault.is_damage for fault in await faults_of(gone)]


async def test_what_is_compacted_twice_or_restored_still_holds(whole, tmp_path):
    file = tmp_path / "copy.db"
    shutil.copy(whole, file)
    store = await SqlStore.open(f"sqlite:///{file}")
    for name in await store.documents():
        await compact(store, name, SeededIds(3))
    await store.begin_epoch(Position(2**40), 1)
    await store.commit(Batch(updates=[update("other", 1, CardDocument(5).set_fields({"title": "x"}))]))
    assert ["other"] == [name for name in await store.documents() if (await store.document(name)).updates]
    await store.close()

    assert [] == await faults_of(file)


async def test_what_is_left_of_pruned_notices_holds(tmp_path):
    file = tmp_path / "log.db"
    store = await SqlStore.open(f"sqlite:///{file}")
    await store.commit(Batch(messages=[message("m")], deliveries=[delivery("m"), notice("n"), notice("o", to="li")]))
    for row in await store.deliveries(OutboxFilter()):
        await store.commit(Batch(delivery_changes=[DeliveryChange(row, replace(row, state=DeliveryState.SENT))]))
    told = [fault for fault in await faults_of(file) if fault.where == "positions"]

    assert [2, 1, 0] == [await store.prune_deliveries(AT_MS + 1, limit=2) for _ in range(3)]
    await store.close()
    assert [] == told == [fault for fault in await faults_of(file) if fault.where == "positions"]
    file = changed(file, tmp_path, "DELETE FROM pruned_notices WHERE position = 3")
    assert ["1 are missing, from 3 on"] == [each.what for each in await faults_of(file) if each.where == "positions"]


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE ended_clients SET clients = '[1,'", "plain"),
        ("UPDATE restores SET position = position * 2", "positions"),
        ("DELETE FROM restores", "positions"),
        ("UPDATE service_position SET value = 1", "positions"),
        ("UPDATE service_position SET value = 'x'", "positions"),
        ("DELETE FROM service_position", "positions"),
        ("UPDATE ended_clients SET clients = '[78]'", "rows"),
        ("UPDATE restores SET at_ms = at_ms + 1", "rows"),
    ],
)
async def test_what_a_restore_wrote_and_is_ruined_is_told_and_ends_no_proof(whole, tmp_path, statement, where):
    file = tmp_path / "restored.db"
    shutil.copy(whole, file)
    store = await SqlStore.open(f"sqlite:///{file}")
    await store.begin_epoch(Position(2**40), 1)
    await store.renew("plain", (), frozenset({79}))
    await store.close()

    older = ("UPDATE ended_clients SET checksum = NULL", "UPDATE restores SET checksum = NULL")
    assert [] == await faults_of(file) == await faults_of(changed(file, tmp_path, *older))
    assert where in [fault.where for fault in await faults_of(changed(file, tmp_path, statement))]

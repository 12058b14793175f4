"""What the record of refusals holds, and that nobody can fill it or push others out of it."""

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.log import LogDocument
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.ports.operator import HOUR_MS, RefusalFilter
from crdt_sync.service import audit
from crdt_sync.service.audit import Asked, digest_of
from crdt_sync.wire import ysync
from tests.gated_store import GatedStore
from tests.world import SALES, World

SECRET = b"k" * 32
ANYTHING = RefusalFilter()


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store)
    world.audit.start(world.committer)
    yield world
    store.down = False
    await world.audit.stop()
    await world.stop()


async def written(world, where=ANYTHING):
    world.audit.write()
    await world.settle()
    return await world.store.refusals(where, limit=100_000)


async def test_a_refusal_says_who_asked_for_what_where_and_when(world):
    world.audit.refused(Asked("sync", "ticket/x/log", "10.0.0.7", SALES), "read_only")
    (row,) = await written(world)

    now_ms = world.clock.now_ms()
    assert ("sync", "ticket/x/log", "read_only", "sales-1", "sales", 1, now_ms) == (
        row.wire,
        row.subject,
        row.code,
        row.actor,
        row.department,
        row.count,
        row.last_ms,
    )
    assert {("sync", "read_only"): 1} == world.meter.refusals


async def test_an_address_is_kept_as_a_digest_that_only_the_secret_can_tell(world):
    world.audit.refused(Asked("http", "GET /", "10.0.0.7"), "token_invalid")
    (row,) = await written(world)

    assert digest_of("10.0.0.7", SECRET) == row.source
    assert 16 == len(row.source)
    assert row.source != digest_of("10.0.0.7", b"other")
    assert "" == digest_of("", SECRET)


async def test_repeats_of_an_hour_are_one_row_with_a_count_whenever_they_were_written(world):
    asked = Asked("sync", "ticket/x/log", "10.0.0.7", SALES)
    for _ in range(3):
        world.audit.refused(asked, "read_only")
    await written(world)
    world.clock.advance(5_000)
    world.audit.refused(asked, "read_only")
    assert [(4, world.clock.now_ms())] == [(row.count, row.last_ms) for row in await written(world)]
    world.clock.advance(HOUR_MS)
    world.audit.refused(asked, "read_only")

    assert [1, 4] == [row.count for row in await written(world)]


async def test_a_hostile_source_gets_so_many_rows_an_hour_and_others_keep_theirs(world, monkeypatch):
    monkeypatch.setattr(audit, "ROWS_PER_SOURCE_MAX", 5)
    for index in range(1_000):
        world.audit.refused(Asked("sync", f"noise-{index}", "10.6.6.6"), "unknown_document")
    world.audit.refused(Asked("sync", "ticket/x/log", "10.0.0.7", SALES), "read_only")
    rows = await written(world)

    assert 7 == len(rows)
    assert {"", "ticket/x/log", *(f"noise-{index}" for index in range(5))} == {row.subject for row in rows}
    assert 1_001 == sum(row.count for row in rows)


async def test_a_hostile_crowd_gets_so_many_rows_an_hour(world, monkeypatch):
    monkeypatch.setattr(audit, "ROWS_PER_HOUR_MAX", 10)
    for index in range(1_000):
        world.audit.refused(Asked("sync", "notes", f"10.0.{index}.1"), "token_invalid")
    rows = await written(world)

    assert (11, 1_000) == (len(rows), sum(row.count for row in rows))
    assert [("", "")] == [(row.subject, row.source) for row in rows if row.count > 1]


async def test_only_so_many_rows_go_into_one_commit(world, store):
    for index in range(audit.ROWS_A_WRITE + 1):
        world.audit.refused(Asked("sync", f"d-{index}", f"10.0.0.{index}"), "unknown_document")
    await written(world)
    assert [audit.ROWS_A_WRITE] == [len(batch.refusals) for batch in store.batches]
    await written(world)

    assert [audit.ROWS_A_WRITE, 1] == [len(batch.refusals) for batch in store.batches]


async def test_what_could_not_be_written_is_written_later(world, store):
    store.down = True
    world.audit.refused(Asked("sync", "notes", "10.0.0.7"), "token_invalid")
    assert [] == await written(world)
    world.audit.refused(Asked("sync", "notes", "10.0.0.7"), "token_invalid")
    store.down = False

    assert [2] == [row.count for row in await written(world)]


async def test_the_last_ones_are_written_when_the_service_stops(world):
    for index in range(2 * audit.ROWS_A_WRITE):
        world.audit.refused(Asked("sync", f"d-{index}", f"10.0.0.{index}"), "unknown_document")
    await world.audit.stop()
    await world.settle()

    assert 2 * audit.ROWS_A_WRITE == len(await world.store.refusals(ANYTHING, limit=1_000))


async def test_the_operator_reads_by_person_code_and_source(world):
    world.audit.refused(Asked("sync", "a", "10.0.0.7", SALES), "read_only")
    world.audit.refused(Asked("sync", "b", "10.0.0.8"), "token_invalid")
    await written(world)

    assert ["a"] == [row.subject for row in await written(world, RefusalFilter(actor="sales-1"))]
    assert ["b"] == [row.subject for row in await written(world, RefusalFilter(code="token_invalid"))]
    source = digest_of("10.0.0.8", SECRET)
    assert ["b"] == [row.subject for row in await written(world, RefusalFilter(source=source))]


async def test_a_refused_entry_is_counted_and_written_with_the_commit_that_refuses_it(world):
    view = await world.opened()
    document = f"ticket/{view.id}/submit/sales"
    connection, _ = await world.yjs(document, SALES)
    connection.receive(ysync.encode_update(SubmitDocument(7).append_transition("no record")))
    await world.settle()
    (row,) = await world.store.refusals(ANYTHING)

    assert ("submit", document, "malformed", "sales-1") == (row.wire, row.subject, row.code, row.actor)
    assert 1 == world.meter.refusals["submit", "malformed"]


async def test_the_refused_entries_of_one_update_are_one_row_and_are_looked_up_one_by_one(world, store, monkeypatch):
    """Thousands in one update would else be as many rows in one commit, each behind a look at all before it."""
    view = await world.opened()
    document = f"ticket/{view.id}/submit/sales"
    connection, _ = await world.yjs(document, SALES)
    await world.settle()
    looks, real = [], LogDocument.refused
    monkeypatch.setattr(LogDocument, "refused", lambda log: looks.append(log) or real(log))
    submitted = SubmitDocument(7)
    for number in range(20):
        submitted.append_transition(f"no record {number}")
    connection.receive(ysync.encode_update(submitted.diff(b"\x00")))
    await world.settle()
    (row,) = store.batches[-1].refusals

    assert ("malformed", 20) == (row.code, row.count)
    assert 20 == world.meter.refusals["submit", "malformed"]
    assert len(looks) <= 2

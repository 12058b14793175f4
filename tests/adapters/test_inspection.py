"""What an inspector of a SQL database sees: every row, a page at a time."""

import sqlite3

import pytest

from crdt_sync.adapters.storage import inspection
from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.domain.ids import Position
from crdt_sync.ports import Batch, StoreUnavailable
from crdt_sync.ports.inspection import Inspector
from tests.contracts.batches import AT_MS, delivery, event, message, name, notice, ticket, transition, update


@pytest.fixture
async def store(tmp_path, monkeypatch):
    monkeypatch.setattr(inspection, "PAGE_ROWS", 2)
    store = await SqlStore.open(f"sqlite:///{tmp_path}/log.db")
    await store.commit(
        Batch(
            updates=[update("d", n) for n in range(1, 6)],
            transitions=[transition("t"), transition("u", "two"), transition("v", "three")],
            messages=[message("m")],
            events=[event("opened")],
            deliveries=[delivery("m"), notice("n-1"), notice("n-2"), notice("n-3")],
            tickets=[ticket("one", newest="t"), ticket("two", newest="u"), ticket("three", newest="v")],
        )
    )
    yield store
    await store.close()


async def test_every_position_is_told_over_all_pages(store):
    inspector: Inspector = store.inspector()

    assert list(range(1, 14)) == sorted([position async for position in inspector.positions()])


async def test_tickets_are_told_in_order_and_page_by_page(store):
    inspector: Inspector = store.inspector()

    assert [name("one"), name("three"), name("two")] == await inspector.tickets()
    assert [name("three")] == await inspector.tickets(name("one"), limit=1)


async def test_the_newest_epoch_is_told(store):
    inspector: Inspector = store.inspector()
    assert 0 == await inspector.begun()

    await store.begin_epoch(Position(70), AT_MS)
    assert 70 == await inspector.begun()


async def test_a_mark_that_would_keep_an_answer_waiting_for_ever_is_told(store, tmp_path):
    connection = sqlite3.connect(tmp_path / "log.db")
    connection.execute("UPDATE outbox SET head = NOT head WHERE id IN ('n-1', 'n-2')")
    connection.commit()
    connection.close()

    inspector: Inspector = store.inspector()
    told = [problem async for problem in inspector.damage()]
    assert 2 == len(told)
    assert all("the outbox" in problem for problem in told)


async def test_rows_and_facets_that_were_changed_are_told(store, tmp_path):
    inspector: Inspector = store.inspector()
    assert [] == [problem async for problem in inspector.damage()]

    connection = sqlite3.connect(tmp_path / "log.db")
    connection.execute("UPDATE updates SET actor = 'support-agent' WHERE document_position = 4")
    connection.execute("UPDATE ticket_facets SET value = 'lost' WHERE facet = 'stage' AND ticket LIKE 'two%'")
    connection.execute("UPDATE tickets SET lanes = '[' WHERE id LIKE 'three%'")
    connection.commit()
    connection.close()

    assert [
        "a row of updates is not as it was written: 4",
        f"the row of ticket {name('three')} does not decode",
        f"ticket {name('two')} is not found by what its row says",
    ] == [problem async for problem in inspector.damage()]


async def test_a_database_that_does_not_answer_is_unavailable(store, tmp_path):
    connection = sqlite3.connect(tmp_path / "log.db")
    connection.execute("DROP TABLE restores")
    connection.close()

    with pytest.raises(StoreUnavailable):
        await store.inspector().begun()


async def test_few_pieces_of_contents_are_held_at_once(store, monkeypatch):
    monkeypatch.setattr(inspection, "PAGE_ROWS", 500)
    for index in range(2 * inspection.PIECE_ROWS + 1):
        await store.put_piece("upload", index, b"data", AT_MS)
    inspector, pages = store.inspector(), []
    rows = inspector._rows

    async def noted(statement):
        pages.append(await rows(statement))
        return pages[-1]

    monkeypatch.setattr(inspector, "_rows", noted)
    assert [] == [problem async for problem in inspector.damage()]
    sizes = [len(page) for page in pages if page and "data" in page[0] and "upload" in page[0]]
    assert [inspection.PIECE_ROWS, inspection.PIECE_ROWS, 1] == sizes

"""Callers who are cancelled, who meet, or who leave: no commit is torn and no connection is lost."""

import asyncio
import contextlib
import sqlite3
import threading

import pytest
from sqlalchemy import event as event_
from sqlalchemy import text

from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.domain.ids import Position
from crdt_sync.ports import Batch, StoreConflict, StoreUnavailable, TicketFilter
from tests.contracts.batches import event, ticket, transition, update


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/log.db"


@pytest.fixture
async def store(url):
    store = await SqlStore.open(url)
    yield store
    await store.close()


async def steps(count: int) -> None:
    """Let the event loop turn so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_cancelled_commit_is_whole_or_absent_and_the_store_goes_on(store):
    whole = 0
    for turns in range(0, 60, 3):
        document = f"d{turns}"
        batch = Batch(updates=[update(document, 1)], events=[event(document)])
        task = asyncio.create_task(store.commit(batch))
        await steps(turns)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        # The writer is one connection: when this returns, whatever was begun before has ended.
        await store.check()

        updates = len((await store.document(document)).updates)
        events = [row.type for row in await store.events(Position(0))].count(document)
        assert updates == events
        whole += updates

    assert 0 < whole < 20
    assert await store.position() == 2 * whole


async def test_the_conflict_of_a_cancelled_commit_is_nobodys_error(store):
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(context))
    await store.commit(Batch(updates=[update("d", 1)]))
    task = asyncio.create_task(store.commit(Batch(updates=[update("d", 1)])))
    await steps(3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    del task
    await store.close()
    await steps(3)

    assert failures == []


async def test_close_waits_for_the_commit_of_a_caller_who_left(store, url):
    task = asyncio.create_task(store.commit(Batch(updates=[update("d", 1)])))
    await steps(3)
    task.cancel()
    await store.close()

    again = await SqlStore.open(url)
    assert await again.position() == 1
    await again.close()


async def test_close_waits_for_readers(store):
    await store.commit(Batch(updates=[update("d", 1)]))
    reads = [asyncio.create_task(store.document("d")) for _ in range(9)]
    await steps(3)
    await store.close()

    assert [1] * 9 == [document.document_position for document in await asyncio.gather(*reads)]


async def test_concurrent_commits_take_positions_in_the_order_of_the_journal(store):
    batches = [
        Batch(transitions=[transition(f"t{n:02}", "one")], events=[event(f"e{n:02}"), event("x")]) for n in range(20)
    ]
    committed = await asyncio.gather(*(store.commit(batch) for batch in batches))

    by_position = {place.first: f"t{n:02}" for n, place in enumerate(committed)}
    assert list(range(1, 61, 3)) == sorted(by_position)
    rows = await store.journal(transition("", "one").ticket)
    assert [(position, by_position[position]) for position in sorted(by_position)] == [
        (row.position, row.id) for row in rows
    ]


async def test_readers_see_only_what_is_committed(store):
    loop, seen = asyncio.get_running_loop(), []

    def write(connection):
        connection.execute(text("UPDATE service_position SET value = 9"))
        seen.append(asyncio.run_coroutine_threadsafe(store.position(), loop).result(timeout=10))

    await store._database.write(write)
    assert [0, 9] == [*seen, await store.position()]


async def test_two_stores_on_one_file_share_one_sequence(store, url):
    other = await SqlStore.open(url)
    writes = [asyncio.create_task(one.commit(Batch(updates=[update("d", n)]))) for n, one in ((1, store), (2, other))]
    positions = sorted([(await write).first for write in writes])

    assert [1, 2] == positions
    with pytest.raises(StoreConflict):
        await other.commit(Batch(updates=[update("d", 1)]))
    assert await store.position() == await other.position() == 2
    await other.close()


async def test_two_processes_may_create_the_schema_at_once(url):
    stores = await asyncio.gather(*(SqlStore.open(url) for _ in range(3)))

    assert [0, 0, 0] == [await one.position() for one in stores]
    for one in stores:
        await one.close()


async def test_whoever_opens_a_new_file_waits_for_those_who_write_it(url, tmp_path):
    other = sqlite3.connect(tmp_path / "log.db", isolation_level=None, check_same_thread=False)
    with contextlib.closing(other):
        other.execute("BEGIN IMMEDIATE")
        opening = asyncio.create_task(SqlStore.open(url))
        await asyncio.sleep(0.2)
        assert not opening.done()
        other.execute("COMMIT")

        store = await opening
        assert await store.position() == 0
        await store.close()


async def test_of_two_writers_of_a_ticket_the_second_is_told(store, url):
    other = await SqlStore.open(url)
    await store.commit(Batch(events=[event("opened")], tickets=[ticket("one")]))
    moved = Batch(events=[event("moved")], tickets=[ticket("one", 1, stage="won")])

    outcomes = await asyncio.gather(store.commit(moved), other.commit(moved), return_exceptions=True)

    assert [True, False] == sorted((isinstance(outcome, StoreConflict) for outcome in outcomes), reverse=True)
    assert await store.position() == 2
    await other.close()


async def test_a_commit_is_the_work_of_one_thread_which_is_not_the_event_loops(store):
    threads = []
    for position in (1, 2):  # the second finds the document's number, and keeps it
        await store.commit(Batch(updates=[update("d", position)]))
    event_.listen(store._database.writer, "before_cursor_execute", lambda *_: threads.append(threading.get_ident()))
    await store.commit(Batch(updates=[update("d", 3)]))
    await store.check()

    assert 6 == len(threads)  # BEGIN, the position, INSERT, whether a snapshot stands there; BEGIN, UPDATE
    assert 1 == len({*threads} - {threading.get_ident()}) == len({*threads})


async def test_a_url_of_the_asynchronous_driver_is_the_same_file(store, tmp_path):
    await store.commit(Batch(updates=[update("d", 1)]))
    other = await SqlStore.open(f"sqlite+aiosqlite:///{tmp_path}/log.db")

    assert ("pysqlite", 1) == (other._database.dialect.driver, await other.position())
    await other.close()


async def test_a_closed_store_opens_no_connection_again(store):
    await store.close()

    with pytest.raises(StoreUnavailable):
        await store.tickets(TicketFilter(ticket("one").participants[0]))
    assert (0, 0) == (store._database.writer.pool.checkedin(), store._database.reader.pool.checkedin())

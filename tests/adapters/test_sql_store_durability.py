"""What was committed is there again, what failed is not, and SQLite was told to mean it."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from crdt_sync.adapters.storage import engines
from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.domain.ids import Digest, Position
from crdt_sync.ports import Batch, StoreUnavailable
from tests.contracts.batches import (
    compaction,
    event,
    message,
    name,
    quarantined,
    result,
    subject,
    ticket,
    transition,
    update,
)

EVERYTHING = Batch(
    updates=[update("d", 1, b"one")],
    transitions=[transition("t")],
    messages=[message("m")],
    events=[event("opened")],
    tickets=[ticket("one", newest="t")],
    subjects=[subject("s")],
    results=[result("k")],
    quarantined=[quarantined(b"\xff")],
)
TABLES = ["updates", "transitions", "messages", "events", "tickets", "ticket_facets", "subjects", "results"]


def url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder}/log.db"


@pytest.fixture
async def store(tmp_path):
    store = await SqlStore.open(url(tmp_path))
    yield store
    await store.close()


async def contents(store: SqlStore) -> list[object]:
    return [
        await store.document("d"),
        await store.authorship("d"),
        await store.journal(name("one")),
        await store.messages(name("one")),
        await store.events(Position(0)),
        await store.ticket(name("one")),
        await store.subject("s"),
        await store.result(result("k").actor, "k"),
        await store.lifecycles(),
        await store.position(),
    ]


def rows(folder: Path) -> dict[str, int]:
    """Count by another connection, which sees what is committed and nothing else."""
    connection = sqlite3.connect(folder / "log.db")
    counts = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
    connection.close()
    return counts


async def pragmas(store: SqlStore) -> list[tuple[str, int, int]]:
    """Ask the writing connection and every reading one, by holding all of them at once."""
    connections = [await store._writer.connect()]
    connections += [await store._reader.connect() for _ in range(store._reader.pool.size())]
    names = ("journal_mode", "synchronous", "foreign_keys")
    answers = []
    for connection in connections:
        answers.append(tuple([(await connection.execute(text(f"PRAGMA {name}"))).scalar_one() for name in names]))
        await connection.close()
    return answers


async def test_every_connection_writes_ahead_syncs_fully_and_checks_keys(store):
    assert [("wal", 2, 1)] * 5 == await pragmas(store)


async def test_synchronous_off_is_told_to_every_connection(tmp_path):
    store = await SqlStore.open(url(tmp_path), synchronous="OFF")

    assert [("wal", 0, 1)] * 5 == await pragmas(store)
    await store.close()


async def test_a_reopened_store_finds_everything(store, tmp_path):
    await store.commit(EVERYTHING)
    await store.compact(compaction("d", 0, 1))
    await store.save_lifecycle(Digest("a" * 64), "source")
    before = await contents(store)
    await store.close()

    again = await SqlStore.open(url(tmp_path))

    assert before == await contents(again)
    await again.close()


async def test_a_killed_process_leaves_what_it_committed(store, tmp_path):
    """The files as they are the moment that `commit` returns, without anything that an orderly end would add."""
    await store.commit(EVERYTHING)
    (tmp_path / "killed").mkdir()
    for file in tmp_path.glob("log.db*"):
        shutil.copy(file, tmp_path / "killed")

    again = await SqlStore.open(url(tmp_path / "killed"))

    assert await contents(store) == await contents(again)
    await again.close()


async def test_what_a_log_brought_back_is_in_the_database_itself_before_anything_is_added(store, tmp_path):
    """Such a log may be in the kernel's memory only, if a sync has failed: nothing may come to rest on it."""
    await store.commit(EVERYTHING)
    (tmp_path / "killed").mkdir()
    for file in tmp_path.glob("log.db*"):
        shutil.copy(file, tmp_path / "killed")
    again = await SqlStore.open(url(tmp_path / "killed"))
    kept = await contents(again)

    await again.check()

    (tmp_path / "alone").mkdir()
    shutil.copy(tmp_path / "killed" / "log.db", tmp_path / "alone")
    alone = await SqlStore.open(url(tmp_path / "alone"))
    assert kept == await contents(alone)
    await alone.close()
    await again.close()


async def test_a_log_that_another_process_still_reads_is_settled_before_the_first_commit_and_not_without(
    store, tmp_path, monkeypatch
):
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_MS", 0)
    monkeypatch.setattr(engines, "_SETTLE_TRIES", 1)
    await store.commit(EVERYTHING)
    reading = sqlite3.connect(tmp_path / "log.db")
    reading.execute("BEGIN")
    reading.execute("SELECT count(*) FROM updates").fetchone()
    again = await SqlStore.open(url(tmp_path))

    with pytest.raises(StoreUnavailable, match="settled"):
        await again.commit(Batch(updates=[update("d", 2)]))
    assert (await again.document("d")).document_position == 1

    reading.close()
    assert (await again.commit(Batch(updates=[update("d", 2)]))).first == 5
    await again.close()


@pytest.mark.parametrize("table", TABLES)
async def test_a_statement_that_fails_leaves_nothing_of_its_batch(store, tmp_path, table):
    connection = sqlite3.connect(tmp_path / "log.db")
    connection.execute(f"CREATE TRIGGER refuse BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END")
    connection.commit()

    with pytest.raises(StoreUnavailable):
        await store.commit(EVERYTHING)
    assert dict.fromkeys(TABLES, 0) == rows(tmp_path)
    assert await store.position() == 0

    connection.execute("DROP TRIGGER refuse")
    connection.commit()
    connection.close()
    assert (await store.commit(EVERYTHING)).first == 1


async def test_a_full_disk_refuses_the_batch_and_later_ones_pass(store, tmp_path):
    """A database that may not grow is what SQLite sees of a full disk."""
    large = Batch(updates=[update("d", 1, bytes(100_000))])
    async with store._writer.connect() as connection:
        usual = (await connection.execute(text("PRAGMA max_page_count"))).scalar_one()
        await connection.execute(text("PRAGMA max_page_count = 1"))

    with pytest.raises(StoreUnavailable, match="full"):
        await store.commit(large)
    assert dict.fromkeys(TABLES, 0) == rows(tmp_path)
    assert await store.position() == 0

    async with store._writer.connect() as connection:
        await connection.execute(text(f"PRAGMA max_page_count = {usual}"))
    assert (await store.commit(large)).first == 1


async def test_a_database_that_another_process_holds_is_unavailable_and_then_not_ready(store, tmp_path):
    await store.check()
    async with store._writer.connect() as connection:
        # The begin event has taken the lock for this very connection; from here on it waits for nobody.
        await connection.execute(text("PRAGMA busy_timeout = 0"))
    other = sqlite3.connect(tmp_path / "log.db")
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable, match="locked"):
        await store.commit(EVERYTHING)
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.check()

    other.rollback()
    other.close()
    await store.check()
    assert (await store.commit(EVERYTHING)).first == 1


async def test_check_really_writes(store, tmp_path):
    """SQLite skips an update that changes nothing; a probe that used one would pass on a dead disk."""
    log = tmp_path / "log.db-wal"
    await store.check()
    for _ in range(3):
        before = log.stat().st_size
        await store.check()
        assert log.stat().st_size > before


@pytest.mark.usefixtures("all_threads_end")
async def test_a_folder_that_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(StoreUnavailable):
        await SqlStore.open(url(tmp_path / "nowhere"))


@pytest.mark.usefixtures("all_threads_end")
async def test_a_file_that_is_no_database_is_unavailable(tmp_path):
    (tmp_path / "log.db").write_bytes(b"not a database" * 100)

    with pytest.raises(StoreUnavailable, match="not a database"):
        await SqlStore.open(url(tmp_path))


async def test_a_facet_without_its_ticket_is_refused(store):
    with pytest.raises(Exception, match="FOREIGN KEY"):
        async with store._writer.begin() as connection:
            await connection.execute(text("INSERT INTO ticket_facets VALUES ('stage', 'x', 'nobody')"))

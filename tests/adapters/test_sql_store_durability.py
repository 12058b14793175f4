"""What was committed is there again, what failed is not, and SQLite was told to mean it."""

import asyncio
import shutil
import sqlite3
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from crdt_sync.adapters.storage import engines
from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.domain.ids import ActorId, Digest, Position
from crdt_sync.domain.restriction import Restriction
from crdt_sync.ports import Batch, StoreDamaged, StoreUnavailable
from tests.contracts.batches import (
    AT_MS,
    compaction,
    event,
    given_and_taken_back,
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
    return f"sqlite:///{folder}/log.db"


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
    """Ask the writing connection and every reading one, by having all of them at work at once."""
    all_at_work = Barrier(1 + engines.READERS_MAX)

    def ask(connection):
        all_at_work.wait(timeout=10)
        names = ("journal_mode", "synchronous", "foreign_keys")
        return tuple(connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in names)

    reading = [store._database.read(ask) for _ in range(engines.READERS_MAX)]
    return await asyncio.gather(store._database.write(ask), *reading)


async def tell_writer(store: SqlStore, statement: str) -> object:
    return await store._database.write(lambda connection: connection.execute(text(statement)).scalar())


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
    monkeypatch.setattr(engines, "_SETTLE_S", 0)
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


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.compact(compaction("d", 0, 1)),
        lambda store: store.renew("d", [], frozenset()),
        lambda store: store.begin_epoch(Position(9), AT_MS),
        lambda store: store.restrict(ActorId("sales-agent"), lambda _: Restriction(ActorId("sales-agent")), AT_MS),
        lambda store: store.drop_quarantined(None),
        lambda store: store.save_lifecycle(Digest("b" * 64), "another"),
        lambda store: store.check(),
    ],
    ids=["compact", "renew", "epoch", "restrict", "drop", "lifecycle", "check"],
)
async def test_nothing_is_written_before_the_log_is_settled(store, tmp_path, monkeypatch, write):
    monkeypatch.setattr(engines, "_SETTLE_S", 0)
    await store.commit(EVERYTHING)
    await store.save_lifecycle(Digest("a" * 64), "source")
    reading = sqlite3.connect(tmp_path / "log.db")
    reading.execute("BEGIN")
    reading.execute("SELECT count(*) FROM updates").fetchone()
    again = await SqlStore.open(url(tmp_path))

    with pytest.raises(StoreUnavailable, match="settled"):
        await write(again)
    await again.save_lifecycle(Digest("a" * 64), "source")  # as at every start: it is there

    reading.close()
    await write(again)
    await again.close()


async def test_to_settle_the_log_waits_for_its_readers_a_second_in_all(store, tmp_path, monkeypatch):
    """SQLite itself would wait for them at each attempt, for as long as a writer waits for another."""
    now_s, said = 0.0, []

    def sleep(seconds):
        nonlocal now_s
        now_s += seconds

    await store.commit(EVERYTHING)
    reading = sqlite3.connect(tmp_path / "log.db")
    reading.execute("BEGIN")
    reading.execute("SELECT count(*) FROM updates").fetchone()
    monkeypatch.setattr(engines, "time", SimpleNamespace(monotonic=lambda: now_s, sleep=sleep))
    engine = engines.reader(url(tmp_path), "FULL")
    with engine.connect() as connection:
        connection.connection.driver_connection.set_trace_callback(said.append)
        assert not engines.settle(connection)
        assert 1 <= now_s < 1.1
        assert "PRAGMA busy_timeout = 0" == said[0]
        assert {"PRAGMA wal_checkpoint(TRUNCATE)"} == set(said[1:-1])
        reading.close()
        assert engines.settle(connection)
        assert engines.BUSY_TIMEOUT_MS == connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    engine.dispose()


async def test_a_database_without_its_position_is_damaged_whatever_is_asked_of_it(store, tmp_path):
    await store.commit(EVERYTHING)
    connection = sqlite3.connect(tmp_path / "log.db")
    connection.execute("DELETE FROM service_position")
    connection.commit()
    connection.close()

    for asked in (
        store.position(),
        store.check(),
        store.commit(Batch(updates=[update("d", 2)])),
        store.restrict(ActorId("sales-agent"), lambda _: Restriction(ActorId("sales-agent")), AT_MS),
    ):
        with pytest.raises(StoreDamaged, match="service_position"):
            await asked


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
    usual = await tell_writer(store, "PRAGMA max_page_count")
    await tell_writer(store, "PRAGMA max_page_count = 1")

    with pytest.raises(StoreUnavailable, match="full"):
        await store.commit(large)
    assert dict.fromkeys(TABLES, 0) == rows(tmp_path)
    assert await store.position() == 0

    await tell_writer(store, f"PRAGMA max_page_count = {usual}")
    assert (await store.commit(large)).first == 1


async def test_a_database_that_another_process_holds_is_unavailable_and_then_not_ready(store, tmp_path):
    await store.check()
    await tell_writer(store, "PRAGMA busy_timeout = 0")  # of its one connection, which waits for nobody from here on
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


async def test_a_folder_that_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(StoreUnavailable):
        await SqlStore.open(url(tmp_path / "nowhere"))


async def test_a_file_that_is_no_database_is_unavailable(tmp_path):
    (tmp_path / "log.db").write_bytes(b"not a database" * 100)

    with pytest.raises(StoreUnavailable, match="not a database"):
        await SqlStore.open(url(tmp_path))


async def test_a_facet_without_its_ticket_is_refused(store):
    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        await tell_writer(store, "INSERT INTO ticket_facets VALUES ('stage', 'x', 'nobody')")


async def test_number_that_was_taken_back_is_given_to_another_document(store):
    await given_and_taken_back(store)

    assert [[b"b"], [b"a"]] == [[each.data for each in (await store.document(one)).updates] for one in ("b", "a")]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE documents SET id = 7",
        "UPDATE documents SET checksum = checksum + 1",
        "UPDATE documents SET name = 'e'",
        "DELETE FROM documents",
    ],
)
async def test_document_whose_number_is_damaged_does_not_read_as_empty(store, tmp_path, statement):
    await store.commit(Batch(updates=[update("d", 1), update("d", 2)]))
    await store.compact(compaction("d", 0, 1))
    connection = sqlite3.connect(tmp_path / "log.db")
    connection.execute(statement)
    connection.commit()
    connection.close()

    with pytest.raises(StoreDamaged):
        await store.document("d")

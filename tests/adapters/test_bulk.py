"""Rows arrive whole and in order, however many there are, and whatever placeholders the driver knows."""

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import create_async_engine

from crdt_sync.adapters.storage import bulk

TABLE = Table(
    "things", MetaData(), Column("id", Integer, primary_key=True), Column("a", Text), Column("b", LargeBinary)
)
INSERT = insert(TABLE).inline()
RENAME = update(TABLE).where(TABLE.c.id == bindparam("which"))


@pytest.fixture
async def connection():
    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.begin() as connection:
        await connection.run_sync(TABLE.create)
        yield connection
    await engine.dispose()


async def stored(connection) -> list[tuple]:
    return [tuple(row) for row in await connection.execute(select(TABLE).order_by(TABLE.c.id))]


@pytest.mark.parametrize("count", [1, 2, bulk.ROWS_A_STATEMENT_MAX, bulk.ROWS_A_STATEMENT_MAX + 1, 700])
async def test_every_row_is_inserted_with_each_value_in_its_column(connection, count):
    rows = [{"b": bytes((index % 256,)), "id": index, "a": f"VALUES ({index})"} for index in range(count)]
    await bulk.insert(connection, INSERT, rows)
    assert [(row["id"], row["a"], row["b"]) for row in rows] == await stored(connection)


async def test_what_a_row_does_not_name_is_left_to_the_table(connection):
    await bulk.insert(connection, INSERT, [{"a": "x"}, {"a": "y"}])
    assert [(1, "x", None), (2, "y", None)] == await stored(connection)


async def test_a_statement_is_executed_for_each_row(connection):
    await bulk.insert(connection, INSERT, [{"id": 1, "a": "x"}, {"id": 2, "a": "y"}])
    await bulk.execute(connection, RENAME, [{"which": 2, "a": "Y"}, {"which": 1, "a": "X"}])
    assert [(1, "X", None), (2, "Y", None)] == await stored(connection)

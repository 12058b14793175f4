"""Rows arrive whole and in order, however many there are, and whatever placeholders the driver knows."""

from itertools import groupby

import pytest
from sqlalchemy import (
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    create_engine,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg

from crdt_sync.adapters.storage import bulk, service_position, transaction

TABLE = Table(
    "things", MetaData(), Column("id", Integer, primary_key=True), Column("a", Text), Column("b", LargeBinary)
)
INSERT = insert(TABLE).inline()
RENAME = update(TABLE).where(TABLE.c.id == bindparam("which"))


@pytest.fixture
def connection():
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        TABLE.create(connection)
        yield connection
    engine.dispose()


def stored(connection) -> list[tuple]:
    return [tuple(row) for row in connection.execute(select(TABLE).order_by(TABLE.c.id))]


@pytest.mark.parametrize("count", [1, 2, bulk.ROWS_A_STATEMENT_MAX, bulk.ROWS_A_STATEMENT_MAX + 1, 700])
def test_every_row_is_inserted_with_each_value_in_its_column(connection, count):
    rows = [(index, f"VALUES (?, ?, {index})", bytes((index % 256,))) for index in range(count)]
    bulk.insert(connection, INSERT, ("id", "a", "b"), rows)
    assert rows == stored(connection)


def test_what_a_row_does_not_name_is_left_to_the_table(connection):
    bulk.insert(connection, INSERT, ("a",), [("x",), ("y",)])
    assert [(1, "x", None), (2, "y", None)] == stored(connection)


def test_what_stands_behind_the_values_stays_there(connection):
    saving = sqlite.insert(TABLE)
    saving = saving.on_conflict_do_update(index_elements=["id"], set_={"a": saving.excluded.a}).inline()
    bulk.insert(connection, INSERT, ("id", "a"), [(1, "x"), (2, "y")])
    bulk.insert(connection, saving, ("id", "a"), [(1, "X"), (3, "z")])
    assert [(1, "X", None), (2, "y", None), (3, "z", None)] == stored(connection)


def test_a_statement_is_executed_for_each_row(connection):
    bulk.insert(connection, INSERT, ("id", "a"), [(1, "x"), (2, "y")])
    bulk.execute(connection, RENAME, ("a", "which"), [("Y", 2), ("X", 1)])
    assert [(1, "X", None), (2, "Y", None)] == stored(connection)


def test_batches_of_all_sizes_take_few_statements_of_few_sizes(connection):
    told = []
    event.listen(connection, "before_cursor_execute", lambda *seen: told.append(seen[2]))
    for count in range(1, 600):
        told.append(None)
        bulk.insert(connection, INSERT, ("b",), [(None,)] * count)
    most = max(len(list(group)) for is_text, group in groupby(told, bool) if is_text)
    assert (4, 31) == (most, len({*told} - {None}))


@pytest.mark.parametrize("dialect", [sqlite.dialect(), asyncpg.dialect()], ids=["sqlite", "asyncpg"])
def test_statements_of_a_batch_name_their_values_in_order(dialect):
    """`bulk` refuses to compile what does not."""
    names = transaction._NAMES
    texts = [bulk._compiled(statement, names[table], dialect) for table, statement in transaction._INSERTS.items()]
    texts += [
        bulk._compiled(transaction._save_tickets(dialect), names[transaction.tables.tickets], dialect),
        bulk._compiled(transaction._DELETE_FACET, names[transaction.tables.ticket_facets], dialect),
        bulk._compiled(service_position._ADVANCE, ("count",), dialect),
        bulk._compiled(transaction._COVERED, ("first",), dialect),
        bulk._compiled(*transaction._tickets_by_id(4), dialect),
    ]
    assert all(("$1" if dialect.driver == "asyncpg" else "?") in text for text in texts)

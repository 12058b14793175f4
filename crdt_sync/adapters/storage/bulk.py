"""Many rows in few statements, given to the driver as they are. It knows no table and decides nothing.

A statement is compiled once and goes to the driver as text: SQLAlchemy would look at every parameter of every row, for
longer than the database takes to write it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import Delete, Dialect, Insert, Update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler

ROWS_A_STATEMENT_MAX = 256  # of at most 20 columns, far below SQLite's 32,766 parameters; more rows gain nothing

_Values: TypeAlias = Mapping[str, Any]


async def insert(connection: AsyncConnection, statement: Insert, rows: Sequence[_Values]) -> None:
    """Insert rows that name the same columns.

    On SQLite many go into one statement. Its driver lets go of the interpreter for every step of a statement, and to
    get it back beside a busy event loop can take as long as the whole batch.
    """
    if connection.dialect.paramstyle != "qmark":
        await execute(connection, statement, rows)
        return
    text, values_of = _compiled(statement, tuple(rows[0]), connection.dialect)
    for start in range(0, len(rows), ROWS_A_STATEMENT_MAX):
        some = rows[start : start + ROWS_A_STATEMENT_MAX]
        parameters = tuple(chain.from_iterable(map(values_of, some)))
        await connection.exec_driver_sql(_repeated(text, len(some)), parameters)


async def execute(connection: AsyncConnection, statement: Insert | Update | Delete, rows: Sequence[_Values]) -> None:
    """Execute a statement for each of some rows, which name the same parameters."""
    text, values_of = _compiled(statement, tuple(rows[0]), connection.dialect)
    await connection.exec_driver_sql(text, [values_of(row) for row in rows])


@lru_cache(maxsize=64)  # some statements, for each engine that is open
def _compiled(
    statement: Insert | Update | Delete, names: tuple[str, ...], dialect: Dialect
) -> tuple[str, Callable[[_Values], Any]]:
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    assert isinstance(compiled, SQLCompiler)
    return compiled.string, itemgetter(*(compiled.positiontup or ()))


@lru_cache(maxsize=128)  # sizes of batches; the driver of SQLite keeps as many statements prepared
def _repeated(text: str, count: int) -> str:
    head, values, row = text.partition(" VALUES ")
    return head + values + ", ".join([row] * count)

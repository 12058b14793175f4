"""Many rows in few statements, given to the driver as they are. It knows no table and decides nothing.

A statement is compiled once and goes to the driver as text: SQLAlchemy would look at every parameter of every row, for
longer than the database takes to write it. `names` say what the values of a row are, in the order of the statement.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, TypeAlias

from sqlalchemy import Connection, CursorResult, Delete, Dialect, Insert, Select, Update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.compiler import SQLCompiler

ROWS_A_STATEMENT_MAX = 256  # of at most 20 columns, far below SQLite's 32,766 parameters; more rows gain nothing
_ROWS_A_STEP = 16  # so there are 16 + 15 sizes of a statement, which SQLite's driver keeps prepared

Row: TypeAlias = tuple[Any, ...]
_Statement: TypeAlias = Insert | Update | Delete | Select[Any]


def insert(connection: Connection, statement: Insert, names: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert rows that have the same columns.

    On SQLite many go into one statement. Its driver lets go of the interpreter for every step of a statement, and to
    get it back beside a busy event loop can take as long as the whole batch.
    """
    if connection.dialect.paramstyle != "qmark":
        execute(connection, statement, names, rows)
        return
    text, start = _compiled(statement, names, connection.dialect), 0
    for count in _sizes(len(rows)):
        parameters = tuple(chain.from_iterable(rows[start : start + count]))
        connection.exec_driver_sql(_repeated(text, len(names), count), parameters)
        start += count


def execute(connection: Connection, statement: _Statement, names: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Execute a statement for each of some rows."""
    connection.exec_driver_sql(_compiled(statement, names, connection.dialect), list(rows))


def execute_values(connection: Connection, template: str, types: tuple[str, ...], rows: Sequence[Row]) -> int:
    """Execute a statement over a table of values, which stands in it as `{rows}`; return how many rows it changed."""
    start = changed = 0
    for count in _sizes(len(rows)):
        parameters = tuple(chain.from_iterable(rows[start : start + count]))
        text = _valued(template, types, count, connection.dialect.paramstyle)
        changed += connection.exec_driver_sql(text, parameters).rowcount
        start += count
    return changed


def query(
    connection: Connection, statement: _Statement, names: tuple[str, ...], values: Row
) -> CursorResult[*tuple[Any, ...]]:
    """Execute a statement once, and return what it says, as the driver has it."""
    return connection.exec_driver_sql(_compiled(statement, names, connection.dialect), values)


def own_insert(dialect: Dialect) -> type[sqlite.Insert] | type[postgresql.Insert]:
    """Return the dialect's own INSERT: both have ON CONFLICT, and SQLAlchemy has no common one."""
    return sqlite.Insert if dialect.name == "sqlite" else postgresql.Insert


@lru_cache(maxsize=128)  # some statements, for each engine that is open
def _compiled(statement: _Statement, names: tuple[str, ...], dialect: Dialect) -> str:
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    assert isinstance(compiled, SQLCompiler)
    assert tuple(compiled.positiontup or ()) == names, "named in the order of the statement"
    return compiled.string


def _sizes(count: int) -> Iterator[int]:
    """Split a number of rows into few statements of few sizes: to prepare one anew costs as much as its rows."""
    for _ in range(count // ROWS_A_STATEMENT_MAX):
        yield ROWS_A_STATEMENT_MAX
    rest = count % ROWS_A_STATEMENT_MAX
    yield from filter(None, (rest - rest % _ROWS_A_STEP, rest % _ROWS_A_STEP))


@lru_cache(maxsize=256)  # some statements in their sizes
def _repeated(text: str, columns: int, count: int) -> str:
    row = f"({', '.join('?' * columns)})"
    assert row in text
    return text.replace(row, ", ".join([row] * count), 1)


@lru_cache(maxsize=64)
def _valued(template: str, types: tuple[str, ...], count: int, paramstyle: str) -> str:
    places = ["?" if paramstyle == "qmark" else f"${number}" for number in range(1, len(types) * count + 1)]
    casts = [f"CAST({place} AS {each})" for place, each in zip(places, types * count, strict=True)]
    rows = (", ".join(casts[start : start + len(types)]) for start in range(0, len(casts), len(types)))
    return template.format(rows=", ".join(f"({row})" for row in rows))

"""What tells a row that the disk or a person changed from the row that was written. Pure.

A row that never changes carries a CRC-32 over its columns. It is no proof against a forger, who would write it anew.
"""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, TypeAlias
from zlib import crc32

from sqlalchemy import LargeBinary, RowMapping, Table

from crdt_sync.adapters.storage import tables
from crdt_sync.ports import StoreDamaged

Row: TypeAlias = Mapping[str, Any] | RowMapping
Values: TypeAlias = tuple[Any, ...]


def _signed(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.name != "checksum"]


def _checksum(table: Table) -> Callable[[Values], int]:
    names = _signed(table)
    if "data" not in names or not isinstance(table.c.data.type, LargeBinary):
        text = "\x1f%s" * len(names)
        return lambda values: crc32((text % values).encode())
    binary, rest = names.index("data"), "\x1f%s" * (len(names) - 1)
    return lambda values: crc32((rest % (values[:binary] + values[binary + 1 :])).encode(), crc32(values[binary]))


CHECKSUMS: Mapping[Table, Callable[[Values], int]] = {
    table: _checksum(table)
    for table in (
        tables.documents,
        tables.updates,
        tables.snapshots,
        tables.authorship,
        tables.ended_clients,
        tables.restores,
        tables.transitions,
        tables.messages,
        tables.events,
        tables.subjects,
        tables.results,
        tables.media_pieces,
        tables.media,
    )
}
"""The tables whose rows never change, and what gives the checksum of a row: of its values in the table's order."""

_READ = {table: itemgetter(*_signed(table)) for table in CHECKSUMS}


def check(table: Table, row: Row) -> None:
    """Compare a row with its checksum, if it has one.

    Raises:
        StoreDamaged: it is not as it was written.

    """
    if row["checksum"] is not None and not _is_as_written(table, row):
        key = ", ".join(str(row[column.name]) for column in table.primary_key)
        raise StoreDamaged(f"a row of {table.name} is not as it was written: {key}")


def _is_as_written(table: Table, row: Row) -> bool:
    try:
        return bool(row["checksum"] == CHECKSUMS[table](_READ[table](row)))
    except TypeError:  # SQLite holds what it is told: here a text where bytes belong
        return False

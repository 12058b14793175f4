"""The numbers under which the log names its documents. A document is given one with its first row, for ever."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, ScalarSelect, func, select

from crdt_sync.adapters.storage import bulk, tables
from crdt_sync.adapters.storage.checksums import CHECKSUMS

KNOWN_MAX = 50_000  # that a connection remembers, some 10 MB

_NAMES_A_STATEMENT = 512  # far below the variables that any database allows in one statement
_INSERT = tables.documents.insert().inline()
_COLUMNS = tuple(column.name for column in tables.documents.columns)


def id_of(name: str) -> ScalarSelect[int]:
    """Return the number of a document as a part of a statement; NULL where it has none."""
    return select(tables.documents.c.id).where(tables.documents.c.name == name).scalar_subquery()


def ids_of(connection: Connection, names: Iterable[str]) -> Mapping[str, int]:
    """Return the numbers of these documents, and perhaps of others; those that had none are given one.

    The caller holds the lock of `service_position`. What is given here may be rolled back, so it is remembered no
    sooner than it is found; a connection that rolls back forgets everything, see `engines.writer`.
    """
    known: dict[str, int] = connection.info.setdefault("document_ids", {})
    wanted = dict.fromkeys(names)
    missing = [name for name in wanted if name not in known]
    if not missing:
        return known
    if len(known) + len(missing) > KNOWN_MAX:
        known.clear()
        missing = list(wanted)
    known.update(_stored(connection, missing))
    fresh = [name for name in missing if name not in known]
    if not fresh:
        return known
    first = (connection.scalar(select(func.max(tables.documents.c.id))) or 0) + 1
    given = {name: first + index for index, name in enumerate(fresh)}
    checksum = CHECKSUMS[tables.documents]
    rows = [(id_, name, checksum((id_, name))) for name, id_ in given.items()]
    bulk.insert(connection, _INSERT, _COLUMNS, rows)
    return {**known, **given}


def _stored(connection: Connection, names: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    columns = tables.documents.c
    for start in range(0, len(names), _NAMES_A_STATEMENT):
        some = columns.name.in_(names[start : start + _NAMES_A_STATEMENT])
        found.update((row.name, row.id) for row in connection.execute(select(columns.name, columns.id).where(some)))
    return found

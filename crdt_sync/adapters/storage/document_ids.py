"""The numbers under which the log names its documents. A document is given one with its first row, for ever."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, func, select

from crdt_sync.adapters.storage import bulk, tables
from crdt_sync.adapters.storage.checksums import CHECKSUMS, check

KNOWN_MAX = 50_000  # that a connection remembers, some 10 MB

_NAMES_A_STATEMENT = 512  # far below the variables that any database allows in one statement
_INSERT = tables.documents.insert().inline()
_COLUMNS = tuple(column.name for column in tables.documents.columns)


def id_of(connection: Connection, name: str) -> int | None:
    """Return the number of a document, None where it has none.

    Raises:
        StoreDamaged: the row that says it is not as it was written.

    """
    return _stored(connection, [name]).get(name)


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


def _stored(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(names), _NAMES_A_STATEMENT):
        some = tables.documents.c.name.in_(names[start : start + _NAMES_A_STATEMENT])
        for row in connection.execute(select(tables.documents).where(some)).mappings():
            check(tables.documents, row)
            found[row["name"]] = row["id"]
    return found

"""Rows as what they say; those of a document are compared with their checksums. Pure."""

import json
from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import RowMapping, Table

from crdt_sync.adapters.storage import tables
from crdt_sync.adapters.storage.checksums import Row, check
from crdt_sync.ports import StoreDamaged, TicketRow
from crdt_sync.ports.stored import Author, Snapshot, StoredDocument, StoredUpdate


def document_of(name: str, snapshot: RowMapping | None, rows: Sequence[RowMapping]) -> StoredDocument:
    """Return a document from its rows of `snapshots` and of `updates`, the latter in order.

    Raises:
        StoreDamaged: a row is not as it was written, or one is missing.

    """
    kept = None
    if snapshot is not None:
        authors = json.loads(checked(tables.snapshots, snapshot)["authors"])
        kept = Snapshot(
            snapshot["document_position"],
            snapshot["data"],
            tuple(Author(actor, department, tuple(roles)) for actor, department, roles in authors),
            snapshot["digest"],
        )
    position = covered = kept.document_position if kept is not None else 0
    updates = []
    for row in rows:
        if row["document_position"] > covered:
            position += 1
            if checked(tables.updates, row)["document_position"] != position:
                raise StoreDamaged(f"update {position} of {name} is not there")
            updates.append(
                StoredUpdate(
                    position,
                    row["position"],
                    row["data"],
                    row["actor"],
                    row["department"],
                    _roles(row["roles"]),
                    row["at_ms"],
                    row["traceparent"],
                )
            )
    return StoredDocument(kept, tuple(updates))


def clients_of(row: Row | None) -> frozenset[int]:
    """Return the ended client ids of a document from its row of `ended_clients`, if it has one.

    Raises:
        StoreDamaged: it is not as it was written.

    """
    if row is None:
        return frozenset()
    check(tables.ended_clients, row)
    try:
        return frozenset(json.loads(row["clients"]))
    except (ValueError, TypeError) as error:
        raise StoreDamaged(f"the ended clients of {row['document']} do not decode") from error


def ticket_of(row: RowMapping) -> TicketRow:
    """Return a ticket from its row of `tickets`."""
    decoded = {name: json.loads(row[name]) for name in ("lanes", "flags", "obligations", "card", "participants")}
    return TicketRow(**{**row, **decoded, "participants": tuple(decoded["participants"])})


def checked(table: Table, row: RowMapping) -> RowMapping:
    """Return a row that is as it was written.

    Raises:
        StoreDamaged: it is not.

    """
    check(table, row)
    return row


@lru_cache(maxsize=1024)
def _roles(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))

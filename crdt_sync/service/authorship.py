"""Who wrote which update when: what stays of log rows in whose place a snapshot stands. Read by operators alone.

Canonical JSON, compressed, because there are many and nobody waits for them: `who` are actors with their department
and roles, and a row of `updates` is its document position, position, the index of who wrote it, milliseconds since the
epoch, size in bytes, SHA-256 of the bytes in hexadecimal, and traceparent.
"""

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from crdt_sync.domain import canonical
from crdt_sync.domain.ids import ActorId, Department, Digest, Position
from crdt_sync.errors import Malformed
from crdt_sync.ports.stored import Author, StoredUpdate

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Written:
    """One update that was written, and of which the bytes are gone."""

    document_position: int
    position: Position
    author: Author
    at_ms: int
    size_bytes: int
    digest: Digest
    traceparent: str | None


def encode(updates: Sequence[StoredUpdate]) -> bytes:
    """Write down who wrote these updates and when."""
    who: dict[Author, int] = {}
    rows = [
        (
            row.document_position,
            row.position,
            who.setdefault(row.author, len(who)),
            row.at_ms,
            len(row.data),
            hashlib.sha256(row.data).hexdigest(),
            row.traceparent,
        )
        for row in updates
    ]
    names = [(each.actor, each.department, each.roles) for each in who]
    return zlib.compress(canonical.dumps({"version": _VERSION, "who": names, "updates": rows}).encode(), level=9)


def decode(data: bytes) -> list[Written]:
    """Read what `encode` wrote.

    Raises:
        Malformed: it is something else.

    """
    try:
        whole = json.loads(zlib.decompress(data))
        if whole["version"] != _VERSION:
            raise Malformed("The authorship is of an unknown version.")
        who = [
            Author(ActorId(actor), Department(department), tuple(roles)) for actor, department, roles in whole["who"]
        ]
        return [
            Written(document_position, position, who[index], at_ms, size, digest, traceparent)
            for document_position, position, index, at_ms, size, digest, traceparent in whole["updates"]
        ]
    except (zlib.error, ValueError, KeyError, IndexError, TypeError) as error:
        raise Malformed("The authorship does not decode.") from error

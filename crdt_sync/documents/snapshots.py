"""A document's whole state as bytes: who writes under which client id, and one update that brings the rest.

    version 1, count, count times (client id, actor), update

Integers, texts and byte strings are those of lib0.
"""

from collections.abc import Sequence

from crdt_sync.domain.ids import ActorId
from crdt_sync.errors import Malformed
from crdt_sync.wire.lib0 import Reader, var_bytes, var_string, var_uint

_VERSION = 1


def encode(authors: Sequence[tuple[int, ActorId]], update: bytes) -> bytes:
    """Write a snapshot."""
    parts = [var_uint(_VERSION), var_uint(len(authors))]
    parts += [var_uint(client) + var_string(actor) for client, actor in authors]
    return b"".join(parts) + var_bytes(update)


def decode(data: bytes) -> tuple[Sequence[tuple[int, ActorId]], bytes]:
    """Return the authors and the update of a snapshot.

    Raises:
        Malformed: it is none, or of an unknown version.

    """
    reader = Reader(data)
    if reader.var_uint() != _VERSION:
        raise Malformed("The snapshot is of an unknown version.")
    authors = [(reader.var_uint(), ActorId(reader.var_string())) for _ in range(reader.var_uint())]
    update = reader.var_bytes()
    reader.end()
    return authors, update

"""Updates of one client that follow each other, as one: what is typed in one breath is stored and relayed once.

Pure bytes and structs; whether the document takes the result is `document`'s to say. It is what Yjs' own `mergeUpdates`
gives for such updates, without looking at their contents.
"""

from collections.abc import Sequence

from crdt_sync.documents.updates import Deletion, Struct, Update, encode_deletes
from crdt_sync.wire.lib0 import var_uint
from crdt_sync.wire.limits import UPDATE_BYTES_MAX, UPDATE_STRUCTS_MAX

_ONE_CLIENT = var_uint(1)


def join(parts: Sequence[bytes], updates: Sequence[Update]) -> tuple[bytes, Update] | None:
    """Return decoded updates, each with its bytes, as one; None if one does not begin where the one before it ended."""
    first = updates[0].structs
    if not first:
        return None
    client, expected = first[0].client, first[0].clock
    head_length = len(_ONE_CLIENT) + _length(client)
    structs: list[Struct] = []
    bodies: list[bytes] = []
    for data, (own, _, deletes_at) in zip(parts, updates, strict=True):
        if not data.startswith(_ONE_CLIENT) or not own or own[0].client != client or own[0].clock != expected:
            return None
        bodies.append(data[head_length + _length(len(own)) + _length(expected) : deletes_at])
        structs += own
        expected = own[-1].end
    head = _ONE_CLIENT + var_uint(len(structs)) + var_uint(client) + var_uint(first[0].clock)
    body = head + b"".join(bodies)
    deletes = _deletes(updates)
    data = body + encode_deletes(deletes)
    if len(data) > UPDATE_BYTES_MAX or len(structs) > UPDATE_STRUCTS_MAX:
        return None
    return data, Update(tuple(structs), deletes, len(body))


def _deletes(updates: Sequence[Update]) -> tuple[Deletion, ...]:
    """Put the deletions together, those that follow each other as one."""
    merged: list[Deletion] = []
    for deletion in sorted(deletion for update in updates for deletion in update.deletes):
        last = merged[-1] if merged else None
        if last is not None and last.client == deletion.client and last.end >= deletion.clock:
            merged[-1] = Deletion(last.client, last.clock, max(last.end, deletion.end) - last.clock)
        else:
            merged.append(deletion)
    return tuple(merged)


def _length(value: int) -> int:
    """How many bytes an unsigned integer takes in its shortest form, in which alone they are read."""
    return 1 if value < 0x80 else (value.bit_length() + 6) // 7

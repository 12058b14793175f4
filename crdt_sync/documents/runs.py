"""Updates of one client that follow each other, as one: what is typed in one breath is stored and relayed once.

Pure bytes and structs; whether the document takes the result is `document`'s to say. It is what Yjs' own `mergeUpdates`
gives for such updates, without looking at their contents.
"""

from collections.abc import Sequence

from crdt_sync.documents.updates import (
    Deletion,
    Struct,
    Update,
    clock_at,
    count_at,
    deletes_at,
    encode_deletes,
    struct_at,
)
from crdt_sync.wire.lib0 import end_at, truncated, var_uint, var_uint_at
from crdt_sync.wire.limits import UPDATE_BYTES_MAX, UPDATE_STRUCTS_MAX

_ONE_CLIENT = 1


def decode_run(parts: Sequence[bytes]) -> tuple[bytes, Update] | None:
    """Return updates as one; None if they are of several clients, or one does not begin where the one before it ended.

    Each is read to its end as `updates.decode` reads it, so that none takes what it lacks from the next.

    Raises:
        Malformed: one of them is not an update.

    """
    if sum(map(len, parts)) > UPDATE_BYTES_MAX:
        return None
    structs: list[Struct] = []
    deletes: list[Deletion] = []
    bodies: list[bytes] = []
    client, own, begins = 0, b"", 0
    data = b""
    try:
        for data in parts:
            if data[0] != _ONE_CLIENT:
                return None
            count, at = count_at(data, 1, len(structs), UPDATE_STRUCTS_MAX)
            if not structs:
                client, end = var_uint_at(data, at)
                own = data[at:end]
            elif not data.startswith(own, at):  # an integer ends where its bytes say so: other bytes, another client
                return None
            clock, body = clock_at(data, at + len(own))
            if not count or (structs and clock != begins):
                return None
            at = body
            for _ in range(count):
                item, at = struct_at(data, at, client, own, clock)
                structs.append(item)
                clock += item.length
            begins = clock
            bodies.append(data[body:at])
            if not data[at]:
                at += 1
            else:
                deleted, at = deletes_at(data, at, UPDATE_STRUCTS_MAX, client, own)
                deletes += deleted
            if at < len(data):
                end_at(data, at)
            if len(deletes) > UPDATE_STRUCTS_MAX:
                return None
    except IndexError:  # the functions of `updates` look at single bytes without asking whether they are there
        raise truncated(len(data)) from None
    head = bytes((_ONE_CLIENT,)) + var_uint(len(structs)) + own + var_uint(structs[0].clock)
    inserts = head + b"".join(bodies)
    merged = _merged(deletes)
    return inserts + encode_deletes(merged), Update(tuple(structs), merged, len(inserts))


def _merged(deletes: list[Deletion]) -> tuple[Deletion, ...]:
    """Put deletions that follow each other together."""
    if len(deletes) < 2:
        return tuple(deletes)
    deletes.sort()
    merged: list[Deletion] = []
    (client, clock, _), end = deletes[0], 0
    for deleter, begin, length in deletes:
        if deleter == client and (begin <= end or begin == clock):
            end = max(end, begin + length)
        else:
            merged.append(Deletion(client, clock, end - clock))
            client, clock, end = deleter, begin, begin + length
    return (*merged, Deletion(client, clock, end - clock))

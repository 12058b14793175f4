"""Updates of Yjs (format v1), read in pure Python before anything trusts them.

Owns the structure of an update: its structs and its deletions. Never applies one and never judges what it means;
`crdt_sync.documents.document` and its kinds do.

Source: https://github.com/yjs/yjs, src/utils/encoding.js and src/structs, 13.6.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

import pycrdt

from crdt_sync.documents.values import any_at
from crdt_sync.errors import Malformed, TooLarge
from crdt_sync.wire.lib0 import end_at, truncated, var_bytes_at, var_string_at, var_uint, var_uint_at
from crdt_sync.wire.limits import (
    CLOCK_MAX,
    UPDATE_BYTES_MAX,
    UPDATE_STRUCTS_MAX,
)

XML_HOOK = 5
"""The shared type of which yrs does not read the name, where Yjs does."""


class Content(IntEnum):
    """What a struct holds; the numbers are those of the format."""

    GC = 0
    DELETED = 1
    JSON = 2
    BINARY = 3
    STRING = 4
    EMBED = 5
    FORMAT = 6
    TYPE = 7
    ANY = 8
    DOC = 9
    SKIP = 10


class Id(NamedTuple):
    """One element that a client inserted: its client and that client's clock."""

    client: int
    clock: int


class Struct(NamedTuple):
    """One run of `length` elements of a client. A named tuple, because many are made for every keystroke.

    `content` depends on `kind`: a tuple of values (ANY), a text (STRING, EMBED), a tuple of JSON texts (JSON), bytes
    (BINARY), key and JSON text (FORMAT), the type's number (TYPE), guid and options (DOC), else None. `parent` is a
    root's name, the id of a nested type, or None: then it is that of `origin` or `right_origin`.
    """

    client: int
    clock: int
    length: int
    kind: Content
    content: object
    origin: Id | None
    right_origin: Id | None
    parent: str | Id | None
    parent_sub: str | None

    @property
    def end(self) -> int:
        """The clock behind the last element."""
        return self.clock + self.length


class Deletion(NamedTuple):
    """`length` elements of a client that are deleted, from `clock` on."""

    client: int
    clock: int
    length: int

    @property
    def end(self) -> int:
        """The clock behind the last element."""
        return self.clock + self.length


class Update(NamedTuple):
    """A decoded update: structs by client, each client's in the order of their clocks; deletions by client.

    `deletes_at` is the offset of the deletions in the bytes.
    """

    structs: tuple[Struct, ...]
    deletes: tuple[Deletion, ...]
    deletes_at: int


def decode(data: bytes) -> Update:
    """Return what the update holds.

    Raises:
        Malformed: not an update, or more structs than `UPDATE_STRUCTS_MAX`.
        TooLarge: more than `UPDATE_BYTES_MAX`.

    """
    if len(data) > UPDATE_BYTES_MAX:
        raise TooLarge(f"An update of {len(data)} bytes where {UPDATE_BYTES_MAX} are allowed.")
    return _read(data, UPDATE_STRUCTS_MAX)


def decode_stored(data: bytes) -> Update:
    """Return what an update from our own log holds, however large.

    Raises:
        Malformed: not an update.

    """
    return _read(data, len(data))


def _read(data: bytes, items_max: int) -> Update:
    try:
        structs, behind, last = _structs_at(data, 0, items_max)
        deletes, at = deletes_at(data, behind, items_max, *last)
    except IndexError:  # the hot functions below look at single bytes without asking whether they are there
        raise truncated(len(data)) from None
    end_at(data, at)
    return Update(structs, deletes, behind)


def encode_deletes(deletes: Sequence[Deletion]) -> bytes:
    """Write the deletions of an update; those of one client follow each other."""
    if not deletes:
        return var_uint(0)
    if len(deletes) == 1:
        client, clock, length = deletes[0]
        return b"\1" + _client(client) + b"\1" + var_uint(clock) + var_uint(length)
    clients: dict[int, list[Deletion]] = {}
    for deletion in deletes:
        clients.setdefault(deletion.client, []).append(deletion)
    parts = [var_uint(len(clients))]
    for client, ranges in clients.items():
        parts += (var_uint(client), var_uint(len(ranges)))
        parts += (var_uint(deletion.clock) + var_uint(deletion.length) for deletion in ranges)
    return b"".join(parts)


@lru_cache(maxsize=4096)  # as many as write at once; each is written with every key set anew
def _client(client: int) -> bytes:
    return var_uint(client)


def merge(updates: Sequence[bytes]) -> bytes:
    """Return one update that holds all of the given ones, which were decoded before."""
    return updates[0] if len(updates) == 1 else pycrdt.merge_updates(*updates)


def utf16_length(text: str) -> int:
    """Return the length of a text in UTF-16 code units, which is how Yjs counts."""
    if text.isascii():
        return len(text)
    return len(text.encode("utf-16-le")) // 2


_made = tuple.__new__  # what a named tuple's own constructor comes to, at half its cost


def checked_clock(clock: int) -> int:
    """Refuse a clock that no document reaches."""
    if clock > CLOCK_MAX:
        raise Malformed(f"The clock {clock} is above {CLOCK_MAX}.")
    return clock


def clock_at(data: bytes, at: int) -> tuple[int, int]:
    """Return the clock that begins at `at`, and where it ends."""
    clock = data[at]
    if clock < 0x80:
        return clock, at + 1
    second = data[at + 1]
    if 0 < second < 0x80:  # as `var_uint_at`, without the call: three of them come with every key that is set anew
        return clock & 0x7F | second << 7, at + 2
    clock, at = var_uint_at(data, at)
    return checked_clock(clock), at


def _length_at(data: bytes, at: int, clock: int) -> tuple[int, int]:
    length, at = data[at], at + 1
    if length > 0x7F:
        length, at = var_uint_at(data, at - 1)
    if not 0 < length <= CLOCK_MAX - clock:
        raise _no_run(clock, length)
    return length, at


def _no_run(clock: int, length: int) -> Malformed:
    return Malformed(f"A run of {length} elements from clock {clock} on cannot be.")


def count_at(data: bytes, at: int, before: int, items_max: int) -> tuple[int, int]:
    """Return the number of structs or ranges that follow `before` others, and where it ends."""
    count, at = data[at], at + 1
    if count > 0x7F:
        count, at = var_uint_at(data, at - 1)
    if before + count > items_max:
        raise Malformed(f"{before + count} structs or ranges where {items_max} are allowed.", code="too_many")
    return count, at


def _structs_at(data: bytes, at: int, items_max: int) -> tuple[tuple[Struct, ...], int, tuple[int, bytes]]:
    """Return the structs, where they end, and the client of the last ones with its bytes."""
    client, own = 0, b"\0"
    structs: list[Struct] = []
    clients: set[int] = set()
    blocks, at = count_at(data, at, 0, items_max)
    while blocks:
        blocks -= 1
        count, start = count_at(data, at, len(structs), items_max)
        client, at = var_uint_at(data, start)
        if client in clients:
            raise Malformed(f"The structs of client {client} come in two blocks.")
        clients.add(client)
        own = data[start:at]
        clock, at = clock_at(data, at)
        while count:
            count -= 1
            item, at = struct_at(data, at, client, own, clock)
            structs.append(item)
            clock += item.length
    return tuple(structs), at, (client, own)


def struct_at(data: bytes, at: int, client: int, own: bytes, clock: int) -> tuple[Struct, int]:
    """Read one struct. `own` is its client as it stands in the bytes: what is left of it is mostly the same client."""
    info = data[at]
    at += 1
    number = info & 0x1F
    if number in _WITHOUT_PLACE:
        if info != number:
            raise Malformed(f"The struct at clock {clock} has a place and no content.")
        length, at = _length_at(data, at, clock)
        return _made(Struct, (client, clock, length, _WITHOUT_PLACE[number], None, None, None, None, None)), at
    origin = right_origin = parent_sub = None
    parent: str | Id | None = None
    if info & 0x80:
        origin, at = _id_at(data, at, client, own)
    if info & 0x40:
        right_origin, at = _id_at(data, at, client, own)
    if not info & 0xC0:
        parent, at = _parent_at(data, at, client, own)
        if info & 0x20:
            parent_sub, at = var_string_at(data, at)
    read = _CONTENTS.get(number)
    if read is None:
        raise Malformed(f"There is no content of type {number}.")
    kind, content_at = read
    length, content, at = content_at(data, at, clock)
    if not 0 < length <= CLOCK_MAX - clock:
        raise _no_run(clock, length)
    return _made(Struct, (client, clock, length, kind, content, origin, right_origin, parent, parent_sub)), at


def _id_at(data: bytes, at: int, client: int, own: bytes) -> tuple[Id, int]:
    if data.startswith(own, at):  # an integer ends where its bytes say so: the same bytes are the same client
        at += len(own)
    else:
        client, at = var_uint_at(data, at)
    clock, at = clock_at(data, at)
    return _made(Id, (client, clock)), at


def _parent_at(data: bytes, at: int, client: int, own: bytes) -> tuple[str | Id, int]:
    known = data[at]
    if known > 1:
        raise Malformed(f"A parent is a name or an id, not {known}.")
    return var_string_at(data, at + 1) if known else _id_at(data, at + 1, client, own)


def deletes_at(data: bytes, at: int, items_max: int, own: int, own_bytes: bytes) -> tuple[tuple[Deletion, ...], int]:
    """Read the deletions. `own` wrote the structs before them, and mostly deletes what is its own."""
    if data[at] == 1 and data.startswith(own_bytes, at + 1):
        end = at + 1 + len(own_bytes)
        if data[end] == 1:  # one range of its own, as with nearly every key that is set anew
            clock, end = clock_at(data, end + 1)
            length, end = _length_at(data, end, clock)
            return (_made(Deletion, (own, clock, length)),), end
    deletes: list[Deletion] = []
    clients: set[int] = set()
    blocks, at = count_at(data, at, 0, items_max)
    for _ in range(blocks):
        if data.startswith(own_bytes, at):
            client, at = own, at + len(own_bytes)
        else:
            client, at = var_uint_at(data, at)
        if client in clients:
            raise Malformed(f"The deletions of client {client} come in two blocks.")
        clients.add(client)
        count, at = count_at(data, at, len(deletes), items_max)
        for _ in range(count):
            clock, at = clock_at(data, at)
            length, at = _length_at(data, at, clock)
            deletes.append(_made(Deletion, (client, clock, length)))
    return tuple(deletes), at


def _deleted_at(data: bytes, at: int, clock: int) -> tuple[int, object, int]:
    length, at = _length_at(data, at, clock)
    return length, None, at


def _json_at(data: bytes, at: int, _clock: int) -> tuple[int, object, int]:
    texts: list[str] = []
    count, at = var_uint_at(data, at)
    for _ in range(count):
        text, at = var_string_at(data, at)
        texts.append(text)
    return count, tuple(texts), at


def _binary_at(data: bytes, at: int, _clock: int) -> tuple[int, object, int]:
    content, at = var_bytes_at(data, at)
    return 1, content, at


def _string_at(data: bytes, at: int, _clock: int) -> tuple[int, object, int]:
    text, at = var_string_at(data, at)
    return utf16_length(text), text, at


def _embed_at(data: bytes, at: int, _clock: int) -> tuple[int, object, int]:
    content, at = var_string_at(data, at)
    return 1, content, at


def _format_at(data: bytes, at: int, _clock: int) -> tuple[int, object, int]:
    key, at = var_string_at(data, at)
    value, at = var_string_at(data, at)
    return 1, (key, value), at


def _type_at(data: bytes, at: int, _clock: int) -> tuple[int, object, int]:
    number, at = var_uint_at(data, at)
    if number > _TYPE_MAX:
        raise Malformed(f"There is no shared type {number}.")
    if number in _NAMED_TYPES:
        _, at = var_string_at(data, at)
    return 1, number, at


def _values_at(data: bytes, at: int, _clock: int) -> tuple[int, object, int]:
    if data[at] == 1:
        value, at = any_at(data, at + 1)
        return 1, (value,), at
    count, at = var_uint_at(data, at)
    values: list[object] = []
    for _ in range(count):
        value, at = any_at(data, at)
        values.append(value)
    return count, tuple(values), at


def _doc_at(data: bytes, at: int, _clock: int) -> tuple[int, object, int]:
    guid, at = var_string_at(data, at)
    options, at = any_at(data, at)
    return 1, (guid, options), at


_TYPE_MAX = 6  # array, map, text, XML element, XML fragment, XML hook, XML text
_NAMED_TYPES = frozenset({3, XML_HOOK})
_WITHOUT_PLACE = {int(kind): kind for kind in (Content.GC, Content.SKIP)}
_ContentReader = Callable[[bytes, int, int], tuple[int, object, int]]
_CONTENTS: dict[int, tuple[Content, _ContentReader]] = {
    int(kind): (kind, read)
    for kind, read in {
        Content.DELETED: _deleted_at,
        Content.JSON: _json_at,
        Content.BINARY: _binary_at,
        Content.STRING: _string_at,
        Content.EMBED: _embed_at,
        Content.FORMAT: _format_at,
        Content.TYPE: _type_at,
        Content.ANY: _values_at,
        Content.DOC: _doc_at,
    }.items()
}

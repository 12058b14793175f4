"""Updates and state vectors of Yjs (format v1), read in pure Python before anything trusts them.

Owns the structure of an update: its structs and its deletions. Never applies one and never judges what it means;
`crdt_sync.documents.document` and its kinds do.

Source: https://github.com/yjs/yjs, src/utils/encoding.js and src/structs, 13.6.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import pycrdt

from crdt_sync.documents.values import read_any
from crdt_sync.errors import Malformed, TooLarge
from crdt_sync.wire.lib0 import Reader, var_uint
from crdt_sync.wire.limits import (
    CLOCK_MAX,
    STATE_VECTOR_CLIENTS_MAX,
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


@dataclass(frozen=True, slots=True)
class Update:
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
    reader = Reader(data)
    structs = _read_structs(reader, items_max)
    deletes_at = reader.position
    deletes = _read_deletes(reader, items_max)
    reader.end()
    return Update(structs, deletes, deletes_at)


def decode_state_vector(data: bytes) -> dict[int, int]:
    """Return the clock that comes next, by client.

    Raises:
        Malformed: not a state vector, or more clients than `STATE_VECTOR_CLIENTS_MAX`.

    """
    reader = Reader(data)
    count = reader.var_uint()
    if count > STATE_VECTOR_CLIENTS_MAX:
        raise Malformed(f"{count} clients where {STATE_VECTOR_CLIENTS_MAX} are allowed.", code="too_many")
    state: dict[int, int] = {}
    for _ in range(count):
        client = reader.var_uint()
        if client in state:
            raise Malformed(f"The client {client} is named twice.")
        state[client] = _clock(reader)
    reader.end()
    return state


def encode_state_vector(state: Mapping[int, int]) -> bytes:
    """Write a state vector."""
    return var_uint(len(state)) + b"".join(var_uint(client) + var_uint(clock) for client, clock in state.items())


def encode_deletes(deletes: Sequence[Deletion]) -> bytes:
    """Write the deletions of an update; those of one client follow each other."""
    clients: dict[int, list[Deletion]] = {}
    for deletion in deletes:
        clients.setdefault(deletion.client, []).append(deletion)
    parts = [var_uint(len(clients))]
    for client, ranges in clients.items():
        parts += (var_uint(client), var_uint(len(ranges)))
        parts += (var_uint(deletion.clock) + var_uint(deletion.length) for deletion in ranges)
    return b"".join(parts)


def merge(updates: Sequence[bytes]) -> bytes:
    """Return one update that holds all of the given ones, which were decoded before."""
    return updates[0] if len(updates) == 1 else pycrdt.merge_updates(*updates)


def utf16_length(text: str) -> int:
    """Return the length of a text in UTF-16 code units, which is how Yjs counts."""
    if text.isascii():
        return len(text)
    return len(text.encode("utf-16-le")) // 2


def halves(structs: Iterable[Struct]) -> set[Id]:
    """Return the ids at which a text would be cut inside a character that takes two UTF-16 code units."""
    found: set[Id] = set()
    for item in structs:
        if item.kind == Content.STRING and isinstance(item.content, str) and len(item.content) != item.length:
            clock = item.clock
            for character in item.content:
                clock += 1
                if character > "\uffff":
                    found.add(Id(item.client, clock))
                    clock += 1
    return found


def _clock(reader: Reader) -> int:
    clock = reader.var_uint()
    if clock > CLOCK_MAX:
        raise Malformed(f"The clock {clock} is above {CLOCK_MAX}.")
    return clock


def _length(reader: Reader, clock: int) -> int:
    length = reader.var_uint()
    if not 0 < length <= CLOCK_MAX - clock:
        raise Malformed(f"A run of {length} elements from clock {clock} on cannot be.")
    return length


def _read_structs(reader: Reader, items_max: int) -> tuple[Struct, ...]:
    structs: list[Struct] = []
    clients: set[int] = set()
    for _ in range(_count(reader, 0, items_max)):
        count = _count(reader, len(structs), items_max)
        client = reader.var_uint()
        if client in clients:
            raise Malformed(f"The structs of client {client} come in two blocks.")
        clients.add(client)
        clock = _clock(reader)
        for _ in range(count):
            item = _read_struct(reader, client, clock)
            structs.append(item)
            clock += item.length
    return tuple(structs)


def _count(reader: Reader, before: int, items_max: int) -> int:
    count = reader.var_uint()
    if before + count > items_max:
        raise Malformed(f"{before + count} structs or ranges where {items_max} are allowed.", code="too_many")
    return count


def _read_struct(reader: Reader, client: int, clock: int) -> Struct:
    info = reader.byte()
    number = info & 0x1F
    if number in _WITHOUT_PLACE:
        if info != number:
            raise Malformed(f"The struct at clock {clock} has a place and no content.")
        length = _length(reader, clock)
        return Struct(client, clock, length, _WITHOUT_PLACE[number], None, None, None, None, None)
    origin = Id(reader.var_uint(), _clock(reader)) if info & 0x80 else None
    right_origin = Id(reader.var_uint(), _clock(reader)) if info & 0x40 else None
    parent: str | Id | None = None
    parent_sub = None
    if not info & 0xC0:
        parent = _read_parent(reader)
        parent_sub = reader.var_string() if info & 0x20 else None
    read = _CONTENTS.get(number)
    if read is None:
        raise Malformed(f"There is no content of type {number}.")
    length, content = read[1](reader, clock)
    if not 0 < length <= CLOCK_MAX - clock:
        raise Malformed(f"A run of {length} elements from clock {clock} on cannot be.")
    return Struct(client, clock, length, read[0], content, origin, right_origin, parent, parent_sub)


def _read_parent(reader: Reader) -> str | Id:
    known = reader.var_uint()
    if known > 1:
        raise Malformed(f"A parent is a name or an id, not {known}.")
    return reader.var_string() if known else Id(reader.var_uint(), _clock(reader))


def _read_deletes(reader: Reader, items_max: int) -> tuple[Deletion, ...]:
    deletes: list[Deletion] = []
    clients: set[int] = set()
    for _ in range(_count(reader, 0, items_max)):
        client = reader.var_uint()
        if client in clients:
            raise Malformed(f"The deletions of client {client} come in two blocks.")
        clients.add(client)
        for _ in range(_count(reader, len(deletes), items_max)):
            clock = _clock(reader)
            deletes.append(Deletion(client, clock, _length(reader, clock)))
    return tuple(deletes)


def _read_deleted(reader: Reader, clock: int) -> tuple[int, object]:
    return _length(reader, clock), None


def _read_json(reader: Reader, _clock: int) -> tuple[int, object]:
    texts = tuple(reader.var_string() for _ in range(reader.var_uint()))
    return len(texts), texts


def _read_binary(reader: Reader, _clock: int) -> tuple[int, object]:
    return 1, reader.var_bytes()


def _read_string(reader: Reader, _clock: int) -> tuple[int, object]:
    text = reader.var_string()
    return utf16_length(text), text


def _read_embed(reader: Reader, _clock: int) -> tuple[int, object]:
    return 1, reader.var_string()


def _read_format(reader: Reader, _clock: int) -> tuple[int, object]:
    return 1, (reader.var_string(), reader.var_string())


def _read_type(reader: Reader, _clock: int) -> tuple[int, object]:
    number = reader.var_uint()
    if number > _TYPE_MAX:
        raise Malformed(f"There is no shared type {number}.")
    if number in _NAMED_TYPES:
        reader.var_string()
    return 1, number


def _read_values(reader: Reader, _clock: int) -> tuple[int, object]:
    values = tuple([read_any(reader) for _ in range(reader.var_uint())])
    return len(values), values


def _read_doc(reader: Reader, _clock: int) -> tuple[int, object]:
    return 1, (reader.var_string(), read_any(reader))


_TYPE_MAX = 6  # array, map, text, XML element, XML fragment, XML hook, XML text
_NAMED_TYPES = frozenset({3, XML_HOOK})
_WITHOUT_PLACE = {int(kind): kind for kind in (Content.GC, Content.SKIP)}
_ContentReader = Callable[[Reader, int], tuple[int, object]]
_CONTENTS: dict[int, tuple[Content, _ContentReader]] = {
    int(kind): (kind, read)
    for kind, read in {
        Content.DELETED: _read_deleted,
        Content.JSON: _read_json,
        Content.BINARY: _read_binary,
        Content.STRING: _read_string,
        Content.EMBED: _read_embed,
        Content.FORMAT: _read_format,
        Content.TYPE: _read_type,
        Content.ANY: _read_values,
        Content.DOC: _read_doc,
    }.items()
}

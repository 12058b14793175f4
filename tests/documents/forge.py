"""Writes updates byte by byte, also those that no Yjs client would ever send."""

import json
import struct

from crdt_sync.wire.lib0 import var_bytes, var_string, var_uint

ORIGIN, RIGHT_ORIGIN, PARENT_SUB = 0x80, 0x40, 0x20


Blocks = dict[int, tuple[int, list[bytes]]]
Deletes = dict[int, list[tuple[int, int]]]


def update(blocks: Blocks, deletes: Deletes | None = None) -> bytes:
    """Blocks: by client the first clock and the structs. Deletes: by client pairs of clock and length."""
    return structs(blocks) + deletions(deletes or {})


def structs(blocks: Blocks) -> bytes:
    parts = [var_uint(len(blocks))]
    for client, (clock, items) in blocks.items():
        parts += [var_uint(len(items)), var_uint(client), var_uint(clock), *items]
    return b"".join(parts)


def deletions(deletes: Deletes) -> bytes:
    parts = [var_uint(len(deletes))]
    for client, ranges in deletes.items():
        parts += [var_uint(client), var_uint(len(ranges))]
        parts += [var_uint(clock) + var_uint(length) for clock, length in ranges]
    return b"".join(parts)


def item(content: bytes, *, root=None, parent=None, key=None, origin=None, right=None) -> bytes:
    """One item. `content` begins with its type's number."""
    info = content[0] | (ORIGIN if origin else 0) | (RIGHT_ORIGIN if right else 0) | (PARENT_SUB if key else 0)
    parts = [bytes([info])]
    parts += [identity(wanted) for wanted in (origin, right) if wanted]
    if not origin and not right:
        parts.append(b"\x01" + var_string(root) if root is not None else b"\x00" + identity(parent))
        if key:
            parts.append(var_string(key))
    return b"".join(parts) + content[1:]


def identity(wanted: tuple[int, int]) -> bytes:
    return var_uint(wanted[0]) + var_uint(wanted[1])


def gc(length: int) -> bytes:
    return b"\x00" + var_uint(length)


def skip(length: int) -> bytes:
    return b"\x0a" + var_uint(length)


def deleted(length: int) -> bytes:
    return b"\x01" + var_uint(length)


def json_texts(*texts: str) -> bytes:
    return b"\x02" + var_uint(len(texts)) + b"".join(map(var_string, texts))


def binary(data: bytes) -> bytes:
    return b"\x03" + var_bytes(data)


def string(text: str) -> bytes:
    return b"\x04" + var_string(text)


def embed(value: object) -> bytes:
    return b"\x05" + var_string(json.dumps(value))


def form(key: str, value: object) -> bytes:
    return b"\x06" + var_string(key) + var_string(json.dumps(value))


def shared(number: int, name: str | None = None) -> bytes:
    return b"\x07" + var_uint(number) + (var_string(name) if name is not None else b"")


def values(*items: object) -> bytes:
    return b"\x08" + var_uint(len(items)) + b"".join(map(value, items))


def subdocument(guid: str, options: object) -> bytes:
    return b"\x09" + var_string(guid) + value(options)


def value(thing: object) -> bytes:
    match thing:
        case bytes():
            return b"\x74" + var_bytes(thing)
        case None:
            return b"\x7e"
        case True:
            return b"\x78"
        case False:
            return b"\x79"
        case int():
            return b"\x7b" + struct.pack(">d", thing)
        case float():
            return b"\x7b" + struct.pack(">d", thing)
        case str():
            return b"\x77" + var_string(thing)
        case list():
            return b"\x75" + var_uint(len(thing)) + b"".join(map(value, thing))
        case dict():
            return b"\x76" + var_uint(len(thing)) + b"".join(var_string(k) + value(v) for k, v in thing.items())
    raise TypeError(thing)

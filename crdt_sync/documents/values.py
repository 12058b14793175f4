"""The values that an element of a Yjs document can hold, in lib0's own encoding.

Reads them; writes none, and does not say which of them a document may hold.

Source: https://github.com/dmonad/lib0, decoding.js, readAny.
"""

import struct
from collections.abc import Callable
from enum import Enum
from typing import Any

from crdt_sync.errors import Malformed
from crdt_sync.wire.lib0 import truncated, var_bytes_at, var_int_at, var_string_at, var_uint_at
from crdt_sync.wire.limits import ANY_DEPTH_MAX


class Undefined(Enum):
    """JavaScript's `undefined`, which is not null."""

    UNDEFINED = "undefined"


class BigInt(int):
    """JavaScript's `bigint`, which is not a number there: JSON cannot hold it."""

    __slots__ = ()


def any_at(data: bytes, at: int, depth: int = 0) -> tuple[object, int]:
    """Return the value in lib0's own encoding that begins at `at`, and where it ends.

    Raises:
        Malformed: not a value, or nested deeper than `ANY_DEPTH_MAX`.

    """
    if at >= len(data):
        raise truncated(len(data))
    kind = data[at]
    at += 1
    if kind == _STRING:
        return var_string_at(data, at)
    if kind in _CONSTANTS:
        return _CONSTANTS[kind], at
    if kind in _NUMBERS:
        return _NUMBERS[kind](data, at)
    if depth >= ANY_DEPTH_MAX:
        raise Malformed(f"A value is nested deeper than {ANY_DEPTH_MAX}.", code="too_deep")
    if kind == _BYTES:
        return var_bytes_at(data, at)
    if kind == _OBJECT:
        return _object_at(data, at, depth)
    if kind == _ARRAY:
        return _array_at(data, at, depth)
    raise Malformed(f"There is no value of type {kind}.")


def _object_at(data: bytes, at: int, depth: int) -> tuple[object, int]:
    members: dict[str, object] = {}
    count, at = var_uint_at(data, at)
    for _ in range(count):
        key, at = var_string_at(data, at)
        members[key], at = any_at(data, at, depth + 1)
    return members, at


def _array_at(data: bytes, at: int, depth: int) -> tuple[object, int]:
    items: list[object] = []
    count, at = var_uint_at(data, at)
    for _ in range(count):
        item, at = any_at(data, at, depth + 1)
        items.append(item)
    return items, at


def _integer_at(data: bytes, at: int) -> tuple[object, int]:
    magnitude, negative, at = var_int_at(data, at)
    if not negative:
        return magnitude, at
    return (-magnitude if magnitude else -0.0), at


def _packed(form: str, kind: Callable[[Any], object]) -> Callable[[bytes, int], tuple[object, int]]:
    packing = struct.Struct(form)

    def packed_at(data: bytes, at: int) -> tuple[object, int]:
        end = at + packing.size
        if end > len(data):
            raise truncated(len(data))
        return kind(packing.unpack_from(data, at)[0]), end

    return packed_at


_STRING, _OBJECT, _ARRAY, _BYTES = 119, 118, 117, 116
_CONSTANTS = {127: Undefined.UNDEFINED, 126: None, 121: False, 120: True}
_NUMBERS = {125: _integer_at, 124: _packed(">f", float), 123: _packed(">d", float), 122: _packed(">q", BigInt)}

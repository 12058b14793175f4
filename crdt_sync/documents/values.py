"""The values that an element of a Yjs document can hold, in lib0's own encoding.

Reads them; writes none, and does not say which of them a document may hold.

Source: https://github.com/dmonad/lib0, decoding.js, readAny.
"""

import struct
from collections.abc import Callable
from enum import Enum

from crdt_sync.errors import Malformed
from crdt_sync.wire.lib0 import Reader
from crdt_sync.wire.limits import ANY_DEPTH_MAX


class Undefined(Enum):
    """JavaScript's `undefined`, which is not null."""

    UNDEFINED = "undefined"


class BigInt(int):
    """JavaScript's `bigint`, which is not a number there: JSON cannot hold it."""

    __slots__ = ()


def read_any(reader: Reader, depth: int = 0) -> object:
    """Return one value in lib0's own encoding.

    Raises:
        Malformed: not a value, or nested deeper than `ANY_DEPTH_MAX`.

    """
    kind = reader.byte()
    if kind == 119:
        return reader.var_string()
    if kind in _CONSTANTS:
        return _CONSTANTS[kind]
    if kind in _NUMBERS:
        return _NUMBERS[kind](reader)
    if depth >= ANY_DEPTH_MAX:
        raise Malformed(f"A value is nested deeper than {ANY_DEPTH_MAX}.", code="too_deep")
    if kind == 118:
        return {reader.var_string(): read_any(reader, depth + 1) for _ in range(reader.var_uint())}
    if kind == 117:
        return [read_any(reader, depth + 1) for _ in range(reader.var_uint())]
    if kind == 116:
        return reader.var_bytes()
    raise Malformed(f"There is no value of type {kind}.")


def _read_integer(reader: Reader) -> int | float:
    magnitude, negative = reader.var_int()
    if not negative:
        return magnitude
    return -magnitude if magnitude else -0.0


_CONSTANTS = {127: Undefined.UNDEFINED, 126: None, 121: False, 120: True}
_NUMBERS: dict[int, Callable[[Reader], object]] = {
    125: _read_integer,
    124: lambda reader: struct.unpack(">f", reader.take(4))[0],
    123: lambda reader: struct.unpack(">d", reader.take(8))[0],
    122: lambda reader: BigInt(struct.unpack(">q", reader.take(8))[0]),
}

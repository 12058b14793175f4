"""State vectors of Yjs: what a copy of a document holds, as the clock that comes next of each client.

Source: https://github.com/yjs/yjs, src/utils/encoding.js, 13.6.
"""

from collections.abc import Mapping

from crdt_sync.documents.updates import checked_clock
from crdt_sync.errors import Malformed
from crdt_sync.wire.lib0 import Reader, var_uint
from crdt_sync.wire.limits import STATE_VECTOR_CLIENTS_MAX


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
        state[client] = checked_clock(reader.var_uint())
    reader.end()
    return state


def encode_state_vector(state: Mapping[int, int]) -> bytes:
    """Write a state vector."""
    return var_uint(len(state)) + b"".join(var_uint(client) + var_uint(clock) for client, clock in state.items())

"""Presence on the wire: which clients there are, each with a clock and a JSON text, or nothing when it left.

The texts are checked, because one that does not parse would break every client that it is relayed to, and kept as
they came, because nobody here reads them.

Source: https://github.com/yjs/y-protocols, awareness.js.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from crdt_sync.errors import Malformed
from crdt_sync.wire.lib0 import Reader, var_string, var_uint
from crdt_sync.wire.limits import AWARENESS_STATES_MAX, PRESENCE_STATE_BYTES_MAX

_GONE = "null"


@dataclass(frozen=True, slots=True)
class State:
    """One client's presence: `json` is its text, None when it left."""

    client: int
    clock: int
    json: str | None


def decode(data: bytes) -> tuple[State, ...]:
    """Return the states in the order in which they were sent.

    Raises:
        Malformed: not an awareness message, a text that is not JSON, a client named twice, or too many states.
        TooLarge: a text above `PRESENCE_STATE_BYTES_MAX`.

    """
    reader = Reader(data)
    count = reader.var_uint()
    if count > AWARENESS_STATES_MAX:
        raise Malformed(f"{count} states where {AWARENESS_STATES_MAX} are allowed.", code="too_many")
    states: dict[int, State] = {}
    for _ in range(count):
        state = State(reader.var_uint(), reader.var_uint(), _checked(reader.var_string(PRESENCE_STATE_BYTES_MAX)))
        if state.client in states:
            raise Malformed(f"The client {state.client} is named twice.")
        states[state.client] = state
    reader.end()
    return tuple(states.values())


def encode(states: Iterable[State]) -> bytes:
    """Write the states; none at all is a message that keeps a socket alive."""
    parts = [
        var_uint(state.client) + var_uint(state.clock) + var_string(_GONE if state.json is None else state.json)
        for state in states
    ]
    return var_uint(len(parts)) + b"".join(parts)


def _checked(text: str) -> str | None:
    if text == _GONE:
        return None
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Malformed("A client's presence is not JSON.") from error
    return None if value is None else text


def _no_constant(name: str) -> None:
    """Refuse NaN and the infinities, which Python's parser takes and every other one refuses."""
    raise ValueError(name)

"""How the load generator speaks to a server: the frames of y-websocket and of Hocuspocus, with nothing of ours in them.

It writes what is measured with by hand, so that a fault of the service's own codec cannot hide behind itself.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pycrdt

from benchmarks.workloads import Shape

MARK = re.compile(rb"@(\d{8})@")
"""What a change is recognised by, however a server batches or merges: its number between two signs."""

FILLER = "x" * 100
_EMPTY_STEP1 = b"\x00\x00\x01\x00"
_EMPTY_STEP2 = b"\x00\x01\x02\x00\x00"


@dataclass(frozen=True, slots=True)
class Wire:
    """One way to speak. `address` is put before every frame; `sockets` is where a document's socket is opened."""

    address: Callable[[str], bytes]
    path: Callable[[str], str]
    hello: Callable[[str, str], Sequence[bytes]]


def var_uint(value: int) -> bytes:
    """Write an integer of seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def var_bytes(data: bytes) -> bytes:
    """Write bytes behind their length."""
    return var_uint(len(data)) + data


def _collab_address(document: str) -> bytes:
    return var_bytes(document.encode())


def _collab_hello(document: str, token: str) -> Sequence[bytes]:
    address = _collab_address(document)
    return address + b"\x02\x00" + var_bytes(token.encode()) + var_bytes(b"4.7.0"), address + _EMPTY_STEP1


YJS = Wire(lambda _: b"", lambda document: f"/{document}", lambda _document, _token: (_EMPTY_STEP1,))
COLLAB = Wire(_collab_address, lambda _: "", _collab_hello)
WIRES = {"yjs": YJS, "collab": COLLAB}


def is_step1(frame: bytes, at: int) -> bool:
    """Tell whether the server asks what the client has; a client of a benchmark has nothing to give."""
    return frame[at : at + 2] == _EMPTY_STEP1[:2]


def is_step2(frame: bytes, at: int) -> bool:
    """Tell whether the server says what it has: the document is open."""
    return frame[at : at + 2] == _EMPTY_STEP2[:2]


def step2_of_nothing(address: bytes) -> bytes:
    """Answer a step 1."""
    return address + _EMPTY_STEP2


def changes(shape: Shape, address: bytes, numbers: Sequence[int]) -> list[bytes]:
    """Return the frames of one writer, one a number, made before anything is measured."""
    if shape is Shape.PRESENCE:
        return [address + b"\x01" + var_bytes(_awareness(numbers[0] + 1, number)) for number in numbers]
    document: pycrdt.Doc[Any] = pycrdt.Doc()
    updates: list[bytes] = []
    array = document.get("events", type=pycrdt.Array[str])
    card = document.get("card", type=pycrdt.Map[str])
    subscription = document.observe(lambda event: updates.append(event.update))
    for number in numbers:
        text = f"@{number:08d}@{FILLER}"
        if shape is Shape.CARD:
            card["title"] = text
        else:
            array.append(text)
    document.unobserve(subscription)
    return [address + b"\x00\x02" + var_bytes(update) for update in updates]


def _awareness(client: int, number: int) -> bytes:
    state = json.dumps({"user": f"@{number:08d}@{FILLER}"}).encode()
    return var_uint(1) + var_uint(client) + var_uint(number + 1) + var_bytes(state)

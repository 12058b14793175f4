"""What the gateway and a plugin's process say to each other: JSON objects behind their length, on a socket.

A call is `{"id", "hook", "items"}` and its answer `{"id", "answers"}`, one answer an item, null for no wish. The
process says `{"hooks": [...]}` once it is ready, `{"beat": {name: count}}` five times a second, and `{"fault": reason}`
before it ends.
"""

import asyncio
import json
import struct
from collections.abc import Mapping

from crdt_sync.errors import Malformed

FRAME_BYTES_MAX = 4_194_304  # a hundred messages with all the text that a plugin is shown of each
ANSWER_BYTES_MAX = 65_536  # a hundred answers, each a name; from a process that is not trusted
_LENGTH = struct.Struct(">I")


def encoded(frame: Mapping[str, object]) -> bytes:
    """Spell a frame."""
    body = json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


async def read(reader: asyncio.StreamReader, bytes_max: int) -> Mapping[str, object]:
    """Return the next frame.

    Raises:
        Malformed: it is too large or no JSON object.
        EOFError: the other side has ended.

    """
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > bytes_max:
        raise Malformed("A frame is too large.", code="frame")
    body = await reader.readexactly(length)
    try:
        frame = json.loads(body)
    except (ValueError, RecursionError):
        frame = None
    if not isinstance(frame, dict):
        raise Malformed("A frame is no JSON object.", code="frame")
    return frame

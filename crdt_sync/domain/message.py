r"""The record of one chat message: its canonical bytes, its id, and a decoder that accepts nothing else.

A record is canonical JSON in UTF-8 of at most 64 KiB with exactly these keys:

    v       1
    ticket  the ticket's id
    kind    "customer", "agent", "system", "delivery" or "unknown"
    author  1 to 128 characters of printable ASCII; a customer stands as an opaque id, never as the platform's own
    at      milliseconds since the epoch, 0 to 2^53-1, for display only
    parts   1 to 32 objects of strings, see `PARTS`; numbers are written as strings, as no two languages agree on floats
    salt    32 lowercase hexadecimal digits, random, so that nobody can guess a message from its id
    origin  null, or the id made of the channel's account and the platform's key, see `origin_id`

A message that came from a channel has its origin as id, so a replay changes nothing; any other is named by the SHA-256
of "ticket-message/1\n" and its bytes. This module never reads a clock and never draws a salt.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from crdt_sync.domain.canonical import base32_id, dumps
from crdt_sync.domain.ids import ID_PATTERN, MessageId, TicketId
from crdt_sync.domain.transition import INTEGER_MAX, Undecodable
from crdt_sync.errors import Malformed

MessageKind = Literal["customer", "agent", "system", "delivery", "unknown"]
Part = Mapping[str, str]

VERSION = 1
RECORD_BYTES_MAX = 65_536  # no platform lets a person write more than 20,000 characters at once
PARTS_MAX = 32
MESSAGE_KINDS: tuple[MessageKind, ...] = ("customer", "agent", "system", "delivery", "unknown")

_ID_PREFIX = b"ticket-message/1\n"
_KEYS = frozenset({"v", "ticket", "kind", "author", "at", "parts", "salt", "origin"})
_AUTHOR = re.compile(r"[ -~]{1,128}")
_SALT = re.compile(r"[0-9a-f]{32}")
_DEGREES = re.compile(r"-?(0|[1-9][0-9]{0,2})(\.[0-9]{1,15})?")
_MEDIA = {"ref": re.compile(r"(?s).{1,1024}"), "name": re.compile(r"(?s).{0,256}")}

PARTS: Mapping[str, Mapping[str, re.Pattern[str]]] = {
    "text": {"text": re.compile(r"(?s).+")},
    "image": _MEDIA,
    "voice": _MEDIA,
    "video": _MEDIA,
    "file": _MEDIA,
    "location": {"latitude": _DEGREES, "longitude": _DEGREES, "label": re.compile(r"(?s).{0,512}")},
    "event": {"event": re.compile(r"(?s).{1,128}")},
}
"""Each type of part, with the fields that it has beside `type`, all of them."""


@dataclass(frozen=True, slots=True)
class Message:
    """One decoded chat message. `record` is its canonical JSON."""

    id: MessageId
    ticket: TicketId
    kind: MessageKind
    author: str
    at: int
    parts: tuple[Part, ...]
    salt: str
    origin: MessageId | None
    record: str


def decode(data: bytes) -> Message | Undecodable:
    """Return the message that `data` spells, or why it spells none; whatever the bytes, it never raises."""
    if len(data) > RECORD_BYTES_MAX:
        return Undecodable.SIZE
    try:
        fields = json.loads(data.decode())
        if not _is_record(fields) or dumps(fields).encode() != data:
            return Undecodable.MALFORMED
    except (ValueError, RecursionError):
        return Undecodable.MALFORMED
    return Message(
        id=MessageId(fields["origin"] or base32_id(_ID_PREFIX, data)),
        ticket=fields["ticket"],
        kind=fields["kind"],
        author=fields["author"],
        at=fields["at"],
        parts=tuple(fields["parts"]),
        salt=fields["salt"],
        origin=fields["origin"],
        record=data.decode(),
    )


def make(
    *,
    ticket: TicketId,
    kind: MessageKind,
    author: str,
    at: int,
    parts: Iterable[Part],
    salt: str,
    origin: MessageId | None = None,
) -> Message:
    """Return the message with these fields.

    Raises:
        Malformed: a field is out of its bounds, so that nobody could decode the result.

    """
    fields = {
        "v": VERSION,
        "ticket": ticket,
        "kind": kind,
        "author": author,
        "at": at,
        "parts": [dict(part) for part in parts],
        "salt": salt,
        "origin": origin,
    }
    # Escaping a lone surrogate keeps it from raising here; the decoder then refuses it like any other bad field.
    made = decode(dumps(fields).encode(errors="backslashreplace"))
    if isinstance(made, Undecodable):
        raise Malformed(
            f"A message with these fields cannot be recorded ({made.value}).",
            code=made.value,
            advice=f"Send 1 to {PARTS_MAX} parts of known types, with all their fields, and at most 64 KiB in all.",
        )
    return made


def origin_id(account: str, key: str) -> MessageId:
    """Return the id of what a channel's account received under the platform's key, the same at every replay."""
    return MessageId(base32_id(b"", dumps([account, key]).encode()))


def _is_record(fields: object) -> bool:
    if not isinstance(fields, dict) or fields.keys() != _KEYS:
        return False
    values = cast("dict[str, Any]", fields)
    return (
        type(values["v"]) is int
        and values["v"] == VERSION
        and _fits(ID_PATTERN, values["ticket"])
        and values["kind"] in MESSAGE_KINDS
        and _fits(_AUTHOR, values["author"])
        and type(values["at"]) is int
        and 0 <= values["at"] <= INTEGER_MAX
        and isinstance(values["parts"], list)
        and 1 <= len(values["parts"]) <= PARTS_MAX
        and all(_is_part(part) for part in values["parts"])
        and _fits(_SALT, values["salt"])
        and (values["origin"] is None or _fits(ID_PATTERN, values["origin"]))
    )


def _is_part(part: object) -> bool:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        return False
    fields = PARTS.get(part["type"])
    return (
        fields is not None
        and part.keys() == {"type", *fields}
        and all(_fits(pattern, part[name]) for name, pattern in fields.items())
    )


def _fits(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None

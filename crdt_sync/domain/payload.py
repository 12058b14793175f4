"""What a transition carries beside itself (a price, a contract number), sealed so that its digest tells nothing.

A sealed payload is canonical JSON in UTF-8 of `{"data": {field: value}, "salt": 32 hex digits}`. A transition names it
by the SHA-256 of these bytes; the text itself lives in the lane's form document and can be erased. Values are strings
and whole numbers, as no two languages agree on floats. This module never draws a salt.
"""

import datetime
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from crdt_sync.domain.canonical import dumps
from crdt_sync.domain.ids import NAME_PATTERN, Digest
from crdt_sync.domain.lifecycle.model import PayloadType
from crdt_sync.domain.transition import INTEGER_MAX
from crdt_sync.errors import Malformed

PAYLOAD_BYTES_MAX = 65_536  # the same as a chat message: files are references, never contents
TEXT_CHARACTERS_MAX = 4_096
FILE_CHARACTERS_MAX = 1_024

_SALT = re.compile(r"[0-9a-f]{32}")
_MONEY = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Sealed:
    """A payload as its form document keeps it (`text`), and as a transition names it (`digest`)."""

    digest: Digest
    text: str


def seal(data: Mapping[str, object], salt: str) -> Sealed:
    """Return the payload with its salt, 32 random hexadecimal digits.

    Raises:
        Malformed: the data holds what no payload can (a float, a list, a lone surrogate) or is too large.

    """
    try:
        text = dumps({"data": dict(data), "salt": salt})
    except (TypeError, ValueError, RecursionError):
        text = ""
    if unseal(text) is None:
        raise Malformed(
            "These values cannot be sealed as a payload.",
            code="payload",
            advice="Give fields named like `price` with strings or whole numbers, at most 64 KiB in all.",
        )
    return Sealed(digest_of(text), text)


def unseal(text: str) -> Mapping[str, str | int] | None:
    """Return the data of a sealed payload; None if the text is not canonical or breaks a limit. It never raises."""
    try:
        if len(text.encode()) > PAYLOAD_BYTES_MAX:
            return None
        fields = json.loads(text)
        if not _is_payload(fields) or dumps(fields) != text:
            return None
    except (ValueError, RecursionError):
        return None
    data: dict[str, str | int] = fields["data"]
    return data


def digest_of(text: str) -> Digest:
    """Return the digest by which a transition names this sealed payload."""
    return Digest(hashlib.sha256(text.encode()).hexdigest())


def check(declared: Mapping[str, PayloadType], data: Mapping[str, object]) -> None:
    """Refuse data that does not have exactly the declared fields with values of their types.

    Raises:
        Malformed: with code `payload`, naming the first field that is wrong.

    """
    for name in (*declared, *data):
        if name not in data:
            raise _wrong(f"The payload lacks {name!r}.", declared)
        if name not in declared:
            raise _wrong(f"The payload has a field {name[:80]!r} that this transition does not declare.", declared)
        if not _IS_OF_TYPE[declared[name]](data[name]):
            raise _wrong(f"The payload's {name!r} is no {declared[name]}.", declared)


def _is_payload(fields: object) -> bool:
    if not isinstance(fields, dict) or fields.keys() != {"data", "salt"}:
        return False
    data, salt = fields["data"], fields["salt"]
    return (
        isinstance(data, dict)
        and isinstance(salt, str)
        and _SALT.fullmatch(salt) is not None
        and all(NAME_PATTERN.fullmatch(name) and _is_value(value) for name, value in data.items())
    )


def _is_value(value: object) -> bool:
    return isinstance(value, str) or _is_integer(value)


def _is_integer(value: object) -> bool:
    return type(value) is int and abs(value) <= INTEGER_MAX


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= TEXT_CHARACTERS_MAX


def _is_money(value: object) -> bool:
    return isinstance(value, str) and _MONEY.fullmatch(value) is not None


def _is_date(value: object) -> bool:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return False
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_file(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= FILE_CHARACTERS_MAX


_IS_OF_TYPE: Final[Mapping[PayloadType, Callable[[object], bool]]] = {
    "text": _is_text,
    "money": _is_money,
    "integer": _is_integer,
    "date": _is_date,
    "file": _is_file,
}


def _wrong(message: str, declared: Mapping[str, PayloadType]) -> Malformed:
    wanted = ", ".join(f"{name} ({kind})" for name, kind in declared.items()) or "no fields"
    return Malformed(
        message,
        code="payload",
        advice=f'Send exactly {wanted}; money is a decimal string like "99.50", a date is YYYY-MM-DD.',
    )

"""The record of one transition: its canonical bytes, its id, and a decoder that accepts nothing else.

It never asks what a transition means: whether a lane exists, who may act and what wins is the fold's.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from crdt_sync.domain.canonical import base32_id, dumps
from crdt_sync.domain.ids import DIGEST_PATTERN, ID_PATTERN, ActorId, Digest, LaneId, Role, TicketId, TransitionId
from crdt_sync.errors import Malformed

VERSION = 1
RECORD_BYTES_MAX = 4096  # 32 parents of 52 characters and 16 short roles fit twice
AFTER_MAX = 32
ROLES_MAX = 16
INTEGER_MAX = 2**53 - 1  # the largest that every JSON reader keeps exact
OPENING_NAME = "open"

_ID_PREFIX = b"ticket-transition/1\n"
_KEYS = frozenset({"v", "ticket", "lane", "name", "actor", "roles", "after", "lifecycle", "payload", "at"})
_OPENING_KEYS = _KEYS | {"subject"}
_PRINTABLE = re.compile(r"[ -~]{1,128}")
_SUBJECT = re.compile(r"[ -~]{1,512}")  # ASCII like the rest of the record, so that no two readers count differently


class Undecodable(StrEnum):
    """Why bytes are no record."""

    SIZE = "size"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Transition:
    """One decoded transition. `record` is its canonical JSON; `at` (ms) is for display only and decides nothing."""

    id: TransitionId
    ticket: TicketId | None
    lane: LaneId
    name: str
    actor: ActorId
    roles: tuple[Role, ...]
    after: tuple[TransitionId, ...]
    lifecycle: Digest
    payload: Digest | None
    at: int
    subject: str | None
    record: str

    @property
    def is_opening(self) -> bool:
        """Tell whether this opens a ticket, whose id is then the transition's own."""
        return not self.after


def decode(data: bytes) -> Transition | Undecodable:
    """Return the transition that `data` spells, or why it spells none; whatever the bytes, it never raises."""
    if len(data) > RECORD_BYTES_MAX:
        return Undecodable.SIZE
    try:
        fields = json.loads(data.decode())
    except (ValueError, RecursionError):
        return Undecodable.MALFORMED
    if not _is_record(fields) or dumps(fields).encode() != data:
        return Undecodable.MALFORMED
    return Transition(
        id=TransitionId(base32_id(_ID_PREFIX, data)),
        ticket=fields["ticket"],
        lane=fields["lane"],
        name=fields["name"],
        actor=fields["actor"],
        roles=tuple(fields["roles"]),
        after=tuple(fields["after"]),
        lifecycle=fields["lifecycle"],
        payload=fields["payload"],
        at=fields["at"],
        subject=fields.get("subject"),
        record=data.decode(),
    )


def make(
    *,
    ticket: TicketId | None,
    lane: str,
    name: str,
    actor: str,
    roles: Iterable[str],
    after: Iterable[str],
    lifecycle: str,
    payload: str | None = None,
    at: int,
    subject: str | None = None,
) -> Transition:
    """Return the transition with these fields; `roles` and `after` may come in any order.

    Raises:
        Malformed: a field is out of its bounds, so that nobody could decode the result.

    """
    fields: dict[str, object] = {
        "v": VERSION,
        "ticket": ticket,
        "lane": lane,
        "name": name,
        "actor": actor,
        "roles": sorted(roles),
        "after": sorted(after),
        "lifecycle": lifecycle,
        "payload": payload,
        "at": at,
    }
    if subject is not None:
        if not _fits(_SUBJECT, subject):
            raise Malformed("A subject has 1 to 512 printable ASCII characters.", advice="Encode what it has beyond.")
        fields["subject"] = subject
    # Escaping what is not ASCII keeps a lone surrogate from raising here; the decoder then refuses it like the rest.
    made = decode(dumps(fields).encode(errors="backslashreplace"))
    if isinstance(made, Undecodable):
        raise Malformed(
            f"A transition {name[:40]!r} of lane {lane[:40]!r} with these fields cannot be recorded ({made.value}).",
            code=made.value,
            advice="Use printable ASCII of 1 to 128 characters, at most 16 roles and 32 parents, each named once.",
        )
    return made


def entry_key(data: bytes) -> str:
    """Return the name of an entry in `refused`: a transition's id, or else the SHA-256 (hex) of the bytes."""
    decoded = decode(data)
    return hashlib.sha256(data).hexdigest() if isinstance(decoded, Undecodable) else decoded.id


def _is_record(fields: object) -> bool:
    return isinstance(fields, dict) and _has_good_fields(fields)


def _has_good_fields(fields: Mapping[str, Any]) -> bool:
    shape = _is_opening if fields.keys() == _OPENING_KEYS else _is_move
    return (
        shape(fields)
        and type(fields["v"]) is int
        and fields["v"] == VERSION
        and all(_fits(_PRINTABLE, fields[key]) for key in ("lane", "name", "actor"))
        and _is_ascending(fields["roles"], _PRINTABLE, count_max=ROLES_MAX)
        and _fits(DIGEST_PATTERN, fields["lifecycle"])
        and (fields["payload"] is None or _fits(DIGEST_PATTERN, fields["payload"]))
        and type(fields["at"]) is int
        and 0 <= fields["at"] <= INTEGER_MAX
    )


def _is_opening(fields: Mapping[str, Any]) -> bool:
    return (
        fields["ticket"] is None
        and fields["name"] == OPENING_NAME
        and fields["after"] == []
        and _fits(_SUBJECT, fields["subject"])
    )


def _is_move(fields: Mapping[str, Any]) -> bool:
    return (
        fields.keys() == _KEYS
        and _fits(ID_PATTERN, fields["ticket"])
        and fields["name"] != OPENING_NAME
        and _is_ascending(fields["after"], ID_PATTERN, count_max=AFTER_MAX)
    )


def _is_ascending(values: object, pattern: re.Pattern[str], *, count_max: int) -> bool:
    return (
        isinstance(values, list)
        and 1 <= len(values) <= count_max
        and all(_fits(pattern, value) for value in values)
        and all(first < second for first, second in pairwise(values))
    )


def _fits(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None

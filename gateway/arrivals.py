"""What arrives at the inbox, and how a group of arrivals becomes rows: which are new, known, suspected, or too many.

Pure; the inbox reads what is known before, and writes the rows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.channels.base import Callback

SUSPECTED = "suspected_duplicate"


class State(StrEnum):
    """What became of a row."""

    RECEIVED = "received"
    FORWARDED = "forwarded"
    DEAD = "dead"


class Kept(StrEnum):
    """What the inbox did with a callback; in each case it is committed."""

    NEW = "new"
    DUPLICATE = "duplicate"
    SUSPECTED = "suspected"
    """Set aside: another key, and all else as in one that came before."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified callback on its way into the inbox. With a `code` it is kept as dead.

    A new one's `reply_to` becomes that of its conversation, and its `entry` is appended to its visitor's log.
    `fingerprint`, `urgent`, `contents` and `spec` are those of `Callback`.
    """

    account: str
    conversation: str
    keys: tuple[str, ...]
    raw: bytes
    received_at_ms: int
    traceparent: str
    code: str | None = None
    reply_to: str | None = None
    fingerprint: str | None = None
    urgent: bool = False
    entry: str | None = None
    contents: Mapping[int, bytes] = field(default_factory=dict)
    spec: str | None = None

    @property
    def marks(self) -> tuple[str, ...]:
        """Every key under which it may be known already, its fingerprint last."""
        return self.keys if self.fingerprint is None else (*self.keys, f"same:{self.fingerprint}")


def arrival_of(account: str, callback: Callback, *, received_at_ms: int, traceparent: str) -> Arrival:
    """A callback on its way into the inbox."""
    return Arrival(
        account=account,
        conversation=callback.conversation,
        keys=callback.keys,
        raw=callback.content,
        received_at_ms=received_at_ms,
        traceparent=traceparent,
        code=callback.code,
        reply_to=callback.reply_to,
        fingerprint=callback.fingerprint,
        urgent=callback.urgent,
        entry=callback.entry,
        contents=callback.contents,
        spec=callback.spec,
    )


@dataclass(slots=True)
class Group:
    """The rows that one transaction will write, and what each waiting callback will be told.

    There is `room` for so many more, the last `reserve` of them for what is urgent.
    """

    next_id: int
    room: int
    reserve: int
    owners: dict[tuple[str, str], int]
    rows: list[dict[str, object]] = field(default_factory=list)
    keys: list[dict[str, object]] = field(default_factory=list)
    duplicates: Counter[int] = field(default_factory=Counter)

    def place(self, arrival: Arrival) -> Kept | None:
        """Plan one arrival; None if there is no room for it."""
        scoped = [(arrival.account, key) for key in arrival.keys]
        first = next((self.owners[key] for key in scoped if key in self.owners), None)
        if first is not None:
            self.duplicates[first] += 1
            self._own(scoped, first)
            return Kept.DUPLICATE
        if len(self.rows) >= self.room - (0 if arrival.urgent else self.reserve):
            return None
        row_id = self.next_id + len(self.rows)
        marks = [(arrival.account, key) for key in arrival.marks]
        suspected = any(mark in self.owners for mark in marks)
        self.rows.append(_row(row_id, arrival, SUSPECTED if suspected else arrival.code))
        self._own(marks, row_id)
        return Kept.SUSPECTED if suspected else Kept.NEW

    def _own(self, scoped: Sequence[tuple[str, str]], row_id: int) -> None:
        for account, key in scoped:
            if (account, key) not in self.owners:
                self.owners[account, key] = row_id
                self.keys.append({"account": account, "key": key, "inbox_id": row_id})


def _row(row_id: int, arrival: Arrival, code: str | None) -> dict[str, object]:
    return {
        "id": row_id,
        "account": arrival.account,
        "conversation": arrival.conversation,
        "received_at_ms": arrival.received_at_ms,
        "raw": arrival.raw,
        "state": State.RECEIVED if code is None else State.DEAD,
        "code": code,
        "traceparent": arrival.traceparent,
        "spec": arrival.spec,
        "next_attempt_ms": arrival.received_at_ms,  # due at once, and fair between new rows and retried ones
    }

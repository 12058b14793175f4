"""What the service answers about tickets: plain values that every wire writes in its own way."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crdt_sync.documents.talk import TalkDocument
from crdt_sync.domain import media, message
from crdt_sync.domain.ids import Digest, Position, TicketId, TransitionId
from crdt_sync.domain.instants import instant
from crdt_sync.domain.message import Message
from crdt_sync.domain.transition import Transition
from crdt_sync.ports import TicketRow
from crdt_sync.service.live_ticket import LiveTicket
from crdt_sync.service.projection import project


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket as its participants see it. `version` is opaque to them; times are milliseconds since the epoch."""

    id: TicketId
    version: Position
    lifecycle: Digest
    stage: str
    kind: str
    lanes: Mapping[str, str]
    flags: Mapping[str, Sequence[str]]
    obligations: Sequence[Mapping[str, object]]
    card: Mapping[str, object]
    subject: str
    opened_at_ms: int
    updated_at_ms: int
    position: Position
    duplicate_of: TicketId | None = None

    @classmethod
    def of_row(cls, row: TicketRow) -> "TicketView":
        """Show a stored row."""
        return cls(
            id=row.id,
            version=row.version,
            lifecycle=row.lifecycle,
            stage=row.stage,
            kind=row.kind,
            lanes=row.lanes,
            flags=row.flags,
            obligations=row.obligations,
            card=row.card,
            subject=row.subject,
            opened_at_ms=row.opened_at_ms,
            updated_at_ms=row.updated_at_ms,
            position=row.position,
            duplicate_of=row.duplicate_of,
        )

    @classmethod
    def of_fields(cls, shown: Mapping[str, object], version: Position, position: Position) -> "TicketView":
        """Show what `shown_fields` kept."""
        return cls(**shown, version=version, position=position)  # type: ignore[arg-type]

    def to_json(self) -> dict[str, object]:
        """Return the ticket of the HTTP interface."""
        return {
            "id": self.id,
            "version": str(self.version),
            "lifecycle": self.lifecycle,
            "stage": self.stage,
            "kind": self.kind,
            "lanes": dict(self.lanes),
            "flags": {lane: list(flags) for lane, flags in self.flags.items()},
            "obligations": [dict(obligation) for obligation in self.obligations],
            "card": dict(self.card),
            "subject": self.subject,
            "opened_at": instant(self.opened_at_ms),
            "updated_at": instant(self.updated_at_ms),
            "position": self.position,
            "duplicate_of": self.duplicate_of,
        }


def shown_fields(live: LiveTicket, now_ms: int) -> dict[str, object]:
    """Return everything that a ticket shows now but its version and position, as JSON values."""
    shown = project(live)
    return {
        "id": live.id,
        "lifecycle": live.lifecycle.digest,
        "stage": shown.stage,
        "kind": shown.kind,
        "lanes": shown.lanes,
        "flags": shown.flags,
        "obligations": shown.obligations,
        "card": shown.card,
        "subject": live.subject,
        "opened_at_ms": live.opened_at_ms,
        "updated_at_ms": now_ms,
        "duplicate_of": live.duplicate_of,
    }


def conversation(talk: TalkDocument) -> list[dict[str, object]]:
    """Return the messages of the HTTP interface, in the order of the platform's time, then of ids.

    A part whose content is known, or is known to be missing, has it as `media`: digest, size and type, or a code.
    So has one that a plugin refused to send, with the code of that.
    """
    contents = talk.media()
    found = [message.decode(record.encode()) for record in talk.messages()]
    return [
        {
            "id": one.id,
            "kind": one.kind,
            "author": one.author,
            "at": instant(one.at),
            "parts": [_part(one, index, contents) for index in range(len(one.parts))],
        }
        for one in sorted((one for one in found if isinstance(one, Message)), key=lambda one: (one.at, one.id))
    ]


def _part(posted: Message, index: int, contents: Mapping[str, str]) -> dict[str, object]:
    part = posted.parts[index]
    known = contents.get(f"{posted.id}/{index}")
    if known is not None:
        return {**part, "media": json.loads(known)}
    uploaded = media.digest_of(part.get("ref", "")) if posted.origin is None else None
    return {**part, "media": {"digest": uploaded}} if uploaded is not None else dict(part)


def entry(made: Transition) -> dict[str, object]:
    """Return what a ticket's history says of one transition."""
    return {
        "id": made.id,
        "lane": made.lane,
        "name": made.name,
        "actor": made.actor,
        "roles": list(made.roles),
        "after": list(made.after),
        "at": instant(made.at),
    }


@dataclass(frozen=True, slots=True)
class Opened:
    """A ticket, and whether it was opened just now."""

    ticket: TicketView
    created: bool


@dataclass(frozen=True, slots=True)
class Transitioned:
    """The ticket after a transition."""

    ticket: TicketView
    transition: TransitionId


@dataclass(frozen=True, slots=True)
class Posted:
    """A message that is in the conversation."""

    message: str
    position: Position


@dataclass(frozen=True, slots=True)
class FormView:
    """A lane's form."""

    fields: Mapping[str, object]
    notes: str
    position: Position


@dataclass(frozen=True, slots=True)
class Page:
    """Some tickets, where to go on (None: that was all), and the position that the answer is not older than."""

    tickets: Sequence[TicketView]
    next: TicketId | None
    position: Position


@dataclass(frozen=True, slots=True)
class Explained:
    """A ticket and why it stands where it stands, one sentence a line."""

    ticket: TicketView
    lines: tuple[str, ...]

"""What the service answers about tickets: plain values that every wire writes in its own way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crdt_sync.domain.ids import Digest, Position, TicketId, TransitionId
from crdt_sync.domain.instants import instant
from crdt_sync.ports import TicketRow
from crdt_sync.service.draft import project
from crdt_sync.service.live_ticket import LiveTicket


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

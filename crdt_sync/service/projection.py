"""What a ticket's row says of it, read out of its fold and its card as they are now. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crdt_sync.domain import holds
from crdt_sync.domain.ids import ActorId, LaneId, Position, TicketId, TransitionId
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.lifecycle.result import TicketState
from crdt_sync.ports import TicketRow, TicketWrite
from crdt_sync.ports.owed import obligation_text
from crdt_sync.service.live_ticket import LiveTicket


@dataclass(frozen=True, slots=True)
class Projection:
    """What a ticket's row says of its state."""

    stage: str
    kind: str
    lanes: Mapping[str, str]
    flags: Mapping[str, Sequence[str]]
    obligations: Sequence[Mapping[str, object]]
    card: Mapping[str, object]
    duplicate_of: TicketId | None


def project(live: LiveTicket) -> Projection:
    """Read a ticket's row out of its fold and its card, as they are now."""
    state = live.fold.state()
    return Projection(
        stage=state.stage or "",
        kind=state.kind or "",
        lanes={str(lane): name for lane, name in sorted(state.lanes.items())},
        flags={lane: list(flags) for lane, flags in state.flags.items()},
        obligations=[obligation.to_json() for obligation in state.obligations] if live.duplicate_of is None else [],
        card=live.card.card(),
        duplicate_of=live.duplicate_of,
    )


def write_of(
    live: LiveTicket,
    shown: Projection | TicketRow,
    card: Mapping[str, object],
    newest: TransitionId | None,
    now_ms: int,
    trace: str | None,
    *,
    restated: bool,
) -> TicketWrite:
    """Return what is to be written of a ticket: what it shows, with a card that may be newer."""
    return TicketWrite(
        id=live.id,
        expected_position=live.row.position if live.row is not None else None,
        newest_transition=newest,
        lifecycle=live.lifecycle.digest,
        subject=live.subject,
        stage=shown.stage,
        kind=shown.kind,
        lanes=shown.lanes,
        flags=shown.flags,
        obligations=shown.obligations,
        card=card,
        participants=live.lifecycle.departments,
        opened_at_ms=live.opened_at_ms,
        updated_at_ms=now_ms,
        traceparent=trace,
        duplicate_of=live.duplicate_of,
        answers_in=live.answers_in,
        restated=restated,
    )


def row_of(write: TicketWrite, version: Position, position: Position) -> TicketRow:
    """Return what a ticket's row says once a write of all of it is committed."""
    return TicketRow(
        id=write.id,
        lifecycle=write.lifecycle,
        subject=write.subject,
        stage=write.stage,
        kind=write.kind,
        lanes=write.lanes,
        flags=write.flags,
        obligations=write.obligations,
        card=write.card,
        participants=write.participants,
        version=version,
        position=position,
        opened_at_ms=write.opened_at_ms,
        updated_at_ms=write.updated_at_ms,
        duplicate_of=write.duplicate_of,
        answers_in=write.answers_in,
    )


def assigned(lifecycle: Lifecycle, row: Projection | TicketRow, card: Mapping[str, object]) -> dict[LaneId, ActorId]:
    """Who has which lane of a ticket, nobody of one that is closed or a duplicate."""
    control = lifecycle.control
    is_open = row.lanes.get(control.id, control.initial) == control.initial and row.duplicate_of is None
    return holds.assignees(card) if is_open else {}


def owed_of(live: LiveTicket) -> dict[str, dict[str, object]]:
    """What is owed in a ticket as it is now: of a duplicate nothing."""
    return owed_in(live.fold.state()) if live.duplicate_of is None else {}


def owed_in(state: TicketState | None) -> dict[str, dict[str, object]]:
    """What is owed, keyed by what it is, so that a new trigger of the same obligation is no new obligation."""
    found: dict[str, dict[str, object]] = {}
    for obligation in state.obligations if state is not None else ():
        entry = obligation.to_json()
        del entry["trigger"]
        found[obligation_text(entry)] = entry
    return found

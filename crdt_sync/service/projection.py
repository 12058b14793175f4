"""What a ticket's row says of it, read out of its fold and its card as they are now. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crdt_sync.domain import holds
from crdt_sync.domain.ids import ActorId, LaneId
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.lifecycle.result import TicketState
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


def project(live: LiveTicket) -> Projection:
    """Read a ticket's row out of its fold and its card, as they are now."""
    state = live.fold.state()
    return Projection(
        stage=state.stage or "",
        kind=state.kind or "",
        lanes={str(lane): name for lane, name in sorted(state.lanes.items())},
        flags={lane: list(flags) for lane, flags in state.flags.items()},
        obligations=[obligation.to_json() for obligation in state.obligations],
        card=live.card.card(),
    )


def assigned(lifecycle: Lifecycle, lanes: Mapping[str, str], card: Mapping[str, object]) -> dict[LaneId, ActorId]:
    """Who has which lane of a ticket, nobody of one that is closed."""
    control = lifecycle.control
    return holds.assignees(card) if lanes.get(control.id, control.initial) == control.initial else {}


def owed_in(state: TicketState | None) -> dict[str, dict[str, object]]:
    """What is owed, keyed by what it is, so that a new trigger of the same obligation is no new obligation."""
    found: dict[str, dict[str, object]] = {}
    for obligation in state.obligations if state is not None else ():
        entry = obligation.to_json()
        del entry["trigger"]
        found[obligation_text(entry)] = entry
    return found

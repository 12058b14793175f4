"""Refused transitions as errors that say why in one sentence, for callers who wait for an answer."""

from crdt_sync.domain import access
from crdt_sync.domain.access import Principal
from crdt_sync.domain.transition import Transition
from crdt_sync.errors import Conflict, TicketSyncError
from crdt_sync.service.live_ticket import LiveTicket


def refusal(code: str, live: LiveTicket, made: Transition, principal: Principal) -> TicketSyncError:
    """Return the error for a transition that was judged with `code`."""
    denial = access.make_transition(principal, live.lifecycle, made)
    if denial is not None:
        return denial.error()
    return Conflict(_reason(code, live, made), code=code, advice="Look at the ticket again; another move may be open.")


def _reason(code: str, live: LiveTicket, made: Transition) -> str:
    spec = live.lifecycle.lanes[made.lane].transitions[made.name]
    seen = live.fold.state_at(made.after)
    match code:
        case "role":
            return f"{made.lane}.{made.name} takes one of the roles {', '.join(spec.by)}."
        case "from":
            starts = ", ".join(sorted(spec.sources | ({spec.settles} if spec.settles else set())))
            return f"{made.lane}.{made.name} starts from {starts}, but {made.lane} was {seen.lanes[made.lane]!r}."
        case "if":
            states = {str(lane): name for lane, name in seen.lanes.items()} | {"stage": seen.stage or ""}
            unmet = [f"{key} was {states[key]!r}" for key, want in spec.conditions if not want.matches(states[key])]
            return f"{made.lane}.{made.name} was not enabled: {', '.join(unmet)}."
        case "too_many":
            return "The ticket holds as many transitions as a ticket may."
        case _:
            return f"{made.lane}.{made.name} was refused with {code!r}."

"""What can be said of a transition before it is made: whether it is declared, what it builds on, why it cannot be."""

from collections.abc import Sequence

from crdt_sync.domain.ids import LaneId, TransitionId
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.lifecycle.model import Lifecycle, TransitionSpec
from crdt_sync.domain.lifecycle.result import Code
from crdt_sync.domain.transition import Transition
from crdt_sync.errors import Conflict, Malformed, PreconditionUnknown


def spec_of(lifecycle: Lifecycle, lane: str, name: str) -> TransitionSpec:
    """Return what the lifecycle declares of a transition.

    Raises:
        Malformed: nothing.

    """
    declared = lifecycle.lanes.get(LaneId(lane))
    if declared is None:
        raise Malformed(
            f"The lifecycle has no lane {lane[:60]!r}.",
            code="unknown_transition",
            advice=f"Lanes are {', '.join(lifecycle.lanes)}.",
        )
    if name not in declared.transitions:
        raise Malformed(
            f"The lane {lane!r} has no transition {name[:60]!r}.",
            code="unknown_transition",
            advice=f"It has {', '.join(declared.transitions)}.",
        )
    return declared.transitions[name]


def frontier_of(fold: Fold, seen: Sequence[TransitionId]) -> tuple[TransitionId, ...]:
    """Return the newest among what a person says to have seen.

    Raises:
        PreconditionUnknown: the fold does not hold all of it, or it is nothing.

    """
    unknown = [id_ for id_ in seen if id_ not in fold]
    if unknown or not seen:
        raise PreconditionUnknown("What was seen is not what this ticket holds.", advice="Look at the ticket again.")
    return fold.frontier_of(seen)


def impossible(code: Code, spec: TransitionSpec, fold: Fold, made: Transition) -> Conflict:
    """Return the error for a transition that would be inert with `code`: what stands in its way."""
    lanes = fold.state_at(made.after).lanes
    match code:
        case Code.ROLE:
            why = f"{spec.lane}.{spec.name} takes one of the roles {', '.join(spec.by)}"
        case Code.IF:
            names = [lane for lane, _ in spec.conditions]
            now = {str(lane): state for lane, state in lanes.items()} | {"stage": fold.state_at(made.after).stage or ""}
            why = f"{spec.lane}.{spec.name} is not possible while {', '.join(f'{n} is {now[n]!r}' for n in names)}"
        case _:
            why = f"{spec.lane}.{spec.name} is not possible while {spec.lane} is {lanes.get(spec.lane)!r}"
    return Conflict(f"{why}.", code=code.value, advice="Look at the ticket again; another move may be open.")

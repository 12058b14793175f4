"""How the concurrent transitions of one lane become one state: which overtakes which, flags, and what became of each.

Pure functions of what causality left over; it never looks at another lane, at a clock or at who acted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

from crdt_sync.domain.ids import Digest, TransitionId
from crdt_sync.domain.lifecycle.model import Lane
from crdt_sync.domain.lifecycle.result import Flag, Reason, Standing, Status


@dataclass(frozen=True, slots=True)
class Rank:
    """All that decides between two valid transitions of a lane.

    `settles` holds the members of the conflict that the transition settles, and is empty if it settles none; `settled`
    tells whether it knows of a settlement in its round, its own included.
    """

    round: int
    to: str
    settles: frozenset[str] = frozenset()
    settled: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """A valid transition as its lane sees it. Bit `index` stands for it in the `past` of others."""

    id: TransitionId
    index: int
    past: int
    rank: Rank
    payload: Digest | None

    def saw(self, other: "Move") -> bool:
        """Tell whether `other` is among this transition's ancestors."""
        return bool(self.past >> other.index & 1)


@dataclass(frozen=True, slots=True, eq=False)
class LaneView:
    """One lane, joined: `heads` are its newest valid transitions, `effective` those of them that nothing overtakes."""

    lane: Lane
    heads: tuple[Move, ...]
    effective: tuple[Move, ...]
    state: str
    round: int


def overtaken_because(lane: Lane, first: Rank, second: Rank) -> Reason | None:
    """Return why `first` gives way to `second`, or None if it does not."""
    if first.round != second.round:
        return Reason.ROUND if first.round < second.round else None
    if first.to in lane.below[second.to]:
        return Reason.ORDER
    if first.to in second.settles and not first.settled:
        return Reason.SETTLED
    return None


def maximal(moves: Iterable[Move]) -> tuple[Move, ...]:
    """Return, in the order of their indices, the moves that no other of them has seen."""
    unique = sorted(set(moves), key=lambda move: move.index)
    seen = 0
    for move in unique:
        seen |= move.past
    return tuple(move for move in unique if not seen >> move.index & 1)


def join(lane: Lane, heads: tuple[Move, ...]) -> LaneView:
    """Return the lane's state for these heads. Heads of equal rank are judged once, so many cost little."""
    ranks = {head.rank for head in heads}
    beaten = {rank for rank in ranks if any(overtaken_because(lane, rank, other) for other in ranks)}
    effective = tuple(head for head in heads if head.rank not in beaten)
    return LaneView(
        lane=lane,
        heads=heads,
        effective=effective,
        state=_joined_state(lane, {head.rank.to for head in effective}) if heads else lane.initial,
        round=max((head.rank.round for head in effective), default=0),
    )


def flags(view: LaneView) -> tuple[Flag, ...]:
    """Return, sorted, what a person should look at in the lane."""
    raised = []
    if flagged_overtaken(view):
        raised.append(Flag.OVERTAKEN)
    if _payloads_differ(view.effective):
        raised.append(Flag.PAYLOAD_CONFLICT)
    return tuple(raised)


def flagged_overtaken(view: LaneView) -> tuple[Move, ...]:
    """Return the heads that only a newer round beat, although they reach further than something that now holds."""
    beaten = {head.rank for head in view.heads} - {head.rank for head in view.effective}
    lost = {rank for rank in beaten if _is_lost_from_sight(view, rank)}
    return tuple(head for head in view.heads if head.rank in lost)


def trigger(moves: Iterable[Move]) -> tuple[TransitionId, ...]:
    """Return the ids of the moves, sorted and each once."""
    return tuple(sorted({move.id for move in moves}))


def statuses(view: LaneView, members: int, ids: Sequence[TransitionId]) -> dict[TransitionId, Status]:
    """Return what became of the heads and of all below them.

    `members` has the bits of the lane's valid transitions, of other views too; `ids` names the bits.
    """
    found: dict[TransitionId, Status] = {}
    for below, heads in _superseded(view.heads, members):
        status = Status(Standing.SUPERSEDED, by=trigger(heads))
        found.update(dict.fromkeys(ids_of(below, ids), status))
    effective: dict[str, Status] = {}
    for head in view.effective:
        if head.rank.to not in effective:
            effective[head.rank.to] = _effective_status(view, head.rank.to)
        found[head.id] = effective[head.rank.to]
    overtaken: dict[Rank, Status] = {}
    for head in view.heads:
        if head.id not in found:
            if head.rank not in overtaken:
                overtaken[head.rank] = _overtaken_status(view, head.rank)
            found[head.id] = overtaken[head.rank]
    return found


def ids_of(mask: int, ids: Sequence[TransitionId]) -> Iterable[TransitionId]:
    """Return the ids whose bits stand in `mask`."""
    return compress(ids, map(int, bin(mask)[:1:-1]))


def _joined_state(lane: Lane, states: set[str]) -> str:
    if len(states) == 1:
        return next(iter(states))
    return lane.conflicts.get(frozenset(states)) or "|".join(sorted(states))


def _dominators(view: LaneView, rank: Rank) -> tuple[list[Move], set[Reason]]:
    reasons: Mapping[Rank, Reason | None] = {
        other: overtaken_because(view.lane, rank, other) for other in {head.rank for head in view.effective}
    }
    return [head for head in view.effective if reasons[head.rank]], {reason for reason in reasons.values() if reason}


def _is_lost_from_sight(view: LaneView, rank: Rank) -> bool:
    dominators, _ = _dominators(view, rank)
    holding = {head.rank.to for head in view.effective}
    return all(head.rank.round > rank.round for head in dominators) and any(
        rank.to != to and rank.to not in view.lane.below[to] for to in holding
    )


def _payloads_differ(effective: Iterable[Move]) -> bool:
    payloads: dict[str, Digest] = {}
    return any(
        head.payload is not None and payloads.setdefault(head.rank.to, head.payload) != head.payload
        for head in effective
    )


def _superseded(heads: tuple[Move, ...], members: int) -> list[tuple[int, tuple[Move, ...]]]:
    """Split the members that are below heads into groups with the same heads above them."""
    below = 0
    for head in heads:
        below |= head.past
    groups: list[tuple[int, tuple[Move, ...]]] = [(members & below, ())]
    for head in heads:
        halves = [((mask & head.past, (*above, head)), (mask & ~head.past, above)) for mask, above in groups]
        groups = [half for pair in halves for half in pair if half[0]]
    return groups


def _effective_status(view: LaneView, to: str) -> Status:
    others = trigger(head for head in view.effective if head.rank.to != to)
    return Status(Standing.CONTESTED, by=others) if others else Status(Standing.EFFECTIVE)


def _overtaken_status(view: LaneView, rank: Rank) -> Status:
    dominators, reasons = _dominators(view, rank)
    first = next((reason for reason in Reason if reason in reasons), None)
    return Status(Standing.OVERTAKEN, because=first, by=trigger(dominators))

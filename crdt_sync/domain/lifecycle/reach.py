"""Reach: every combination of lane values that some view can show, and a little more.

A combination belongs to `Reach` if none of its lanes shows anything yet, or if each lane that does is *explained*: for
each state s of its value there are a transition t to s and a combination c of `Reach` that enables t, such that every
lane's value here can follow its value after t was made in c (`crdt_sync.domain.lifecycle.rounds`). `Reach` is the
least such set.

**It holds the combination of every view V**, by induction on the size of V. For a state s of a lane's value there is
an effective head e with that target. What e saw is a smaller view, whose combination c is in `Reach`, and c enables e,
because e is valid. What e saw and e itself are a view, which shows c with the lane put to s, because e stands above
every other transition of its lane there. V is larger than that view, so each lane's value in V follows its value
there. It may hold more: that two explanations fit into one view is not asked. So what no combination of `Reach` shows
never happens, and what happens in one of them nearly always can.

A lane that no row and no condition names moves beside the others without effect on them; it is added to those that
are named only where it is judged itself.
"""

from dataclasses import dataclass, field

from crdt_sync.domain.ids import LaneId
from crdt_sync.domain.lifecycle.model import Lifecycle, TransitionSpec
from crdt_sync.domain.lifecycle.rounds import NOTHING, Values, values_of
from crdt_sync.domain.lifecycle.space import Bits, Space, TooWide, Work


@dataclass(slots=True)
class Reach:
    """The combinations that views can show."""

    space: Space
    combinations: Bits = field(init=False)

    def __post_init__(self) -> None:
        transitions = (move for lane in self.space.lanes for move in lane.transitions.values())
        moves = [(move, self.space.enabling(move)) for move in transitions]
        explained: dict[tuple[LaneId, str], Bits] = {}
        start = self.space.everything
        for lane in self.space.lanes:
            start &= self.space.at(lane.id, NOTHING)
        before, self.combinations = 0, start
        while fresh := self._made(moves, self.combinations & ~before):
            for key, made in fresh.items():
                explained[key] = explained.get(key, 0) | self.space.spread(made)
            before, self.combinations = self.combinations, self._explained(explained)

    def of(self, transition: TransitionSpec) -> Bits:
        """Return the combinations that enable the transition."""
        return self.combinations & self.space.enabling(transition)

    def after(self, transition: TransitionSpec, made: Bits) -> Bits:
        """Return what views can show in which the transition was made in one of the combinations."""
        to = frozenset({transition.to})
        return self.combinations & self.space.spread(self.space.put(made, transition.lane, to))

    def moved_without(self, lane: LaneId, other: LaneId, state: str) -> Bits:
        """Return what views can show whose last mover of the lane may not have seen the other lane at the state."""
        unseen = self.combinations & ~self.space.at(other, frozenset({state}))
        found = 0
        for move in self.space.values(lane).lane.transitions.values():
            if made := unseen & self.space.enabling(move):
                holding = (value for value in self.space.values(lane) if move.to in value)
                found |= self.after(move, made) & self.space.at(lane, *holding)
        return found

    def _made(self, moves: list[tuple[TransitionSpec, Bits]], combinations: Bits) -> dict[tuple[LaneId, str], Bits]:
        made: dict[tuple[LaneId, str], Bits] = {}
        for move, enabling in moves:
            if enabled := enabling & combinations:
                key = (move.lane, move.to)
                made[key] = made.get(key, 0) | self.space.put(enabled, move.lane, frozenset({move.to}))
        return made

    def _explained(self, explained: dict[tuple[LaneId, str], Bits]) -> Bits:
        found = self.space.everything
        for lane in self.space.lanes:
            of_lane = self.space.at(lane.id, NOTHING)
            for value in self.space.values(lane.id):
                shown = self.space.at(lane.id, value) if value else 0
                for state in value:
                    shown &= explained.get((lane.id, state), 0)
                of_lane |= shown
            found &= of_lane
        return found


class Reaches:
    """The `Reach` of the lanes that rows and conditions name, and that of these and any other lane."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._work = Work()
        self._values: dict[LaneId, Values | None] = {}
        self._named = _named(lifecycle)
        self._known: dict[LaneId | None, Reach] = {}

    def whole(self) -> Reach:
        """Return the `Reach` of the lanes that are named.

        Raises:
            TooWide: they have too many combinations to be judged.

        """
        if None not in self._known:
            self._known[None] = self._made(None)
        return self._known[None]

    def of(self, lane: LaneId) -> Reach:
        """Return a `Reach` that the lane is part of; that of a lane that is not named is kept until the next one.

        Raises:
            TooWide: there are too many combinations to be judged.

        """
        whole = self.whole()
        if lane in self._named:
            return whole
        if lane not in self._known:
            self._known = {None: whole, lane: self._made(lane)}
        return self._known[lane]

    def _made(self, lane: LaneId | None) -> Reach:
        lanes = [other for id_, other in self._lifecycle.lanes.items() if id_ in self._named or id_ == lane]
        found = []
        for other in lanes:
            if other.id not in self._values:
                self._values[other.id] = values_of(other)
            values = self._values[other.id]
            if values is None:
                raise TooWide
            found.append(values)
        return Reach(Space(self._lifecycle, found, self._work))


def _named(lifecycle: Lifecycle) -> set[LaneId]:
    """The lanes that rows, what they owe, or conditions name."""
    conditions = [condition for row in lifecycle.stages for when in row.when for condition in when.items()]
    for lane in lifecycle.lanes.values():
        for transition in lane.transitions.values():
            conditions += [(LaneId(name), pattern) for name, pattern in transition.conditions]
    owing = {lane for row in lifecycle.stages for entry in row.owes for lane in entry.owes}
    return owing | {name for name, pattern in conditions if not pattern.any}

"""Which combinations of lane states no stage row matches (rule L6), without enumerating them.

The values of a lane that leave the same rows possible are one class. Lanes are assigned one after the other while the
set of alternatives that may still match is carried along: once one of them needs nothing more, everything further is
covered; once none is left, nothing further is. Equal sets at one lane are judged once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from crdt_sync.domain.ids import LaneId
from crdt_sync.domain.lifecycle.model import Lane, Lifecycle, Pattern

STEPS_MAX = 200_000  # about a second; the shipped default takes a few hundred
GAPS_MAX = 16  # reported at once

UNNAMED = "|"  # stands for every unnamed conflict of a lane; no name contains it

Gap = dict[LaneId, tuple[str, ...]]  # the values that nothing matches; a lane that is left out may be anywhere


def uncovered(lifecycle: Lifecycle) -> list[Gap] | None:
    """Return the gaps of the stage table, at most `GAPS_MAX`; None if it is too wide to be judged."""
    search = _Search(list(lifecycle.lanes.values()), [when for row in lifecycle.stages for when in row.when])
    gaps = search.gaps(0, (1 << len(search.alternatives)) - 1)
    return None if search.steps > STEPS_MAX and not gaps else gaps


@dataclass(slots=True)
class _Search:
    """The alternatives of all rows are the bits of one number, so that a set of them is one integer."""

    lanes: list[Lane]
    alternatives: list[Mapping[LaneId, Pattern]]
    steps: int = 0
    _done: list[int] = field(init=False)
    _possible: list[dict[str, int]] = field(init=False)
    _memo: dict[tuple[int, int], list[Gap]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ids = [lane.id for lane in self.lanes]
        self._possible = [{value: self._bits(lane.id, value) for value in _values(lane)} for lane in self.lanes]
        self._done = [
            sum(1 << bit for bit, when in enumerate(self.alternatives) if not when.keys() & set(ids[depth:]))
            for depth in range(len(ids) + 1)
        ]

    def gaps(self, depth: int, alive: int) -> list[Gap]:
        """The gaps among the lanes from `depth` on, for combinations that only `alive` alternatives may match."""
        if not alive:
            return [{}]
        if alive & self._done[depth] or self.steps > STEPS_MAX:
            return []
        if (depth, alive) not in self._memo:
            self._memo[depth, alive] = self._gaps_of_lane(depth, alive)
        return self._memo[depth, alive]

    def _gaps_of_lane(self, depth: int, alive: int) -> list[Gap]:
        classes: dict[int, list[str]] = {}
        for value, possible in self._possible[depth].items():
            self.steps += 1
            classes.setdefault(alive & possible, []).append(value)
        lane = self.lanes[depth].id
        found: list[Gap] = []
        for left, values in classes.items():
            gaps = self.gaps(depth + 1, left)
            found += [{lane: tuple(values), **gap} for gap in gaps] if len(classes) > 1 else gaps
        return found[:GAPS_MAX]

    def _bits(self, lane: LaneId, value: str) -> int:
        """The alternatives that a lane at `value` does not rule out."""
        return sum(
            1 << bit for bit, when in enumerate(self.alternatives) if lane not in when or when[lane].matches(value)
        )


def _values(lane: Lane) -> list[str]:
    return [*lane.states, *lane.conflicts.values(), *([UNNAMED] if lane.conflict_unnamed else [])]

"""Sets of combinations of lane values, as the bits of one integer, so that a set of a million is cheap to work on.

A combination gives each lane of the space a value (`crdt_sync.domain.lifecycle.rounds`). Its bit is the sum over the
lanes of the value's number times the lane's stride. What it costs is counted in machine words, and work on a file
that is made to cost too much ends in `TooWide`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from crdt_sync.domain.ids import LaneId
from crdt_sync.domain.lifecycle.model import Lane, Lifecycle, Pattern, StageRow, TransitionSpec
from crdt_sync.domain.lifecycle.rounds import Values

COMBINATIONS_MAX = 1 << 20  # ten lanes of four values; the shipped default has 672
WORDS_MAX = 4_000_000_000  # worked on for one file: about five seconds
WORDS_OF_A_STEP = 250  # what a step costs beside the words that it works on

Bits = int  # a set of combinations


class TooWide(Exception):
    """The lanes have more combinations than can be judged."""


@dataclass(slots=True)
class Work:
    """What may still be spent on one file."""

    words: int = WORDS_MAX

    def spend(self, words: int) -> None:
        """Count a step on so many words.

        Raises:
            TooWide: it is one too many.

        """
        self.words -= words + WORDS_OF_A_STEP
        if self.words < 0:
            raise TooWide


@dataclass(slots=True)
class _Axis:
    """One lane of a space. `following` groups the numbers of its values by what can follow them."""

    values: Values
    stride: int
    numbers: dict[frozenset[str], int]
    masks: list[Bits] = field(default_factory=list)
    names: dict[str, Bits] = field(default_factory=dict)
    following: list[tuple[list[int], list[int]]] = field(default_factory=list)


class Space:
    """The combinations of some lanes' values.

    Raises:
        TooWide: they are more than `COMBINATIONS_MAX`.

    """

    def __init__(self, lifecycle: Lifecycle, lanes: Iterable[Values], work: Work) -> None:
        self.lifecycle = lifecycle
        self._work = work
        self._axes: dict[LaneId, _Axis] = {}
        size = 1
        for values in lanes:
            numbers = {value: number for number, value in enumerate(values)}
            self._axes[values.lane.id] = _Axis(values, size, numbers)
            size *= len(numbers)
            if size > COMBINATIONS_MAX:
                raise TooWide
        self._words = size // 64 + 1
        self.everything: Bits = (1 << size) - 1
        for axis in self._axes.values():
            self._fill(axis, size)
        self.rows = tuple(self._first_matches())

    @property
    def lanes(self) -> Iterator[Lane]:
        """The lanes of the space."""
        return (axis.values.lane for axis in self._axes.values())

    def values(self, lane: LaneId) -> Values:
        """Return the values of a lane of the space."""
        return self._axes[lane].values

    def at(self, lane: LaneId, *values: frozenset[str]) -> Bits:
        """Return the combinations with the lane at one of the values; a value that it cannot show has none."""
        axis = self._axes[lane]
        found = 0
        for value in values:
            if value in axis.numbers:
                self._spend()
                found |= axis.masks[axis.numbers[value]]
        return found

    def named(self, lane: LaneId, is_meant: Callable[[str], bool]) -> Bits:
        """Return the combinations in which the name of the lane's value is meant."""
        found = 0
        for name, bits in self._axes[lane].names.items():
            if is_meant(name):
                self._spend()
                found |= bits
        return found

    def matching(self, when: Mapping[LaneId, Pattern]) -> Bits:
        """Return the combinations that match all the patterns; one on a lane outside the space counts as matched."""
        found = self.everything
        for lane, pattern in when.items():
            if lane in self._axes and not pattern.any:
                found &= self.named(lane, pattern.matches)
        return found

    def matched_by(self, row: StageRow) -> Bits:
        """Return the combinations that the row matches, whether or not an earlier one does."""
        found = 0
        for when in row.when:
            found |= self.matching(when)
        return found

    def in_stage(self, is_meant: Callable[[StageRow], bool]) -> Bits:
        """Return the combinations whose first row is meant."""
        found = 0
        for row, bits in zip(self.lifecycle.stages, self.rows, strict=True):
            if is_meant(row):
                self._spend()
                found |= bits
        return found

    def enabling(self, transition: TransitionSpec) -> Bits:
        """Return the combinations that enable a transition of the space, role aside."""
        return self.sources(transition) & self.allowing(transition)

    def sources(self, transition: TransitionSpec) -> Bits:
        """Return the combinations with the transition's lane where it starts, whatever its conditions."""
        return self.named(transition.lane, lambda name: name in transition.sources or name == transition.settles)

    def allowing(self, transition: TransitionSpec) -> Bits:
        """Return the combinations in which every condition of the transition holds."""
        found = self.everything
        for name, pattern in transition.conditions:
            found &= self.meeting(name, pattern)
        return found

    def meeting(self, name: str, pattern: Pattern) -> Bits:
        """Return the combinations in which one condition holds; where there is no stage, `!x` and `*` hold."""
        if name != "stage":
            return self.matching({LaneId(name): pattern})
        found = self.in_stage(lambda row: pattern.matches(row.stage))
        return found | (self.everything & ~self.in_stage(lambda _: True) if pattern.matches("") else 0)

    def put(self, bits: Bits, lane: LaneId, to: frozenset[str]) -> Bits:
        """Return the combinations with the lane put to a value, whatever it was at; none if it cannot show that."""
        axis = self._axes[lane]
        numbers = [axis.numbers[to]] if to in axis.numbers else []
        return self._moved(bits, axis, range(len(axis.masks)), numbers)

    def spread(self, bits: Bits) -> Bits:
        """Return every combination in which each lane shows what can follow its value in one of these."""
        for axis in self._axes.values():
            spread = 0
            for numbers, following in axis.following:
                spread |= self._moved(bits, axis, numbers, following)
            bits = spread
        return bits

    def leading(self, transitions: Iterable[TransitionSpec], goal: Bits) -> Bits:
        """Return the combinations from which moves of these, each by someone who sees everything, lead to the goal."""
        moves = []
        for transition in transitions:
            axis = self._axes[transition.lane]
            enabling = self.enabling(transition)
            sources = [number for number, mask in enumerate(axis.masks) if enabling & mask]
            if sources:
                moves.append((enabling, axis, sources, [axis.numbers[frozenset({transition.to})]]))
        before = 0
        while goal != before:
            before = goal
            for enabling, axis, sources, to in moves:
                goal |= enabling & self._moved(goal, axis, to, sources)
        return goal

    def holds(self, bits: Bits, shown: Mapping[LaneId, str]) -> bool:
        """Tell whether lanes that show these names are at one of the combinations."""
        for lane, axis in self._axes.items():
            bits &= axis.names.get(shown[lane], 0)
        return bool(bits)

    def example(self, bits: Bits) -> dict[LaneId, str]:
        """Return the names that the lanes show in one of the combinations, of which there is at least one."""
        lowest = bits & -bits
        return {
            lane: next(name for name, mask in axis.names.items() if mask & lowest) for lane, axis in self._axes.items()
        }

    def _moved(self, bits: Bits, axis: _Axis, numbers: Iterable[int], to: Collection[int]) -> Bits:
        """Return the combinations with the lane at one of the numbers, put to each of those in `to`."""
        low = 0
        for number in numbers:
            self._spend()
            low |= (bits & axis.masks[number]) >> number * axis.stride
        found = 0
        for number in to if low else ():
            self._spend()
            found |= low << number * axis.stride
        return found

    def _fill(self, axis: _Axis, size: int) -> None:
        period = axis.stride * len(axis.numbers)
        for value, number in axis.numbers.items():
            mask = self._repeated(axis.stride, number, period, size)
            name = axis.values.name(value)
            axis.masks.append(mask)
            axis.names[name] = axis.names.get(name, 0) | mask
        grouped: dict[frozenset[frozenset[str]], list[int]] = {}
        for value, following in axis.values.following().items():
            grouped.setdefault(following, []).append(axis.numbers[value])
        axis.following = [
            (numbers, sorted(axis.numbers[value] for value in following)) for following, numbers in grouped.items()
        ]

    def _first_matches(self) -> Iterator[Bits]:
        left = self.everything
        for row in self.lifecycle.stages:
            matched = self.matched_by(row)
            yield matched & left
            left &= ~matched

    def _repeated(self, stride: int, number: int, period: int, size: int) -> Bits:
        """Return the mask of a lane's value: `stride` bits in each period."""
        mask = ((1 << stride) - 1) << number * stride
        length = period
        while length < size:
            self._spend()
            mask |= mask << length
            length *= 2
        return mask & self.everything

    def _spend(self) -> None:
        self._work.spend(self._words)

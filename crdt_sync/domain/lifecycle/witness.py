"""Witnesses: small histories that reach what a finding is about, so that a person can see the defect.

`Witnesses` walks the product of the lanes, the shortest histories first, in three kinds of step: one transition by
someone who has seen everything; a *fork*, in which colleagues who saw the same take one lane to several states that are
in conflict; and a *stale* transition by someone who saw an earlier part of the history, in which it was enabled.
The walk is a search for examples and proves nothing: it is bounded, and what it returns is folded before it is
believed. Not finding a witness therefore never removes a finding.
It keeps one history to each combination of lane states. So it does not find what needs a history that is not the
shortest, such as a lane in a later round than another way has led to the same states; nor what needs a fork of branches
that began before the rest of the history; nor what lies beyond its bounds.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import chain, combinations

from crdt_sync.domain.ids import LaneId
from crdt_sync.domain.lifecycle import stories
from crdt_sync.domain.lifecycle.model import Lane, Lifecycle, Story, TransitionSpec
from crdt_sync.domain.lifecycle.result import TicketState
from crdt_sync.domain.lifecycle.stage import match_stage
from crdt_sync.errors import Malformed

COMBINATIONS_MAX = 4_000  # of lane states visited; the shipped default has 432
TRIALS_MAX = 2_000_000  # of transitions tried for one file: two or three seconds
TRIALS_PER_EVENT = 50  # what folding an event costs, in trials
ROUNDS_MAX = 3  # of a lane that are told apart
EVENTS_MAX = 64  # a longer story explains nothing


@dataclass(frozen=True, slots=True)
class Step:
    """A transition, and the steps (by index) that its author had seen last."""

    transition: TransitionSpec
    seen: tuple[int, ...]
    payload: str | None = None  # as a story writes it: "contract=A"


@dataclass(frozen=True, slots=True)
class History:
    """Steps, each after what it saw; `frontier` are the last ones, `values` and `rounds` where each lane is then.

    `before` is the history that the last step, or the last fork, was added to.
    """

    steps: tuple[Step, ...]
    frontier: tuple[int, ...]
    values: Mapping[LaneId, str]
    rounds: Mapping[LaneId, int]
    before: "History | None" = None

    def then(
        self, transition: TransitionSpec, *, seen: tuple[int, ...] | None = None, payload: str | None = None
    ) -> "History":
        """Append a transition by someone who saw `seen` (by default, everything)."""
        base = self.frontier if seen is None else seen
        index = len(self.steps)
        rest = tuple(step for step in self.frontier if step not in base)
        return History(
            steps=(*self.steps, Step(transition, base, payload)),
            frontier=(*rest, index),
            values={**self.values, transition.lane: transition.to},
            rounds={**self.rounds, transition.lane: self.rounds[transition.lane] + transition.resets},
            before=self,
        )

    def branch(self, path: tuple[TransitionSpec, ...], seen: tuple[int, ...]) -> "History":
        """Append transitions one after the other, the first by someone who saw `seen`."""
        history = self
        for transition in path:
            history = history.then(transition, seen=seen)
            seen = (len(history.steps) - 1,)
        return history

    def fork(self, branches: tuple[tuple[TransitionSpec, ...], ...], lane: LaneId, value: str) -> "History":
        """Append branches of one lane that did not see each other, and after which the lane is at `value`."""
        history = self
        for path in branches:
            history = history.branch(path, self.frontier)
        resets = sum(transition.resets for transition in branches[0])
        rounds = {**self.rounds, lane: self.rounds[lane] + resets}
        return replace(history, values={**self.values, lane: value}, rounds=rounds, before=self)

    def stale(self, lane: Lane, transition: TransitionSpec, past: "History") -> "History | None":
        """Append a transition of the lane by someone who saw an earlier part; None if it would change nothing."""
        round_, to = past.rounds[lane.id] + transition.resets, transition.to
        if any(step.transition.lane == lane.id for step in self.steps[len(past.steps) :]):
            if round_ < self.rounds[lane.id]:
                return None
            if round_ == self.rounds[lane.id]:
                held = lane.conflict_members(self.values[lane.id]) or set(self.values[lane.id].split("|"))
                to = _joined(lane, {*held, to})
        if to == self.values[lane.id]:
            return None
        later = self.then(transition, seen=past.frontier)
        return replace(later, values={**self.values, lane.id: to}, rounds={**self.rounds, lane.id: round_})

    def beside(self, other: "History") -> "History":
        """Lay another history beside this one: neither saw anything of the other."""
        first = len(self.steps)
        shifted = (Step(step.transition, tuple(index + first for index in step.seen)) for step in other.steps)
        frontier = (*self.frontier, *(index + first for index in other.frontier))
        return History((*self.steps, *shifted), frontier, other.values, other.rounds)

    def earlier(self) -> "Iterator[History]":
        """Give the histories that this one grew from, the newest first."""
        history = self.before
        while history:
            yield history
            history = history.before


def enabled(lifecycle: Lifecycle, values: Mapping[LaneId, str], transition: TransitionSpec) -> bool:
    """Tell whether someone who sees the lanes at `values` may make the transition, role aside."""
    value = values[transition.lane]
    if value not in transition.sources and value != transition.settles:
        return False
    for name, pattern in transition.conditions:
        if name == "stage":
            match = match_stage(lifecycle, values)
            if not pattern.matches(match.row.stage if match else ""):  # as the fold has it
                return False
        elif not pattern.matches(values[LaneId(name)]):
            return False
    return True


Branches = dict[tuple[str, int], tuple[TransitionSpec, ...]]  # (state, resets on the way: 0 or 1) -> the shortest way


@dataclass(slots=True)
class Witnesses:
    """Looks for witnesses in one lifecycle, until its trials are used up. What was walked once is kept."""

    lifecycle: Lifecycle
    _trials: int = TRIALS_MAX
    _walked: list[History] = field(default_factory=list)
    _walking: Iterator[History] | None = None
    _by_round: dict[LaneId, list[History]] = field(default_factory=dict)
    _ends: dict[LaneId, dict[tuple[str, int], History]] = field(default_factory=dict)

    def histories(self) -> Iterator[History]:
        """Some history to each combination of lane states that the walk reaches, the shortest first."""
        if self._walking is None:
            self._walking = self._walk()
        index = 0
        while self._trials > 0:
            self._trials -= 1
            if index == len(self._walked):
                history = next(self._walking, None)
                if history is None:
                    return
                self._walked.append(history)
            yield self._walked[index]
            index += 1

    def first(
        self,
        is_meant: Callable[[Mapping[LaneId, str]], bool],
        is_defect: Callable[[TicketState], bool],
        outcome: Callable[[TicketState], str],
    ) -> str:
        """The story of the first history to lane states that are meant, if folding it shows the defect."""
        for history in self.histories():
            if is_meant(history.values) and (story := self.told(history, is_defect, outcome)):
                return story
        return ""

    def fork(self, history: History, lane: Lane, states: frozenset[str]) -> History | None:
        """The shortest fork of the lane to exactly these states, with as many resets on each branch; or None."""
        return _forked(history, lane, states, self.branches(history, lane))

    def by_round(self, lane: LaneId) -> Iterator[History]:
        """Some history to each combination of lane states in each of the lane's first rounds, the shortest first.

        Whoever tries what can come of them may use up half of the trials that are left, and no more.
        """
        if lane not in self._by_round:
            self._by_round[lane] = list(self._walk(counted=lane))
        reserve = self._trials // 2
        for history in self._by_round[lane]:
            if self._trials <= reserve:
                return
            self._trials -= 1
            yield history

    def apart(self, lane: Lane, states: frozenset[str]) -> History | None:
        """Histories to each of the states in one round of the lane, laid side by side; or None."""
        if lane.id not in self._ends:
            ends = self._ends[lane.id] = {}
            for history in self.by_round(lane.id):
                if any(step.transition.lane == lane.id for step in history.steps):
                    ends.setdefault((history.values[lane.id], history.rounds[lane.id]), history)
        ends = self._ends[lane.id]
        for round_ in range(ROUNDS_MAX + 1):
            if all((state, round_) in ends for state in states):
                return reduce(History.beside, (ends[state, round_] for state in sorted(states)))
        return None

    def of_stages(self) -> dict[str, str]:
        """The shortest story to each stage; a stage that the walk does not come by has none."""
        found: dict[str, str] = {}
        for history in self.histories():
            match = match_stage(self.lifecycle, history.values)
            if match and match.row.stage not in found:
                stage = match.row.stage
                if story := self.told(history, lambda state: state.stage == stage, lambda _: stage):  # noqa: B023 - at once
                    found[stage] = story
            if len(found) == len(self.lifecycle.stages):
                break
        return found

    def told(
        self, history: History, is_defect: Callable[[TicketState], bool], outcome: Callable[[TicketState], str]
    ) -> str:
        """The story of a history and what it gives, if folding it shows the defect; otherwise nothing."""
        events = tuple(_events(history))
        self._trials -= TRIALS_PER_EVENT * len(events)
        if len(events) > EVENTS_MAX:
            return ""
        try:
            fold, _ = stories.folded(self.lifecycle, Story("witness", events, {}))
        except Malformed:
            return ""  # a draft may hold names that no record can carry
        state = fold.state()
        return f"{' · '.join(events)} ⇒ {outcome(state)}".strip() if is_defect(state) else ""

    def _walk(self, counted: LaneId | None = None) -> Iterator[History]:
        """Walk from the opening; with `counted`, to every combination anew in each of the lane's first rounds."""
        lanes = self.lifecycle.lanes.values()
        start = History((), (), {lane.id: lane.initial for lane in lanes}, {lane.id: 0 for lane in lanes})
        queue = [(0, 0, start)]
        shortest = {_place(start, counted): 0}  # how long the best history to a place is that is in the queue
        pushed = 0
        reserve = self._trials // 2  # for the findings that the walk is made for
        while queue:
            length, _, history = heapq.heappop(queue)
            if length > shortest[_place(history, counted)]:
                continue
            yield history
            steps = chain(*(self.following(history, lane) for lane in lanes))
            if not counted:
                steps = chain(steps, *(self.stale(history, lane) for lane in lanes))
            for following in steps if self._trials > reserve else ():
                place, length = _place(following, counted), len(following.steps)
                if length < shortest.get(place, length + (len(shortest) < COMBINATIONS_MAX)):
                    shortest[place] = length
                    pushed += 1
                    heapq.heappush(queue, (length, pushed, following))

    def stale(self, history: History, lane: Lane) -> Iterator[History]:
        """What a transition of the lane makes of the history that is enabled in an earlier part of it, and no more."""
        for past in history.earlier():
            self._trials -= len(lane.transitions)
            for transition in lane.transitions.values() if self._trials > 0 else ():
                if enabled(self.lifecycle, past.values, transition) and (
                    later := history.stale(lane, transition, past)
                ):
                    yield later

    def following(self, history: History, lane: Lane) -> Iterator[History]:
        """What a step of the lane by those who saw everything makes of the history: a transition, or a fork."""
        self._trials -= len(lane.transitions)
        for transition in lane.transitions.values():
            if enabled(self.lifecycle, history.values, transition):
                yield history.then(transition)
        if lane.conflicts or lane.conflict_unnamed:
            branches = self.branches(history, lane)
            reached = [state for state in lane.states if (state, 0) in branches]
            wanted = set(lane.conflicts) | (set(_unordered(lane, reached)) if lane.conflict_unnamed else set())
            self._trials -= len(wanted)
            for states in sorted(wanted, key=sorted):
                if forked := _forked(history, lane, states, branches):
                    yield forked

    def branches(self, history: History, lane: Lane) -> Branches:
        """The ways of the lane alone; none once the trials are used up."""
        found: Branches = {}
        queue: list[tuple[Mapping[LaneId, str], int, tuple[TransitionSpec, ...]]] = [(history.values, 0, ())]
        for values, resets, path in queue:
            self._trials -= len(lane.transitions)
            for transition in lane.transitions.values() if self._trials > 0 else ():
                key = (transition.to, resets + transition.resets)
                if key[1] > 1 or key in found or transition.settles or not enabled(self.lifecycle, values, transition):
                    continue
                found[key] = (*path, transition)
                queue.append(({**values, lane.id: transition.to}, key[1], found[key]))
        return found


def _forked(history: History, lane: Lane, states: frozenset[str], branches: Branches) -> History | None:
    value = _joined(lane, states)
    found = [
        history.fork(tuple(branches[state, resets] for state in sorted(states)), lane.id, value)
        for resets in (0, 1)
        if all((state, resets) in branches for state in states)
    ]
    return min(found, key=lambda fork: len(fork.steps), default=None)


def _joined(lane: Lane, states: Set[str]) -> str:
    """What a lane shows whose heads of one round have led to these states."""
    highest = frozenset(state for state in states if not any(state in lane.below[other] for other in states))
    return lane.conflicts.get(highest, "|".join(sorted(highest)))


def _place(history: History, counted: LaneId | None) -> tuple[str | int, ...]:
    values = tuple(history.values.values())
    return (*values, min(history.rounds[counted], ROUNDS_MAX + 1)) if counted else values


def _unordered(lane: Lane, states: list[str]) -> Iterator[frozenset[str]]:
    for one, other in combinations(states, 2):
        if one not in lane.below[other] and other not in lane.below[one]:
            yield frozenset({one, other})


def _events(history: History) -> Iterator[str]:
    keys: list[str] = []
    for step in history.steps:
        key = _key(step.transition.name, keys, stale=step in history.steps[: len(keys)])
        seen = f" < {', '.join(keys[index] for index in step.seen)}" if step.seen else ""
        payload = f"({step.payload})" if step.payload else ""
        yield f"{key}: {step.transition.lane}.{step.transition.name}{payload}{seen}"
        keys.append(key)


def _key(name: str, taken: list[str], *, stale: bool) -> str:
    """A short key: the first letter of the name, and x for the stale copy of an earlier step."""
    letter = "x" if stale else name[:1]
    numbered = (letter if number == 1 else f"{letter}{number}" for number in range(1, len(taken) + 2))
    return next(key for key in numbered if key not in taken)

"""What one lane can show, and what it can show later: its rounds, its values, and which value may follow which.

**Rounds.** R(k) is a superset of the targets of the valid transitions of round k. R(0) starts from the initial state
and closes under the transitions without `resets`; R(k+1) starts from the targets of the `resets` that can be made in
round k and closes likewise. A source that is a conflict counts as met when all its members are in R(k). Conditions
(`if`) and settlements can only take states away, so leaving them out keeps R(k) a superset. R(k+1) depends on R(k)
alone, so the sequence ends or repeats.

**Values.** A lane shows nothing yet (no heads: the initial state, here `NOTHING`), a state, or a conflict. The
effective heads of a lane have one round, because a head of a lower round is dominated, and their states are pairwise
unordered, because otherwise one would dominate the other. So every value is an antichain within some R(k).

**What follows.** Let a view show u, by heads of round k, and a larger one m, by heads of round l. A transition that
saw another has at least its round, so l >= k. If l > k, m may be anything of that round. If l = k, every head x of u
is still a head, or below one, and the way up from to(x) to a state of m consists of steps of three kinds: a transition
without `resets` from a value that holds the state, a state above it (D7, order), or a settlement of a conflict that
holds it (D7, settled; to its `to`). So `Values.following` is a superset of what can follow. A lane without heads is
followed by anything. Nothing is taken from other lanes, so a guard cannot make it too small.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from crdt_sync.domain.lifecycle.model import Lane, TransitionSpec

ROUNDS_MAX = 64  # the sequence R(k) repeats after two or three; a file that is made to repeat late is judged as a whole
VALUES_MAX = 256  # of a lane, unnamed conflicts included: every state and every conflict of the largest lane, doubled

NOTHING: frozenset[str] = frozenset()  # the value of a lane without heads


@dataclass(frozen=True, slots=True)
class Rounds:
    """R(0), R(1), ...; from the index `repeats` on they recur for ever (`len(sets)`: the last is the last)."""

    sets: tuple[frozenset[str], ...]
    repeats: int


def rounds_of(lane: Lane) -> Rounds:
    """Return the rounds of a lane; of one whose rounds repeat late, one round that holds every target."""
    first = _closed(lane, frozenset(), frozenset({lane.initial}))
    later: list[frozenset[str]] = []
    states = _next_round(lane, first | {lane.initial})
    while states and states not in later:
        if len(later) == ROUNDS_MAX:
            return Rounds((frozenset(transition.to for transition in lane.transitions.values()),), 0)
        later.append(states)
        states = _next_round(lane, states)
    return Rounds((first, *later), 1 + (later.index(states) if states else len(later)))


def antichains_of(lane: Lane, reached: frozenset[str]) -> Iterator[frozenset[str]]:
    """Every antichain of two or more of the states, the small ones first."""
    states = [state for state in lane.states if state in reached]
    apart = {
        state: {other for other in states if other not in lane.below[state] and state not in lane.below[other]}
        for state in states
    }
    queue: list[tuple[tuple[int, ...], set[str]]] = [((index,), apart[state]) for index, state in enumerate(states)]
    for chosen, fitting in queue:
        for index in range(chosen[-1] + 1, len(states)):
            if states[index] in fitting:
                longer = (*chosen, index)
                yield frozenset(states[position] for position in longer)
                queue.append((longer, fitting & apart[states[index]]))


@dataclass(frozen=True, slots=True)
class Values:
    """Every value that a lane can show, each the set of its states; the first is `NOTHING`."""

    lane: Lane
    rounds: Rounds
    values: tuple[frozenset[str], ...]

    def name(self, value: frozenset[str]) -> str:
        """Return what the fold calls the value."""
        if len(value) == 1:
            return next(iter(value))
        return self.lane.conflicts.get(value, "|".join(sorted(value))) if value else self.lane.initial

    def following(self) -> dict[frozenset[str], frozenset[frozenset[str]]]:
        """Return, for each value, those that a larger view may show; see the module's docstring."""
        upward = _ways_up(self.lane)
        held = {value: [index for index, states in enumerate(self.rounds.sets) if value <= states] for value in self}
        found = {NOTHING: frozenset(self.values)}
        for value in self.values[1:]:
            found[value] = frozenset(
                other
                for other in self.values[1:]
                if held[other][-1] > held[value][0]
                or held[other][-1] >= self.rounds.repeats
                or (not set(held[value]).isdisjoint(held[other]) and all(upward[state] & other for state in value))
            )
        return found

    def __iter__(self) -> Iterator[frozenset[str]]:
        return iter(self.values)


def values_of(lane: Lane) -> Values | None:
    """Return the values of a lane; None if they are more than `VALUES_MAX`.

    An unnamed conflict counts where the lane allows one; elsewhere it is a finding of L3 already.
    """
    rounds = rounds_of(lane)
    reached = frozenset().union(*rounds.sets)
    found = [NOTHING, *(frozenset({state}) for state in lane.states if state in reached)]
    found += [states for states in lane.conflicts if any(states <= states_of for states_of in rounds.sets)]
    known = set(found)
    for states_of in rounds.sets if lane.conflict_unnamed else ():
        for antichain in antichains_of(lane, states_of):
            if antichain not in known:
                known.add(antichain)
                found.append(antichain)
            if len(found) > VALUES_MAX:
                return None
    return Values(lane, rounds, tuple(found))


def _ways_up(lane: Lane) -> dict[str, frozenset[str]]:
    """For each state, those that its heads can lead to or give way to within a round, itself included."""
    steps = {state: {state} | {upper for upper in lane.states if state in lane.below[upper]} for state in lane.states}
    for transition in lane.transitions.values():
        for name in (*transition.sources, *([transition.settles] if transition.settles else [])):
            if not transition.resets or name == transition.settles:
                for state in lane.conflict_members(name) or {name}:
                    steps[state].add(transition.to)
    ways = {}
    for state in lane.states:
        found = {state}
        fresh = [state]
        while fresh:
            more = steps[fresh.pop()] - found
            found |= more
            fresh += more
        ways[state] = frozenset(found)
    return ways


def _next_round(lane: Lane, values: frozenset[str]) -> frozenset[str]:
    resets = (transition for transition in lane.transitions.values() if transition.resets)
    targets = frozenset(transition.to for transition in resets if _met(lane, transition, values))
    return _closed(lane, targets, targets)


def _closed(lane: Lane, reached: frozenset[str], values: frozenset[str]) -> frozenset[str]:
    plain = [transition for transition in lane.transitions.values() if not transition.resets]
    while more := {transition.to for transition in plain if _met(lane, transition, values)} - reached:
        reached |= more
        values |= more
    return reached


def _met(lane: Lane, transition: TransitionSpec, values: frozenset[str]) -> bool:
    conflicts = {name for members, name in lane.conflicts.items() if members <= values}
    return bool(transition.sources & (values | conflicts)) or transition.settles in conflicts

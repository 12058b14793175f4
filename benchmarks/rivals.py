"""Two other designs, as models: each replays the same lifecycle as a plain state machine, in an order of its own.

They are written to what the projects document, and given the better of what is left open: clocks are exact, nobody
loses a message, and the checks are those of the lifecycle alone. Neither knows conflicts, rounds or settlements, so a
lane always has one state, and a transition that only settles a conflict is never possible.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from crdt_sync.domain.ids import LaneId, TransitionId
from crdt_sync.domain.lifecycle.model import Lifecycle, TransitionSpec
from crdt_sync.domain.lifecycle.witness import enabled
from crdt_sync.domain.transition import Transition


@dataclass(slots=True)
class Replay(ABC):
    """A plain state machine, run anew over all that a replica holds whenever it learns something."""

    prunes: ClassVar[bool]  # what is rejected leaves with all that build on it

    lifecycle: Lifecycle
    opening: Transition
    held: dict[TransitionId, Transition] = field(default_factory=dict)  # parents first
    children: dict[TransitionId, list[Transition]] = field(default_factory=dict)
    _values: dict[LaneId, str] = field(default_factory=dict)
    _rejected: set[TransitionId] = field(default_factory=set)

    def learn(self, transition: Transition) -> None:
        """Take in a transition; its parents came before."""
        self.held[transition.id] = transition
        for parent in transition.after:
            self.children.setdefault(parent, []).append(transition)
        self._values = {lane.id: lane.initial for lane in self.lifecycle.lanes.values()}
        self._rejected = set()
        for turn in self._order():
            if not self._is_pruned(turn) and self._is_possible(turn):
                self._values[turn.lane] = self._spec(turn).to
            else:
                self._rejected.add(turn.id)

    def values(self) -> Mapping[LaneId, str]:
        """Return the state of each lane."""
        return self._values

    def newest(self) -> Iterable[TransitionId]:
        """Return what the next transition names: what nobody has built upon yet."""
        known = [held for held in self.held.values() if not self._is_pruned(held)]
        seen = {parent for held in known for parent in held.after}
        return [held.id for held in known if held.id not in seen]

    def rejected(self) -> set[TransitionId]:
        """Return what counts for nothing."""
        return self._rejected

    @abstractmethod
    def _order(self) -> Iterable[Transition]:
        """Return all but the opening in the order of their turns, parents first."""

    def _is_pruned(self, transition: Transition) -> bool:
        gone = transition.id in self._rejected or any(parent in self._rejected for parent in transition.after)
        return self.prunes and gone

    def _is_possible(self, transition: Transition) -> bool:
        return enabled(self.lifecycle, self._values, self._spec(transition))

    def _spec(self, transition: Transition) -> TransitionSpec:
        return self.lifecycle.lanes[transition.lane].transitions[transition.name]


@dataclass(slots=True)
class LamportDiscard(Replay):
    """All transitions in Lamport order; one that is not possible at its turn is discarded, and nothing else is.

    - git-bug: operations are ordered by their Lamport time, then by an identifier that is a hash, and applied to an
      empty state; its example refuses, in `Apply`, what the state of that moment does not permit.
      https://github.com/git-bug/git-bug/blob/master/doc/design/data-model.md ("Entities support conflict resolution")
      https://github.com/git-bug/git-bug/blob/master/entity/dag/example_test.go
    - Actyx machine-runner: of contradicting events the one that comes first in the order of events is used and the
      other is discarded; that order is the Lamport time, then the stream.
      https://github.com/Actyx/machines/blob/master/machine-runner/README.md ("The consequences of Eventual Consensus")
      https://docs.rs/actyx_sdk/latest/actyx_sdk/struct.Event.html
    """

    prunes = False

    def _order(self) -> Iterable[Transition]:
        times: dict[TransitionId, int] = {}
        for held in self.held.values():
            times[held.id] = 1 + max((times[parent] for parent in held.after), default=0)
        return sorted(list(self.held.values())[1:], key=lambda held: (times[held.id], held.id))


@dataclass(slots=True)
class TopologicalPrune(Replay):
    """The graph in topological order; one that is not possible at its turn is removed with all that build on it.

    Radicle's collaborative objects: changes are visited depth first from the root, those side by side by their
    timestamps and then by their ids; one that cannot be applied is pruned with everything that depends on it, and a
    new change names the tips of what is left.
    https://docs.rs/crate/radicle-cob/0.20.0/source/src/change_graph.rs (`evaluate`, `chronological`)
    https://github.com/radicle-dev/heartwood/blob/master/crates/radicle-dag/src/lib.rs (`prune_by`)
    https://github.com/radicle-dev/heartwood/blob/master/crates/radicle-cob/src/object/collaboration/update.rs
    """

    prunes = True

    def _order(self) -> Iterable[Transition]:
        """The reverse of the order in which a depth-first walk, the latest child first, leaves the transitions."""
        left: list[Transition] = []
        entered: set[TransitionId] = set()
        stack = [(self.opening, False)]
        while stack:
            transition, is_leaving = stack.pop()
            if is_leaving:
                left.append(transition)
            elif transition.id not in entered:
                entered.add(transition.id)
                children = sorted(self.children.get(transition.id, ()), key=lambda made: (made.at, made.id))
                stack += [(transition, True), *((child, False) for child in children)]
        return reversed(left[:-1])  # the opening is left last

"""Transitions that wait for an ancestor. It knows who waits for whom, and never judges anyone."""

from collections.abc import Collection

from crdt_sync.domain.ids import TransitionId
from crdt_sync.domain.transition import Transition


class Pending:
    """The waiting part of a journal, indexed by the parents that are not placed yet: absent ones and waiting ones."""

    def __init__(self) -> None:
        self._waiting: dict[TransitionId, Transition] = {}
        self._lacking: dict[TransitionId, int] = {}
        self._children: dict[TransitionId, list[TransitionId]] = {}

    def __contains__(self, key: TransitionId) -> bool:
        return key in self._waiting

    def add(self, transition: Transition, unplaced: Collection[TransitionId]) -> None:
        """Keep the transition until each of its `unplaced` parents was placed."""
        self._waiting[transition.id] = transition
        self._lacking[transition.id] = len(unplaced)
        for parent in unplaced:
            self._children.setdefault(parent, []).append(transition.id)

    def placed(self, key: TransitionId) -> list[Transition]:
        """Note that `key` was placed; return those that waited for nothing else, which wait no more."""
        ready = []
        for child in self._children.pop(key, ()):
            if child in self._waiting:
                self._lacking[child] -= 1
                if not self._lacking[child]:
                    ready.append(self._remove(child))
        return ready

    def drop_above(self, key: TransitionId) -> list[Transition]:
        """Return all that descend from `key` among those that wait; they wait no more."""
        dropped: list[Transition] = []
        parents = [key]
        while parents:
            for child in self._children.pop(parents.pop(), ()):
                if child in self._waiting:
                    dropped.append(self._remove(child))
                    parents.append(child)
        return dropped

    def missing(self) -> dict[TransitionId, tuple[TransitionId, ...]]:
        """Return, for each that waits, every id of its ancestry that is not there, sorted."""
        missing: dict[TransitionId, list[TransitionId]] = {key: [] for key in self._waiting}
        for absent in sorted(self._children.keys() - self._waiting.keys()):
            reached = {absent}
            parents = [absent]
            while parents:
                children = [child for child in self._children.get(parents.pop(), ()) if child in self._waiting]
                parents += [child for child in children if child not in reached]
                reached.update(children)
            for key in reached - {absent}:
                missing[key].append(absent)
        return {key: tuple(absent) for key, absent in missing.items()}

    def _remove(self, key: TransitionId) -> Transition:
        del self._lacking[key]
        return self._waiting.pop(key)

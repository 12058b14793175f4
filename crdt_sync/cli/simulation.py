"""A random history of a few replicas that act apart and meet now and then; one seed gives one history."""

import random  # noqa: TID251 - the port Ids draws what nobody can guess; a seed must give the same history again
from collections.abc import Iterator

from crdt_sync.domain.lifecycle import stories
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.lifecycle.model import Lifecycle, Story, TransitionSpec
from crdt_sync.domain.lifecycle.witness import enabled
from crdt_sync.domain.transition import Transition

REPLICAS = "abc"
TURNS = 24  # about a dozen transitions: enough to disagree, few enough to read
MEETING_CHANCE = 0.3


class _Replica:
    """One department's view: what it made, and what it learnt when it met another."""

    def __init__(self, name: str, lifecycle: Lifecycle, opening: Transition) -> None:
        self.name = name
        self.fold = Fold(lifecycle, opening.id)
        self.known: dict[str, Transition] = {}
        self.learn({stories.OPENER: opening})

    def learn(self, records: dict[str, Transition]) -> None:
        for record in records.values():
            self.fold.add(record)
        self.known |= records

    def seen(self) -> str:
        frontier = self.fold.frontier()
        keys = [key for key, record in self.known.items() if record.id in frontier and key != stories.OPENER]
        return f" < {', '.join(keys)}" if keys else ""


def simulated(lifecycle: Lifecycle, seed: int) -> Story:
    """Return a story in which every transition was enabled in what its author saw."""
    dice = random.Random(seed)  # noqa: S311 - an example, not a secret
    opening = stories.transitions(lifecycle, Story("simulation", (), {}))
    replicas = [_Replica(name, lifecycle, opening[stories.OPENER]) for name in REPLICAS]
    events: list[str] = []
    for _ in range(TURNS):
        replica, other = dice.sample(replicas, 2)
        if dice.random() < MEETING_CHANCE:
            replica.learn(other.known)
        elif enabled := list(_enabled(lifecycle, replica)):
            chosen = dice.choice(enabled)
            key = f"{replica.name}{len(events) + 1}"
            events.append(f"{key}: {chosen.lane}.{chosen.name}{replica.seen()}")
            made = stories.transitions(lifecycle, Story("simulation", tuple(events), {}))
            replica.learn({key: made[key]})
    return Story("simulation", tuple(events), {})


def _enabled(lifecycle: Lifecycle, replica: _Replica) -> Iterator[TransitionSpec]:
    values = replica.fold.state().lanes
    for lane in lifecycle.lanes.values():
        for transition in lane.transitions.values():
            if enabled(lifecycle, values, transition):
                yield transition

"""Replicas of one ticket that act apart and meet now and then; one seed gives one history.

What a replica makes of the transitions that it holds is a *design*; how people act is the same for all designs.
"""

import functools
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from crdt_sync.adapters.lifecycle_files import load
from crdt_sync.domain.ids import LaneId, TicketId, TransitionId
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.lifecycle.model import Lifecycle, TransitionSpec
from crdt_sync.domain.lifecycle.result import Standing
from crdt_sync.domain.lifecycle.witness import enabled
from crdt_sync.domain.transition import OPENING_NAME, Transition, make

SHIPPED = Path(__file__).parent.parent / "crdt_sync" / "lifecycles" / "connect-order.yaml"


class Design(Protocol):
    """What one replica makes of the transitions that it holds."""

    def learn(self, transition: Transition) -> None:
        """Take in a transition; its parents came before."""

    def values(self) -> Mapping[LaneId, str]:
        """Return the state of each lane, as the replica shows it."""

    def newest(self) -> Iterable[TransitionId]:
        """Return what the replica's next transition names as its parents."""

    def rejected(self) -> set[TransitionId]:
        """Return the transitions that the replica holds and that count for nothing."""


@dataclass(slots=True)
class OurFold:
    """The design of this project: the very fold that services and replicas run."""

    lifecycle: Lifecycle
    opening: Transition
    fold: Fold = field(init=False)

    def __post_init__(self) -> None:
        self.fold = Fold(self.lifecycle, self.opening.id)

    def learn(self, transition: Transition) -> None:
        """Take in a transition."""
        self.fold.add(transition)

    def values(self) -> Mapping[LaneId, str]:
        """Return the state of each lane."""
        return self.fold.state().lanes

    def newest(self) -> Iterable[TransitionId]:
        """Return the view's frontier."""
        return self.fold.naming(self.fold.frontier())

    def rejected(self) -> set[TransitionId]:
        """Return what is inert."""
        return {key for key, status in self.fold.state().status.items() if status.status is Standing.INERT}


MakeDesign = Callable[[Lifecycle, Transition], Design]


@dataclass(slots=True)
class Replica:
    """One person's device."""

    name: str
    design: Design
    held: dict[TransitionId, Transition] = field(default_factory=dict)

    def learn(self, transitions: Iterable[Transition]) -> None:
        """Take in what is new among transitions that stand parents first."""
        for transition in transitions:
            if transition.id not in self.held:
                self.held[transition.id] = transition
                self.design.learn(transition)


@functools.cache
def shipped() -> Lifecycle:
    """Return the lifecycle that the project ships as its default."""
    return load(SHIPPED.read_text(encoding="utf-8"))


def acted(
    lifecycle: Lifecycle,
    make_design: MakeDesign,
    *,
    moves: int,
    fresh_chance: float,
    seed: int,
    replicas: int = 3,
) -> Replica:
    """Let replicas make `moves` moves, then let everybody hear of everything; return one of the replicas.

    Who acts, whether that replica has heard of everything just before (`fresh_chance`; otherwise of nothing since it
    last had), and which of the moves that it sees as possible it makes, are drawn with equal chances.
    """
    dice = random.Random(seed)
    opening = _opening(lifecycle)
    crowd = [Replica(name, make_design(lifecycle, opening)) for name in "abcdefgh"[:replicas]]
    log = [opening]  # everything that anybody made, in the order of making: parents first
    for replica in crowd:
        replica.learn(log)
    while len(log) <= moves:
        actor = dice.choice(crowd)
        if dice.random() < fresh_chance:
            actor.learn(log)
        possible = _possible(lifecycle, actor.design.values())
        if possible:
            made = _made(lifecycle, actor, dice.choice(possible), opening, at=len(log))
            actor.learn([made])
            log.append(made)
    crowd[0].learn(log)
    return crowd[0]


def _possible(lifecycle: Lifecycle, values: Mapping[LaneId, str]) -> list[TransitionSpec]:
    declared = (spec for lane in lifecycle.lanes.values() for spec in lane.transitions.values())
    return [spec for spec in declared if enabled(lifecycle, values, spec)]


def _opening(lifecycle: Lifecycle) -> Transition:
    return make(
        ticket=None,
        lane=lifecycle.control.id,
        name=OPENING_NAME,
        actor="opener",
        roles=lifecycle.open_by[:1],
        after=(),
        lifecycle=lifecycle.digest,
        at=0,
        subject="benchmark",
    )


def _made(lifecycle: Lifecycle, actor: Replica, spec: TransitionSpec, opening: Transition, *, at: int) -> Transition:
    return make(
        ticket=TicketId(opening.id),
        lane=spec.lane,
        name=spec.name,
        actor=actor.name,
        roles=spec.by[:1],
        after=actor.design.newest(),
        lifecycle=lifecycle.digest,
        at=at,
    )

"""What can happen in a world, as data: a story is a list of deeds, drawn from a seed, each whole in itself.

A deed chooses by numbers taken modulo what there is to choose from, so any part of a story is a story.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from property_tests.simulation.world import World

DEEDS_MIN, DEEDS_MAX = 10, 45
PAUSES_S = (0.0, 0.0, 0.005, 0.05, 0.5, 3.0)
NUMBERS = 1 << 16


@dataclass(frozen=True)
class Deed:
    """One thing that happens, and how long it is until the next."""

    verb: str
    who: int
    a: int
    b: int
    pause_s: float


Perform = Callable[["World", Deed], Awaitable[str]]
VERBS: dict[str, tuple[Perform, int]] = {}


def deed(weight: int) -> Callable[[Perform], Perform]:
    """Enter a function as a verb; it returns what happened as a sentence."""

    def enter(perform: Perform) -> Perform:
        VERBS[perform.__name__] = perform, weight
        return perform

    return enter


def drawn(dice: Random) -> list[Deed]:
    """Draw a story."""
    verbs, weights = list(VERBS), [weight for _, weight in VERBS.values()]
    chosen = dice.choices(verbs, weights, k=dice.randint(DEEDS_MIN, DEEDS_MAX))
    return [Deed(verb, *(dice.randrange(NUMBERS) for _ in range(3)), pause_s=dice.choice(PAUSES_S)) for verb in chosen]

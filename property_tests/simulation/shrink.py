"""Makes a failing story short: drops deeds as long as the same promise is broken, until none can be dropped."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def shrunk(deeds: Sequence[T], fails: Callable[[Sequence[T]], bool], *, tries_max: int) -> list[T]:
    """Return a part of `deeds` that still fails (delta debugging): halves first, then smaller pieces."""
    kept, size, tries = list(deeds), max(1, len(deeds) // 2), 0
    while kept and tries < tries_max:
        dropped = False
        for start in reversed(range(0, len(kept), size)):
            part = kept[:start] + kept[start + size :]
            tries += 1
            if tries <= tries_max and fails(part):
                kept, dropped = part, True
        if not dropped and size == 1:
            break
        size = size if dropped and size == 1 else max(1, size // 2)
    return kept

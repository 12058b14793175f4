"""Counts what the gateway did, by constant names that a metrics page can show. Never holds a customer's data."""

from collections import Counter
from collections.abc import Mapping


class Counts:
    """How often each thing happened since the start, such as `callback.accepted` or `callback.refused.signature`.

    Beside them, how a few things stand now, such as `pull.cursor_age_s.shop`.
    """

    def __init__(self) -> None:
        self._counter: Counter[str] = Counter()
        self._levels: dict[str, int] = {}

    def add(self, name: str, count: int = 1) -> None:
        """`name` happened `count` more times."""
        self._counter[name] += count

    def show(self, name: str, value: int) -> None:
        """`name` is `value` now, such as an age or a state; names of this kind are never added to."""
        self._levels[name] = value

    def __getitem__(self, name: str) -> int:
        return self._levels.get(name, self._counter[name])

    def all(self) -> Mapping[str, int]:
        """A copy of every count."""
        return dict(self._counter)

    def levels(self) -> Mapping[str, int]:
        """A copy of how things stand."""
        return dict(self._levels)

"""Counts what the gateway did, by constant names that a metrics page can show. Never holds a customer's data."""

from collections import Counter
from collections.abc import Mapping


class Counts:
    """How often each thing happened since the start, such as `callback.accepted` or `callback.refused.signature`."""

    def __init__(self) -> None:
        self._counter: Counter[str] = Counter()

    def add(self, name: str, count: int = 1) -> None:
        """`name` happened `count` more times."""
        self._counter[name] += count

    def __getitem__(self, name: str) -> int:
        return self._counter[name]

    def all(self) -> Mapping[str, int]:
        """A copy of every count."""
        return dict(self._counter)

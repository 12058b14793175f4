"""Fakes for time and randomness, so that a test decides both. `test_fakes.py` holds them to what they stand for."""

import random
from collections import Counter

from crdt_sync.adapters.clock import uuid7
from crdt_sync.ports.sources import Clock
from crdt_sync.wire.status import Wire

START_MS = 1_700_000_000_000


class ManualClock:
    """A `Clock` that stands still until it is told to go on."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def advance(self, by_ms: int) -> None:
        """Go on, or back if negative, as a machine's clock may."""
        self._now_ms += by_ms


class CountingMeter:
    """A `Meter` that a test reads."""

    def __init__(self) -> None:
        self.refusals: Counter[tuple[Wire, str]] = Counter()
        self.batches: list[tuple[int, int]] = []
        self.failures = 0
        self.compactions: list[tuple[int, bool]] = []
        self.settlements: list[str] = []
        self.left_out = 0
        self.media: list[int] = []
        self.media_refusals: Counter[str] = Counter()
        self.sign_ins: Counter[str] = Counter()
        self.webhooks: Counter[str] = Counter()

    def refused(self, wire: Wire, code: str, count: int = 1) -> None:
        self.refusals[wire, code] += count

    def committed(self, *, jobs: int, updates: int, seconds: float) -> None:
        self.batches.append((jobs, updates))

    def commit_failed(self) -> None:
        self.failures += 1

    def compacted(self, *, rows: int, proven: bool) -> None:
        self.compactions.append((rows, proven))

    def settled(self, state) -> None:
        self.settlements.append(state)

    def notices_left_out(self, count: int) -> None:
        self.left_out += count

    def media_taken(self, size: int) -> None:
        self.media.append(size)

    def media_refused(self, code: str) -> None:
        self.media_refusals[code] += 1

    def signed_in(self, way: str) -> None:
        self.sign_ins[way] += 1

    def webhook(self, outcome: str) -> None:
        self.webhooks[outcome] += 1


class SeededIds:
    """`Ids` that a seed repeats."""

    def __init__(self, seed: int = 0, clock: Clock | None = None) -> None:
        self._random = random.Random(seed)
        self._clock = clock or ManualClock()

    def client_id(self) -> int:
        return self._random.randrange(1, 2**32)

    def uuid7(self) -> str:
        return uuid7(self._clock.now_ms(), self._random.getrandbits(74))

    def salt(self) -> str:
        return self._random.randbytes(16).hex()

    def jitter(self) -> float:
        return self._random.random()

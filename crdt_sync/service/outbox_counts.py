"""How much there is to be sent, for metrics: counted anew only when something may have changed."""

from collections.abc import Sequence

from crdt_sync.domain.delivery import OPEN
from crdt_sync.ports import Clock, Store
from crdt_sync.ports.meter import OutboxLevels
from crdt_sync.ports.outbox import OpenDeliveries

ELSEWHERE_MS = 120_000  # how late it may be counted what other nodes alone have changed


class OutboxCounts:
    """The last count. One walks through all that is open, which may be very much where a platform is away."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._open: Sequence[OpenDeliveries] = ()
        self._counted_ms: int | None = None
        self._moved = True

    def moved(self) -> None:
        """Hear that something has changed here."""
        self._moved = True

    async def count(self) -> None:
        """Count, if need be. Raises `StoreUnavailable`."""
        now_ms = self._clock.now_ms()
        if not self._moved and self._counted_ms is not None and 0 <= now_ms - self._counted_ms < ELSEWHERE_MS:
            return
        self._moved, self._counted_ms = False, None  # what changes meanwhile is counted the next time
        self._open = await self._store.open_deliveries()
        self._counted_ms = now_ms

    def levels(self) -> OutboxLevels:
        """Return what there was to be sent when it was counted, and how old the oldest of it is now."""
        parts = dict.fromkeys(OPEN, 0) | {each.state: each.count for each in self._open}
        oldest_ms = min((each.oldest_ms for each in self._open), default=None)
        return OutboxLevels(parts, 0.0 if oldest_ms is None else max(0, self._clock.now_ms() - oldest_ms) / 1000)

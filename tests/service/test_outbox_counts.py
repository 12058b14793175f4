"""What is to be sent is counted when it may have changed, and not for nothing."""

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.ports import Batch, StoreUnavailable
from crdt_sync.service.outbox_counts import ELSEWHERE_MS, OutboxCounts
from tests.contracts.batches import notice
from tests.fakes import ManualClock


class Counting(MemoryStore):
    walks = 0
    down = False

    async def open_deliveries(self):
        self.walks += 1
        if self.down:
            raise StoreUnavailable("the disk is gone")
        return await super().open_deliveries()


async def test_nothing_is_counted_again_until_something_moved_or_may_have_elsewhere():
    store, clock = Counting(), ManualClock()
    counts = OutboxCounts(store, clock)
    for _ in range(3):
        await counts.count()
    assert (1, 0) == (store.walks, counts.levels().parts["pending"])

    await store.commit(Batch(deliveries=[notice("n-1")]))
    counts.moved()
    await counts.count()
    assert (2, 1) == (store.walks, counts.levels().parts["pending"])

    await store.commit(Batch(deliveries=[notice("n-2")]))
    clock.advance(ELSEWHERE_MS - 1)
    await counts.count()
    assert (2, 1) == (store.walks, counts.levels().parts["pending"])
    clock.advance(1)
    await counts.count()
    assert (3, 2) == (store.walks, counts.levels().parts["pending"])


async def test_a_count_that_failed_is_made_again():
    store = Counting()
    counts = OutboxCounts(store, ManualClock())
    store.down = True
    with pytest.raises(StoreUnavailable):
        await counts.count()
    store.down = False
    await counts.count()

    assert 2 == store.walks

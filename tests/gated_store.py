"""A store whose commits a test holds back or makes fail."""

import asyncio
from collections.abc import Callable

from crdt_sync.ports import Batch, Committed, Store, StoreUnavailable


class GatedStore:
    """Wraps a store. Closed, its commits wait; `refuses` decides which batches fail; `down` fails everything."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0
        self.batches: list[Batch] = []
        self.refuses: Callable[[Batch], bool] = lambda batch: False
        self.down = False

    def __getattr__(self, name: str):
        return getattr(self._inner, name)

    async def commit(self, batch: Batch) -> Committed:
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        if self.down or self.refuses(batch):
            raise StoreUnavailable("the disk is gone")
        self.batches.append(batch)
        return await self._inner.commit(batch)

    async def document(self, name: str):
        if self.down:
            raise StoreUnavailable("the disk is gone")
        return await self._inner.document(name)

    async def check(self) -> None:
        if self.down:
            raise StoreUnavailable("the disk is gone")

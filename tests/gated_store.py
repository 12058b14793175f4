"""A store whose commits and reads a test holds back or makes fail."""

import asyncio
from collections.abc import Callable

from crdt_sync.ports import Batch, Committed, Store, StoreUnavailable


class GatedStore:
    """Wraps a store. Closed, its commits wait; `refuses` decides which batches fail; `down` fails everything, `full`
    whatever writes.

    `results` closed, a command with an idempotency key waits before it is decided; `reads` closed, a document waits to
    be loaded; one in `unreadable` cannot be.
    """

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.gate = asyncio.Event()
        self.gate.set()
        self.results = asyncio.Event()
        self.results.set()
        self.reads = asyncio.Event()
        self.reads.set()
        self.waiting = 0
        self.checks = 0
        self.batches: list[Batch] = []
        self.refuses: Callable[[Batch], bool] = lambda batch: False
        self.unreadable: set[str] = set()
        self.down = False
        self.full = False

    def __getattr__(self, name: str):
        return getattr(self._inner, name)

    async def commit(self, batch: Batch) -> Committed:
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        if self.down or self.full or self.refuses(batch):
            raise StoreUnavailable("the disk is gone")
        self.batches.append(batch)
        return await self._inner.commit(batch)

    async def document(self, name: str):
        await self.reads.wait()
        if self.down or name in self.unreadable:
            raise StoreUnavailable("the disk is gone")
        return await self._inner.document(name)

    async def result(self, actor, key: str):
        await self.results.wait()
        return await self._inner.result(actor, key)

    async def restrictions(self, after: int = 0):
        if self.down:
            raise StoreUnavailable("the disk is gone")
        return await self._inner.restrictions(after)

    async def check(self) -> None:
        self.checks += 1
        if self.down or self.full:
            raise StoreUnavailable("the disk is gone")

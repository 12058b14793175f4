"""Writes down what became of the events of all couriers together, so that many receivers cost few transactions."""

import asyncio
from collections.abc import Sequence

from crdt_sync.domain.ids import Position
from crdt_sync.ports import Store
from crdt_sync.ports.webhooks import Settlement, Webhook, WebhookRow

GATHER_S = 0.05  # between two transactions: twenty a second beside those of people's changes


class Settling:
    """The one writer of settlements, in the name of `owner`."""

    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner
        self._queued: list[tuple[Settlement, asyncio.Future[bool]]] = []
        self._task: asyncio.Task[None] | None = None

    async def settle(
        self, before: Webhook, after: Webhook, kept: Sequence[WebhookRow], gone: Sequence[Position]
    ) -> bool:
        """Write down what became of one subscription's events; False, and nothing changed, if it is another's now.

        Raises:
            StoreUnavailable: it may not have been written.

        """
        loop = asyncio.get_running_loop()
        written: asyncio.Future[bool] = loop.create_future()
        self._queued.append((Settlement(self._owner, before, after, kept, gone), written))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._write(), name="settling")
        return await written

    async def _write(self) -> None:
        while self._queued:
            await asyncio.sleep(GATHER_S)
            some, self._queued = self._queued, []
            try:
                answers = await self._store.settle_webhooks([settlement for settlement, _ in some])
            except Exception as error:  # noqa: BLE001 - whoever waits is told, whatever it was
                for _, written in some:
                    if not written.done():
                        written.set_exception(error)
            else:
                for (_, written), answer in zip(some, answers, strict=True):
                    if not written.done():  # who waited may have gone
                        written.set_result(answer)

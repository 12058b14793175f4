"""Which subscriptions are sent their events, and by whom: one courier each, all in the one process that leads.

A look now and then finds what people have changed and what has failed. Nothing here is done for an event.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from crdt_sync.domain.webhook import Paused
from crdt_sync.errors import TicketSyncError
from crdt_sync.ports import StoreUnavailable
from crdt_sync.ports.meter import WebhookLevels
from crdt_sync.ports.webhooks import Webhook
from crdt_sync.service.courier import WAITING_MAX, Courier, Means, Superseded
from crdt_sync.service.settling import Settling

LOOK_S = 2.0  # how late it may be noticed what another process has changed, and when a courier that failed begins anew
LEASE_MS = 10_000  # after which another process takes over from one that died
RENEW_MS = 4_000
PRUNE_MS = 3_600_000
KEPT_MS = 30 * 86_400_000  # for which an event that was given up is listed; it can be sent again for ever
PRUNED_AT_ONCE = 5_000  # rows, some 20 ms of the one who writes

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Running:
    """A courier at work, and as of which change of its subscription."""

    courier: Courier
    version: int
    task: asyncio.Task[None]


class Couriers:
    """Every courier of this process."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._owner = means.ids.uuid7()
        self._settling = Settling(means.store, self._owner)
        self._leads_until_ms = 0
        self._pruned_ms = 0
        self._paused = 0
        self._running: dict[str, _Running] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.get_running_loop().create_task(self._keep_looking(), name="couriers")

    async def stop(self) -> None:
        """End what is being sent, write down how far everybody is, and let another process lead."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._end(list(self._running))
        if self._leads_until_ms:
            now_ms = self._means.clock.now_ms()
            with suppress(StoreUnavailable):  # then the lease lapses
                await self._means.store.lead_webhooks(self._owner, now_ms, now_ms)

    def notice(self) -> None:
        """Hear that somebody changed a subscription."""
        self._changed.set()

    def levels(self) -> WebhookLevels:
        """Return what there was a few seconds ago at most."""
        couriers = [running.courier for running in self._running.values()]
        states = Counter(sent=0, away=0, paused=self._paused)
        states.update("away" if courier.is_away else "sent" for courier in couriers)
        return WebhookLevels(states, sum(courier.waiting for courier in couriers))

    async def look(self) -> None:
        """Have a courier for each subscription that is not paused, if this process leads, and none for any other.

        Raises:
            StoreUnavailable: it cannot be said which there are.

        """
        stored = await self._means.store.webhooks()
        wanted = {hook.id: hook for hook in stored if hook.paused is Paused.NO}
        self._paused = len(stored) - len(wanted)
        leads = bool(wanted) and await self._leads()
        over = [id_ for id_, running in self._running.items() if not leads or _is_over(running, wanted.get(id_))]
        await self._end(over)
        for id_ in wanted if leads else ():
            if id_ not in self._running:
                await self._begin(id_)
        await self._prune()

    async def _leads(self) -> bool:
        now_ms = self._means.clock.now_ms()
        if 0 <= self._leads_until_ms - now_ms - (LEASE_MS - RENEW_MS) <= LEASE_MS:
            return True
        until_ms = now_ms + LEASE_MS
        leads = await self._means.store.lead_webhooks(self._owner, now_ms, until_ms)
        self._leads_until_ms = until_ms if leads else 0
        return leads

    async def _begin(self, id_: str) -> None:
        """Read it again: a courier that ended just now has written down how far it was."""
        hook = await self._means.store.webhook(id_)
        if hook is None or hook.paused:
            return
        rows = await self._means.store.webhook_rows(id_, dead=False, limit=2 * WAITING_MAX)
        courier = Courier(self._means, self._settling, hook, rows)
        task = asyncio.get_running_loop().create_task(_run(courier), name=f"courier {id_}")
        self._running[id_] = _Running(courier, hook.version, task)

    async def _end(self, ids: Sequence[str]) -> None:
        running = [self._running.pop(id_) for id_ in ids]
        for each in running:
            each.task.cancel()
        await asyncio.gather(*(each.task for each in running), return_exceptions=True)

    async def _prune(self) -> None:
        now_ms = self._means.clock.now_ms()
        if not 0 <= now_ms - self._pruned_ms < PRUNE_MS:
            self._pruned_ms = now_ms
            await self._means.store.prune_webhook_rows(now_ms - KEPT_MS, limit=PRUNED_AT_ONCE)

    async def _keep_looking(self) -> None:
        while True:
            self._changed.clear()
            try:
                await self.look()
            except StoreUnavailable as error:
                _log.warning("webhooks not looked after", reason=str(error))
                if self._means.clock.now_ms() >= self._leads_until_ms:  # another process may lead by now
                    await self._end(list(self._running))
            except Exception:  # noqa: BLE001 - the task's boundary: nobody would look any more until a restart
                _log.exception("webhooks not looked after")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._changed.wait()


def _is_over(running: _Running, hook: Webhook | None) -> bool:
    return hook is None or hook.version != running.version or running.task.done()


async def _run(courier: Courier) -> None:
    """Boundary of a courier: whatever ends it, the others go on, and the next look begins it anew."""
    try:
        await courier.run()
    except Superseded:
        _log.info("webhook changed while it was sent", webhook=courier.hook.id)
    except (TicketSyncError, StoreUnavailable) as error:
        _log.warning("webhook not sent", webhook=courier.hook.id, reason=str(error))
    except Exception:  # noqa: BLE001 - see above
        _log.exception("webhook not sent", webhook=courier.hook.id)

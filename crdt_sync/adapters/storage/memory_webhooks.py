"""Webhooks in dictionaries: the memory store's part of `ports.webhooks`."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from crdt_sync.adapters.storage.memory_users import MemoryUsers
from crdt_sync.domain.ids import Department, Position
from crdt_sync.ports import NewResult, StoreConflict, StoredResult
from crdt_sync.ports.webhooks import Settlement, Webhook, WebhookRow


class MemoryWebhooks(MemoryUsers):
    """Webhooks by id, rows by webhook and position."""

    def __init__(self) -> None:
        super().__init__()
        self._webhooks: dict[str, Webhook] = {}
        self._webhook_rows: dict[tuple[str, Position], WebhookRow] = {}
        self._leader = ("", 0)
        self._position = Position(0)
        self._results: dict[tuple[str, str], StoredResult] = {}

    async def add_webhook(
        self, new: Webhook, *, department_max: int, total_max: int, result: NewResult | None = None
    ) -> bool:
        """Count, and keep it."""
        self._check_open()
        if result is not None and (result.actor, result.key) in self._results:
            raise StoreConflict([result.key])
        of_department = [kept for kept in self._webhooks.values() if kept.department == new.department]
        if len(self._webhooks) >= total_max or len(of_department) >= department_max:
            return False
        self._webhooks[new.id] = new
        if result is not None:
            self._results[result.actor, result.key] = StoredResult(result.request, result.result, self._position)
        return True

    async def webhook(self, id_: str) -> Webhook | None:
        """Find it by its id."""
        self._check_open()
        return self._webhooks.get(id_)

    async def webhooks(self, department: Department | None = None) -> Sequence[Webhook]:
        """Sort every id."""
        self._check_open()
        kept = [self._webhooks[id_] for id_ in sorted(self._webhooks)]
        return [each for each in kept if department in {None, each.department}]

    async def amend_webhook(
        self,
        id_: str,
        amend: Callable[[Webhook], Webhook],
        *,
        rows: Sequence[WebhookRow] = (),
        forget_after: Position | None = None,
    ) -> Webhook | None:
        """Replace it."""
        self._check_open()
        before = self._webhooks.get(id_)
        if before is None:
            return None
        after = self._webhooks[id_] = replace(amend(before), version=before.version + 1)
        if forget_after is not None:
            self._forget(lambda row: row.webhook == id_ and row.position > forget_after)
        self._webhook_rows |= {(row.webhook, row.position): row for row in rows}
        return after

    async def remove_webhook(self, id_: str) -> bool:
        """Forget its rows, too."""
        self._check_open()
        self._forget(lambda row: row.webhook == id_)
        return self._webhooks.pop(id_, None) is not None

    async def webhook_rows(self, id_: str, *, dead: bool, after: int = 0, limit: int = 100) -> Sequence[WebhookRow]:
        """Look through all of them."""
        self._check_open()
        rows = (row for _, row in sorted(self._webhook_rows.items()))
        return [row for row in rows if row.webhook == id_ and row.dead is dead and row.position > after][:limit]

    async def lead_webhooks(self, owner: str, now_ms: int, until_ms: int) -> bool:
        """Compare, and replace."""
        self._check_open()
        leads, leads_until_ms = self._leader
        if owner != leads and leads_until_ms > now_ms:
            return False
        self._leader = owner, until_ms
        return True

    async def settle_webhooks(self, settlements: Sequence[Settlement]) -> Sequence[bool]:
        """Compare, and replace."""
        self._check_open()
        return [self._settle(each) for each in settlements]

    def _settle(self, settlement: Settlement) -> bool:
        before, after = settlement.before, settlement.after
        kept = self._webhooks.get(before.id)
        if self._leader[0] != settlement.owner or kept is None or kept.position != before.position:
            return False
        self._webhooks[before.id] = replace(
            kept,
            position=after.position,
            failures=after.failures,
            failing_since_ms=after.failing_since_ms,
            taken_ms=after.taken_ms,
            paused=kept.paused if after.paused is before.paused else after.paused,
        )
        for position in settlement.gone:
            self._webhook_rows.pop((before.id, position), None)
        self._webhook_rows |= {(row.webhook, row.position): row for row in settlement.kept}
        return True

    async def prune_webhook_rows(self, before_ms: int, *, limit: int = 1000) -> int:
        """Look through all of them."""
        self._check_open()
        old = [row for row in self._webhook_rows.values() if row.dead and row.at_ms < before_ms][:limit]
        self._forget(lambda row: row in old)
        return len(old)

    def _forget(self, goes: Callable[[WebhookRow], bool]) -> None:
        self._webhook_rows = {key: row for key, row in self._webhook_rows.items() if not goes(row)}

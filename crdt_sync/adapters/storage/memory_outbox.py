"""What is to be sent, in a dictionary: the memory store's part of `ports.outbox`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from crdt_sync.adapters.storage.outbox_rows import place
from crdt_sync.domain.delivery import OPEN, DeliveryState, Window
from crdt_sync.domain.ids import TicketId
from crdt_sync.ports import StoreUnavailable
from crdt_sync.ports.outbox import (
    Claim,
    Claimed,
    DeliveryChange,
    NewDelivery,
    OpenDeliveries,
    OutboxFilter,
    StoredDelivery,
)

_TIMED = (DeliveryState.LEASED, DeliveryState.SENDING, DeliveryState.RETRY)


class MemoryOutbox:
    """Rows by id. Nothing is answered once the store is closed."""

    def __init__(self) -> None:
        self._deliveries: dict[str, StoredDelivery] = {}
        self._windows: dict[str, Window | None] = {}
        self._closed = False

    async def claim(self, asked: Claim) -> Claimed:
        """Find each conversation's first open row, and lease what may be."""
        self._check_open()
        if not [row for row in self._heads(asked) if _is_due(row, asked)]:
            return Claimed([], self._next_ms(asked))
        for row in self._ordered():
            if row.account in asked.accounts and row.state is DeliveryState.SENDING and row.due_ms <= asked.now_ms:
                self._deliveries[row.id] = replace(row, state=DeliveryState.UNKNOWN, code="lapsed")
        found = self._found(asked)
        next_ms = self._next_ms(asked)
        leased = [
            replace(
                row,
                state=DeliveryState.LEASED,
                owner=asked.owner,
                attempts=row.attempts + 1,
                due_ms=asked.until_ms,
                code="",
            )
            for row in found
        ]
        self._deliveries |= {row.id: row for row in leased}
        return Claimed(leased, next_ms)

    async def release(self, owner: str) -> None:
        """Look through all of them."""
        self._check_open()
        for row in self._ordered():
            if row.owner == owner and row.state is DeliveryState.LEASED:
                self._deliveries[row.id] = replace(row, state=DeliveryState.PENDING, due_ms=0)

    async def delivery(self, id_: str) -> StoredDelivery | None:
        """Find it by its id."""
        self._check_open()
        return self._deliveries.get(id_)

    async def sent_as(self, account: str, platform_id: str) -> StoredDelivery | None:
        """Look through all of them, the newest first."""
        self._check_open()
        named = (row for row in reversed(self._ordered()) if (row.account, row.platform_id) == (account, platform_id))
        return next(named, None) if platform_id else None

    async def newest_notice(self, account: str, conversation: str) -> TicketId | None:
        """Look through all of them, the newest first."""
        self._check_open()
        sent = (row for row in reversed(self._ordered()) if row.state is DeliveryState.SENT)
        notices = (row for row in sent if row.is_notice and row.ticket)
        return next((row.ticket for row in notices if (row.account, row.conversation) == (account, conversation)), None)

    async def deliveries(self, where: OutboxFilter, *, limit: int = 100) -> Sequence[StoredDelivery]:
        """Compare every row with the filter."""
        self._check_open()
        return [
            row
            for row in self._ordered()
            if row.place > where.after and where.state in {None, row.state} and where.account in {None, row.account}
            if (row.is_notice or not where.notices) and where.conversation in {None, row.conversation}
        ][:limit]

    async def delivery_states(self, ids: Sequence[str]) -> Mapping[str, DeliveryState]:
        """Find each."""
        self._check_open()
        return {id_: self._deliveries[id_].state for id_ in ids if id_ in self._deliveries}

    async def amend_delivery(self, id_: str, before: Sequence[DeliveryState], after: DeliveryState) -> bool:
        """Change the one row."""
        self._check_open()
        row = self._deliveries.get(id_)
        if row is None or row.state not in before:
            return False
        self._deliveries[id_] = replace(row, state=after, due_ms=0)
        return True

    async def window(self, account: str) -> Window | None:
        """Find it by the account."""
        self._check_open()
        return self._windows.get(account)

    async def keep_window(self, account: str, window: Window | None) -> None:
        """Put it there."""
        self._check_open()
        self._windows[account] = window

    async def open_deliveries(self) -> Sequence[OpenDeliveries]:
        """Look through all of them."""
        self._check_open()
        found = {state: [row.at_ms for row in self._ordered() if row.state is state] for state in sorted(OPEN)}
        return [OpenDeliveries(state, len(times), times[0]) for state, times in found.items() if times]

    async def prune_deliveries(self, before_ms: int, *, limit: int = 1000) -> int:
        """Look through all of them, the oldest first."""
        self._check_open()
        settled = [row for row in self._ordered() if row.state not in OPEN and row.at_ms < before_ms]
        gone = sorted(settled, key=lambda row: row.at_ms)[:limit]
        for row in gone:
            del self._deliveries[row.id]
        return len(gone)

    def _stale_deliveries(self, changes: Iterable[DeliveryChange]) -> set[str]:
        """Return the ids of rows that are not as they were seen."""
        return {change.before.id for change in changes if not self._is_as_seen(change.before)}

    def _write_deliveries(
        self, new: Iterable[NewDelivery], changes: Iterable[DeliveryChange], positions: Mapping[str, int]
    ) -> None:
        """Keep what a batch holds, where `positions` are those of its messages, and of its notices by their ids."""
        for one in new:
            self._deliveries[one.id] = StoredDelivery(
                place=place(positions[one.message or one.id], one.index),
                id=one.id,
                ticket=one.ticket,
                message=one.message,
                index=one.index,
                channel=one.to.channel,
                account=one.to.account,
                conversation=one.to.conversation,
                content=one.content,
                at_ms=one.at_ms,
                traceparent=one.traceparent,
            )
        for change in changes:
            row, after = self._deliveries[change.before.id], change.after
            row = replace(row, state=after.state, due_ms=after.due_ms, platform_id=after.platform_id, code=after.code)
            self._deliveries[row.id] = replace(row, ticket=after.ticket, content=after.content)

    def _lose_deliveries(self) -> None:
        """What was open when a backup was made may have been sent since."""
        for row in self._ordered():
            if row.state in OPEN and row.state is not DeliveryState.DROPPED:
                self._deliveries[row.id] = replace(
                    row, state=DeliveryState.UNKNOWN, owner="", due_ms=0, code="restored"
                )

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")

    def _ordered(self) -> list[StoredDelivery]:
        return sorted(self._deliveries.values(), key=lambda row: row.place)

    def _heads(self, asked: Claim) -> Sequence[StoredDelivery]:
        heads: dict[tuple[str, str], StoredDelivery] = {}
        for row in self._ordered():
            if row.account in asked.accounts and row.state in OPEN:
                heads.setdefault((row.account, row.conversation), row)
        return list(heads.values())

    def _found(self, asked: Claim) -> Sequence[StoredDelivery]:
        """Of each account and state those that are due first, then of all the oldest."""
        due = sorted((row for row in self._heads(asked) if _is_due(row, asked)), key=lambda row: row.due_ms)
        kinds: dict[tuple[str, DeliveryState], list[StoredDelivery]] = {}
        for row in due:
            kinds.setdefault((row.account, row.state), []).append(row)
        some = [row for rows in kinds.values() for row in rows[: asked.limit]]
        return sorted(some, key=lambda row: row.place)[: asked.limit]

    def _next_ms(self, asked: Claim) -> int | None:
        timed = [row.due_ms for row in self._heads(asked) if row.state in _TIMED and row.due_ms > asked.now_ms]
        return min(timed, default=None)

    def _is_as_seen(self, seen: StoredDelivery) -> bool:
        row = self._deliveries.get(seen.id)
        return row is not None and _seen(row) == _seen(seen)


def _seen(row: StoredDelivery) -> tuple[object, ...]:
    return row.state, row.owner, row.attempts, row.content


def _is_due(row: StoredDelivery, asked: Claim) -> bool:
    may = row.state is DeliveryState.PENDING or row.state in _TIMED
    may |= row.state is DeliveryState.UNKNOWN and row.account in asked.idempotent
    return may and row.due_ms <= asked.now_ms

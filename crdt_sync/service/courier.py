"""Sends the events of one subscription to its receiver: those of a ticket in order, and each again until it is taken.

It follows the events as a watcher does and writes nothing of what was taken but how far it is. An event that was not
taken has a row, and so have those of its ticket behind it; the other tickets go on. A receiver that takes nothing is
left alone for a while, and then tried with one event at a time.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from crdt_sync.domain import access
from crdt_sync.domain.access import Principal
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import Position, TicketId
from crdt_sync.domain.webhook import PATIENCE_MS, Paused, away_ms, is_away, retry_ms
from crdt_sync.errors import Unauthenticated
from crdt_sync.ports import Clock, Ids, Store
from crdt_sync.ports.meter import Meter
from crdt_sync.ports.webhooks import Receiver, Receivers, Reply, Webhook, WebhookRow
from crdt_sync.service.events import Events, Told, Watch, as_told
from crdt_sync.service.settling import Settling
from crdt_sync.service.turns import Turns
from crdt_sync.wire import standard_webhooks

IN_FLIGHT_MAX = 4  # of one receiver, each of another ticket: at 50 ms an answer, 80 events a second
FRESH_MAX = 50  # events of one settlement, which are sent again if the service is killed before it
DUE_MAX = 50  # tickets of one settlement that wait
ROUND_MS = 15_000  # after which nothing more is begun before what is known is written down
WAITING_MAX = 1_000  # rows of a subscription, beyond which it reads no further: whoever is so far behind is away
EVENT_BYTES_MAX = 65_536  # none of ours is near it; many receivers take no more
SAVE_AFTER = 10_000  # positions without an event for the receiver, after which is written down how far it is
REOPEN_MS = 60_000  # for which an address that was looked up is good
NAP_S = 15.0  # at most, so that it is noticed when the machine is told another time
CONTENT_TYPE = "application/cloudevents+json"  # CloudEvents over HTTP, 3.2 "Structured Content Mode"


class Superseded(Exception):
    """Somebody else sends now, or the subscription is not as it was; what was sent is sent again."""


@dataclass(frozen=True, slots=True)
class Means:
    """What every courier needs."""

    store: Store
    events: Events
    receivers: Receivers
    clock: Clock
    ids: Ids
    meter: Meter
    turns: Turns = field(default_factory=Turns)


@dataclass(frozen=True, slots=True)
class _Item:
    """An event to be sent: of a row, or a fresh one."""

    position: Position
    ticket: TicketId
    told: Told | None = None
    row: WebhookRow | None = None


class Courier:
    """One subscription's. `hook` is the subscription as it is stored."""

    def __init__(self, means: Means, settling: Settling, hook: Webhook, rows: Sequence[WebhookRow]) -> None:
        self.hook = self._now = hook
        self._means = means
        self._settling = settling
        self._waiting: dict[TicketId, list[WebhookRow]] = {}  # of each ticket by position; the first is tried
        for row in rows:
            self._waiting.setdefault(row.ticket, []).append(row)
        self._kept: dict[Position, WebhookRow] = {}  # not yet written down, as are the next ones
        self._gone: set[Position] = set()
        self._unsent: dict[Position, Told] = {}
        self._watch: Watch | None = None
        self._receiver: Receiver | None = None
        self._opened_ms = 0
        self._left_until_ms = 0  # nothing is sent before
        self._round_ends_ms = 0
        self._tried = 0

    @property
    def waiting(self) -> int:
        """How many events have a row that is to be sent."""
        return sum(map(len, self._waiting.values()))

    @property
    def is_away(self) -> bool:
        """Tell whether its receiver takes nothing."""
        return is_away(self._now.failures)

    async def run(self) -> None:
        """Send until it is paused; whoever cancels it loses nothing of what is known.

        Raises:
            Superseded: it is not its turn any more.
            TicketSyncError: the events cannot be read, or the service is stopping.
            StoreUnavailable: what is known was not written down.

        """
        hook, events = self.hook, self._means.events
        principal = Principal(hook.actor, hook.department, tickets=hook.tickets)
        try:
            identity = events.leases.check(Identity(principal, None, issued_at_ms=hook.granted_ms))
            self._watch = await events.watch(identity, hook.position, wire="webhook")
            while not self._now.paused:
                await self._round(self._watch, await self._hear(self._watch))
        except Unauthenticated:
            await self._pause(Paused.ACCESS)
        except asyncio.CancelledError:
            await self._settle(whole=True)
            raise
        finally:
            if self._watch is not None:
                self._watch.close()
            if self._receiver is not None:
                await self._receiver.close()

    async def _hear(self, watch: Watch) -> list[Told]:
        """Wait for events, or until something is to be sent again; return what of them is to be sent now."""
        now_ms = self._means.clock.now_ms()
        due_ms = min((rows[0].due_ms for rows in self._waiting.values()), default=None)
        if now_ms < self._left_until_ms:
            await _nap(self._left_until_ms - now_ms)
            now_ms = self._means.clock.now_ms()
        if self.waiting >= WAITING_MAX:
            await _nap((due_ms or now_ms) - now_ms)
        elif now_ms >= self._left_until_ms:
            return await self._listen(watch, None if due_ms is None else due_ms - now_ms)
        watch.check()
        return []

    async def _listen(self, watch: Watch, patience_ms: int | None) -> list[Told]:
        if patience_ms is not None and patience_ms <= 0:
            page = await watch.look()
        else:
            try:
                async with asyncio.timeout(None if patience_ms is None else patience_ms / 1000):
                    page = await anext(watch)
            except TimeoutError:
                return []
        wanted = [told for told in page.events if not self.hook.types or told.type in self.hook.types]
        most = 1 if self.is_away else FRESH_MAX
        if len(wanted) > most:
            wanted = wanted[:most]
            watch.position = wanted[-1].position
        return wanted

    async def _round(self, watch: Watch, fresh: Sequence[Told]) -> None:
        """Send these, and what is due; then write down what became of them."""
        self._unsent = {told.position: told for told in fresh}
        now_ms = self._means.clock.now_ms()
        if now_ms < self._left_until_ms:
            await self._settle()  # the machine was told another time while it listened
            return
        self._round_ends_ms, self._tried = now_ms + ROUND_MS, 0
        due = sorted((rows for rows in self._waiting.values() if rows[0].due_ms <= now_ms), key=_place)
        most = DUE_MAX
        if self.is_away:  # what was never refused goes first: it may be taken, whatever is wrong with the others
            most = 0 if any(told.ticket not in self._waiting for told in fresh) else 1
        chains = {rows[0].ticket: [_Item(row.position, row.ticket, row=row) for row in rows] for rows in due[:most]}
        for told in fresh:
            if told.ticket in chains or told.ticket not in self._waiting:
                chains.setdefault(told.ticket, []).append(_Item(told.position, told.ticket, told=told))
        if chains:
            await self._reopen(now_ms)
            room = asyncio.Semaphore(IN_FLIGHT_MAX)
            async with asyncio.TaskGroup() as group:
                for items in chains.values():
                    group.create_task(self._send_in_order(watch, items, room))
        await self._settle()

    async def _reopen(self, now_ms: int) -> None:
        """Take another way to the receiver after a failure, and once its address may be another."""
        if self._receiver is None or now_ms - self._opened_ms >= REOPEN_MS:
            if self._receiver is not None:
                await self._receiver.close()
            self._receiver, self._opened_ms = self._means.receivers.open(self.hook.url), now_ms

    async def _send_in_order(self, watch: Watch, items: Sequence[_Item], room: asyncio.Semaphore) -> None:
        async with room:
            for item in items:
                if watch.has_failed or self._is_over() or not await self._send(watch, item):
                    return

    def _is_over(self) -> bool:
        now_ms = self._means.clock.now_ms()
        left = bool(self._now.paused) or now_ms < self._left_until_ms or now_ms >= self._round_ends_ms
        return left or (self.is_away and self._tried > 0)

    async def _send(self, watch: Watch, item: _Item) -> bool:
        """Send one event; tell whether the next one of its ticket may follow."""
        await self._means.turns.take()
        told = item.told or await self._event(item.position)
        if told is None or not access.hear(watch.principal, told.ticket, told.audience):
            self._done(item)  # whoever subscribed may not hear of it any more
            return True
        self._tried += 1
        at_ms, body = self._means.clock.now_ms(), told.text.encode()
        if len(body) > EVENT_BYTES_MAX:
            return self._failed(item, Reply("size"), at_ms)
        assert self._receiver is not None, "it was opened for this round"
        signed = standard_webhooks.headers(str(item.position), at_ms // 1000, body, self._secrets(at_ms))
        reply = await self._receiver.post({"content-type": CONTENT_TYPE, **signed}, body)
        return self._failed(item, reply, at_ms) if reply.code else self._taken(item)

    async def _event(self, position: Position) -> Told | None:
        found = await self._means.store.events(Position(position - 1), limit=1)
        return as_told(found[0]) if found and found[0].position == position else None

    def _secrets(self, at_ms: int) -> list[str]:
        return [self.hook.secret, *([self.hook.former_secret] if at_ms < self.hook.former_until_ms else [])]

    def _taken(self, item: _Item) -> bool:
        self._means.meter.webhook("taken")
        self._done(item)
        if self.is_away:  # what was not refused while others were taken has waited for the receiver
            for rows in list(self._waiting.values()):
                if not rows[0].attempts or rows[0].since_ms >= (self._now.failing_since_ms or 0):
                    self._put(replace(rows[0], due_ms=0))
        self._left_until_ms = 0
        self._now = replace(self._now, failures=0, failing_since_ms=None, taken_ms=self._means.clock.now_ms())
        return True

    def _failed(self, item: _Item, reply: Reply, at_ms: int) -> bool:
        before = item.row or WebhookRow(self.hook.id, item.position, item.ticket)
        row = replace(
            before, attempts=before.attempts + 1, since_ms=before.since_ms or at_ms, at_ms=at_ms, code=reply.code
        )
        since_ms = at_ms if self._now.failing_since_ms is None else self._now.failing_since_ms
        self._now = replace(self._now, failures=self._now.failures + 1, failing_since_ms=since_ms)
        self._opened_ms = 0
        delay_ms = retry_ms(row.attempts, self._means.ids.jitter(), reply.retry_after_ms)
        if reply.code == "http_410" or at_ms - since_ms >= PATIENCE_MS:
            paused = Paused.GONE if reply.code == "http_410" else Paused.FAILING
            self._now = replace(self._now, paused=paused)
            self._means.meter.webhook("paused")
        elif reply.code == "size" or delay_ms is None:
            self._done(item)
            self._kept[row.position] = replace(row, dead=True)
            self._gone.discard(row.position)
            self._means.meter.webhook("dead")
            return True
        self._unsent.pop(item.position, None)
        self._put(replace(row, due_ms=at_ms + (delay_ms or 0)))
        self._means.meter.webhook("failed")
        alone_ms = max(away_ms(self._now.failures) if self.is_away else 0, reply.retry_after_ms)
        self._left_until_ms = max(self._left_until_ms, at_ms + alone_ms)
        return False

    def _done(self, item: _Item) -> None:
        """Have an event behind us."""
        self._unsent.pop(item.position, None)
        if item.row is None:
            return
        rows = [row for row in self._waiting[item.ticket] if row.position != item.position]
        if rows:
            self._waiting[item.ticket] = rows
        else:
            del self._waiting[item.ticket]
        self._kept.pop(item.position, None)
        self._gone.add(item.position)

    def _put(self, row: WebhookRow) -> None:
        """Have an event wait."""
        rows = [other for other in self._waiting.get(row.ticket, ()) if other.position != row.position]
        self._waiting[row.ticket] = sorted([*rows, row], key=_position)
        self._kept[row.position] = row

    async def _pause(self, paused: Paused) -> None:
        self._now = replace(self._now, paused=paused)
        self._means.meter.webhook("paused")
        await self._settle()

    async def _settle(self, *, whole: bool = False) -> None:
        """Write down what became of events. What was heard and not sent waits; `whole` also says how far it is."""
        for told in self._unsent.values():
            self._put(WebhookRow(self.hook.id, told.position, told.ticket, due_ms=self._left_until_ms))
        self._unsent = {}
        position = self.hook.position if self._watch is None else self._watch.position
        after = replace(self._now, position=position)
        moved = position - self.hook.position >= (1 if whole else SAVE_AFTER)
        if not (self._kept or self._gone or moved or replace(after, position=self.hook.position) != self.hook):
            return
        if not await self._settling.settle(self.hook, after, tuple(self._kept.values()), tuple(self._gone)):
            raise Superseded
        self.hook = self._now = after
        self._kept, self._gone = {}, set()


async def _nap(delay_ms: int) -> None:
    await asyncio.sleep(min(NAP_S, max(0, delay_ms) / 1000))


def _position(row: WebhookRow) -> Position:
    return row.position


def _place(rows: Sequence[WebhookRow]) -> Position:
    return rows[0].position

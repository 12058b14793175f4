"""Who hears of domain events: each watcher its own view of them, by position, each event once.

The store's events are the truth. One reader follows them for all watchers and keeps the newest in memory; a watcher
that is further behind reads from the store, a page at a time, so one that is slow holds a page and disturbs nobody.
"""

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter

import structlog

from crdt_sync.domain import access
from crdt_sync.domain.access import Principal
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import ActorId, Department, Position, TicketId
from crdt_sync.errors import PreconditionUnknown, TicketSyncError, TooMany, Unavailable
from crdt_sync.ports import Store, StoredEvent, StoreUnavailable
from crdt_sync.service.leases import Lease, Leases
from crdt_sync.wire import cloudevents
from crdt_sync.wire.status import Wire

RING_EVENTS = 1_000  # some 600 bytes each; seconds of a busy service, in which a watcher sends what it was given
PAGE_EVENTS = 100  # at once to a watcher, and held for one that is slow: some 60 kB
BACKLOG_READS_MAX = 4  # of the store at a time, by watchers that are behind: commits go first
WATCHERS_MAX = 20_000  # of one process: each costs some 10 kB, and its wire as much
WATCHERS_PER_CALLER_MAX = 50  # of one actor: a few devices with many pages each, or a loop somewhere
HEARTBEAT_S = 15.0  # of a watcher that hears nothing: proxies forget a silent connection after a minute or so
LOOK_S = 5.0  # how often positions are looked at that no event of this process has moved
PAUSE_S = 0.02  # between two looks at a busy store: fifty wakings a second are enough for all who watch

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """One event, as every wire gives it."""

    position: Position
    type: str
    ticket: TicketId
    audience: Collection[Department]
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """What a watcher is given at once. `position` is where to resume; without events it is a heartbeat."""

    events: Sequence[Told]
    position: Position


class Events:
    """Every watcher of this process, and the one reader of the store's events."""

    def __init__(self, store: Store, leases: Leases) -> None:
        self._store = store
        self.leases = leases
        self._watchers: dict[Watch, None] = {}
        self._callers: Counter[ActorId] = Counter()
        self._backlog = asyncio.Semaphore(BACKLOG_READS_MAX)
        self._ring: list[Told] = []  # every event behind `_start`, up to `_tail`
        self._start = self._tail = Position(0)
        self._asleep = True  # nobody watches, and the ring is old
        self._news = asyncio.Event()  # the store may hold more
        self._failure: TicketSyncError | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow the store."""
        self._task = asyncio.get_running_loop().create_task(self._follow(), name="events")

    async def stop(self) -> None:
        """End every watch; those who watch come back and resume."""
        self._failure = Unavailable(
            "The service is stopping.", code="stopping", advice="Resume in a moment, from the last position."
        )
        for watch in self._watchers:
            watch.fail(self._failure)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def notice(self) -> None:
        """Hear that a commit held events."""
        self._news.set()

    async def watch(self, identity: Identity, after: Position | None, *, wire: Wire) -> "Watch":
        """Begin a watch behind a position; None is now. On gRPC it asks for a token when one has ended.

        What webhooks watch is bounded by how many there may be, and is no device of whoever subscribed.

        Raises:
            Forbidden: the caller hears no events.
            TooMany: enough watch already, in all or for this caller.
            PreconditionUnknown: there is no such position yet.
            StoreUnavailable: the store does not answer.

        """
        if self._failure is not None:
            raise self._failure
        principal = identity.principal
        denial = access.watch(principal)
        if denial is not None:
            raise denial.error()
        if wire != "webhook":
            self._check_room(principal.actor)
        watch = Watch(self, identity, wire=wire)
        self._watchers[watch] = None
        if wire != "webhook":
            self._callers[principal.actor] += 1
        try:
            newest = await self._store.position()
            watch.position = _reached(after, newest)
        except BaseException:
            watch.close()
            raise
        if self._asleep:
            self._asleep = False
            self._ring, self._start, self._tail = [], newest, newest
        return watch

    def wires(self) -> Counter[Wire]:
        """Say how many watch, by wire."""
        return Counter(watch.wire for watch in self._watchers)

    def forget(self, watch: "Watch") -> None:
        """Drop a watcher that has ended."""
        if watch not in self._watchers:
            return
        del self._watchers[watch]
        if watch.wire != "webhook":
            self._callers[watch.actor] -= 1
            if not self._callers[watch.actor]:
                del self._callers[watch.actor]
        self._asleep = not self._watchers

    async def page(self, principal: Principal, after: Position) -> Page:
        """Return the caller's next events behind a position, perhaps none; at most a page is looked at.

        Raises:
            StoreUnavailable: they are not in memory, and the store does not answer.

        """
        tail = self._tail
        if after >= self._start:
            first = bisect_right(self._ring, after, key=attrgetter("position"))
            seen = self._ring[first : first + PAGE_EVENTS]
        else:
            async with self._backlog:
                seen = [as_told(row) for row in await self._store.events(after, limit=PAGE_EVENTS)]
        position = max(after, seen[-1].position if seen else after, tail if len(seen) < PAGE_EVENTS else after)
        return Page([one for one in seen if access.hear(principal, one.ticket, one.audience)], position)

    def _check_room(self, actor: ActorId) -> None:
        if len(self._watchers) >= WATCHERS_MAX:
            raise TooMany("Too many watch the events of this service.", code="watchers", advice="Come again later.")
        if self._callers[actor] >= WATCHERS_PER_CALLER_MAX:
            raise TooMany("This caller watches events too often.", code="watchers", advice="End another watch first.")

    async def _follow(self) -> None:
        while True:
            with suppress(TimeoutError):  # others may have moved the positions
                async with asyncio.timeout(LOOK_S):
                    await self._news.wait()
            self._news.clear()
            if not self._watchers:
                continue
            try:
                await self._read()
            except StoreUnavailable as error:
                _log.warning("events not read", reason=str(error))
                await asyncio.sleep(LOOK_S)
                self._news.set()
            await asyncio.sleep(PAUSE_S)

    async def _read(self) -> None:
        """Take in what the store holds behind the tail, and wake those for whom there is something."""
        newest = await self._store.position()
        while self._tail < newest:
            told = [as_told(row) for row in await self._store.events(self._tail, limit=RING_EVENTS)]
            self._ring += told
            if len(self._ring) > RING_EVENTS:
                self._start = max(self._start, self._ring[-RING_EVENTS - 1].position)
                del self._ring[:-RING_EVENTS]
            before, last = self._tail, told[-1].position if told else newest
            self._tail = last if len(told) == RING_EVENTS else max(last, newest)  # others may have come after `newest`
            departments = {department for one in told for department in one.audience}
            for watch in self._watchers:
                if watch.principal.department in departments:
                    watch.wake()
                elif watch.position == before:  # else it would have to read these from the store in a while
                    watch.position = self._tail


class Watch:
    """One watcher: an asynchronous iterator of pages, the first at once, heartbeats among them."""

    def __init__(self, events: Events, identity: Identity, *, wire: Wire) -> None:
        self.position = Position(0)
        self.asking = False  # for a token in place of one that has ended
        self.actor = identity.principal.actor
        self.wire = wire
        self._lease = events.leases.hold(identity, self)
        self._events = events
        self._failure: TicketSyncError | None = None
        self._woken = asyncio.Event()
        self._greeted = False
        self._ended = False

    @property
    def principal(self) -> Principal:
        """Who watches, as the newest token says."""
        return self._lease.identity.principal

    @property
    def has_failed(self) -> bool:
        """Tell whether the next page will raise why the watch has ended."""
        return self._failure is not None

    def renew(self, identity: Identity) -> None:
        """Go on with another token.

        Raises:
            Forbidden: it is somebody else's.

        """
        self._events.leases.renew(self._lease, identity)
        self.asking = False

    def ask_token(self, lease: Lease) -> bool:  # noqa: ARG002 (it has one)
        """Ask for a token with the next page, which comes at once, if the wire has a word for it."""
        renewable = self.wire == "grpc"
        if renewable:
            self.asking = True
            self.prompt()
        return renewable

    def lose(self, lease: Lease, error: TicketSyncError) -> None:  # noqa: ARG002 (as above)
        """End: the token has ended, or is not good any more."""
        self.fail(error)

    def change(self, lease: Lease) -> None:
        """Go on: what is heard from now on is what the caller may hear now."""

    def wake(self) -> None:
        """Hear that there is more."""
        self._woken.set()

    def prompt(self) -> None:
        """Have a page come at once, a heartbeat if there is nothing to tell."""
        self._greeted = False
        self._woken.set()

    def fail(self, error: TicketSyncError) -> None:
        """End the watch; the first reason counts."""
        self._failure = self._failure or error
        self._woken.set()

    def end(self) -> None:
        """Have the pages end: who watches has gone."""
        self._ended = True
        self._woken.set()

    def close(self) -> None:
        """Leave; whoever began a watch ends it so."""
        self._events.leases.drop(self._lease)
        self._events.forget(self)

    def __aiter__(self) -> "Watch":
        return self

    async def __anext__(self) -> Page:
        """Wait for the next page.

        Raises:
            TicketSyncError: why the watch has ended.
            StopAsyncIteration: who watches has gone.

        """
        clock = asyncio.get_running_loop().time
        beat_s = clock() + HEARTBEAT_S
        while True:
            self._woken.clear()
            before = self.position
            page = await self.look()
            if page.events or not self._greeted or clock() >= beat_s:
                self._greeted = True
                return page
            if page.position == before:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(beat_s):
                        await self._woken.wait()

    async def look(self) -> Page:
        """Return what there is now, perhaps nothing, and go on behind it; raises as `__anext__`."""
        self.check()
        try:
            page = await self._events.page(self.principal, self.position)
        except StoreUnavailable as error:
            raise Unavailable("The events could not be read.", advice="Resume from the last position.") from error
        self.check()
        self.position = page.position
        return page

    def check(self) -> None:
        """Raise what has ended the watch, if anything has; as `__anext__`."""
        if self._ended:
            raise StopAsyncIteration
        if self._failure is not None:
            raise self._failure


def _reached(after: Position | None, newest: Position) -> Position:
    if after is not None and after > newest:
        raise PreconditionUnknown(
            f"There is no position {after} yet; the newest is {newest}.",
            code="position_unknown",
            advice="Start anew: list the tickets, and watch from the position of that answer.",
        )
    return newest if after is None else after


def as_told(row: StoredEvent) -> Told:
    """Write a stored event as every wire gives it."""
    text = cloudevents.encode(
        position=row.position,
        type_=row.type,
        ticket=row.ticket,
        data=row.data,
        at_ms=row.at_ms,
        traceparent=row.traceparent,
    )
    return Told(row.position, row.type, row.ticket, row.audience, text)

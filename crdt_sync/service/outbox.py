"""Gives gateways what is to be sent, under leases, and hears what became of it. Knows no platform.

The store's rows are the truth: who claims reads them. A commit after which something may be sent wakes all who wait,
and so does the time at which a lease lapses or a retry is due.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

from crdt_sync.domain import access, message
from crdt_sync.domain.access import Principal
from crdt_sync.domain.delivery import DeliveryState, Window
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import ActorId, TicketId
from crdt_sync.domain.message import Message
from crdt_sync.domain.service_desk import NO_DESK, ServiceDesk
from crdt_sync.errors import TicketSyncError, TooMany, Unavailable
from crdt_sync.ports import Clock, Ids, Store, StoreUnavailable
from crdt_sync.ports.meter import Meter, OutboxLevels
from crdt_sync.ports.outbox import Claim, OutboxFilter, StoredDelivery
from crdt_sync.service.committer import Committer
from crdt_sync.service.heard import UNHEARD, Heard, Told, told_of
from crdt_sync.service.joining import WAITING_MAX, Join, waiting
from crdt_sync.service.leases import Lease, Leases
from crdt_sync.service.outbox_counts import OutboxCounts
from crdt_sync.service.sending import Bury, Report, TakeReport, is_held
from crdt_sync.wire.status import Wire

LEASE_MS = 30_000  # a part is sent within seconds; a gateway that died keeps nobody waiting for longer
LOOK_S = 2.0  # how late it may be noticed what another node or an operator has changed
TEND_MS = 15_000  # Prometheus seldom asks more often
KEPT_DAYS = 30  # longer than any platform tells that something was read
PRUNED_AT_ONCE = 5_000  # rows, some 20 ms of the one who writes; 300 answers a second go as they come
IN_FLIGHT_MAX = 1_000  # leases of one claimer at once, some kilobytes each
CLAIMERS_PER_CALLER_MAX = 20  # a few processes under one token, each of which has not noticed yet that it lost another

_log = structlog.get_logger(__name__)


class Outbox:
    """Every claimer of this process."""

    def __init__(
        self,
        store: Store,
        leases: Leases,
        clock: Clock,
        ids: Ids,
        meter: Meter,
        *,
        service_desk: ServiceDesk = NO_DESK,
        kept_days: int = KEPT_DAYS,
    ) -> None:
        self._store = store
        self._meter = meter
        self._kept_ms = kept_days * 86_400_000
        self._counts = OutboxCounts(store, clock)
        self._tended_ms: int | None = None
        self._service_desk = service_desk
        self.leases = leases
        self.clock = clock
        self._ids = ids
        self._claimers: dict[str, Claiming] = {}
        self._committer: Committer | None = None
        self._task: asyncio.Task[None] | None = None
        self._failure: TicketSyncError | None = None

    def start(self, committer: Committer) -> None:
        """Begin to look after what operators dropped; reports are committed there."""
        self._committer = committer
        self._task = asyncio.get_running_loop().create_task(self._keep_looking(), name="outbox")

    async def stop(self) -> None:
        """End every claim; who claims comes back."""
        self._failure = Unavailable("The service is stopping.", code="stopping", advice="Claim again in a moment.")
        for claiming in self._claimers.values():
            claiming.fail(self._failure)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def notice(self) -> None:
        """Hear that something may be sent."""
        self._counts.moved()
        self._wake()

    def _wake(self) -> None:
        for claiming in self._claimers.values():
            claiming.wake()

    def claim(
        self,
        identity: Identity,
        *,
        accounts: Sequence[str],
        idempotent: Sequence[str],
        in_flight_max: int,
    ) -> "Claiming":
        """Begin to claim, for these accounts or for all that the token names.

        Raises:
            Forbidden: the caller is no gateway, may not write, or its token does not name an account.
            TooMany: this caller claims too often.
            Unavailable: the service is stopping.

        """
        if self._failure is not None:
            raise self._failure
        principal = identity.principal
        denial = access.send(principal, accounts)
        if denial is not None:
            raise denial.error()
        callers = Counter(claiming.actor for claiming in self._claimers.values())
        if callers[principal.actor] >= CLAIMERS_PER_CALLER_MAX:
            raise TooMany("This caller claims too often.", code="claimers", advice="End another claim first.")
        wanted = tuple(accounts) or principal.accounts
        in_flight = min(in_flight_max or IN_FLIGHT_MAX, IN_FLIGHT_MAX)
        owner = f"{principal.actor}/{self._ids.uuid7()}"
        claiming = Claiming(self, identity, owner, wanted, tuple(idempotent), in_flight)
        self._claimers[owner] = claiming
        return claiming

    async def report(self, principal: Principal, report: Report) -> StoredDelivery:
        """Write down what became of a part, and return it as it stands then.

        Raises:
            Forbidden: the caller is no gateway, or may not write.
            NotFound: there is no such part for this caller.
            Conflict: the lease is another's by now (`lease_lost`), or was over before (`lease_lapsed`).
            Unavailable: it was not written down; the same report may be made again.

        """
        denial = access.send(principal, ())
        if denial is not None:
            raise denial.error()
        assert self._committer is not None, "the service was started"
        taking = TakeReport(principal, report, LEASE_MS)
        self._committer.enqueue(taking)
        row = await taking.outcome
        self._counts.moved()
        if taking.settles:
            self._meter.settled(row.state)
        claiming = self._claimers.get(row.owner)
        if claiming is not None:
            claiming.heard(row)
        return row

    async def lease(self, claiming: "Claiming", limit: int) -> tuple[Sequence[StoredDelivery], int | None]:
        """Lease what may be sent now, and say when more may be."""
        now_ms = self.clock.now_ms()
        accounts = tuple(one for one in claiming.accounts if one in claiming.principal.accounts)
        asked = Claim(claiming.owner, accounts, claiming.idempotent, now_ms, now_ms + LEASE_MS, limit)
        try:
            claimed = await self._store.claim(asked)
        except StoreUnavailable as error:
            raise Unavailable("What is to be sent could not be read.", advice="Claim again in a moment.") from error
        if claimed.rows:
            self._counts.moved()
        return claimed.rows, claimed.next_ms

    async def joined(self, row: StoredDelivery) -> StoredDelivery | None:
        """Have a notice to a group take along what waits behind it; None if its lease has gone meanwhile.

        One that was leased before leaves as it is: what its platform may know of it is not to change. What leaves is
        what is stored, whatever the job says: a commit may pass though its answer is lost. Raises `Unavailable`.
        """
        group = self._service_desk.groups.bound(row.account, row.conversation) if row.is_notice else None
        if group is None or row.attempts > 1:
            return row
        assert self._committer is not None, "the service was started"
        joining = Join(group, row, self._meter)
        self._committer.enqueue(joining)
        await joining.over.wait()
        try:
            stored = await self._store.delivery(row.id)
        except StoreUnavailable as error:
            raise Unavailable("What is to be sent could not be read.", advice="Claim again in a moment.") from error
        return stored if is_held(stored, row) else None

    async def heard(self, ticket: TicketId) -> Heard:
        """Return when the customer last wrote, and what became of the parts since. Raises `StoreUnavailable`."""
        told = (await told_of(self._store, [ticket])).get(ticket)
        return told.heard if told is not None else UNHEARD

    async def told(self, rows: Sequence[StoredDelivery]) -> Mapping[str, tuple[Heard, str]]:
        """Return by their ids what is told with parts: of their conversations, and who wrote them by the name in use.

        Of a notice to a group nothing is a customer's to know, nor theirs to be told.

        Raises:
            Unavailable: it could not be read.

        """
        parts = [row for row in rows if not row.is_notice]
        try:
            told = await told_of(self._store, {row.ticket for row in parts})
            authors = [await self._author(row, told.get(row.ticket)) for row in parts]
        except StoreUnavailable as error:
            raise Unavailable("What is to be sent could not be read.", advice="Claim again in a moment.") from error
        named = {row.id: self._service_desk.name_of(author) for row, author in zip(parts, authors, strict=True)}
        return {row.id: (told[row.ticket].heard, named[row.id]) for row in parts if row.ticket in told}

    async def keep_windows(self, claiming: "Claiming", accounts: Sequence[str], windows: Mapping[str, Window]) -> None:
        """Keep what the platforms of the claimed accounts allow: whoever shows it may be another node.

        One of `accounts` without a window has none any more. Of an account that neither names, nothing is said: another
        gateway may look after it.

        Raises:
            Unavailable: it was not kept.

        """
        try:
            for account in sorted({*accounts, *windows} & {*claiming.accounts}):
                if await self._store.window(account) != windows.get(account):
                    await self._store.keep_window(account, windows.get(account))
        except StoreUnavailable as error:
            raise Unavailable("What platforms allow was not kept.", advice="Claim again in a moment.") from error

    async def _author(self, row: StoredDelivery, told: Told | None) -> str:
        """Return who wrote an answer; one that is older than what was read is looked for."""
        if told is not None and row.message in told.authors:
            return told.authors[row.message]
        stored = await self._store.message(row.message)
        posted = message.decode(stored.record.encode()) if stored is not None else None
        return posted.author if isinstance(posted, Message) else ""

    async def forget(self, claiming: "Claiming") -> None:
        """Drop a claimer that has ended, and give back what it has not begun."""
        if self._claimers.pop(claiming.owner, None) is None:
            return
        self.leases.drop(claiming.lease)
        if not claiming.in_flight:
            return
        try:
            await self._store.release(claiming.owner)
        except StoreUnavailable as error:
            _log.warning("leases not given back", reason=str(error))  # they lapse
        self.notice()

    async def look(self) -> None:
        """Show on tickets what operators dropped, bound what waits for groups, and have everybody look for changes.

        A notice that may have been sent is given up: its group can do without one sooner than without all others. The
        end of which a customer hears is not: it goes where a second send is known.
        """
        assert self._committer is not None, "it was started with one"
        try:
            dropped = await self._store.deliveries(OutboxFilter(state=DeliveryState.DROPPED))
            doubtful = await self._store.deliveries(OutboxFilter(state=DeliveryState.UNKNOWN, notices=True))
            given_up = [row for row in doubtful if json.loads(row.content)["type"] != "event"]
            for row in (*dropped, *given_up):
                self._committer.enqueue(Bury(row, self._meter.settled))
            for group in self._service_desk.groups.groups:
                if len(await self._store.deliveries(waiting(group), limit=WAITING_MAX + 1)) > WAITING_MAX:
                    self._committer.enqueue(Join(group, None, self._meter))
        except StoreUnavailable as error:
            _log.warning("outbox not read", reason=str(error))
        self._wake()

    async def tend(self) -> None:
        """Now and then count what is to be sent, if that may have changed, and forget what was settled long ago."""
        now_ms = self.clock.now_ms()
        if self._tended_ms is not None and 0 <= now_ms - self._tended_ms < TEND_MS:
            return
        self._tended_ms = now_ms
        try:
            await self._counts.count()
            await self._store.prune_deliveries(now_ms - self._kept_ms, limit=PRUNED_AT_ONCE)
        except StoreUnavailable as error:
            _log.warning("outbox not tended", reason=str(error))

    def levels(self) -> OutboxLevels:
        """Return what there was to be sent some seconds ago at most, and how old the oldest of it is now."""
        return self._counts.levels()

    async def _keep_looking(self) -> None:
        while True:
            try:
                await self.look()
                await self.tend()
            except Exception:  # noqa: BLE001 - the task's boundary: nobody would look any more until a restart
                _log.exception("outbox not looked after")
            await asyncio.sleep(LOOK_S)


class Claiming:
    """One claimer: an asynchronous iterator of leased parts, each at once, while fewer than it wants are in flight."""

    wire: Wire = "grpc"

    def __init__(
        self,
        outbox: Outbox,
        identity: Identity,
        owner: str,
        accounts: tuple[str, ...],
        idempotent: tuple[str, ...],
        in_flight_max: int,
    ) -> None:
        self.owner = owner
        self.actor: ActorId = identity.principal.actor
        self.accounts = accounts
        self.idempotent = idempotent
        self.in_flight: dict[str, int] = {}  # when the lease of each lapses
        self.lease = outbox.leases.hold(identity, self)
        self._outbox = outbox
        self._in_flight_max = in_flight_max
        self._ready: deque[StoredDelivery] = deque()
        self._told: dict[str, tuple[Heard, str]] = {}  # of what is ready
        self._woken = asyncio.Event()
        self._failure: TicketSyncError | None = None

    @property
    def principal(self) -> Principal:
        """Who claims, as is known now."""
        return self.lease.identity.principal

    def heard(self, row: StoredDelivery) -> None:
        """Hear what became of a part that was given out."""
        if row.state is DeliveryState.SENDING:
            self.in_flight[row.id] = row.due_ms
        else:
            self.in_flight.pop(row.id, None)
            self.wake()

    def told(self, row: StoredDelivery) -> tuple[Heard, str]:
        """Return, once, what is told with a part that was given out: what was heard, and its author's name."""
        return self._told.pop(row.id, (UNHEARD, ""))

    def wake(self) -> None:
        """Hear that there may be more."""
        self._woken.set()

    def ask_token(self, lease: Lease) -> bool:  # noqa: ARG002 (it has one)
        """Claims are not renewed: who comes back with a fresh token loses nothing."""
        return False

    def lose(self, lease: Lease, error: TicketSyncError) -> None:  # noqa: ARG002 (as above)
        """End: the token has ended, or is not good any more."""
        self.fail(error)

    def change(self, lease: Lease) -> None:
        """Go on: each look asks anew what the caller may have."""

    def fail(self, error: TicketSyncError) -> None:
        """End with a reason; the first counts."""
        self._failure = self._failure or error
        self._woken.set()

    async def close(self) -> None:
        """Leave; whoever began to claim ends it so."""
        await self._outbox.forget(self)

    def __aiter__(self) -> "Claiming":
        return self

    async def __anext__(self) -> StoredDelivery:
        """Wait for the next part.

        Raises:
            TicketSyncError: why the claim has ended.

        """
        while True:
            self._woken.clear()
            if self._failure is not None:
                raise self._failure
            if self._ready:
                return self._ready.popleft()
            next_ms = await self._fetch()
            if not self._ready:
                await self._rest(next_ms)

    async def _fetch(self) -> int | None:
        """Lease as many as there is room for; say when there may be more."""
        now_ms = self._outbox.clock.now_ms()
        self.in_flight = {id_: due_ms for id_, due_ms in self.in_flight.items() if due_ms > now_ms}
        room = self._in_flight_max - len(self.in_flight)
        if room <= 0:
            return min(self.in_flight.values())
        rows, next_ms = await self._outbox.lease(self, room)
        self.in_flight |= {row.id: row.due_ms for row in rows}
        joined = await asyncio.gather(*map(self._outbox.joined, rows))
        ready = [row for row in joined if row is not None]
        self._told |= await self._outbox.told(ready)
        self._ready.extend(ready)
        return next_ms

    async def _rest(self, next_ms: int | None) -> None:
        delay_s = None if next_ms is None else max(0, next_ms - self._outbox.clock.now_ms()) / 1000
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._woken.wait()

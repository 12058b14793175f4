"""What open connections were given for their tokens, and when that ends: the same for every wire. Closes nothing.

One task looks after all of them, so that a connection costs no timer. A token that has ended is asked for where the
wire has a word for it; who brings none in time, and who cannot be asked, loses what the token was good for.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

import structlog

from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import ActorId, Department
from crdt_sync.errors import Forbidden, Malformed, TicketSyncError, Unauthenticated, Unavailable
from crdt_sync.ports import Clock, StoreUnavailable
from crdt_sync.service.standing import Standing
from crdt_sync.wire import limits
from crdt_sync.wire.status import Wire

LOOK_S = 1.0  # how late the end of a token, or what an operator has changed, may be noticed

_log = structlog.get_logger(__name__)


class Holder(Protocol):
    """Who holds leases: a connection, a stream."""

    @property
    def wire(self) -> Wire:
        """What it speaks."""
        ...

    def ask_token(self, lease: "Lease") -> bool:
        """Ask for a token in place of the lease's; False if this wire has no word for it."""
        ...

    def lose(self, lease: "Lease", error: TicketSyncError) -> None:
        """End everything that the lease was good for."""
        ...

    def change(self, lease: "Lease") -> None:
        """Look again at what the lease is good for: its principal is another now."""
        ...


class KeyRing(Protocol):
    """The keys that tokens are verified with."""

    async def known(self) -> frozenset[str]:
        """Return what names each key that is good now.

        Raises:
            Unavailable: that cannot be said now.

        """
        ...


class Lease:
    """What one token is good for. `key` is the holder's name for it."""

    __slots__ = ("grace_ends_ms", "holder", "identity", "key")

    def __init__(self, identity: Identity, holder: Holder, key: str) -> None:
        self.identity = identity
        self.holder = holder
        self.key = key
        self.grace_ends_ms: int | None = None  # while a token is asked for


class Leases:
    """Every lease of this process."""

    def __init__(self, clock: Clock, standing: Standing, keys: KeyRing | None = None) -> None:
        self._clock = clock
        self._standing = standing
        self._keys = keys
        self._leases: set[Lease] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to look."""
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(_every_look(each), name="leases") for each in (self._look, self.follow, self.follow_keys)
        ]

    async def stop(self) -> None:
        """End; leases last for ever."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hold(self, identity: Identity, holder: Holder, key: str = "") -> Lease:
        """Give a lease; whoever takes it drops it when it ends by itself."""
        lease = Lease(identity, holder, key)
        self._leases.add(lease)
        return lease

    def check(self, identity: Identity) -> Identity:
        """Return what is left now to somebody who was known a while ago.

        Raises:
            Unauthenticated: the token has ended, or everything was taken from its holder.

        """
        if identity.expires_at_ms is not None and identity.expires_at_ms <= self._clock.now_ms():
            raise _expired()
        return self._standing.judge(identity)

    def connected(self, department: Department) -> dict[ActorId, Counter[Wire]]:
        """Say who of a department is connected to this process, and how often by which wire; ask seldom.

        Whoever subscribed for another system is not there by that.
        """
        found: dict[ActorId, Counter[Wire]] = {}
        holders = {lease.holder: lease.identity.principal for lease in self._leases}
        for holder, principal in holders.items():
            if principal.department == department and holder.wire != "webhook":
                found.setdefault(principal.actor, Counter())[holder.wire] += 1
        return found

    def drop(self, lease: Lease) -> None:
        """Forget a lease."""
        self._leases.discard(lease)

    def renew(self, lease: Lease, identity: Identity) -> None:
        """Let a lease be of another token of the same actor and department, which may say more or less.

        Raises:
            Forbidden: it is somebody else's token, who needs another connection.

        """
        before, after = lease.identity.principal, identity.principal
        if (before.actor, before.department) != (after.actor, after.department):
            raise Forbidden("The new token is not the old one's.", code="token_changed", advice="Connect anew with it.")
        lease.identity = identity
        lease.grace_ends_ms = None
        if after != before:
            lease.holder.change(lease)

    def look(self) -> None:
        """Ask for what has ended, and take back what nobody has renewed in time."""
        now_ms = self._clock.now_ms()
        for lease in list(self._leases):
            ends_at_ms = lease.identity.expires_at_ms
            if ends_at_ms is not None and ends_at_ms <= now_ms:
                self._guarded(partial(self._end, now_ms=now_ms), lease)

    def _end(self, lease: Lease, now_ms: int) -> None:
        if lease.grace_ends_ms is None and lease.holder.ask_token(lease):
            lease.grace_ends_ms = now_ms + limits.TOKEN_GRACE_S * 1000
        elif lease.grace_ends_ms is None or lease.grace_ends_ms <= now_ms:
            self._take_back(lease, _expired())

    def judge(self) -> None:
        """Judge every lease anew: something was taken from somebody, or given back."""
        for lease in list(self._leases):
            self._guarded(self._judge, lease)

    def _guarded(self, look: Callable[[Lease], None], lease: Lease) -> None:
        """Look at a lease, unless its holder has ended with another one just now."""
        if lease in self._leases:
            try:
                look(lease)
            except Exception:  # noqa: BLE001 (the boundary of its holder: nobody else is disturbed)
                _log.exception("looking after a token failed")

    def _judge(self, lease: Lease) -> None:
        before = lease.identity.principal
        try:
            lease.identity = self._standing.judge(lease.identity)
        except Unauthenticated as error:
            self._take_back(lease, error)
            return
        if lease.identity.principal != before:
            lease.holder.change(lease)

    async def _look(self) -> None:
        self.look()

    async def follow(self) -> None:
        """Ask the store what operators have changed: one question a second for the whole process, and at a sign-in."""
        try:
            changed = await self._standing.refresh()
        except StoreUnavailable as error:
            _log.warning("restrictions not read", reason=str(error))
            return
        if changed:
            self.judge()

    async def follow_keys(self) -> None:
        """Take back what tokens of withdrawn keys are good for."""
        if self._keys is None:
            return
        try:
            known = await self._keys.known()
        except (Unavailable, Malformed) as error:  # an issuer that is away has withdrawn nothing
            _log.warning("keys not read", reason=str(error))
            return
        for lease in [lease for lease in self._leases if lease.identity.key and lease.identity.key not in known]:
            self._guarded(partial(self._take_back, error=_withdrawn()), lease)

    def _take_back(self, lease: Lease, error: TicketSyncError) -> None:
        self.drop(lease)
        lease.holder.lose(lease, error)


async def _every_look(look: Callable[[], Awaitable[None]]) -> None:
    """Look again and again. A fault of ours ends one look, and not those that come."""
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            await look()
        except Exception:  # noqa: BLE001 (the boundary of a task that nobody waits for)
            _log.exception("looking after tokens failed")


def _withdrawn() -> Unauthenticated:
    return Unauthenticated("The key of this token was withdrawn.", code="key_withdrawn", advice="Sign in again.")


def _expired() -> Unauthenticated:
    return Unauthenticated("The token has expired.", code="session_expired", advice="Connect again with a new one.")

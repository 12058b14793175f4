"""How often one may come: a rate of handshakes for each address, a sharper one for each person, and one of requests.

An address may be a whole office, which comes back at once when the service was restarted; a person has a few screens.
Who is known by a token that was found good before counts for himself alone: he is refused before anything is done for
him, and takes nothing from those behind his address. Attempts at a password have rates of their own, by address and by
name; one that was right counts as none.
"""

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from ipaddress import AddressValueError, IPv6Address
from typing import Generic, Literal, TypeVar

from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import ActorId, Department
from crdt_sync.errors import TicketSyncError, TooMany
from crdt_sync.wire import limits

SECOND_NS = 1_000_000_000
KEYS_MAX = 10_000  # of each kind, some 2 MB; who is forgotten begins anew

What = Literal["handshakes", "requests", "sign_ins"]  # requests are those of REST and the unary calls of gRPC
Actor = tuple[ActorId, Department]
_K = TypeVar("_K")
_V = TypeVar("_V")


class TooOften(TooMany):
    """Somebody comes too often; there is room for him again in `retry_after_s`."""

    def __init__(self, what: What, retry_after_s: int) -> None:
        super().__init__(
            f"Too many {what.replace('_', '-')} in a short time.",
            code=f"too_many_{what}",
            advice="Come back more slowly.",
        )
        self.retry_after_s = retry_after_s


class HandshakeRate:
    """Counts handshakes and requests. `now_ns` tells a time that never goes back."""

    def __init__(self, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._sources = Buckets[str](limits.SOURCE_HANDSHAKES_MAX, limits.SOURCE_HANDSHAKES_PER_S_MAX, now_ns)
        self._attempts = (
            Buckets[str](limits.SOURCE_SIGN_INS_MAX, limits.SOURCE_SIGN_INS_PER_S_MAX, now_ns),
            Buckets[str](limits.NAME_SIGN_INS_MAX, limits.NAME_SIGN_INS_PER_S_MAX, now_ns),
        )
        self._actors: dict[What, Buckets[Actor]] = {
            "handshakes": Buckets(limits.ACTOR_HANDSHAKES_MAX, limits.ACTOR_HANDSHAKES_PER_S_MAX, now_ns),
            "requests": Buckets(limits.ACTOR_REQUESTS_MAX, limits.ACTOR_REQUESTS_PER_S_MAX, now_ns),
        }
        self._known = Newest[bytes, Actor]()

    def arrive(self, source: str, token: str | None = None, what: What = "handshakes") -> None:
        """Count who comes from an address before his token is judged, unless it was good the last time.

        Raises:
            TooOften: it is one too many for the address, or for whom the token names.

        """
        actor = self._known.get(_digest(token)) if token else None
        if actor is None:
            self._sources.take(_household(source), what)
        else:
            self._actors[what].check(actor, what)

    def excuse(self, source: str) -> None:
        """Count for an address no more who came from it without a token, and has brought a good one since."""
        self._sources.give_back(_household(source))

    def attempt(self, source: str, name: str) -> None:
        """Count an attempt to sign in as `name`, whether or not there is such a person.

        Raises:
            TooOften: it is one too many for the address, or for the name.

        """
        keys = _household(source), name
        for buckets, key in zip(self._attempts, keys, strict=True):
            buckets.check(key, "sign_ins")
        for buckets, key in zip(self._attempts, keys, strict=True):
            buckets.take(key, "sign_ins")

    def succeeded(self, source: str, name: str) -> None:
        """Count an attempt no more: it was right."""
        for buckets, key in zip(self._attempts, (_household(source), name), strict=True):
            buckets.give_back(key)

    async def judged(
        self, judging: Awaitable[Identity], token: str | None = None, what: What = "handshakes"
    ) -> Identity:
        """Return who came, and count him; `token` is the handshake's, none if it came later.

        Raises:
            TooOften: it is one too many.
            TicketSyncError: it was judged so; the token is not known any more.

        """
        try:
            identity = await judging
        except TicketSyncError:
            if token:
                self._known.forget(_digest(token))
            raise
        self.enter(identity, token, what)
        return identity

    def enter(self, identity: Identity, token: str | None = None, what: What = "handshakes") -> None:
        """Count somebody who was judged, and know him by his token from now on.

        Raises:
            TooOften: it is one too many.

        """
        principal = identity.principal
        if not principal.department:
            return  # without tokens everybody is the same stranger
        actor = (principal.actor, principal.department)
        if what == "handshakes" or not principal.is_gateway:  # a gateway calls for all its customers
            self._actors[what].take(actor, what)
        if token:
            self._known.put(_digest(token), actor)


class Newest(Generic[_K, _V]):
    """A mapping that keeps the `KEYS_MAX` that were put last."""

    def __init__(self) -> None:
        self._held: OrderedDict[_K, _V] = OrderedDict()

    def get(self, key: _K) -> _V | None:
        """Return what was put there, if it is still kept."""
        return self._held.get(key)

    def put(self, key: _K, value: _V) -> None:
        """Put it there."""
        self._held[key] = value
        self._held.move_to_end(key)
        if len(self._held) > KEYS_MAX:
            self._held.popitem(last=False)

    def forget(self, key: _K) -> None:
        """Keep nothing there."""
        self._held.pop(key, None)


class Buckets(Generic[_K]):
    """A token bucket a key: `capacity` at once, and `per_s` more each second. Kept is when each will be full again."""

    def __init__(self, capacity: int, per_s: float, now_ns: Callable[[], int]) -> None:
        self._each_ns = int(SECOND_NS / per_s)
        self._capacity_ns = capacity * self._each_ns
        self._now_ns = now_ns
        self._full_at_ns = Newest[_K, int]()

    def check(self, key: _K, what: What) -> None:
        """See that there is one to take.

        Raises:
            TooOften: there is none.

        """
        wait_ns = self._missing_ns(key) + self._each_ns - self._capacity_ns
        if wait_ns > 0:
            raise TooOften(what, math.ceil(wait_ns / SECOND_NS))

    def take(self, key: _K, what: What) -> None:
        """Take one.

        Raises:
            TooOften: there is none.

        """
        self.check(key, what)
        self._full_at_ns.put(key, self._now_ns() + self._missing_ns(key) + self._each_ns)

    def give_back(self, key: _K) -> None:
        """Put one back."""
        full_at_ns = self._full_at_ns.get(key)
        if full_at_ns is not None:
            self._full_at_ns.put(key, full_at_ns - self._each_ns)

    def _missing_ns(self, key: _K) -> int:
        return max(0, (self._full_at_ns.get(key) or 0) - self._now_ns())


def _household(source: str) -> str:
    """Return whom an address belongs to: one subscriber has 2**64 addresses of IPv6 (RFC 6177), and one of IPv4."""
    if ":" not in source:
        return source
    try:
        address = IPv6Address(source)
    except AddressValueError:
        return source  # a proxy of this machine may call its clients what it likes
    return str(address.ipv4_mapped or f"{int(address) >> 64:x}/64")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()

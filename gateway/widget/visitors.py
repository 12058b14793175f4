"""Which sockets of which visitors are open, how often each may speak, and the sender that brings them answers.

A socket holds no queue: it is a cursor over its visitor's log, and is woken when that grows. So a slow reader holds
nothing here, and several tabs see the same in the same order.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from crdt_sync.errors import Unavailable
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery
from gateway.outbound import Dead, Limits, Outcome, RetryLater, Sent
from gateway.ports import Clock
from gateway.rates import Buckets
from gateway.visitor_log import VisitorLog
from gateway.widget.entries import entry_of
from gateway.widget.limits import VisitorLimits

Conversation = tuple[str, str]  # the account, and the visitor


class Visitors:
    """The open sockets of one gateway."""

    def __init__(self, clock: Clock, limits: VisitorLimits) -> None:
        self._clock = clock
        self.limits = limits
        self._open: dict[Conversation, list[asyncio.Event]] = {}
        self._held: Counter[str] = Counter()  # sockets of each source
        self.handshakes = Buckets(limits.handshakes.rate)
        self.newcomers = Buckets(limits.newcomers.rate)
        self._messages = Buckets(limits.messages.rate)
        self._addresses = Buckets(limits.address_messages.rate)
        self._pictures = Buckets(limits.pictures.rate)
        self._address_pictures = Buckets(limits.address_pictures.rate)
        self.stopping = False

    @contextmanager
    def arrive(self, source: str) -> Iterator[None]:
        """Count a socket for as long as it lasts; raises `Unavailable` where there is no room, or at a stop."""
        full = self._held.total() >= self.limits.sockets_max or self._held[source] >= self.limits.address_sockets_max
        if full or self.stopping:
            raise Unavailable("There is no room for another socket.", code="full")
        self._held[source] += 1
        try:
            yield
        finally:
            self._held[source] -= 1
            if not self._held[source]:
                del self._held[source]

    @contextmanager
    def enter(self, conversation: Conversation) -> Iterator[asyncio.Event]:
        """Set the event whenever the visitor's log has grown; raises `Unavailable` where he has too many sockets."""
        sockets = self._open.setdefault(conversation, [])
        if len(sockets) >= self.limits.tabs_max:
            raise Unavailable("There is no room for another socket of this visitor.", code="full")
        woken = asyncio.Event()
        sockets.append(woken)
        try:
            yield woken
        finally:
            sockets.remove(woken)
            if not sockets:
                del self._open[conversation]

    def wake(self, conversation: Conversation) -> None:
        """The log of this visitor has grown."""
        for woken in self._open.get(conversation, ()):
            woken.set()

    def stop(self) -> None:
        """Have every socket end."""
        self.stopping = True
        for conversation in self._open:
            self.wake(conversation)

    def start(self) -> None:
        """Take sockets again."""
        self.stopping = False

    def message_wait_ms(self, visitor: str, source: str) -> int:
        """How long until the visitor may say something more; 0 takes the tokens for it."""
        now_ms = self._clock.now_ms()
        wait_ms = max(self._messages.wait_ms(visitor, now_ms), self._addresses.wait_ms(source, now_ms))
        if not wait_ms:
            self._messages.take(visitor, now_ms)
            self._addresses.take(source, now_ms)
        return wait_ms

    def admits_picture(self, visitor: str, source: str) -> bool:
        """Whether a visitor may bring a picture now, which is counted then."""
        return self.admits(self._address_pictures, source) and self.admits(self._pictures, visitor)

    def admits(self, buckets: Buckets, name: str) -> bool:
        """Take a token, if there is one."""
        now_ms = self._clock.now_ms()
        if buckets.wait_ms(name, now_ms):
            return False
        buckets.take(name, now_ms)
        return True


class WidgetSender:
    """Answers visitors of one site: an answer is sent once it stands in the visitor's log. That happens once."""

    has_idempotency = True
    limits = Limits()

    def __init__(self, account: str, log: VisitorLog, visitors: Visitors, clock: Clock) -> None:
        self.account = account
        self._log = log
        self._visitors = visitors
        self._clock = clock

    async def send(self, delivery: Delivery) -> Outcome:
        """Append it, and wake the visitor's sockets. The service knows it by our own id in what a visitor reads."""
        entry = entry_of(delivery, now_ms=self._clock.now_ms())
        if entry is None:
            return Dead("unsupported_part")
        try:
            await self._log.append(self.account, delivery.conversation, delivery.id, entry)
        except Unavailable:
            return RetryLater("store")
        self._visitors.wake((self.account, delivery.conversation))
        return Sent(delivery.id)

    async def close(self) -> None:
        """Nothing of its own."""


def source_of(address: str) -> str:
    """What is counted as one address: all of IPv4, and of IPv6 the /64 that one line is given."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else ":".join(parsed.exploded.split(":")[:4])

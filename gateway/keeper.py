"""Takes verified callbacks into the inbox, however they came: by a platform's POST, by a pull, or on a stream.

Owns what goes with each row: when it came, the beginning of its trace, and the counts. Never verifies anything.
"""

from collections.abc import Sequence

import structlog

from gateway.arrivals import Arrival, Kept, arrival_of
from gateway.channels.base import Callback
from gateway.counts import Counts
from gateway.forwarder import Forwarder
from gateway.inbox import Inbox, Pulled
from gateway.ports import Chance, Clock

_COUNTED = {
    Kept.NEW: "callback.accepted",
    Kept.DUPLICATE: "callback.duplicate",
    Kept.SUSPECTED: "callback.suspected_duplicate",
}

_log = structlog.get_logger(__name__)


class Keeper:
    """The way into the inbox."""

    def __init__(self, inbox: Inbox, forwarder: Forwarder, *, clock: Clock, chance: Chance, counts: Counts) -> None:
        self._inbox = inbox
        self._forwarder = forwarder
        self._clock = clock
        self._chance = chance
        self._counts = counts

    async def keep(self, account: str, callback: Callback) -> Kept:
        """Return after the commit that holds it, and whether that is this one; raises `Unavailable`."""
        kept = await self._inbox.keep(self._arrival(account, callback))
        self._tell(account, callback, kept)
        return kept

    async def keep_page(self, callbacks: Sequence[Callback], pulled: Pulled) -> None:
        """Return after the one commit that holds them all and how far they go; raises `Unavailable`."""
        arrivals = [self._arrival(pulled.account, callback) for callback in callbacks]
        for callback, kept in zip(callbacks, await self._inbox.keep_page(arrivals, pulled), strict=True):
            self._tell(pulled.account, callback, kept)

    def _tell(self, account: str, callback: Callback, kept: Kept) -> None:
        self._counts.add(_COUNTED[kept])
        if kept is Kept.SUSPECTED:
            _log.warning("callback set aside, perhaps a duplicate", account=account)
        elif callback.code is not None:
            _log.warning("callback set aside unread", account=account, code=callback.code)
            self._counts.add("callback.dead")
            self._counts.add(f"callback.dead.{account}")
        elif kept is Kept.NEW:
            self._forwarder.wake()

    def _arrival(self, account: str, callback: Callback) -> Arrival:
        # The trace begins here: what a platform might send under this name is not ours.
        traceparent = f"00-{self._chance.octets(16).hex()}-{self._chance.octets(8).hex()}-01"
        return arrival_of(account, callback, received_at_ms=self._clock.now_ms(), traceparent=traceparent)

"""The tokens of one connection, and until when they hold. Closes nothing itself."""

import asyncio
from collections.abc import Callable, Mapping

from crdt_sync.domain.access import Principal
from crdt_sync.ports import Clock
from crdt_sync.server.auth import Authenticator, Identity

LOOK_AGAIN_S = 3600.0  # clocks are set and machines sleep, so no timer is trusted for longer


class SessionTokens:
    """Verifies what a connection presents, and calls `expired` once the first of its tokens has ended."""

    def __init__(
        self, authenticator: Authenticator, headers: Mapping[str, str], clock: Clock, expired: Callable[[], None]
    ) -> None:
        self._authenticator = authenticator
        self._headers = headers
        self._clock = clock
        self._expired = expired
        self._ends_at_ms: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.any = False  # a token was good

    async def verify(self, token: str | None) -> Identity:
        """Return who presents `token`, without holding the connection to it.

        Raises:
            Unauthenticated, Forbidden, Unavailable: as `Authenticator.authenticate`.

        """
        return await self._authenticator.authenticate(token or None, self._headers)

    async def authenticate(self, token: str | None) -> Principal:
        """Return who presents `token`; from now on the connection ends with it, if it ends before the others."""
        identity = await self.verify(token)
        ends = [each for each in (identity.expires_at_ms, self._ends_at_ms) if each is not None]
        self.hold(min(ends, default=None))
        return identity.principal

    def hold(self, ends_at_ms: int | None) -> None:
        """Let the connection end then, in place of what was known; None: never."""
        self.any = True
        self._ends_at_ms = ends_at_ms
        self.stop()
        self._look()

    def stop(self) -> None:
        """Forget the timer; the connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        if self._ends_at_ms is None:
            return
        left_s = (self._ends_at_ms - self._clock.now_ms()) / 1000
        if left_s <= 0:
            self._expired()
        else:
            self._timer = asyncio.get_running_loop().call_later(min(left_s, LOOK_AGAIN_S), self._look)

"""The access token of an app: fetched once for all who need it, and renewed before it ends. Owns no secret."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.ports import Clock

_RENEW_BEFORE_MS = 300_000  # tokens live two hours; WeChat honours the old one for five minutes beside the new


@dataclass(frozen=True, slots=True)
class Grant:
    """What a platform granted: a token, and for how long."""

    token: str = field(repr=False)
    lives_s: int


class AccessToken:
    """One app's token. Of all that ask at once, one fetches and the others wait for it.

    `fetch` must be safe to call from several processes: each of our platforms hands out the one token that lives.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Grant]], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token = ""
        self._renew_at_ms = 0

    async def get(self) -> str:
        """A token that the platform has not refused; raises what `fetch` raises."""
        async with self._lock:
            if not self._token or self._clock.now_ms() >= self._renew_at_ms:
                grant = await self._fetch()
                self._token = grant.token
                lives_ms = grant.lives_s * 1000
                self._renew_at_ms = self._clock.now_ms() + max(lives_ms - _RENEW_BEFORE_MS, lives_ms // 2)
            return self._token

    def refused(self, token: str) -> None:
        """The platform does not take `token`; who asks next gets another, unless that was done already."""
        if token == self._token:
            self._token = ""

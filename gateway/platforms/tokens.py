"""The access token of an app: fetched once for all who need it, and renewed before it ends. Owns no secret.

One task fetches the tokens of all apps at the start and renews each ahead, so that nobody's answer waits for one; where
that fails, who needs the token fetches it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from crdt_sync.errors import Malformed
from gateway.counts import Counts
from gateway.platforms.http import CallFailed
from gateway.ports import Clock
from gateway.waiting import ended

_AHEAD_PAUSE_MS = 60_000  # between two looks at the least, and after a failure
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
        self.renew_at_ms = 0

    async def get(self) -> str:
        """A token that the platform has not refused; raises what `fetch` raises."""
        async with self._lock:
            if not self._token or self._clock.now_ms() >= self.renew_at_ms:
                grant = await self._fetch()
                self._token = grant.token
                lives_ms = grant.lives_s * 1000
                self.renew_at_ms = self._clock.now_ms() + max(lives_ms - _RENEW_BEFORE_MS, lives_ms // 2)
            return self._token

    def refused(self, token: str) -> None:
        """The platform does not take `token`; who asks next gets another, unless that was done already."""
        if token == self._token:
            self._token = ""


class AheadOfNeed:
    """Keeps tokens fresh. `first` is set once each was asked for, whether it came or not.

    `tokens` may change meanwhile; a new one is fetched by who needs it first, and renewed ahead from then on.
    """

    def __init__(self, tokens: Mapping[str, AccessToken], *, clock: Clock, counts: Counts) -> None:
        self._tokens = tokens
        self._clock = clock
        self._counts = counts
        self.first = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to fetch."""
        self._task = asyncio.create_task(self._run(), name="tokens")

    async def stop(self) -> None:
        """Fetch no more ahead."""
        await ended(self._task)

    async def _run(self) -> None:
        while True:
            fetched = await asyncio.gather(*(self._fetch(token) for token in tuple(self._tokens.values())))
            self.first.set()
            next_ms = (
                min((token.renew_at_ms for token in tuple(self._tokens.values())), default=0) - self._clock.now_ms()
            )
            pause_ms = max(next_ms, _AHEAD_PAUSE_MS) if all(fetched) else _AHEAD_PAUSE_MS
            await self._clock.sleep(pause_ms / 1000)

    async def _fetch(self, token: AccessToken) -> bool:
        try:
            await token.get()
        except (CallFailed, Malformed) as error:  # the second: a secret is not where it was at the start
            self._counts.add(f"token.failed.{error.code}")
            return False
        return True

"""Pulls what a platform keeps for us, source by source, from where the inbox says that we are.

Owns the order: a page's rows and its cursor are one commit, so what a crash leaves is pulled again and found known. A
hint is remembered before it is acknowledged; the tokens that come with hints are not, they only ease the asking.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from crdt_sync.errors import Unavailable
from gateway.channels.base import Callback, Hint
from gateway.counts import Counts
from gateway.inbox import Inbox, Pulled
from gateway.keeper import Keeper
from gateway.platforms.http import CallFailed, Refused
from gateway.ports import Chance, Clock
from gateway.waiting import grown_ms, woken

_POLL_MS = 300_000  # a platform gives a hint up after three attempts; what it hinted at comes five minutes later then
_HINT_TOKEN_MS = 600_000
_RETRY_MS_MIN, _RETRY_MS_MAX = 1_000, 60_000
_OVERDUE_MS = 86_400_000  # WeCom keeps messages for three days: at one, there are two left to mend it

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """What one call brought, where to go on, and whether there is more already."""

    callbacks: Sequence[Callback]
    cursor: str
    more: bool


class Pages(Protocol):
    """A platform that keeps messages until they are pulled."""

    async def page(self, source: str, cursor: str, token: str) -> Page:
        """What came after `cursor`, oldest first; raises `CallFailed`. `token` may be empty."""
        ...


class Puller:
    """The sources of one account. `counts` shows the age of the oldest cursor, and whether it is overdue."""

    def __init__(
        self, account: str, pages: Pages, inbox: Inbox, keeper: Keeper, *, clock: Clock, chance: Chance, counts: Counts
    ) -> None:
        self._account = account
        self._pages = pages
        self._inbox = inbox
        self._keeper = keeper
        self._clock = clock
        self._chance = chance
        self._counts = counts
        self._tokens: dict[str, tuple[str, int]] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin with all sources that were ever heard of."""
        self._stopping = False
        self._task = asyncio.create_task(self._run(), name=f"puller of {self._account}")

    async def stop(self) -> None:
        """Let the page that is on its way be committed, and ask for no other."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def hint(self, hint: Hint) -> None:
        """Return once the source will be pulled, whatever becomes of this process; raises `Unavailable`."""
        now_ms = self._clock.now_ms()
        await self._inbox.hear_of(self._account, hint.source, now_ms=now_ms)
        if hint.token:
            self._tokens[hint.source] = (hint.token, now_ms + _HINT_TOKEN_MS)
        self._wake.set()

    async def _run(self) -> None:
        failures = 0
        while not self._stopping:
            self._wake.clear()
            failures = 0 if await self._pull_all() else failures + 1
            pause_ms = grown_ms(failures - 1, _RETRY_MS_MIN, _RETRY_MS_MAX, self._chance) if failures else _POLL_MS
            await woken(self._wake, self._clock, pause_ms)

    async def _pull_all(self) -> bool:
        """Whether every source was pulled to its end; one that fails does not keep the others waiting.

        Task boundary: whatever goes wrong, it is tried again later.
        """
        try:
            sources = await self._inbox.pulled(self._account)
            done = [await self._pull(one) for one in sources]
            self._show_age(await self._inbox.pulled(self._account))
        except Unavailable as error:
            self._failed(error.code)
            return False
        except Exception as error:  # noqa: BLE001 - a dead puller would bring nothing more until somebody looks
            _log.error("puller failed", account=self._account, error=type(error).__name__)
            self._failed("bug")
            return False
        return all(done)

    async def _pull(self, pulled: Pulled) -> bool:
        cursor, more = pulled.cursor, True
        while more and not self._stopping:
            if not await self._inbox.has_room():  # the platform keeps it for us meanwhile
                self._failed("spool_full")
                return False
            try:
                page = await self._pages.page(pulled.source, cursor, self._token(pulled.source))
            except CallFailed as error:
                if isinstance(error, Refused):
                    self._tokens.pop(pulled.source, None)  # perhaps it was this that the platform did not like
                self._failed(error.code)
                return False
            if page.more and page.cursor == cursor:
                self._failed("loop")
                return False
            at_ms = pulled.pulled_at_ms if page.more else self._clock.now_ms()
            await self._keeper.keep_page(page.callbacks, Pulled(self._account, pulled.source, page.cursor, at_ms))
            cursor, more = page.cursor, page.more
        return True

    def _token(self, source: str) -> str:
        token, ends_at_ms = self._tokens.get(source, ("", 0))
        return token if self._clock.now_ms() < ends_at_ms else ""

    def _show_age(self, sources: Sequence[Pulled]) -> None:
        now_ms = self._clock.now_ms()
        age_ms = max((now_ms - one.pulled_at_ms for one in sources), default=0)
        self._counts.show(f"pull.cursor_age_s.{self._account}", age_ms // 1000)
        self._counts.show(f"pull.cursor_overdue.{self._account}", int(age_ms > _OVERDUE_MS))
        if age_ms > _OVERDUE_MS:
            _log.error("messages not pulled for a day; the platform drops them after three", account=self._account)

    def _failed(self, code: str) -> None:
        self._counts.add(f"pull.failed.{code}")
        _log.warning("pull failed", account=self._account, code=code)

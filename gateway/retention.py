"""Forgets what is old: what forwarded callbacks said, later their rows with their keys, and what visitors are shown."""

import asyncio

import structlog

from crdt_sync.errors import Unavailable
from gateway.counts import Counts
from gateway.inbox import Inbox
from gateway.ports import Clock
from gateway.visitor_log import VisitorLog
from gateway.waiting import ended
from gateway.widget.pictures import Pictures

_EVERY_S = 3_600
_HOUR_MS = 3_600_000

_log = structlog.get_logger(__name__)


class Retention:
    """Looks once an hour. A callback that waits for the service is never forgotten."""

    def __init__(
        self,
        inbox: Inbox,
        log: VisitorLog,
        pictures: Pictures,
        *,
        bodies_h: int,
        rows_h: int,
        log_h: int,
        clock: Clock,
        counts: Counts,
    ) -> None:
        self._inbox = inbox
        self._log = log
        self._pictures = pictures
        self._bodies_ms = bodies_h * _HOUR_MS
        self._rows_ms = rows_h * _HOUR_MS
        self._log_ms = log_h * _HOUR_MS
        self._clock = clock
        self._counts = counts
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin with a look."""
        self._task = asyncio.create_task(self._run(), name="retention")

    async def stop(self) -> None:
        """Let the transaction that is under way end."""
        await ended(self._task)

    async def _run(self) -> None:
        while True:
            try:
                await self._forget()
            except Unavailable as error:
                self._counts.add("retention.failed")
                _log.warning("nothing old could be forgotten", reason=error.message)
            except Exception:  # noqa: BLE001 - the task's boundary: personal data would be kept until a restart
                self._counts.add("retention.failed")
                _log.exception("forgetting failed")
            await self._clock.sleep(_EVERY_S)

    async def _forget(self) -> None:
        now_ms = self._clock.now_ms()
        reached: int | None = 0
        while reached is not None:
            reached = await self._inbox.forget_rows(now_ms - self._rows_ms, after=reached)
        while await self._log.forget(now_ms - self._log_ms):
            pass
        await self._pictures.forget(now_ms - self._log_ms)
        while await self._inbox.forget_replies(now_ms - self._log_ms):
            pass
        while await self._inbox.forget_bodies(now_ms - self._bodies_ms):
            pass

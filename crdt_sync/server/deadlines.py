"""One clock for everything that waits: sockets, handshakes and tokens have no timer and no task of their own."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Protocol

import structlog

TICK_S = 0.5  # how late a deadline may be: the shortest is some seconds

_log = structlog.get_logger(__name__)


class Waiting(Protocol):
    """What has a deadline. It keeps `slot` for `Deadlines`: where it waits, None if it does not."""

    slot: int | None

    def due(self) -> None:
        """Do what was to be done by now; another deadline may be set in here."""
        ...


class Deadlines:
    """Who waits until when: a wheel whose slots are half a second each. `now_s` tells a time that never goes back."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._slots: dict[int, set[Waiting]] = {}
        self._next = math.floor(now_s() / TICK_S)  # the first slot that was not called yet
        self._ticking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tick."""
        self._ticking = asyncio.get_running_loop().create_task(self._run(), name="deadlines")

    async def stop(self) -> None:
        """End; who waits, waits for ever."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)

    def set(self, waiting: Waiting, in_s: float) -> None:
        """Call `waiting.due` in so many seconds, in place of what was set before."""
        self.discard(waiting)
        waiting.slot = max(self._next, math.ceil((self._now_s() + in_s) / TICK_S))
        self._slots.setdefault(waiting.slot, set()).add(waiting)

    def discard(self, waiting: Waiting) -> None:
        """Forget a deadline, if there is one."""
        if waiting.slot is not None:
            self._slots.get(waiting.slot, set()).discard(waiting)
            waiting.slot = None

    def tick(self) -> None:
        """Call everything that is due."""
        first, self._next = self._next, math.floor(self._now_s() / TICK_S) + 1
        for slot in range(first, self._next):
            for waiting in self._slots.pop(slot, ()):
                waiting.slot = None
                try:
                    waiting.due()
                except Exception:  # noqa: BLE001 (the boundary of whoever waits: nobody else is disturbed)
                    _log.exception("deadline failed")

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.tick()

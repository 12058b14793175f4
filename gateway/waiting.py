"""How the gateway's tasks wait, for news or for a while, longer after each failure, and how they end.

Owns no clock and no dice.
"""

import asyncio

from gateway.ports import Chance, Clock

_DOUBLINGS_MAX = 16  # the delay has reached its bound long before


async def woken(wake: asyncio.Event, clock: Clock, pause_ms: int) -> None:
    """Return when `wake` is set or `pause_ms` of this clock are over."""
    news = asyncio.create_task(wake.wait())
    timer = asyncio.create_task(clock.sleep(pause_ms / 1000))
    try:
        await asyncio.wait((news, timer), return_when=asyncio.FIRST_COMPLETED)
    finally:
        news.cancel()
        timer.cancel()
        await asyncio.gather(news, timer, return_exceptions=True)


async def ended(task: "asyncio.Task[None] | None") -> None:
    """Cancel a task, if one was begun, and return when it is over, however it ended."""
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def grown_ms(failures: int, least_ms: int, most_ms: int, chance: Chance) -> int:
    """The delay after so many failures before this one: doubled each time up to `most_ms`.

    Between half of it and the whole, so that gateways do not come back in step.
    """
    delay_ms = min(least_ms << min(failures, _DOUBLINGS_MAX), most_ms)
    return max(1, int(delay_ms * (1 + chance.jitter()) / 2))

"""How many events a second leave for receivers, of all together: to send costs what people's changes need."""

import asyncio

SENT_PER_S_MAX = 200  # a millisecond of the processor each: a fifth of a core while many are caught up
BURST_S = 1.0  # of which as many may leave at once after a quiet time


class Turns:
    """Gives turns in the order in which they are asked for."""

    def __init__(self) -> None:
        self._next_s = 0.0

    async def take(self) -> None:
        """Wait for a turn."""
        now_s = asyncio.get_running_loop().time()
        self._next_s = max(self._next_s, now_s - BURST_S) + 1 / SENT_PER_S_MAX
        if self._next_s > now_s:
            await asyncio.sleep(self._next_s - now_s)

"""The machine's own clock and randomness. Nothing else in the gateway reads either."""

import asyncio
import random
import secrets
import time


class SystemClock:
    """The wall clock and the running event loop's timer."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    async def sleep(self, delay_s: float) -> None:
        """Wait on the running event loop."""
        await asyncio.sleep(delay_s)


class SystemChance:
    """The operating system's randomness; jitter needs no secrecy and takes the cheap generator."""

    def octets(self, count: int) -> bytes:
        """`count` unpredictable bytes."""
        return secrets.token_bytes(count)

    def jitter(self) -> float:
        """A number in [0, 1)."""
        return random.random()  # noqa: S311 - spreads retries, keeps no secret

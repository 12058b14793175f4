"""What the gateway needs of its surroundings besides the store and the network: time and randomness.

Both are handed in, so that a run can be replayed and a recorded callback of 2014 can be verified today.
"""

from typing import Protocol


class Clock(Protocol):
    """Wall time and waiting."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Return no sooner than `delay_s` seconds of this clock from now."""
        ...


class Chance(Protocol):
    """Every draw of randomness."""

    def octets(self, count: int) -> bytes:
        """`count` unpredictable bytes."""
        ...

    def jitter(self) -> float:
        """A number in [0, 1) for back-off."""
        ...

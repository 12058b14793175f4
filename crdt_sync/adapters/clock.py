"""Real time and real randomness: the only module that reads a clock or draws for the service."""

import random
import secrets
import time
import uuid

from crdt_sync.ports import Clock

_RANDOM = random.SystemRandom()


class SystemClock:
    """A `Clock` that reads the machine's wall time; it may jump when the machine is told another one."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000


class SystemIds:
    """`Ids` from the operating system's source of randomness."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def client_id(self) -> int:
        """Never 0: some clients of Yjs read it as "none"."""
        return 1 + secrets.randbelow(2**32 - 1)

    def uuid7(self) -> str:
        """Sort by the clock's milliseconds; two of the same millisecond are in no order."""
        return uuid7(self._clock.now_ms(), secrets.randbits(74))

    def salt(self) -> str:
        """16 bytes."""
        return secrets.token_hex(16)

    def jitter(self) -> float:
        """Draw from [0, 1)."""
        return _RANDOM.random()


def uuid7(now_ms: int, noise: int) -> str:
    """Lay out a UUIDv7 (RFC 9562, section 5.7) from 48 bits of time and 74 bits of randomness."""
    value = (now_ms & (2**48 - 1)) << 80
    value |= 0b0111 << 76  # version
    value |= (noise >> 62 & 0xFFF) << 64
    value |= 0b10 << 62  # variant
    value |= noise & (2**62 - 1)
    return str(uuid.UUID(int=value))

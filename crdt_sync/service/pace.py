"""How fast one client may talk. A message costs one addition; the clock is read once in many."""

from crdt_sync.errors import Unavailable
from crdt_sync.ports import Clock

MESSAGES_MAX = 30_000  # an offline day of a busy department comes back within this
STRUCTS_FREE = 4  # of a message; what it brings beyond costs as much as another one each
ANSWER_BYTES_FREE = 8 * 1024  # of an answer to step 1: 24 MB a second to one client before it is told to wait
WITHIN_MS = 10_000  # 3,000 a second: no editor sends a tenth of it, and a loop that sends more starves others


def too_fast() -> Unavailable:
    """Return what a client is told."""
    return Unavailable("The client talks too fast.", code="too_fast", advice="Send less at once.")


class Pace:
    """Counts the messages of one connection."""

    __slots__ = ("_count", "_since_ms")

    def __init__(self) -> None:
        self._count = MESSAGES_MAX  # so that the first one reads the clock
        self._since_ms: int | None = None

    def too_fast(self, clock: Clock, messages: int = 1) -> bool:
        """Count messages; True once so many have come within so short a time."""
        self._count += messages
        if self._count <= MESSAGES_MAX:
            return False
        now_ms, since_ms = clock.now_ms(), self._since_ms
        self._count, self._since_ms = messages, now_ms
        return since_ms is not None and now_ms - since_ms < WITHIN_MS

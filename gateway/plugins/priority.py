"""What a plugin gets of a processor that the gateway wants too. Imports next to nothing: its process begins with it."""

import os
import sys

NICENESS = 5  # a quarter of a processor that is wanted elsewhere, all of one that is not; in time where it is honest


def yield_always(thread: int) -> None:
    """Let a thread, 0 for this one, run only while nobody else wants its processor, and at once make room.

    A niceness alone has the other wait for a slice each time. Who is not root cannot take it back.

    Raises:
        ProcessLookupError: the thread has ended.

    """
    if sys.platform == "linux":
        os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))

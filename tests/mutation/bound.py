"""A pytest plugin of mutation runs: quick tests come first, and one that hangs ends its process with the code for it.

Properties draw few examples, the same each time, and do not shrink: it is enough to know that one fails.

A mutant of a loop is noticed by nothing but a test that never ends. Every test of these runs takes less than a second
of processor time, and waits for nothing but itself: one that takes far more spins, and one that takes none waits for
what will not come. The time of day is no measure, since a busy machine is slow.
"""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "mutation",
    max_examples=40,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

LOOK_EACH_S = 5
PROCESSOR_SECONDS_MAX = 15
IDLE_LOOKS_MAX = 3
HANGS = 36  # what mutmut calls a timeout


class Watch:
    """What one test has taken so far; it ends the process of a test that hangs."""

    def __init__(self) -> None:
        self.first = self.last = time.process_time()
        self.idle_looks = 0

    def look(self, *_) -> None:
        """Hear a tick of the alarm."""
        now = time.process_time()
        self.idle_looks = self.idle_looks + 1 if now - self.last < 0.001 else 0
        self.last = now
        if now - self.first > PROCESSOR_SECONDS_MAX or self.idle_looks == IDLE_LOOKS_MAX:
            os._exit(HANGS)


def pytest_collection_modifyitems(items):
    """Sort by the seconds that mutmut has measured; it gives the tests of a mutant in no order."""
    measured = Path("mutmut-stats.json")
    seconds = json.loads(measured.read_text(encoding="utf-8"))["duration_by_test"] if measured.exists() else {}
    items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol():
    """Watch one test, with its fixtures."""
    signal.signal(signal.SIGALRM, Watch().look)
    signal.setitimer(signal.ITIMER_REAL, LOOK_EACH_S, LOOK_EACH_S)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)

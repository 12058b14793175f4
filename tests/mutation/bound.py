"""A pytest plugin of mutation runs: quick tests come first, and one that hangs ends its process with the code for it.

A mutant of a loop that waits is noticed by nothing but a test that never ends. Every test of these runs takes less than
a second on an idle machine, so that the bound is met by what hangs, on a busy one too.
"""

import json
import os
import signal
from pathlib import Path

import pytest

TEST_SECONDS_MAX = 15
HANGS = 36  # what mutmut calls a timeout


def pytest_collection_modifyitems(items):
    """Sort by the seconds that mutmut has measured; it gives the tests of a mutant in no order."""
    measured = Path("mutmut-stats.json")
    seconds = json.loads(measured.read_text(encoding="utf-8"))["duration_by_test"] if measured.exists() else {}
    items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol():
    """Bound one test, with its fixtures."""
    signal.signal(signal.SIGALRM, lambda *_: os._exit(HANGS))
    signal.alarm(TEST_SECONDS_MAX)
    try:
        return (yield)
    finally:
        signal.alarm(0)

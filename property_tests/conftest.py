"""How hard Hypothesis tries, and how much it did.

HYPOTHESIS_PROFILE is dev, quick or ci (both the same examples each time; CI draws the quick ones) or nightly.
"""

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.statistics import collector

_common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("dev", max_examples=50, **_common)
settings.register_profile("quick", max_examples=50, derandomize=True, **_common)
settings.register_profile("ci", max_examples=200, derandomize=True, **_common)
settings.register_profile("nightly", max_examples=10_000, **_common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("quick" if os.environ.get("CI") else "dev"))

LINES_ALONE = "test_p17_"  # the one law whose cases are lines, not histories


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item):
    """Count the cases that Hypothesis drew for a test and that the test judged to the end."""
    outer, found = collector.value, []

    def note(statistics):
        found.append(statistics)
        if outer is not None:
            outer(statistics)

    with collector.with_value(note):
        result = yield
    cases = [case for one in found for phase in ("reuse-phase", "generate-phase") for case in _cases(one, phase)]
    if "histories" not in dict(item.user_properties):  # else the test has counted them, as one case holds several
        kind = "lines" if LINES_ALONE in item.nodeid else "histories"
        item.user_properties.append((kind, sum(case["status"] == "valid" for case in cases)))
    return result


def _cases(statistics, phase):
    return statistics.get(phase, {}).get("test-cases", [])


def pytest_terminal_summary(terminalreporter):
    """Say how much was judged, in how many seconds of tests, whatever the number of workers."""
    passed = terminalreporter.stats.get("passed", [])
    reports = [report for report in passed if "property_tests/test_p" in report.nodeid]
    judged = Counter()
    for report in reports:
        judged.update(dict(report.user_properties))
    if reports:
        laws, seconds = len({report.fspath for report in reports}), sum(report.duration for report in reports)
        counts = ", ".join(f"{count} {what}" for what, count in sorted(judged.items()))
        terminalreporter.write_line(f"{laws} laws held for {counts} in {seconds:.0f} s of tests.")

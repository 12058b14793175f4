"""Rules for every test run: in CI a skip is a failure, since a missing tool would hide what the test proves."""

import os

import pytest
import structlog

# A logged fault is a plain traceback: one with the values of all variables takes minutes beneath a test runner.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

# A worker takes a file whole. Begun last, one that takes minutes would run alone while the others have nothing to do.
LONG = ("tests/integration/test_gateway_kill.py",)


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest; the others keep their order."""
    items.sort(key=lambda item: item.nodeid.partition("::")[0] not in LONG)


def _refuse_skip(report):
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped, which CI does not allow: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Judge the report of one test."""
    return _refuse_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    """Judge the report of one module, which a module may skip as a whole."""
    return _refuse_skip((yield))

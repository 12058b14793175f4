"""What every conformance test needs: Node, with the unmodified clients installed. A run ends with the matrix."""

import re

import pytest

from tests.conformance import node_tools, table

CELL = re.compile(r"tests/conformance/test_matrix\w*\.py::test_(\w+)\[(.+)\]")
OUTCOMES = {"passed": "passed", "failed": "FAILED", "error": "FAILED", "skipped": "skipped"}


@pytest.fixture(scope="session")
def node() -> str:
    """The program `node`; scripts run in `node_tools.PACKAGES`, beside their `node_modules`."""
    if not (node_tools.PACKAGES / "node_modules" / "yjs").is_dir():
        pytest.fail("The Yjs clients are not installed: run `make node-modules`.")
    return node_tools.find().node


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the matrix, if any of its cells ran."""
    cells = {
        cell.groups(): told
        for outcome, told in OUTCOMES.items()
        for report in terminalreporter.stats.get(outcome, ())
        if (cell := CELL.fullmatch(report.nodeid))
    }
    if cells:
        terminalreporter.section("conformance")
        terminalreporter.write_line(table.outcomes(cells))

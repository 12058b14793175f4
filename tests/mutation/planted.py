"""Planted bugs: `make planted` puts each bug of the list into a copy of the tree and sees which test notices.

Without a bug every suite passes there, which is seen first. The copies are under `build/planted`.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import ROOT
from tests.mutation.bugs import BUGS, Bug, patched
from tests.mutation.copies import copy_tree

COPY = ROOT / "build" / "planted"
SUITE_SECONDS_MAX = 600
SIMULATION = "property_tests.simulation"
NOTICED = re.compile(r"(?m)^(?:FAILED |ERROR |(?=seed ))(.*?)(?: - .*)?$")  # a test, or a seed and what it broke


def noticed_by(suite: str, copy: Path) -> str:
    """Return the first test of a suite that fails in the copy, "" if none does."""
    command = [sys.executable, "-m", "pytest", "-x", "--tb=no", "-rfE", "-p", "no:xdist", suite]
    if suite == SIMULATION:
        command = [sys.executable, "-m", SIMULATION, "--seeds", "200", "--fail-fast"]
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "ci", "COLUMNS": "400"}
    run = subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, timeout=SUITE_SECONDS_MAX, check=False
    )
    if not run.returncode:
        return ""
    found = NOTICED.search(run.stdout)
    return found[1] if found else (run.stdout + run.stderr).strip().splitlines()[-1]


def plant(bug: Bug) -> list[str]:
    """Put one bug into a fresh copy; return the suites that did not notice."""
    copy_tree(COPY)
    for path, text in list(patched(bug, COPY)):
        path.write_text(text, encoding="utf-8")
    blind = []
    print(bug.name)
    for suite in bug.suites:
        test = noticed_by(suite, COPY)
        print(f"  {suite}: {test or 'NOT NOTICED'}", flush=True)
        if not test:
            blind.append(suite)
    return blind


def main(names: list[str]) -> int:
    """Plant the named bugs, or all; 1 if a suite is blind to one."""
    copy_tree(COPY)
    for suite in sorted({suite for bug in BUGS for suite in bug.suites}):
        if broken := noticed_by(suite, COPY):
            print(f"without a bug: {suite}: {broken}")
            return 1
    blind = {bug.name: plant(bug) for bug in BUGS if not names or bug.name in names}
    survivors = {name: suites for name, suites in blind.items() if suites}
    print(f"{len(blind) - len(survivors)} of {len(blind)} planted bugs were noticed by every suite that is asked")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

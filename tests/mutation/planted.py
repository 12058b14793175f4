"""Planted bugs: `make planted` puts each bug of the list into a copy of the tree and sees which test notices.

Without a bug every suite passes there, which is seen first. In each copy, under `build/planted`, the stories of the
lifecycle files are not judged: they would have the file refused before any other test is asked.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import ROOT
from tests.mutation.bugs import BUGS, SIMULATION, STORIES_ASIDE, Bug, patched
from tests.mutation.copies import copy_tree

COPY = ROOT / "build" / "planted"
SUITE_SECONDS_MAX = 600
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


def copy_with(*bugs: Bug) -> None:
    """Make a fresh copy that has these bugs."""
    copy_tree(COPY)
    for bug in bugs:
        for path, text in list(patched(bug, COPY)):
            path.write_text(text, encoding="utf-8")


def blind_to(bug: Bug) -> list[str]:
    """Plant one bug; return the suites that did not notice."""
    copy_with(STORIES_ASIDE, bug)
    print(bug.name)
    blind = []
    for suite in bug.suites:
        test = noticed_by(suite, COPY)
        print(f"  {suite}: {test or 'NOT NOTICED'}", flush=True)
        if not test:
            blind.append(suite)
    return blind


def main(names: list[str]) -> int:
    """Plant the named bugs, or all; 1 if a suite is blind to one."""
    chosen = [bug for bug in BUGS if bug.name in names] if names else list(BUGS)
    if len(chosen) < len(names):
        print(f"planted are: {', '.join(bug.name for bug in BUGS)}")
        return 2
    copy_with(STORIES_ASIDE)
    for suite in sorted({suite for bug in chosen for suite in bug.suites}):
        if broken := noticed_by(suite, COPY):
            print(f"without a bug: {suite}: {broken}")
            return 1
    blind = {bug.name: blind_to(bug) for bug in chosen}
    survivors = {name: suites for name, suites in blind.items() if suites}
    print(f"{len(blind) - len(survivors)} of {len(blind)} planted bugs were noticed by every suite that is asked")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Mutation testing: `make mutation` changes what decides, line by line, and asks the tests whether they notice.

Each target is mutated in a copy of the tree under `build/mutation`, by mutmut and with the tests that judge it. What no
test noticed must stand in `docs/testing.md` with the reason why none can, and what stands there must have survived.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.tree import ROOT
from tests.mutation.copies import copy_tree

KILLED_PERCENT_MIN = 95.0
REPORT = ROOT / "docs" / "testing.md"
COPIES = ROOT / "build" / "mutation"
MUTMUT = Path(sys.executable).with_name("mutmut")
LIFECYCLE = "crdt_sync/domain/lifecycle"


@dataclass(frozen=True)
class Target:
    """What is mutated together, and the tests that judge it, but those that take long: each mutant is asked anew."""

    name: str
    sources: tuple[str, ...]
    suites: tuple[str, ...]
    left_out: tuple[str, ...] = ()


TARGETS = (
    Target("access", ("crdt_sync/domain/access.py",), ("tests/domain/test_access.py",)),
    Target(
        "committer",
        ("crdt_sync/service/committer.py",),
        ("tests/service/test_committer.py", "tests/service/test_failed_commits.py"),
    ),
    Target(
        "fold",
        (f"{LIFECYCLE}/fold.py", f"{LIFECYCLE}/join.py"),
        ("tests/domain/test_fold.py", "tests/domain/test_stories.py", "property_tests/test_p02_naive_agrees.py"),
    ),
    Target(
        "check",
        (f"{LIFECYCLE}/check.py", f"{LIFECYCLE}/lane_rules.py"),
        tuple(
            f"tests/domain/test_{name}.py"
            for name in ("findings", "rules", "check", "lane_rules", "reach_rules", "rounds", "reach", "space")
        ),
        left_out=("tests/domain/test_check.py::test_what_is_accepted_never_shows_a_conflict_without_a_name",),
    ),
)


@dataclass(frozen=True)
class Survivor:
    """A mutant that no test noticed."""

    source: str
    function: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"- `{self.function}`: `{self.old}` becomes `{self.new or 'nothing'}`"


def copied(target: Target) -> Path:
    """Copy the tree, and tell mutmut in its `pyproject.toml` what to mutate and which tests judge it."""
    copy = COPIES / target.name
    copy_tree(copy)
    settings = {
        "source_paths": ["crdt_sync"],
        "only_mutate": list(target.sources),
        "also_copy": ["conftest.py", "property_tests"],
        "pytest_add_cli_args_test_selection": [*target.suites, *(f"--deselect={test}" for test in target.left_out)],
        "pytest_add_cli_args": ["-p", "tests.mutation.bound"],
        "timeout_constant": 60.0,  # the bound of one test is what ends one that hangs
    }
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in settings.items()]
    with (copy / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.writelines(["\n[tool.mutmut]\n", *lines])
    return copy


def mutate(copy: Path) -> None:
    """Run every mutant, one at a time, and keep what mutmut says beside the copy."""
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "mutation"}
    with copy.with_suffix(".log").open("w", encoding="utf-8") as log:
        subprocess.run(
            [MUTMUT, "run", "--max-children", "1"], cwd=copy, env=environment, stdout=log, stderr=log, check=True
        )


def judged(copy: Path, source: str) -> tuple[Counter[str], list[Survivor]]:
    """Count what became of a file's mutants, and return those that survived."""
    codes = json.loads((copy / "mutants" / f"{source}.meta").read_text(encoding="utf-8"))["exit_code_by_key"]
    outcome = {name: {1: "killed", 3: "killed", 36: "hung"}.get(code, "survived") for name, code in codes.items()}
    survivors = [shown(copy, source, name) for name, status in outcome.items() if status == "survived"]
    return Counter(outcome.values()), survivors


def shown(copy: Path, source: str, name: str) -> Survivor:
    """Ask mutmut what a mutant changed."""
    answer = subprocess.run([MUTMUT, "show", name], cwd=copy, check=True, capture_output=True, text=True).stdout
    changes = [line for line in answer.splitlines() if line[:1] in {"+", "-"} and line[:3] not in {"+++", "---"}]
    old, new = (" ".join(line[1:].strip() for line in changes if line[0] == sign) for sign in "-+")
    function = (
        name.rpartition("__mutmut_")[0].rpartition(".")[2].replace("ǁ", ".").removeprefix("x.").removeprefix("x_")
    )
    return Survivor(source, function, old, new)


def listed(report: str, source: str) -> set[str]:
    """Return what the report lists as survivors of a file."""
    _, _, rest = report.partition(f"### {source}\n")
    return {line.removesuffix(".") for line in rest.partition("\n#")[0].splitlines() if line.startswith("- `")}


def main(names: list[str]) -> int:
    """Mutate the named targets, or all; 1 if too many survive or one that is not explained."""
    faults: list[str] = []
    rows = [f"{'file':44}{'killed':>8}{'hung':>8}{'survived':>10}{'total':>8}"]
    chosen = [target for target in TARGETS if target.name in names] if names else TARGETS
    if len(chosen) < len(names):
        print(f"targets are: {', '.join(target.name for target in TARGETS)}")
        return 2
    for target in chosen:
        copy = copied(target)
        print(f"{target.name}: mutmut writes to {copy.with_suffix('.log').relative_to(ROOT)}", flush=True)
        mutate(copy)
        for source in target.sources:
            counts, survivors = judged(copy, source)
            noticed, total = counts["killed"] + counts["hung"], counts.total()
            percent = 100 * noticed / total
            rows.append(
                f"{source:44}{counts['killed']:8}{counts['hung']:8}{counts['survived']:10}{total:8}{percent:8.1f} %"
            )
            if percent < KILLED_PERCENT_MIN:
                faults.append(f"{source}: {percent:.1f} % killed, at least {KILLED_PERCENT_MIN} % are asked for")
            explained = listed(REPORT.read_text(encoding="utf-8"), source)
            found = {str(survivor) for survivor in survivors}
            faults += [f"{source}: not explained: {line}" for line in sorted(found - explained)]
            faults += [f"{source}: explained, but killed: {line}" for line in sorted(explained - found)]
    print("\n".join(["", *rows, "", *faults]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

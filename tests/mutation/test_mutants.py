"""The report of survivors fits today's source: what it lists is there, for a reason, and so are the suites."""

from tests.architecture.tree import ROOT
from tests.mutation.mutants import REPORT, TARGETS, Survivor, listed


def test_every_target_and_every_suite_is_there():
    assert {"access", "committer", "fold", "check"} == {target.name for target in TARGETS}
    assert [] == [
        name for target in TARGETS for name in (*target.sources, *target.suites) if not (ROOT / name).exists()
    ]


def spaced(code):
    return " ".join(code.split())


def test_every_listed_survivor_changes_a_line_that_is_there():
    report = REPORT.read_text(encoding="utf-8")
    gone = []
    for source in (source for target in TARGETS for source in target.sources):
        code = spaced((ROOT / source).read_text(encoding="utf-8"))
        gone += [line for line in listed(report, source) if spaced(line.split("`")[3]) not in code]
    assert [] == gone


def test_a_survivor_is_found_where_the_report_lists_it_and_only_under_its_file():
    survivor = Survivor("a.py", "Fold.add", "x = 1", "x = 2")
    report = f"### a.py\n\nNo test can tell.\n\n{survivor}.\n\n### b.py\n\n- `f`: `y` becomes `nothing`\n"

    assert {str(survivor)} == listed(report, "a.py")
    assert {str(Survivor("b.py", "f", "y", ""))} == listed(report, "b.py")
    assert set() == listed(report, "c.py")

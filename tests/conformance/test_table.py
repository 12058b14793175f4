import pytest

from tests.conformance import matrix, table


def test_the_page_has_the_table_of_todays_tests_and_versions():
    page = table.PAGE.read_text(encoding="utf-8")
    assert table.page(page) == page, "write it with `python -m tests.conformance.table`"


@pytest.mark.parametrize(
    ("file", "told"),
    [("README.md", "{} scenarios, {cells} of {cells}: "), ("README.zh-CN.md", "{} 个场景，{cells} 项全部通过：")],
)
def test_both_readmes_count_what_the_table_has(file, told):
    rows = len(table.scenarios())
    expected = told.format(rows, cells=rows * len(matrix.KINDS))

    assert f"| {expected}`make conformance` |" in (table.ROOT / file).read_text(encoding="utf-8")


def test_every_scenario_has_a_claim():
    assert [] == [name for name, claim in table.scenarios().items() if not claim.endswith(".")]


def test_a_run_is_told_by_scenario_and_client():
    told = table.outcomes({("join", "gRPC"): "passed", ("gap", "provider 2"): "FAILED"}).splitlines()
    assert ["join", "-", "-", "-", "-", "passed"] == told[1].split()
    assert ["gap", "-", "FAILED", "-", "-", "-"] == next(line for line in told if line.startswith("gap")).split()
    assert len(table.scenarios()) + 1 == len(told)
    assert {kind.name for kind in matrix.KINDS} == set(table.versions())

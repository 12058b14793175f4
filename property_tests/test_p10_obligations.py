"""P10: what is owed is what the matching row owes, then a review of each flagged lane, and nothing else."""

from hypothesis import example, given

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests.model import listed, matches
from property_tests.strategies import histories, shipped, standing, told
from property_tests.subject import lifecycle

TWO_CONTRACTS = ["q: sales.quote", "s: sales.sign(c=A) < q", "t: sales.sign(c=B) < q", "x: sales.quote(c=A) < q"]


@given(histories())
def test_what_is_owed_is_the_rows_then_the_reviews(history):
    result = fold_lines(lifecycle(history.spec), history.lines.values())
    row = next(row for row in history.spec["stages"] if row["stage"] == result["stage"])
    expected = [(row["stage"], owed) for owed in row.get("owes", [])]
    expected += [(row["stage"], {lane: ["review"]}) for lane in history.spec["lanes"] if lane in result["flags"]]
    assert expected == [(owed["row"], owed["owes"]) for owed in result["obligations"]]


@given(histories())
@example(told(shipped(), TWO_CONTRACTS)[0])
def test_each_obligation_names_the_moves_that_brought_it(history):
    result = fold_lines(lifecycle(history.spec), history.lines.values())
    row = next(row for row in history.spec["stages"] if row["stage"] == result["stage"])
    lanes = next(one for one in listed(row["when"]) if fits(one, result["lanes"]))
    brought = sorted(set().union(*(standing(history, result, lane) for lane in lanes)))
    for owed in result["obligations"]:
        if ["review"] in owed["owes"].values():
            (lane,) = owed["owes"]
            lost = history.naive.lost(lane, history.naive.events)
            assert sorted(standing(history, result, lane) | lost) == owed["trigger"]
        else:
            assert brought == owed["trigger"]


def fits(alternative, lanes):
    return all(matches(pattern, lanes[lane]) for lane, pattern in alternative.items())

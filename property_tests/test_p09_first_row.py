"""P9: the stage is the first row of the file that fits the lanes' states, found by writing every fitting row out."""

import itertools

from hypothesis import given

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests.model import listed
from property_tests.strategies import histories
from property_tests.subject import lifecycle


def meant(pattern, names):
    """Every one of `names` that the pattern allows."""
    excluded = {p[1:] for p in listed(pattern) if p.startswith("!")}
    return set(names) if pattern == "*" or excluded else set(listed(pattern))


def combinations(spec, alternative, lanes):
    """Every combination of states that an alternative allows, with the states of today for unnamed conflicts."""
    allowed = []
    for lane, has in spec["lanes"].items():
        names = {*has["states"], *has.get("conflicts", {}), lanes[lane]}
        pattern = alternative.get(lane, "*")
        allowed.append(meant(pattern, names) - {p[1:] for p in listed(pattern) if p.startswith("!")})
    return set(itertools.product(*allowed))


@given(histories())
def test_the_stage_is_the_first_row_that_fits(history):
    result = fold_lines(lifecycle(history.spec), history.lines.values())
    today = tuple(result["lanes"][lane] for lane in history.spec["lanes"])
    fitting = [
        row
        for row in history.spec["stages"]
        if any(today in combinations(history.spec, one, result["lanes"]) for one in listed(row["when"]))
    ]
    assert (fitting[0]["stage"], fitting[0]["kind"]) == (result["stage"], result["kind"])
    own = [owed for owed in result["obligations"] if ["review"] not in owed["owes"].values()]
    assert fitting[0].get("owes", []) == [owed["owes"] for owed in own]

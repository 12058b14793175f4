"""P12: a settlement absorbs the stragglers of what it settled, and no decision of somebody who knew of it."""

from hypothesis import assume, given
from hypothesis import strategies as st

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests.strategies import History, histories, lifecycles, picked, quarrels, standing
from property_tests.subject import lifecycle


@given(histories())
def test_a_settlement_overtakes_whoever_knew_of_none_and_nobody_else(history):
    naive, result = history.naive, fold_lines(lifecycle(history.spec), history.lines.values())
    for lane, has in history.spec["lanes"].items():
        rulings = [y for y in standing(history, result, lane) if naive.settles[y]]
        for x in naive.heads(lane, naive.events):
            over = {y for y in rulings if naive.round[x] == naive.round[y] and about(has, naive, y, x)}
            found = result["status"][x]
            if over and not knew(naive, x):
                assert found["status"] == "overtaken"
                assert over <= set(found["by"])
            elif found["status"] == "overtaken":
                assert found["because"] != "settled"


def about(has, naive, ruling, x):
    """Whether the ruling settled a conflict that `x` takes a side in."""
    return naive.rule(x)["to"] in has["conflicts"][naive.settles[ruling]]


def knew(naive, x):
    """Whether the author of `x` made or had seen a ruling of the round."""
    seen = naive.valid(naive.events[x]["lane"], naive.past[x] | {x})
    return any(naive.settles[z] and naive.round[z] == naive.round[x] for z in seen)


@st.composite
def rulings(draw):
    """A quarrel of one lane that somebody has settled: the history, who saw what, and the ruling."""
    history = History(draw(lifecycles()))
    history.open()
    for choice in draw(st.lists(st.integers(0, 63), max_size=8)):
        if found := quarrels(history, history.lines):
            break
        history.add(history.record(*picked(history.enabled(history.lines), choice), list(history.lines)))
    found = [quarrel for quarrel in quarrels(history, history.lines) if quarrel[-1]]
    assume(found)
    lane, one, two, names = draw(st.sampled_from(found))
    before = list(history.lines)
    sides = {name: history.add(history.record(lane, name, before)) for name in (one, two)}
    name = draw(st.sampled_from(names))
    return history, before, lane, sides, name, history.add(history.record(lane, name, list(sides.values())))


@given(st.data(), rulings())
def test_stragglers_leave_a_settlement_as_it_is(data, told):
    history, before, lane, sides, _, ruling = told
    for name in data.draw(st.lists(st.sampled_from(sorted(sides)), min_size=1, max_size=3)):
        seen = data.draw(st.sampled_from([before, *([i] for i in sides.values())]))
        if (lane, name) in history.enabled(seen):
            history.add(history.record(lane, name, seen))
    result = fold_lines(lifecycle(history.spec), history.lines.values())
    assert history.naive.rule(ruling)["to"] == result["lanes"][lane]
    assert {ruling} == standing(history, result, lane)
    assert lane not in result["flags"]


@given(rulings())
def test_a_decision_of_somebody_who_knew_of_the_settlement_outlives_a_second_one(told):
    history, _, lane, sides, name, ruling = told
    conflict, rules = history.naive.settles[ruling], history.spec["lanes"][lane]["transitions"]
    members = history.spec["lanes"][lane]["conflicts"][conflict]
    for where, newer in history.enabled([ruling]):
        if where == lane and rules[newer]["to"] in members and not rules[newer].get("resets"):
            decision = history.add(history.record(lane, newer, [ruling]))
            history.add(history.record(lane, name, list(sides.values())))
            result = fold_lines(lifecycle(history.spec), history.lines.values())
            assert decision in standing(history, result, lane)

"""P7: nothing is undone silently. A lane stands below something valid only with a status that says why, or a flag."""

from hypothesis import example, given

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests.strategies import histories, shipped, told
from property_tests.subject import lifecycle

ASIDE = ["q: sales.quote", "s: sales.sign < q", "t: tech.start < s", "d: tech.deliver < t", "h: tech.halt < d"]

PASSED = ["l: sales.lose", "x: sales.quote", "r: sales.revive < l", "s: sales.sign < r", "m: sales.lose < r"]


@given(histories())
@example(told(shipped(), ASIDE)[0])
@example(told(shipped(), PASSED)[0])
def test_what_a_lane_fell_below_is_named_with_its_reason(history):
    assert_nothing_silent(history, fold_lines(lifecycle(history.spec), history.lines.values()))


def assert_nothing_silent(history, result):
    naive = history.naive
    for i, found in result["status"].items():
        lane = naive.events[i]["lane"]
        if found["status"] == "inert":
            assert found["code"]
            continue
        to, held = naive.rule(i)["to"], sides(naive, lane, result["lanes"][lane])
        if all(to == state or (to, state) in naive.below[lane] for state in held):
            continue
        assert found["status"] != "effective"
        assert found["by"]
        explain = {"superseded": decided_with_open_eyes, "overtaken": named_as_overtaken, "contested": in_a_conflict}
        explain[found["status"]](history, i, found, result)


def sides(naive, lane, state):
    """The states that a lane's state stands for: the sides of a conflict, or itself."""
    return naive.lanes[lane].get("conflicts", {}).get(state, state.split("|"))


def decided_with_open_eyes(history, i, found, result):
    """Whoever passed over it had seen it, and had seen or made a return, a ruling or a step aside that it had not seen.

    Or what stands above it is itself overtaken or contested, and says so.
    """
    naive, lane = history.naive, history.naive.events[i]["lane"]
    assert all(i in naive.past[head] for head in found["by"])
    known = {x for head in found["by"] for x in {head} | naive.past[head]} - naive.past[i]
    moves = [x for x in known if naive.events[x]["lane"] == lane and naive.code[x] is None]
    knowing = any(naive.rule(x).get("resets") or "settles" in naive.rule(x) or aside(naive, lane, x) for x in moves)
    assert knowing or any(result["status"][head]["status"] in {"overtaken", "contested"} for head in found["by"])


def aside(naive, lane, x):
    """Whether the move left something for what is neither above all of it nor below: the file's choice, made openly."""
    to, left = naive.rule(x)["to"], sides(naive, lane, naive.state(lane, naive.past[x]))
    is_up = all(state == to or (state, to) in naive.below[lane] for state in left)
    return not is_up and not all((to, state) in naive.below[lane] for state in left)


def named_as_overtaken(history, i, found, result):
    lane = history.naive.events[i]["lane"]
    assert found["because"] in {"round", "order", "settled"}
    assert all(result["status"][x]["status"] in {"effective", "contested"} for x in found["by"])
    assert found["because"] != "round" or "overtaken" in result["flags"][lane]


def in_a_conflict(history, i, found, result):
    """The lane's state is the name of the quarrel, which the file foresaw, and each side names the other."""
    naive, lane = history.naive, history.naive.events[i]["lane"]
    has, state = history.spec["lanes"][lane], result["lanes"][lane]
    assert state not in has["states"]
    assert state in has.get("conflicts", {}) or has.get("conflict") == "unnamed"
    assert all(naive.rule(x)["to"] != naive.rule(i)["to"] for x in found["by"])
    assert all(i in result["status"][x]["by"] for x in found["by"])

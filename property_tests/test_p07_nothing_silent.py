"""P7: nothing is undone silently. A lane stands below something valid only with a status that says why, or a flag."""

from hypothesis import given

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests.strategies import histories
from property_tests.subject import lifecycle


@given(histories())
def test_what_a_lane_fell_below_is_named_with_its_reason(history):
    naive, result = history.naive, fold_lines(lifecycle(history.spec), history.lines.values())
    for i, found in result["status"].items():
        lane = naive.events[i]["lane"]
        if found["status"] == "inert":
            assert found["code"]
            continue
        to, state = naive.rule(i)["to"], result["lanes"][lane]
        if state == to or (to, state) in naive.below[lane]:
            continue
        assert found["status"] != "effective"
        assert found["by"]
        explain = {"superseded": decided_with_open_eyes, "overtaken": named_as_overtaken, "contested": in_a_conflict}
        explain[found["status"]](history, i, found, result)


def decided_with_open_eyes(history, i, found, result):
    """Whoever passed over it had seen it, and had seen or made a return or a ruling that it had not seen itself.

    Or what stands above it is itself overtaken or contested, and says so.
    """
    naive, lane = history.naive, history.naive.events[i]["lane"]
    assert all(i in naive.past[head] for head in found["by"])
    known = {x for head in found["by"] for x in {head} | naive.past[head]} - naive.past[i]
    rules = [naive.rule(x) for x in known if naive.events[x]["lane"] == lane and naive.code[x] is None]
    knowing = any(rule.get("resets") or "settles" in rule for rule in rules)
    assert knowing or any(result["status"][head]["status"] in {"overtaken", "contested"} for head in found["by"])


def named_as_overtaken(history, i, found, result):
    lane = history.naive.events[i]["lane"]
    assert found["because"] in {"round", "order", "settled"}
    assert all(result["status"][x]["status"] in {"effective", "contested"} for x in found["by"])
    assert found["because"] != "round" or "overtaken" in result["flags"][lane]


def in_a_conflict(history, i, found, result):
    """The lane's state is the name of the quarrel, and each side names the other."""
    naive, lane = history.naive, history.naive.events[i]["lane"]
    assert result["lanes"][lane] not in history.spec["lanes"][lane]["states"]
    assert all(naive.rule(x)["to"] != naive.rule(i)["to"] for x in found["by"])
    assert all(i in result["status"][x]["by"] for x in found["by"])

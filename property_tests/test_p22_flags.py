"""P22: a flag of a lane is up exactly while it should be: two payloads for one state, work that a reset left behind."""

import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests.strategies import PAYLOADS, histories, shipped, standing, told
from property_tests.subject import lifecycle

AGAIN = ["q: sales.quote", "l: sales.lose < q", "r: sales.revive < l", "s2: sales.sign < r", "l2: sales.lose < r"]
QUOTE_PASSED, SIGNATURE_PASSED = [*AGAIN, "x: sales.quote < q"], [*AGAIN, "x: sales.sign < q"]


@given(histories())
@example(told(shipped(), QUOTE_PASSED)[0])
@example(told(shipped(), SIGNATURE_PASSED)[0])
def test_a_flag_is_up_exactly_while_there_is_a_reason(history):
    result = fold_lines(lifecycle(history.spec), history.lines.values())
    expected = {lane: reasons(history, result, lane) for lane in history.spec["lanes"]}
    assert {lane: flags for lane, flags in expected.items() if flags} == result["flags"]


def reasons(history, result, lane):
    best = standing(history, result, lane)
    beaten = [i for i, found in result["status"].items() if found["status"] == "overtaken" and i not in best]
    passed = [i for i in beaten if history.naive.events[i]["lane"] == lane and was_passed(history, result, best, i)]
    pairs = itertools.combinations(best, 2)
    return ["overtaken"] * bool(passed) + ["payload_conflict"] * any(differ(history, *pair) for pair in pairs)


def was_passed(history, result, best, i):
    """Only starting over beat it, and something that holds now is neither where it led nor beyond."""
    naive, lane = history.naive, history.naive.events[i]["lane"]
    reached = {naive.rule(i)["to"]} | {upper for lower, upper in naive.below[lane] if lower == naive.rule(i)["to"]}
    newer = all(naive.round[y] > naive.round[i] for y in result["status"][i]["by"])
    return newer and not {naive.rule(y)["to"] for y in best} <= reached


def differ(history, one, other):
    naive, payloads = history.naive, [history.naive.events[i]["payload"] for i in (one, other)]
    return naive.rule(one)["to"] == naive.rule(other)["to"] and None not in payloads and payloads[0] != payloads[1]


@given(histories(), st.sampled_from(PAYLOADS))
def test_whoever_saw_everything_and_moves_the_lane_clears_its_flags(history, payload):
    result = fold_lines(lifecycle(history.spec), history.lines.values())
    for lane, name in history.enabled(history.lines):
        if lane in result["flags"]:
            line = history.written(lane, name, list(history.lines), payload=payload)
            after = fold_lines(lifecycle(history.spec), [*history.lines.values(), line])
            others = {other: flags for other, flags in result["flags"].items() if other != lane}
            assert others == after["flags"]

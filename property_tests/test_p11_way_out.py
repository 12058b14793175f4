"""P11: out of a compensation there is a way, and those who owe it can go it alone, whatever the others do or leave."""

from hypothesis import example, given

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests.strategies import histories, shipped, told
from property_tests.subject import lifecycle

GONE = ["q: sales.quote", "s: sales.sign < q", "t: tech.start < s", "w: sales.withdraw < s"]
TORN = ["q: sales.quote", "s: sales.sign < q", "t: tech.start < s", "l: sales.lose < q", "d: tech.deliver < t"]
BOTH = [*TORN, "h: tech.halt < t"]


@given(histories())
@example(told(shipped(), GONE)[0])
@example(told(shipped(), TORN)[0])
@example(told(shipped(), BOTH)[0])
def test_those_who_owe_can_leave_a_compensation_alone(history):
    rules = lifecycle(history.spec)
    assert_way_out(history, lambda view: fold_lines(rules, [history.lines[i] for i in view]))


def assert_way_out(history, folded):
    """Let those who owe something, and see everything, try whatever they can, the shortest ways first."""
    everything = set(history.lines)
    now = folded(everything)
    if now["kind"] != "compensation":
        return
    row = next(row for row in history.spec["stages"] if row["stage"] == now["stage"])
    owed = {(lane, name) for entry in row["owes"] for lane, names in entry.items() for name in names}
    assert owed & set(history.enabled(everything))
    lanes = {lane for lane, _ in owed}
    assert any(then["kind"] != "compensation" for then in _walked(history, everything, lanes, folded))


def _walked(history, everything, lanes, folded):
    """What the ticket becomes on each way of these lanes alone; each combination of states once."""
    queue, known = [everything], set()
    for seen in queue:
        now = folded(history.closure(seen))
        if (combination := tuple(now["lanes"].items())) in known:
            continue
        known.add(combination)
        yield now
        moves = [move for move in history.enabled(seen) if move[0] in lanes]
        queue += [{history.add(history.record(*move, seen))} for move in moves]

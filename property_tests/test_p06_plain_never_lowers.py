"""P6: a plain move that nobody saw coming never lowers a lane within its round. It adds, or it is overtaken.

Plain is what neither `resets` nor `settles`; concurrent is who saw none of the lane's effective heads.
"""

from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests.strategies import histories, standing
from property_tests.subject import lifecycle


@given(st.data(), histories())
def test_a_concurrent_plain_move_lowers_nothing(data, history):
    before = fold_lines(lifecycle(history.spec), history.lines.values())
    for lane in history.spec["lanes"]:
        best = standing(history, before, lane)
        blind = [i for i in history.lines if not best & history.closure([i])]
        seen = data.draw(st.lists(st.sampled_from(blind), min_size=1, max_size=3))
        for move in plain_moves(history, lane, seen):
            line = history.written(lane, move, seen)
            after = fold_lines(lifecycle(history.spec), [*history.lines.values(), line])
            assert_nothing_fell(history, lane, best, after)


def plain_moves(history, lane, seen):
    rules = history.spec["lanes"][lane]["transitions"]
    return [
        name
        for where, name in history.enabled(seen)
        if where == lane and not rules[name].keys() & {"resets", "settles"}
    ]


def assert_nothing_fell(history, lane, best, after):
    """Each effective head still stands, or is overtaken by what reaches further."""
    for head in best:
        found, to = after["status"][head], history.naive.rule(head)["to"]
        assert found["status"] in {"effective", "contested"} or found["because"] == "order"
        now = after["lanes"][lane]
        members = history.spec["lanes"][lane].get("conflicts", {}).get(now, now.split("|"))
        assert any(to == state or (to, state) in history.naive.below[lane] for state in members)

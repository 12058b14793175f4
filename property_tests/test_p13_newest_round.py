"""P13: nothing of an older round is effective beside a newer one of its lane: starting over leaves the rest behind."""

from hypothesis import given

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests.strategies import histories, standing
from property_tests.subject import lifecycle


@given(histories())
def test_only_the_newest_round_of_a_lane_is_effective(history):
    naive, result = history.naive, fold_lines(lifecycle(history.spec), history.lines.values())
    for lane in history.spec["lanes"]:
        made = naive.valid(lane, naive.events)
        newest = max((resets_up_to(naive, i) for i in made), default=0)
        assert {newest} >= {resets_up_to(naive, i) for i in standing(history, result, lane)}
        assert bool(made) == bool(standing(history, result, lane))


def resets_up_to(naive, i):
    """The round, counted: the most resets on any way of the lane's valid transitions that leads to `i`."""
    lane = naive.events[i]["lane"]
    below = max((resets_up_to(naive, x) for x in naive.heads(lane, naive.past[i])), default=0)
    return below + bool(naive.rule(i).get("resets"))

"""P1: everything is a function of the set. Order, duplication and splitting over updates leave no trace."""

from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests.strategies import histories, replicas, schedules
from property_tests.subject import Lines, lifecycle, written


@given(st.data(), histories())
def test_two_schedules_of_one_set_print_the_same_bytes(data, history):
    one, two = (data.draw(schedules(history.all_lines)) for _ in range(2))
    results = [fold_lines(lifecycle(history.spec), [line for update in plan for line in update]) for plan in (one, two)]
    assert written(results[0]) == written(results[1])


@given(st.data(), histories())
def test_two_replicas_that_looked_at_different_moments_agree_at_the_end(data, history):
    ends = []
    for _ in range(2):
        lines = Lines(history.spec, history.opening)
        for update in data.draw(schedules(history.all_lines)):
            for line in update:
                lines.add(line)
            lines.state()
        ends.append(written(lines.state()))
    assert ends[0] == ends[1]


@given(replicas())
def test_replicas_that_meet_again_agree(run):
    history, crowd = run
    everything = {line for replica in crowd for line in replica.has}
    ends = set()
    for replica in crowd:
        lines = Lines(history.spec, history.opening)
        for line in [*replica.has, *sorted(everything)]:
            lines.add(line)
        ends.add(written(lines.state()))
    assert len(ends) == 1

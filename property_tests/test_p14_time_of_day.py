"""P14: what a clock said decides nothing. Other times give other ids, and the same result under their names."""

from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests.retelling import renamed, retell
from property_tests.strategies import histories
from property_tests.subject import lifecycle


@given(st.data(), histories())
def test_permuted_times_change_nothing_but_ids(data, history):
    times = data.draw(st.permutations([e["at"] for e in history.naive.events.values()]))
    assert_same_result(history, dict(zip(history.lines, times, strict=True)))


@given(st.data(), histories())
def test_clocks_that_are_days_apart_change_nothing_but_ids(data, history):
    assert_same_result(history, {i: data.draw(st.integers(0, 2**53 - 1)) for i in history.lines})


def assert_same_result(history, times):
    again, names = retell(history, lambda i, _: {"at": times[i]})
    before = fold_lines(lifecycle(history.spec), history.lines.values())
    assert renamed(before, names) == fold_lines(lifecycle(history.spec), again.lines.values())

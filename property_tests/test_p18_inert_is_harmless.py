"""P18: an inert transition changes nobody's validity, and nothing else of anybody's either: it might not be there."""

from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests.retelling import renamed, retell
from property_tests.strategies import histories
from property_tests.subject import lifecycle


@given(st.data(), histories())
def test_a_history_without_some_of_its_inert_transitions_is_the_same_history(data, history):
    code = history.naive.code
    inert = [i for i in history.lines if code[i] not in {None, "opening"}]
    gone = frozenset(data.draw(st.lists(st.sampled_from(inert)))) if inert else frozenset()
    gone |= {i for i in inert if code[i] == "after"}  # without one of its parents it might well be sound
    again, names = retell(history, without=gone)
    before = fold_lines(lifecycle(history.spec), history.lines.values())
    after = fold_lines(lifecycle(history.spec), again.lines.values())
    left = {i: found for i, found in before["status"].items() if i not in gone}
    assert renamed({**before, "status": left}, names) == after

"""P16: pending is exactly what misses an ancestor, with exactly the ids that are missing."""

from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests.strategies import histories
from property_tests.subject import Lines, lifecycle


@given(st.data(), histories())
def test_pending_is_what_misses_an_ancestor(data, history):
    ids = list(history.lines)
    lost = set(data.draw(st.lists(st.sampled_from(ids[1:]), max_size=3))) if ids[1:] else set()
    lost |= {history.opening} if data.draw(st.booleans()) else set()
    kept = [i for i in ids if i not in lost]
    lines = Lines(history.spec, history.opening)
    for i in kept:
        lines.add(history.lines[i])
    expected = {i: sorted(missing) for i in kept if (missing := known_gaps(history, i, lost))}
    assert expected == fold_lines(lifecycle(history.spec), [history.lines[i] for i in kept])["pending"]
    assert expected == lines.state()["pending"]
    assert set(kept) - expected.keys() == {i for i in ids if i in lines.fold}


def known_gaps(history, i, lost):
    """The first lost ids on every way from `i` upwards: what lies beyond them nobody can know of."""
    found = set()
    for parent in history.naive.events[i]["after"]:
        found |= {parent} if parent in lost else known_gaps(history, parent, lost)
    return found

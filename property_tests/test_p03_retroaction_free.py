"""P3: what was valid stays valid, what was inert stays inert, whatever becomes known later."""

from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.domain.transition import decode
from property_tests.strategies import histories, schedules
from property_tests.subject import Lines


@given(st.data(), histories())
def test_a_verdict_never_changes(data, history):
    lines, first = Lines(history.spec, history.opening), {}
    for update in data.draw(schedules(list(history.lines.values()))):
        for line in update:
            lines.add(line)
        found = {i: lines.fold.verdict(i) for i in history.lines if i in lines.fold}
        for i, verdict in found.items():
            assert first.setdefault(i, verdict) == verdict
    assert history.lines.keys() == first.keys()


@given(histories())
def test_a_transition_is_judged_beforehand_as_it_is_afterwards(history):
    lines = Lines(history.spec, history.opening)
    for i, line in history.lines.items():
        beforehand = lines.fold.judge(decode(line)) if i != history.opening else None
        lines.add(line)
        assert beforehand is None or beforehand == lines.fold.verdict(i)
        assert beforehand is not None or i == history.opening

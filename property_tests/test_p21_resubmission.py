"""P21: who sends a transition again, after a crash or from a restored backup, makes one transition."""

from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.domain.lifecycle.fold import fold_lines
from crdt_sync.domain.transition import decode, make
from property_tests.strategies import histories
from property_tests.subject import Lines, lifecycle

FIELDS = ("ticket", "lane", "name", "actor", "lifecycle", "payload", "at", "subject")


@given(st.data(), histories())
def test_the_same_decision_written_again_is_the_same_transition(data, history):
    line = history.lines[data.draw(st.sampled_from(list(history.lines)))]
    first = decode(line)
    shuffled = {key: data.draw(st.permutations(getattr(first, key))) for key in ("roles", "after")}
    again = make(**{key: getattr(first, key) for key in FIELDS}, **shuffled)
    assert (first.id, first.record) == (again.id, again.record)


@given(st.data(), histories())
def test_resubmission_makes_one_transition(data, history):
    sent = list(history.lines.values())
    again = data.draw(st.lists(st.sampled_from(sent), min_size=1))
    once = fold_lines(lifecycle(history.spec), sent)
    assert once == fold_lines(lifecycle(history.spec), [*sent, *again])
    lines = Lines(history.spec, history.opening)
    for line in [*sent, *again]:
        lines.add(line)
    assert once == lines.state()
    assert len(history.lines) - 1 == len(once["status"])

"""The tripwire never cries wolf: equal heads have one fingerprint, in whatever order a copy was told and however much.

The naive fold says which: every honest copy, of any make, has the same.
"""

from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.domain.transition import decode
from crdt_sync.domain.tripwire import Fingerprint, fingerprint, heads_of
from property_tests import model
from property_tests.model import canonical, sha
from property_tests.strategies import histories, schedules
from property_tests.subject import Lines

LEFT_OUT = {"pending", "quarantined"}


@given(st.data(), histories())
def test_a_fingerprint_is_that_of_the_naive_fold_of_the_same_view(data, history):
    known = {i: decode(line) for i, line in history.lines.items()}
    view, todo = {history.opening}, data.draw(st.lists(st.sampled_from(sorted(known)), max_size=4))
    while todo:
        view.add(todo[-1])
        todo += known[todo.pop()].after
    heads = heads_of(known[i] for i in view)
    state = model.fold(history.spec, [history.lines[i] for i in view], ticket=history.opening)
    honest = Fingerprint(sha(canonical(list(heads))), sha(canonical({k: state[k] for k in state if k not in LEFT_OUT})))

    for lines in ([history.lines[i] for i in sorted(view)], history.all_lines):
        copy = Lines(history.spec, history.opening)
        for update in data.draw(schedules(lines)):
            for line in update:
                copy.add(line)
        assert honest == fingerprint(copy.fold, heads)

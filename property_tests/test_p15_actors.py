"""P15: renaming the actors is an isomorphism: who did it is told, and never weighed."""

from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests.retelling import renamed, retell
from property_tests.strategies import histories
from property_tests.subject import lifecycle


@given(st.data(), histories())
def test_renamed_actors_make_the_same_result(data, history):
    actors = sorted({e["actor"] for e in history.naive.events.values()})
    pool = sorted({*actors, "zz", "~", " ", "gateway"})
    others = dict(zip(actors, data.draw(st.permutations(pool)), strict=False))
    again, names = retell(history, lambda _, e: {"actor": others[e["actor"]]})
    before = fold_lines(lifecycle(history.spec), history.lines.values())
    assert renamed(before, names) == fold_lines(lifecycle(history.spec), again.lines.values())

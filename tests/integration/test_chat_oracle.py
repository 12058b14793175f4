from tests.integration.chat_oracle import judged
from tests.integration.chat_platform import Written

WRITTEN = [Written("a", f"a{second}", second, second + 0.5) for second in (1, 2, 3)]
ALL = ["a1", "a2", "a3"]


def verdict(held, shown=None):
    return judged(WRITTEN, held, held if shown is None else shown)


def test_all_of_it_once_and_in_order_is_good():
    assert verdict({"t": ALL}).is_good


def test_what_was_acknowledged_and_is_nowhere_is_lost():
    found = verdict({"t": ["a1", "a3"]})
    assert (["a2"], False) == (found.lost, found.is_good)


def test_what_was_never_acknowledged_may_be_there_or_not():
    given_up = [*WRITTEN, Written("a", "a4", 4)]
    for texts in (ALL, [*ALL, "a4"]):
        assert judged(given_up, {"t": texts}, {"t": texts}).is_good


def test_what_is_there_twice_or_was_never_written_is_doubled():
    assert ["a2"] == verdict({"t": [*ALL, "a2"]}, {"t": ALL}).doubled
    assert ["a2"] == verdict({"t": ALL, "u": ["a2"]}, {}).doubled
    assert ["b1"] == verdict({"t": [*ALL, "b1"]}, {}).doubled


def test_conversation_in_two_tickets_is_scattered():
    assert ["a"] == verdict({"t": ["a1"], "u": ["a2", "a3"]}).scattered


def test_what_is_shown_before_something_older_is_disordered():
    assert ["a2"] == verdict({"t": ALL}, {"t": ["a1", "a3", "a2"]}).disordered


def test_what_was_taken_earlier_and_committed_later_is_disordered_and_what_was_under_way_at_once_is_not():
    assert ["a2"] == verdict({"t": ["a1", "a3", "a2"]}, {}).disordered
    at_once = [WRITTEN[0], Written("a", "a2", 2, 9), WRITTEN[2]]
    assert [] == judged(at_once, {"t": ["a1", "a3", "a2"]}, {}).disordered

"""W2: all histories of up to three or four moves, in all orders of arrival; `make exhaustive` goes on to five."""

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass, replace

import pytest

from property_tests.enumeration import bits, form_of, found_by_oracle, seen
from property_tests.exhaustive import SCOPES, each_in_a_storm, each_with_one_twice, foldings, found_by_fold, run

SCOPE = pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: f"{scope.name}-{'-'.join(scope.lanes)}")
WHOLE = pytest.mark.parametrize("scope", SCOPES[:2], ids=lambda scope: scope.name)  # with all lanes


def histories(scope, count):
    return found_by_oracle(scope.spec, scope.lanes, count)


@SCOPE
def test_the_definitions_alone_allow_as_many_histories_as_are_written_down(scope):
    assert scope.golden == tuple(map(len, histories(scope, len(scope.golden) - 1)))


@WHOLE
def test_the_fold_lets_its_writers_make_the_same_histories(scope):
    assert histories(scope, 4) == found_by_fold(scope, 4)


@pytest.mark.parametrize(("scope", "every_order"), [(SCOPES[0], 2), (SCOPES[1], 3)], ids=["connect-order", "small"])
def test_every_order_of_arrival_folds_as_the_definitions_say(scope, every_order):
    """Up to so many moves in every order and with any entry twice; one more move parents first and backwards."""
    *fewer, most = histories(scope, every_order + 1)
    for moves, forms in enumerate(fewer):
        orders = math.factorial(moves + 1) * (moves + 1) * (moves + 2) // 2  # which one, and where it arrives again
        assert len(forms) * orders == sum(foldings(scope, form, every_order) for form in forms)
    assert len(most) < sum(foldings(scope, form, every_order) for form in most)


def test_the_full_run_folds_each_history_once_and_stops_at_a_count_that_differs(capsys):
    scope, known = replace(SCOPES[1], golden=(1, 2, 8)), defaultdict(set)
    assert (1 + 2 + 8, 1 + 2 * 6 + 8 * 36) == run(scope, known, map)
    assert "| small | case deal | 1, 2, 8 | 11 | 301 | " in capsys.readouterr().out
    assert (0, 0) == run(scope, known, map)
    with pytest.raises(AssertionError, match="written down"):
        run(replace(scope, golden=(1, 2, 9)), known, map)


def test_one_entry_arrives_twice_at_every_later_place():
    assert ["aab", "aba", "abb", "bba", "bab", "baa"] == ["".join(order) for order in each_with_one_twice("ab")]
    assert 1_800 == len({tuple(order) for order in each_with_one_twice(range(5))})


@dataclass(frozen=True)
class Entry:
    id: str
    after: tuple[str, ...] = ()


def test_in_a_storm_parents_come_first_or_last_and_all_that_arrived_arrives_again():
    o, x, y = Entry("o"), Entry("x", ("o",)), Entry("y", ("o",))
    orders = ["".join(entry.id for entry in order) for order in each_in_a_storm([o, x, y])]
    assert ["ooxoxyoxy", "yyxyxoyxo", "ooyoyxoyx", "xxyxyoxyo"] == orders


def is_same(form, other):
    """Whether some renaming of the moves turns one history into the other, tried out."""
    return any(
        all(
            form[i][0] == other[name][0] and {order[x] for x in bits(form[i][1])} == set(bits(other[name][1]))
            for i, name in enumerate(order)
        )
        for order in itertools.permutations(range(len(form)))
    )


def test_two_histories_are_written_alike_exactly_if_they_are_the_same():
    forms = histories(SCOPES[0], 3)[3]
    assert not any(is_same(form, other) for form, other in itertools.combinations(forms, 2))
    for form in forms:
        for order in itertools.permutations(range(3)):
            place = {i: n for n, i in enumerate(order)}
            renamed = [(form[i][0], sum(1 << place[x] for x in bits(form[i][1]))) for i in order]
            assert is_same(form, renamed)
            assert form == form_of(renamed)


def test_what_was_seen_of_a_history_is_a_history():
    twins = form_of([("a.x", 0), ("a.x", 0), ("a.y", 0b01)])
    assert [(), ("a.x",), ("a.x", "a.x"), ("a.x", "a.y")] == sorted(
        tuple(label for label, _ in seen(twins, view)) for view in (0, 0b01, 0b11, twins[2][1] | 0b100)
    )

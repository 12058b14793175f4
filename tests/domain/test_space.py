"""Sets of combinations as bits: each operation beside the same one on a plain set of tuples."""

import itertools
import random

import pytest

from crdt_sync.domain.lifecycle import space as space_module
from crdt_sync.domain.lifecycle.model import Pattern
from crdt_sync.domain.lifecycle.rounds import values_of
from crdt_sync.domain.lifecycle.space import COMBINATIONS_MAX, Space, TooWide, Work
from tests.domain.lanes import lifecycle_of

STAGES = (
    {"stage": "torn", "kind": "attention", "when": {"b": "torn"}},
    {"stage": "quiet", "kind": "normal", "when": [{"a": "x", "b": "p"}, {"c": "!m"}]},
    {"stage": "rest", "kind": "normal", "when": {"a": ["y", "z"]}},
)
FORK = {"q": "p > q", "r": "p > r if a=y", "rule": "settles torn > q"}
LANES = {
    "a": ("x y z", "x < y < z", {"go": "x > y", "on": "y > z if stage=!torn", "back": "z > y resets"}),
    "b": (
        "p q r",
        "p < q, p < r",
        {"q": "p > q", "r": "p > r if a=y", "rule": "settles torn > q"},
        {"torn": "q r"},
        False,
    ),
    "c": ("m n", "m < n", {"go": "m > n if stage=quiet", "stay": "m > m"}),
}
LIFECYCLE = lifecycle_of(LANES, STAGES)
VALUES = [values_of(lane) for lane in LIFECYCLE.lanes.values()]
SPACE = Space(LIFECYCLE, VALUES, Work())
ALL = list(itertools.product(*VALUES))


def bits(combinations):
    found = 0
    for combination in combinations:
        one = SPACE.everything
        for lane, value in zip(LIFECYCLE.lanes, combination, strict=True):
            one &= SPACE.at(lane, value)
        assert one.bit_count() == 1
        found |= one
    return found


def some(seed):
    return [combination for combination in ALL if random.Random(f"{seed} {combination}").random() < 0.2]


def shown(combination):
    return {lane: values.name(value) for lane, values, value in zip(LIFECYCLE.lanes, VALUES, combination, strict=True)}


def first_row(combination):
    states = shown(combination)
    for row in LIFECYCLE.stages:
        if any(all(pattern.matches(states[lane]) for lane, pattern in when.items()) for when in row.when):
            return row.stage
    return None


def test_everything_is_every_combination_once():
    assert len(ALL) == SPACE.everything.bit_count()
    assert SPACE.everything == bits(ALL)


def test_a_value_that_a_lane_cannot_show_has_no_combination():
    assert 0 == SPACE.at("a", frozenset({"nowhere"}))
    assert 0 == SPACE.put(SPACE.everything, "a", frozenset({"nowhere"}))


def test_a_name_stands_for_each_value_that_is_shown_so():
    assert bits(c for c in ALL if shown(c)["c"] == "m") == SPACE.named("c", "m".__eq__)
    assert 2 * len(ALL) // 3 == SPACE.named("c", "m".__eq__).bit_count()


def test_rows_are_the_first_that_match():
    for row, found in zip(LIFECYCLE.stages, SPACE.rows, strict=True):
        assert bits(c for c in ALL if first_row(c) == row.stage) == found
        assert found & SPACE.matched_by(row) == found


def test_what_a_row_matches_is_there_although_an_earlier_one_takes_it():
    assert SPACE.matched_by(LIFECYCLE.stages[1]) & SPACE.rows[0]


def test_combinations_without_a_row_meet_negations_and_stars_only():
    nowhere = bits(c for c in ALL if first_row(c) is None)
    assert nowhere
    for pattern, meets in [
        (Pattern(frozenset({"torn"}), negated=True), True),
        (Pattern(any=True), True),
        (Pattern(frozenset({"torn", "quiet"})), False),
    ]:
        assert meets == bool(SPACE.meeting("stage", pattern) & nowhere)


def test_a_transition_is_enabled_by_its_lane_and_its_conditions():
    assert bits(c for c in ALL if shown(c)["b"] == "torn") == SPACE.enabling(LIFECYCLE.lanes["b"].transitions["rule"])
    assert bits(c for c in ALL if shown(c)["b"] == "p" and shown(c)["a"] == "y") == SPACE.enabling(
        LIFECYCLE.lanes["b"].transitions["r"]
    )
    assert bits(c for c in ALL if shown(c)["c"] == "m" and first_row(c) == "quiet") == SPACE.enabling(
        LIFECYCLE.lanes["c"].transitions["go"]
    )
    assert bits(c for c in ALL if shown(c)["a"] == "y" and first_row(c) != "torn") == SPACE.enabling(
        LIFECYCLE.lanes["a"].transitions["on"]
    )


@pytest.mark.parametrize("seed", range(5))
def test_putting_a_lane_leaves_the_others(seed):
    for number, (lane, values) in enumerate(zip(LIFECYCLE.lanes, VALUES, strict=True)):
        for value in values:
            expected = {(*c[:number], value, *c[number + 1 :]) for c in some(seed)}
            assert bits(expected) == SPACE.put(bits(some(seed)), lane, value)


@pytest.mark.parametrize("seed", range(5))
def test_spreading_lets_each_lane_show_what_follows(seed):
    following = [values.following() for values in VALUES]
    expected = {
        after
        for before in some(seed)[:3]
        for after in itertools.product(*(next_[value] for next_, value in zip(following, before, strict=True)))
    }
    assert bits(expected) == SPACE.spread(bits(some(seed)[:3]))


@pytest.mark.parametrize("seed", range(5))
def test_leading_is_every_way_to_the_goal(seed):
    """The plain search: whoever can make a move into the set belongs to it."""
    transitions = [move for lane in LIFECYCLE.lanes.values() for move in lane.transitions.values()]
    leading = set(some(seed)[:4])
    grown = None
    while grown != leading:
        grown = set(leading)
        for combination in ALL:
            for move in transitions:
                number = list(LIFECYCLE.lanes).index(move.lane)
                after = (*combination[:number], frozenset({move.to}), *combination[number + 1 :])
                if after in leading and SPACE.enabling(move) & bits([combination]):
                    leading.add(combination)
    assert bits(leading) == SPACE.leading(transitions, bits(some(seed)[:4]))


def test_moves_of_other_lanes_lead_nowhere():
    goal = bits(c for c in ALL if shown(c)["a"] == "z")
    assert goal == SPACE.leading(LIFECYCLE.lanes["c"].transitions.values(), goal)


def test_an_example_is_one_of_the_combinations_and_holds():
    for combination in ALL[:20]:
        assert shown(combination) == SPACE.example(bits([combination]))
        assert SPACE.holds(bits([combination]), shown(combination))
    assert not SPACE.holds(bits(c for c in ALL if shown(c)["a"] == "z"), {"a": "y", "b": "p", "c": "m"})
    assert not SPACE.holds(SPACE.everything, {"a": "y", "b": "p", "c": "q|r"})


def test_a_lane_outside_of_the_space_counts_as_matched():
    without = Space(LIFECYCLE, VALUES[:1], Work())
    assert without.everything == without.matching({"b": Pattern(frozenset({"torn"}))})


def test_too_many_combinations_are_refused_before_anything_is_made():
    states = " ".join(f"s{number}" for number in range(17))
    moves = {f"t{number}": f"s0 > s{number}" for number in range(1, 17)}
    lanes = lifecycle_of({f"l{number}": (states, states.replace(" ", " < "), moves) for number in range(5)}).lanes
    values = [values_of(lane) for lane in lanes.values()]
    assert 17**5 > COMBINATIONS_MAX
    work = Work()
    with pytest.raises(TooWide):
        Space(LIFECYCLE, values, work)
    assert Work() == work


def test_work_is_counted_until_it_is_too_much():
    work = Work(10 * space_module.WORDS_OF_A_STEP)
    for _ in range(9):
        work.spend(1)
    with pytest.raises(TooWide):
        work.spend(250)
    counted = Work()
    Space(LIFECYCLE, VALUES, counted)
    assert counted.words < Work().words

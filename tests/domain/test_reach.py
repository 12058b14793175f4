"""Reach on lifecycles of two or three lanes: what concurrency adds to what the product of the lanes can do."""

import pytest

from crdt_sync.adapters.lifecycle_files import load, shipped
from crdt_sync.domain.lifecycle import reach as reach_module
from crdt_sync.domain.lifecycle.reach import Reaches
from crdt_sync.domain.lifecycle.space import TooWide
from tests.domain.lanes import lifecycle_of


def reached(lanes, stages):
    """Every combination of `Reach`, as the names that the lanes show."""
    return shown(Reaches(lifecycle_of(lanes, stages)).whole())


def shown(reach):
    found, left = set(), reach.combinations
    while left:
        found.add(tuple(reach.space.example(left).values()))
        left &= left - 1
    return found


def watched(*lanes):
    """A stage table that names the lanes, so that each of them counts."""
    return [
        {"stage": "start", "kind": "normal", "when": dict.fromkeys(lanes, "idle")},
        {"stage": "rest", "kind": "normal", "when": {}},
    ]


def two(first, second):
    lanes = {"a": ("idle went", "idle < went", first), "b": ("idle went", "idle < went", second)}
    return reached(lanes, watched("a", "b"))


def test_lanes_without_guards_reach_every_combination():
    assert {("idle", "idle"), ("idle", "went"), ("went", "idle"), ("went", "went")} == two(
        {"go": "idle > went"}, {"go": "idle > went"}
    )


def test_a_value_is_earned_through_its_guard():
    assert {("idle", "idle"), ("went", "idle"), ("went", "went")} == two(
        {"go": "idle > went"}, {"go": "idle > went if a=went"}
    )


def test_guards_that_wait_for_each_other_reach_nothing():
    assert {("idle", "idle")} == two({"go": "idle > went if b=went"}, {"go": "idle > went if a=went"})


def test_guards_that_forbid_each_other_are_passed_by_concurrency():
    assert ("went", "went") in two({"go": "idle > went if b=idle"}, {"go": "idle > went if a=idle"})


def test_a_guard_on_the_stage_counts():
    assert {("idle", "idle"), ("idle", "went"), ("went", "idle"), ("went", "went")} == two(
        {"go": "idle > went if stage=start"}, {"go": "idle > went if stage=start"}
    )
    assert ("went", "idle") not in two({"go": "idle > went if stage=rest"}, {"go": "idle > went"})


def test_a_lane_that_only_goes_up_does_not_come_back():
    lanes = {
        "a": ("idle mid went", "idle < mid < went", {"go": "idle > mid", "on": "mid > went"}),
        "b": ("idle went", "idle < went", {"go": "idle > went if a=went"}),
    }
    assert ("mid", "went") not in reached(lanes, watched("a", "b"))


def test_a_lane_that_resets_may_have_come_back():
    lanes = {
        "a": (
            "idle mid went",
            "idle < mid < went",
            {"go": "idle > mid", "on": "mid > went", "back": "went > mid resets"},
        ),
        "b": ("idle went", "idle < went", {"go": "idle > went if a=went"}),
    }
    assert ("mid", "went") in reached(lanes, watched("a", "b"))


def test_each_side_of_a_conflict_must_be_earned():
    lanes = {
        "a": ("idle l r", "idle < l, idle < r", {"l": "idle > l", "r": "idle > r if b=went"}, {"torn": "l r"}, False),
        "b": ("idle went", "idle < went", {}),
    }
    assert {("idle", "idle"), ("l", "idle")} == reached(lanes, watched("a", "b"))
    lanes["b"] = ("idle went", "idle < went", {"go": "idle > went"})
    found = reached(lanes, watched("a", "b"))
    assert ("torn", "went") in found
    assert ("torn", "idle") not in found


def test_a_state_that_is_initial_and_led_to_is_reached_as_both():
    lanes = {"a": ("idle went", "idle < went", {"go": "idle > went", "back": "went > idle resets"})}
    reach = Reaches(lifecycle_of(lanes, watched("a"))).whole()
    assert 3 == reach.combinations.bit_count()
    assert {("idle",), ("went",)} == shown(reach)


THREE = {
    "a": ("idle went", "idle < went", {"go": "idle > went"}),
    "b": ("idle went", "idle < went", {"go": "idle > went"}),
    "c": ("idle went", "idle < went", {"go": "idle > went if b=went"}),
}


def test_a_lane_that_nothing_names_is_left_out_until_it_is_asked_for():
    reaches = Reaches(lifecycle_of(THREE, watched("b")))
    assert ["b"] == [lane.id for lane in reaches.whole().space.lanes]
    assert reaches.of("b") is reaches.whole()
    assert ["b", "c"] == [lane.id for lane in reaches.of("c").space.lanes]
    assert {("idle", "idle"), ("went", "idle"), ("went", "went")} == shown(reaches.of("c"))
    assert reaches.of("c") is reaches.of("c")
    assert ["a", "b"] == [lane.id for lane in reaches.of("a").space.lanes]


def test_a_lane_that_owes_is_named():
    rows = [{"stage": "any", "kind": "normal", "when": {}, "owes": [{"a": ["go"]}]}]
    assert ["a", "b"] == [lane.id for lane in Reaches(lifecycle_of(THREE, rows)).whole().space.lanes]


def test_a_star_names_nothing():
    rows = [{"stage": "any", "kind": "normal", "when": {"a": "*"}}]
    assert ["b"] == [lane.id for lane in Reaches(lifecycle_of(THREE, rows)).whole().space.lanes]


def test_a_lane_with_too_many_values_is_too_wide():
    states = [f"s{number}" for number in range(9)]
    lane = (" ".join(["idle", *states]), "", {f"t{state}": f"idle > {state}" for state in states}, {}, True)
    reaches = Reaches(lifecycle_of({"a": lane}, watched("a")))
    with pytest.raises(TooWide):
        reaches.whole()


def test_all_spaces_of_a_file_share_its_work(monkeypatch):
    reaches = Reaches(lifecycle_of(THREE, watched("b")))
    reaches.whole()
    spent = reach_module.Work().words - reaches._work.words
    reaches.of("a")
    assert reach_module.Work().words - reaches._work.words > spent > 0


def moved(lifecycle, lane, other, state):
    return {tuple(c.values()) for c in _examples(Reaches(lifecycle).whole(), lane, other, state)}


def _examples(reach, lane, other, state):
    left = reach.moved_without(lane, other, state)
    while left:
        yield reach.space.example(left)
        left &= left - 1


def test_a_mover_who_must_have_seen_the_other_lane_there_did_not_move_without():
    lanes = {
        "a": ("idle went", "idle < went", {"go": "idle > went"}),
        "b": ("idle went", "idle < went", {"go": "idle > went if a=went"}),
    }
    assert set() == moved(lifecycle_of(lanes, watched("a", "b")), "b", "a", "went")
    lanes["b"] = ("idle went", "idle < went", {"go": "idle > went"})
    assert {("idle", "went"), ("went", "went")} == moved(lifecycle_of(lanes, watched("a", "b")), "b", "a", "went")


def test_what_a_later_mover_did_who_saw_the_other_lane_there_does_not_count():
    lanes = {
        "a": ("idle went", "idle < went", {"go": "idle > went"}),
        "b": ("idle went far", "idle < went < far", {"go": "idle > went", "on": "went > far if a=went"}),
    }
    assert {("idle", "went"), ("went", "went")} == moved(lifecycle_of(lanes, watched("a", "b")), "b", "a", "went")


def test_the_shipped_default_is_proven_with_a_hundredth_of_the_work():
    reaches = Reaches(load(shipped()["connect-order"]))
    for lane in ("case", "sales", "tech", "support"):
        reaches.of(lane)
    assert reach_module.Work().words / 100 > reach_module.Work().words - reaches._work.words

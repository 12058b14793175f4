"""L5 and L11 on lanes that have little else; L3 and L4 are tested with the checker, but for where stories go."""

from dataclasses import replace

import pytest

from crdt_sync.domain.lifecycle import check as check_module
from crdt_sync.domain.lifecycle import lane_rules
from crdt_sync.domain.lifecycle.check import check
from crdt_sync.domain.lifecycle.witness import Witnesses
from tests.domain.lanes import lifecycle_of

FORK = {"left": "a > l", "right": "a > r"}
ALL_RULES = dict(check_module.RULES)


@pytest.fixture(autouse=True)
def two_rules(monkeypatch):
    monkeypatch.setattr(check_module, "RULES", {rule: check_module.RULES[rule] for rule in ("L5", "L11")})


def settled(order, transitions, *, states="a l r", conflicts=None):
    lanes = {"work": (states, order, FORK | transitions, {"torn": "l r"} | (conflicts or {}), False)}
    return [(found.where, found.message, found.story, found.fix) for found in check(lifecycle_of(lanes))]


# L5


def test_a_settlement_to_a_member_of_an_even_conflict_passes():
    assert [] == settled("a < l, a < r", {"rule": "settles torn > l", "other": "settles torn > r"})


def test_a_settlement_to_a_state_above_all_members_is_refused_and_shown():
    (found,) = settled("a < l < up, a < r < up", {"rule": "settles torn > up"}, states="a l r up")
    assert (
        "work.rule",
        "up is not a member of torn, which it settles.",
        "l: work.left · r: work.right · r2: work.rule < l, r ⇒ up",
        'Settle it to l or r, or leave it "from: torn".',
    ) == found


def test_a_move_from_a_conflict_may_lead_outside():
    assert [] == settled("a < l < up, a < r < up", {"lift": "torn > up"}, states="a l r up")


def test_what_stands_above_one_member_alone_makes_a_settlement_uneven():
    found = settled(
        "a < l < up, a < r",
        {"rule": "settles torn > l", "lift": "l > up"},
        states="a l r up",
        conflicts={"late": "r up"},
    )
    story = "l: work.left · r: work.right · r2: work.rule < l, r · x: work.right · x2: work.left · "
    assert [
        (
            "work.rule",
            "l < up, but r is not, so a settlement of torn may undo a move and be undone itself.",
            story + "l2: work.lift < x2 ⇒ up",
            "Order the members of torn alike, or take one out.",
        )
    ] == found


def test_what_stands_below_one_member_alone_makes_a_settlement_uneven():
    (found,) = settled(
        "a < low < l, a < r",
        {"rule": "settles torn > r", "lower": "a > low"},
        states="a low l r",
        conflicts={"early": "low r"},
    )
    assert "low < l, but not < r, so a settlement of torn may undo a move and be undone itself." == found[1]
    assert found[2].endswith("⇒ r")


def test_an_uneven_conflict_is_told_once_however_many_settle_it():
    moves = {"rule": "settles torn > l", "other": "settles torn > r", "lift": "l > up"}
    found = settled("a < l < up, a < r", moves, states="a l r up", conflicts={"late": "r up"})
    assert ["work.rule"] == [where for where, *_ in found]


def test_a_conflict_of_three_is_compared_pair_by_pair():
    moves = {"under": "a > u", "rule": "settles torn > l", "lift": "l > up"}
    found = settled(
        "a < l < up, a < r < up, a < u",
        moves,
        states="a l r u up",
        conflicts={"torn": "l r u", "lr": "l r", "lu": "l u", "ru": "r u", "late": "u up"},
    )
    assert ["l < up, but u is not, so a settlement of torn may undo a move and be undone itself."] == [
        message for _, message, *_ in found
    ]


def test_an_uneven_conflict_that_nobody_settles_passes():
    assert [] == settled("a < l < up, a < r", {"lift": "l > up"}, states="a l r up", conflicts={"late": "r up"})


def test_two_defects_of_one_settlement_are_both_told():
    found = settled(
        "a < low < l, a < r", {"rule": "settles torn > low"}, states="a low l r", conflicts={"early": "low r"}
    )
    assert [True, False] == ["is not a member" in message for _, message, *_ in found]
    assert ["work.rule"] * 2 == [where for where, *_ in found]
    assert {"no state"} == {story.partition("⇒ ")[2] for _, _, story, _ in found}


# L11


def amended(transitions, payloads):
    lifecycle = lifecycle_of({"work": ("a b c", "a < b < c", transitions)})
    lane = lifecycle.lanes["work"]
    for name in payloads:
        lane.transitions[name] = replace(lane.transitions[name], payload={"note": "text", "price": "money"})
    return [(found.where, found.message, found.story, found.fix) for found in check(lifecycle)]


def test_a_payload_that_nobody_can_amend_is_refused_and_shown():
    assert [
        (
            "work.go",
            "two payloads of b at once conflict, and nobody can amend them without leaving b.",
            "g: work.go(note=A) · g2: work.go(note=B) ⇒ payload_conflict",
            "Add a transition from b to b with a payload.",
        )
    ] == amended({"go": "a > b"}, ["go"])


def test_a_transition_from_the_state_to_itself_amends_if_it_has_a_payload():
    moves = {"go": "a > b", "amend": "b > b"}
    assert [] == amended(moves, ["go", "amend"])
    assert ["work.go"] == [where for where, *_ in amended(moves, ["go"])]


def test_the_same_transition_may_amend():
    assert [] == amended({"go": "a b > b"}, ["go"])


def test_an_amendment_that_can_never_be_made_amends_nothing():
    assert ["work.go"] == [where for where, *_ in amended({"go": "a > b", "amend": "b > b if work=a"}, ["go", "amend"])]


def test_a_payload_that_never_comes_needs_no_amendment():
    assert [] == amended({"go": "b > c"}, ["go"])


def test_the_story_goes_where_the_payload_comes_from():
    ((where, _, story, _),) = amended({"go": "a > b", "on": "b > c"}, ["on"])
    assert ("work.on", "g: work.go · o: work.on(note=A) < g · o2: work.on(note=B) < g ⇒ payload_conflict") == (
        where,
        story,
    )


def test_a_state_without_payloads_needs_no_amendment():
    assert [] == amended({"go": "a > b"}, [])


# What a story goes through

UP = ("idle went", "idle < went", {"go": "idle > went"})
ANY = {"stage": "any", "kind": "normal", "when": {}}
LATE = {"stage": "late", "kind": "normal", "when": {"a": "went"}}


def told(rule, monkeypatch, lifecycle):
    monkeypatch.setattr(check_module, "RULES", {rule: ALL_RULES[rule]})
    (found,) = check(lifecycle)
    return found.story


@pytest.mark.parametrize("condition", ["a=went", "stage=late"])
def test_what_is_undone_is_made_where_its_condition_holds(monkeypatch, condition):
    work = ("new done", "new < done", {"finish": "new > done", "again": f"done > new if {condition}"})
    assert "g: a.go · f: work.finish < g · a: work.again < f · x: work.finish < g ⇒ late" == told(
        "L4", monkeypatch, lifecycle_of({"a": UP, "work": work}, (LATE, ANY))
    )


def test_the_stale_copy_is_of_a_move_of_the_lane_itself(monkeypatch):
    lanes = {
        "a": ("idle went", "idle < went", {"go": "idle > went if work=done"}),
        "work": ("new done", "new < done", {"finish": "new > done", "again": "done > new if a=went"}),
    }
    assert "f: work.finish · g: a.go < f · a: work.again < g · x: work.finish ⇒ any" == told(
        "L4", monkeypatch, lifecycle_of(lanes)
    )


def test_a_settlement_is_made_where_its_condition_holds(monkeypatch):
    moves = {"left": "n > l", "right": "n > r", "rule": "settles torn > n if stage=late"}
    lanes = {"a": UP, "work": ("n l r", "n < l, n < r", moves, {"torn": "l r"}, False)}
    assert "g: a.go · l: work.left < g · r: work.right < g · r2: work.rule < l, r · x: work.left < g ⇒ no state" == (
        told("L5", monkeypatch, lifecycle_of(lanes, (LATE, ANY)))
    )


def test_payloads_conflict_where_the_condition_of_their_transition_holds(monkeypatch):
    lanes = {"a": UP, "work": ("new done", "new < done", {"finish": "new > done if stage=late"})}
    lifecycle = lifecycle_of(lanes, (LATE, ANY))
    moves = lifecycle.lanes["work"].transitions
    moves["finish"] = replace(moves["finish"], payload={"note": "text"})
    assert "g: a.go · f: work.finish(note=A) < g · f2: work.finish(note=B) < g ⇒ payload_conflict" == (
        told("L11", monkeypatch, lifecycle)
    )


def test_a_settlement_is_tried_from_a_few_histories_and_no_more():
    long = ("s0 s1 s2 s3 s4 s5", "s0 < s1 < s2 < s3 < s4 < s5", {f"go{n}": f"s{n} > s{n + 1}" for n in range(5)})
    moves = {**FORK, "rule": "settles torn > l"}
    lifecycle = lifecycle_of({"long": long, "work": ("a l r", "a < l, a < r", moves, {"torn": "l r"}, False)})
    work = lifecycle.lanes["work"]
    forks = lane_rules._forks(Witnesses(lifecycle), work, work.transitions["rule"], frozenset("lr"))

    assert lane_rules.FORKS_MAX == len(list(forks)) < 6


def test_of_the_shortest_forks_the_first_is_told(monkeypatch):
    moves = {"mid": "a > m if one=went", "also": "a > m if two=went", "left": "m > l", "right": "a > r"}
    work = ("a m l r", "a < m < l, a < r", moves, {"half": "m r"}, False)
    assert "g: one.go · m: work.mid < g · l: work.left < m · r: work.right < g ⇒ l|r" == (
        told("L3", monkeypatch, lifecycle_of({"one": UP, "two": UP, "work": work}))
    )

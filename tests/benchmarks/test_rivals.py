"""The models of other designs do what those designs document, on histories small enough to follow by hand."""

import itertools

import pytest

from benchmarks.replicas import shipped
from benchmarks.rivals import LamportDiscard, TopologicalPrune
from crdt_sync.domain.lifecycle import stories
from crdt_sync.domain.lifecycle.model import Story


def replayed(design, *events):
    """The design after a story, and the story's records by key."""
    made = stories.transitions(shipped(), Story("example", events, {}))
    rival = design(shipped(), made[stories.OPENER])
    for record in made.values():
        rival.learn(record)
    return rival, made


def rejected(design, *events):
    rival, made = replayed(design, *events)
    return {key for key, record in made.items() if record.id in rival.rejected()}


DESIGNS = pytest.mark.parametrize("design", [LamportDiscard, TopologicalPrune])


@DESIGNS
def test_a_chain_is_a_plain_state_machine(design):
    rival, made = replayed(design, "q: sales.quote", "s: sales.sign < q", "t: tech.start < s")
    assert {"case": "active", "sales": "signed", "tech": "provisioning", "support": "quiet"} == rival.values()
    assert [made["t"].id] == rival.newest()


@DESIGNS
def test_of_two_that_contradict_one_is_rejected(design):
    assert 1 == len(rejected(design, "q: sales.quote", "s: sales.sign < q", "l: sales.lose < q"))


@DESIGNS
def test_the_order_of_arrival_decides_nothing(design):
    events = ("q: sales.quote", "s: sales.sign < q", "l: sales.lose < q", "r: support.raise", "t: tech.start < s, r")
    made = stories.transitions(shipped(), Story("example", events, {}))
    found = set()
    for order in itertools.permutations(made.values()):
        if all(parent in {earlier.id for earlier in order[:n]} for n, one in enumerate(order) for parent in one.after):
            rival = design(shipped(), made[stories.OPENER])
            for record in order:
                rival.learn(record)
            found.add(frozenset(rival.rejected()))
    assert 1 == len(found)


def test_a_later_lamport_time_loses():
    """Of the two quarrels one is further down its author's line; a tie goes to the smaller id."""
    assert {"s"} == rejected(
        LamportDiscard, "q: sales.quote", "r: support.raise < q", "s: sales.sign < r", "l: sales.lose < q"
    )
    events = "q: sales.quote", "s: sales.sign < q", "l: sales.lose < q"
    rival, made = replayed(LamportDiscard, *events)
    assert {max(made["s"].id, made["l"].id)} == rival.rejected()


def test_discard_takes_what_is_still_possible_without_the_rejected():
    """`x` was made after `s` was; `s` is rejected, and `x`, of another lane, stays."""
    events = (
        "q: sales.quote",
        "r: support.raise < q",
        "s: sales.sign < r",
        "x: support.resolve < s",
        "l: sales.lose < q",
    )
    assert {"s"} == rejected(LamportDiscard, *events)


def test_prune_removes_all_that_builds_on_the_rejected():
    events = "q: sales.quote", "l: sales.lose < q", "s: sales.sign < q", "x: support.raise < s"
    assert {"s", "x"} == rejected(TopologicalPrune, *events)
    rival, made = replayed(TopologicalPrune, *events)
    assert [made["l"].id] == rival.newest()


def test_prune_follows_a_branch_to_its_end_before_the_next():
    """`l` was made before `s`, but stands on the later branch."""
    events = "q: sales.quote", "r: support.raise < q", "l: sales.lose < q", "s: sales.sign < r"
    assert {"l"} == rejected(TopologicalPrune, *events)

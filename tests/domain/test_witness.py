"""The search for witnesses: what it walks, and that it believes nothing that it has not folded."""

from crdt_sync.adapters.lifecycle_files import load, shipped
from crdt_sync.domain.lifecycle.witness import Witnesses, enabled

LIFECYCLE = load(shipped()["connect-order"])
INITIAL = {lane.id: lane.initial for lane in LIFECYCLE.lanes.values()}


def transition(lane, name):
    return LIFECYCLE.lanes[lane].transitions[name]


def test_a_transition_is_enabled_by_its_source_and_all_its_conditions():
    assert enabled(LIFECYCLE, INITIAL, transition("sales", "quote"))
    assert not enabled(LIFECYCLE, INITIAL, transition("sales", "sign"))
    assert not enabled(LIFECYCLE, INITIAL, transition("tech", "start"))
    assert enabled(LIFECYCLE, INITIAL | {"sales": "signed"}, transition("tech", "start"))


def test_a_condition_on_the_stage_reads_the_table():
    assert not enabled(LIFECYCLE, INITIAL, transition("case", "close"))
    assert enabled(LIFECYCLE, INITIAL | {"sales": "lost"}, transition("case", "close"))


def test_a_settlement_is_enabled_in_its_conflict():
    assert enabled(LIFECYCLE, INITIAL | {"sales": "disputed"}, transition("sales", "rule_lost"))
    assert not enabled(LIFECYCLE, INITIAL | {"sales": "lost"}, transition("sales", "rule_lost"))


def test_the_walk_reaches_every_combination_once_the_shortest_first():
    histories = list(Witnesses(LIFECYCLE).histories())
    places = [tuple(history.values.values()) for history in histories]
    lengths = [len(history.steps) for history in histories]
    assert len(places) == len(set(places))
    assert lengths == sorted(lengths)
    assert {"disputed", "halt_unclear"} <= {value for place in places for value in place}


def test_what_the_walk_believes_is_what_the_fold_says():
    """The walk is simpler than the fold, and yet right about every history that it gives."""
    witnesses = Witnesses(LIFECYCLE)
    for history in list(witnesses.histories())[:150]:
        story = witnesses.told(history, lambda state, values=history.values: state.lanes == values, lambda _: "so")
        assert story.endswith("⇒ so")


def test_a_history_without_the_defect_is_not_told():
    witnesses = Witnesses(LIFECYCLE)
    history = next(witnesses.histories())
    assert witnesses.told(history, lambda _: False, lambda _: "nothing") == ""


def test_a_history_that_is_too_long_is_not_told():
    witnesses = Witnesses(LIFECYCLE)
    history = next(witnesses.histories())
    for _ in range(65):
        history = history.then(transition("sales", "quote"))
    assert witnesses.told(history, lambda _: True, lambda _: "quoted") == ""

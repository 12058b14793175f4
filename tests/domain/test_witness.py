"""The search for witnesses: what it walks, and that it believes nothing that it has not folded."""

from crdt_sync.adapters.lifecycle_files import load, shipped
from crdt_sync.domain.lifecycle.witness import Witnesses, enabled
from tests.domain.lanes import lifecycle_of

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


def test_a_condition_on_the_stage_without_a_stage_holds_for_negations_alone():
    """As the fold has it."""
    lanes = {"a": ("x y", "x < y", {"not": "x > y if stage=!odd", "is": "x > y if stage=odd"})}
    odd = lifecycle_of(lanes, [{"stage": "odd", "kind": "normal", "when": {"a": "y"}}])
    assert enabled(odd, {"a": "x"}, odd.lanes["a"].transitions["not"])
    assert not enabled(odd, {"a": "x"}, odd.lanes["a"].transitions["is"])


def test_a_stale_move_is_found_where_only_concurrency_leads():
    lanes = {
        "a": ("idle went", "idle < went", {"go": "idle > went if b=idle"}),
        "b": ("idle went", "idle < went", {"run": "idle > went if a=idle"}),
    }
    both = Witnesses(lifecycle_of(lanes))
    stories = [
        both.told(history, lambda state: set(state.lanes.values()) == {"went"}, lambda _: "both")
        for history in both.histories()
    ]
    assert ["g: a.go · r: b.run ⇒ both"] == [story for story in stories if story]


def test_a_stale_move_of_an_older_round_or_below_changes_nothing():
    lanes = {"a": ("x y z", "x < y < z", {"go": "x > y", "on": "y > z", "back": "z > y resets"})}
    lane = lifecycle_of(lanes).lanes["a"]
    start = next(Witnesses(lifecycle_of(lanes)).histories())
    up = start.then(lane.transitions["go"]).then(lane.transitions["on"])
    assert up.stale(lane, lane.transitions["go"], start) is None
    assert up.then(lane.transitions["back"]).stale(lane, lane.transitions["go"], start) is None
    assert "z" == start.then(lane.transitions["go"]).stale(lane, lane.transitions["on"], start).values["a"]


def test_a_stale_move_beside_what_it_is_not_ordered_with_is_a_conflict():
    lanes = {"a": ("x l r", "x < l, x < r", {"l": "x > l", "r": "x > r"}, {"torn": "l r"}, False)}
    lane = lifecycle_of(lanes).lanes["a"]
    start = next(Witnesses(lifecycle_of(lanes)).histories())
    stale = start.then(lane.transitions["l"]).stale(lane, lane.transitions["r"], start)
    assert ("torn", 0) == (stale.values["a"], stale.rounds["a"])


def test_every_stage_of_the_default_has_the_shortest_of_its_stories():
    stories = Witnesses(LIFECYCLE).of_stages()
    assert {row.stage for row in LIFECYCLE.stages} == set(stories)
    assert "⇒ presale" == stories["presale"]
    assert (
        "q: sales.quote · s: sales.sign < q · s2: tech.start < s · l: sales.lose < q ⇒ hold_work"
        == stories["hold_work"]
    )
    assert all(story.endswith(f"⇒ {stage}") for stage, story in stories.items())


def test_a_stage_that_nothing_leads_to_has_no_story():
    lanes = {"a": ("x y", "x < y", {"stay": "x > x"})}
    rows = [{"stage": "never", "kind": "normal", "when": {"a": "y"}}, {"stage": "rest", "kind": "normal", "when": {}}]
    assert {"rest": "⇒ rest"} == Witnesses(lifecycle_of(lanes, rows)).of_stages()

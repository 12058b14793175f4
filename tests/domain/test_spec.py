"""From a tree of values to a lifecycle. Faults of every kind are in tests/adapters/test_lifecycle_files.py."""

import pytest

from crdt_sync.adapters.lifecycle_files import load, shipped
from crdt_sync.domain.lifecycle.model import Finding, Pattern
from crdt_sync.domain.lifecycle.node import plain
from crdt_sync.domain.lifecycle.spec import LANES_MAX, parse
from crdt_sync.tree import Broken, Scalar, Sequence, Table


def tree(value, line=1):
    """A tree of nodes as an adapter would make it, every value on the same line."""
    match value:
        case dict():
            return Table(line, tuple((Scalar(line, key), tree(item, line)) for key, item in value.items()))
        case list():
            return Sequence(line, tuple(tree(item, line) for item in value))
        case Broken():
            return value
        case _:
            return Scalar(line, value)


def small(**changes):
    lane = {
        "owner": "desk",
        "control": True,
        "initial": "up",
        "states": ["up", "down"],
        "order": ["up < down"],
        "transitions": {"fall": {"from": "up", "to": "down"}},
    }
    file = {
        "lifecycle": "tiny",
        "version": 1,
        "lanes": {"only": lane},
        "stages": [{"stage": "any", "kind": "normal", "when": {}}],
    }
    return file | changes


def lane_of(**changes):
    return small()["lanes"]["only"] | changes


@pytest.fixture
def connect_order():
    return load(shipped()["connect-order"])


def test_a_small_tree_gives_a_lifecycle():
    parsed = parse(tree(small()))
    assert [] == parsed.findings
    assert frozenset() == parsed.unsure
    assert "only" == parsed.lifecycle.control.id


def test_lanes_and_transitions_keep_the_order_of_the_file(connect_order):
    assert ("case", "sales", "tech", "support") == tuple(connect_order.lanes)
    assert ("close", "reopen", "archive") == tuple(connect_order.lanes["case"].transitions)


def test_the_order_is_closed_transitively(connect_order):
    below = connect_order.lanes["sales"].below
    assert {"lead", "quoted", "signed", "lost"} == below["withdrawn"]
    assert {"lead", "quoted"} == below["signed"]
    assert frozenset() == below["lead"]


def test_chains_may_come_in_any_order():
    lane = lane_of(states=["up", "down", "out"], order=["down < out", "up < down"])
    assert {"up", "down"} == parse(tree(small(lanes={"only": lane}))).lifecycle.lanes["only"].below["out"]


def test_a_conflict_is_found_by_its_states_and_by_its_name(connect_order):
    sales = connect_order.lanes["sales"]
    assert "disputed" == sales.conflicts[frozenset({"lost", "signed"})]
    assert {"lost", "signed"} == sales.conflict_members("disputed")


def test_a_transition_reads_sources_roles_conditions_and_payload(connect_order):
    quote = connect_order.lanes["sales"].transitions["quote"]
    close = connect_order.lanes["case"].transitions["close"]
    assert ({"lead", "quoted"}, "quoted", {"price": "money"}) == (quote.sources, quote.to, quote.payload)
    assert (("stage", Pattern(frozenset({"in_service", "cancelled", "decommissioned"}))),) == close.conditions
    assert ("backoffice", "gateway") == connect_order.lanes["case"].transitions["reopen"].by


def test_patterns_match_as_they_read(connect_order):
    row = next(row for row in connect_order.stages if row.stage == "work_without_deal")
    assert row.when[0]["sales"].matches("lead")
    assert not row.when[0]["sales"].matches("signed")
    assert row.when[0]["tech"].matches("delivered|halted")
    assert not row.when[0]["tech"].matches("pending")


def test_a_list_under_when_is_alternatives(connect_order):
    assert [3] == [len(row.when) for row in connect_order.stages if row.stage == "closed_too_early"]


def test_every_part_knows_its_line(connect_order):
    lines = shipped()["connect-order"].split("\n")
    for lane in connect_order.lanes.values():
        assert lines[lane.line - 1].startswith(f"  {lane.id}:")
        assert all(lines[spec.line - 1].startswith(f"      {name}:") for name, spec in lane.transitions.items())
    assert all(f"stage: {row.stage}," in lines[row.line - 1] for row in connect_order.stages)
    assert all(lines[story.line - 1] == f"  {story.name}:" for story in connect_order.stories)


def test_an_unnamed_conflict_may_be_allowed_and_expected():
    lane = lane_of(
        states=["up", "left", "right"],
        order=["up < left", "up < right"],
        conflict="unnamed",
        transitions={"l": {"from": "up", "to": "left"}, "r": {"from": "up", "to": "right"}},
    )
    story = {"both": {"events": ["l: only.l", "r: only.r"], "expect": {"only": "left|right"}}}
    parsed = parse(tree(small(lanes={"only": lane}, stories=story)))
    assert [] == parsed.findings
    assert parsed.lifecycle.lanes["only"].conflict_unnamed


def test_too_many_lanes_are_a_finding():
    lanes = {f"lane{number}": lane_of(control=number == 0) for number in range(LANES_MAX + 1)}
    parsed = parse(tree(small(lanes=lanes)))
    assert [f"{LANES_MAX + 1} entries are too many; at most {LANES_MAX} are read."] == [
        finding.message for finding in parsed.findings
    ]


def test_a_story_that_names_too_much_is_a_finding():
    events = [f"e{number}: only.fall" for number in range(33)]
    events.append("last: only.fall < " + ", ".join(f"e{number}" for number in range(33)))
    parsed = parse(tree(small(stories={"wide": {"events": events, "expect": {}}})))
    assert ["33 entries are too many; at most 32 are read."] == [finding.message for finding in parsed.findings]


def test_what_was_refused_before_is_not_refused_again():
    """Whoever made the tree has told already why a value is broken."""
    for key in small():
        parsed = parse(tree(small(**{key: Broken(1)})))
        assert [] == parsed.findings


def test_a_text_that_is_too_long_is_a_finding():
    parsed = parse(tree(small(title={"en": "a" * 1_025})))
    assert ["a text has at most 1024 characters."] == [finding.message for finding in parsed.findings]


def test_half_a_surrogate_pair_is_a_finding():
    parsed = parse(tree(small(title={"en": "\ud800"})))
    assert ["the text holds half of a surrogate pair."] == [finding.message for finding in parsed.findings]


def test_a_lane_with_a_fault_in_its_order_is_unsure():
    parsed = parse(tree(small(lanes={"only": lane_of(order=["up < down", "down < up"])})))
    assert {"only"} == parsed.unsure


def test_a_file_without_a_readable_lane_gives_nothing_to_judge():
    parsed = parse(tree(small(lanes={})))
    assert parsed.lifecycle is None
    assert ["L1"] == [finding.rule for finding in parsed.findings]


def test_plain_data_is_what_was_written():
    assert small() == plain(tree(small()))


def test_a_finding_reads_as_one_line():
    finding = Finding(
        "L4", "sales.revive", 33, "quoted < lost.", "l: sales.lose · c: case.close < l ⇒ closed", "Mend it."
    )
    assert (
        "a.yaml:33 sales.revive L4: quoted < lost. Story: l: lose · c: case.close < l ⇒ closed. Mend it."
        == finding.to_text("a.yaml")
    )

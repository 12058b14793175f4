"""Stories: what the lifecycle files promise, each run as a test, and how a story becomes records."""

import pytest

from crdt_sync.adapters.lifecycle_files import load, shipped
from crdt_sync.domain import canonical
from crdt_sync.domain.lifecycle import stories
from crdt_sync.domain.lifecycle.model import Story
from crdt_sync.errors import Malformed

SHIPPED = {name: load(text) for name, text in shipped().items()}
CONNECT_ORDER = SHIPPED["connect-order"]


def story(*events, **expect):
    return Story("told", events, expect)


@pytest.mark.parametrize(
    ("lifecycle", "told"),
    [(lifecycle, told) for lifecycle in SHIPPED.values() for told in lifecycle.stories],
    ids=lambda value: value.name,
)
def test_every_story_of_every_shipped_lifecycle_holds(lifecycle, told):
    assert [] == stories.run(lifecycle, told)


def test_every_shipped_lifecycle_tells_a_story():
    assert all(lifecycle.stories for lifecycle in SHIPPED.values())


@pytest.mark.parametrize(
    ("expect", "difference"),
    [
        ({"stage": "presale"}, "stage is deal_disputed, expected presale"),
        ({"sales": "signed"}, "sales is disputed, expected signed"),
        ({"contested": ("l",)}, "contested is [l, s], expected [l]"),
        ({"overtaken": ("q",)}, "overtaken is [], expected [q]"),
        ({"inert": ()}, "inert is [o], expected []"),
        ({"owes": ("sales", "tech")}, "owes is [sales], expected [sales, tech]"),
        ({"flags": {"sales": ("overtaken",)}}, "flags of sales is [], expected [overtaken]"),
    ],
)
def test_a_story_with_a_wrong_expectation_fails(expect, difference):
    events = ("q: sales.quote", "s: sales.sign < q", "l: sales.lose < q", "o: tech.deliver < q")
    assert [difference] == stories.run(CONNECT_ORDER, story(*events, **expect))


def test_expected_lists_are_sets_of_keys():
    events = ("q: sales.quote", "s: sales.sign < q", "l: sales.lose < q")
    assert [] == stories.run(CONNECT_ORDER, story(*events, contested=("s", "l"), owes=("sales",), inert=()))


def test_what_is_not_expected_is_not_compared():
    assert [] == stories.run(CONNECT_ORDER, story("q: sales.quote", "s: sales.sign < q"))


def test_a_lanes_flags_are_exact():
    events = ("q: sales.quote", "l: sales.lose < q", "r: sales.revive < l", "s: sales.sign < q")
    assert ["flags of sales is [overtaken], expected []"] == stories.run(
        CONNECT_ORDER, story(*events, flags={"sales": (), "tech": ()})
    )


# Records.


def test_the_opening_is_made_by_the_opener_in_the_control_lane():
    opening = stories.transitions(CONNECT_ORDER, story())["opener"]
    assert ("case", "open", "opener", ("backoffice",), "story", 0) == (
        opening.lane,
        opening.name,
        opening.actor,
        opening.roles,
        opening.subject,
        opening.at,
    )
    assert opening.is_opening
    assert CONNECT_ORDER.digest == opening.lifecycle


def test_an_event_is_made_by_its_key_at_its_index_in_its_first_role():
    made = stories.transitions(CONNECT_ORDER, story("q: sales.quote", "c: case.reopen < q"))
    assert ("c", ("backoffice",), 1, made["opener"].id) == (
        made["c"].actor,
        made["c"].roles,
        made["c"].at,
        made["c"].ticket,
    )


def test_an_event_that_names_nothing_saw_the_opening():
    made = stories.transitions(CONNECT_ORDER, story("q: sales.quote"))
    assert (made["opener"].id,) == made["q"].after


def test_only_the_newest_of_what_was_seen_are_parents():
    made = stories.transitions(CONNECT_ORDER, story("q: sales.quote", "s: sales.sign < q", "t: tech.start < q, s"))
    assert (made["s"].id,) == made["t"].after


def test_a_payload_is_the_digest_of_its_text():
    made = stories.transitions(CONNECT_ORDER, story("q: sales.quote", "s: sales.sign(contract=A) < q"))
    assert made["q"].payload is None
    assert canonical.digest("contract=A") == made["s"].payload


def test_an_undeclared_transition_is_inert_and_no_error():
    assert [] == stories.run(CONNECT_ORDER, story("x: sales.dance", "y: kitchen.cook", inert=("x", "y")))


@pytest.mark.parametrize("events", [("quote",), ("q: sales.quote < s",), ("q: sales.quote", "q: sales.lose")])
def test_an_event_that_does_not_follow_is_malformed(events):
    with pytest.raises(Malformed):
        stories.transitions(CONNECT_ORDER, story(*events))


@pytest.mark.parametrize(
    "text",
    ["", "q", "q:", "q: sales", "q: sales.", "Q: sales.quote", "q: sales.quote <", "q: sales.quote < ", "q: a.b(c)"],
)
def test_a_text_of_another_form_is_no_event(text):
    assert stories.parse_event(text) is None


def test_an_event_has_a_key_a_transition_a_payload_and_what_was_seen():
    event = stories.parse_event("z: sales.sign(contract=A, price=9) < q, s")
    assert stories.StoryEvent("z", "sales", "sign", "contract=A, price=9", ("q", "s")) == event
    assert ("contract", "price") == event.payload_fields

"""Plans of stories, judged by following them: who holds what is worked out here anew."""

import pytest

from crdt_sync.adapters.lifecycle_files import load, shipped
from crdt_sync.cli.story_plan import Meeting, Move, Seat, plan
from crdt_sync.domain.lifecycle.model import Story
from crdt_sync.domain.lifecycle.people import Person

SHIPPED = {name: load(text) for name, text in shipped().items()}
CONNECT_ORDER = SHIPPED["connect-order"]
RETURNS = SHIPPED["return-of-goods"]


def planned(lifecycle, *events):
    return plan(lifecycle, Story("told", events, {}))


def in_short(steps):
    return [f"{step.seat.name}: {step.event.key}" if isinstance(step, Move) else step.seat.name for step in steps]


@pytest.mark.parametrize(
    ("lifecycle", "story"),
    [(lifecycle, story) for lifecycle in SHIPPED.values() for story in lifecycle.stories],
    ids=lambda value: value.name,
)
def test_at_each_move_of_a_shipped_story_the_seat_holds_exactly_what_the_author_had_seen(lifecycle, story):
    held, delivered, past, made = {}, set(), {}, []
    for step in plan(lifecycle, story):
        holding = held.setdefault(step.seat, set())
        if isinstance(step, Meeting):
            delivered |= holding
            holding |= delivered
            continue
        event = step.event
        past[event.key] = set(event.seen).union(*(past[key] for key in event.seen))
        assert past[event.key] == holding
        holding.add(event.key)
        made.append(event.key)
        person = step.seat.person
        assert (lifecycle.lanes[event.lane].owner, step.transition.by[0]) == (person.department, person.role)
    assert [text.partition(":")[0] for text in story.events] == made


def test_moves_of_one_role_that_did_not_see_each_other_are_made_at_two_seats():
    steps = planned(CONNECT_ORDER, "q: sales.quote", "s: sales.sign < q", "l: sales.lose < q", "a: sales.amend < s")
    assert ["sales: q", "sales", "sales-2", "sales: s", "sales-2: l", "sales: a"] == in_short(steps)


def test_what_nobody_builds_on_is_kept_until_the_end():
    steps = planned(CONNECT_ORDER, "u: support.raise", "q: sales.quote", "s: sales.sign < q", "t: tech.start < s")
    assert ["support: u", "sales: q", "sales", "sales: s", "sales", "tech", "tech: t"] == in_short(steps)


@pytest.mark.parametrize(
    ("why", "events"),
    [
        ("a move that its author could not make", ["s: sales.sign"]),
        ("a move that the file does not declare", ["s: sales.fly"]),
        (
            "the author of d saw b and not a, which reached the service first",
            ["a: sales.lose", "b: support.raise", "c: case.close < a", "d: sales.quote < b"],
        ),
    ],
)
def test_a_story_that_people_cannot_play_has_no_plan(why, events):
    assert planned(CONNECT_ORDER, *events) is None, why


def test_what_only_the_gateway_does_has_no_plan():
    text = shipped()["connect-order"].replace("by: [backoffice, gateway], resets", "by: [gateway], resets")
    lifecycle = load(text.replace("stories:", "other:", 1)[: text.index("stories:")])
    assert planned(lifecycle, "l: sales.lose", "c: case.close < l") is not None
    assert planned(lifecycle, "l: sales.lose", "c: case.close < l", "r: case.reopen < c") is None


def test_a_payload_has_values_of_the_declared_types():
    moves = planned(CONNECT_ORDER, "q: sales.quote(price=480.00)", "s: sales.sign < q")
    assert [{"price": "480.00"}, None] == [move.values for move in moves]
    text = shipped()["connect-order"].replace("payload: {price: money}", "payload: {price: integer, by: text}")
    [move] = planned(load(text[: text.index("stories:")]), "q: sales.quote(price=480, by=me)")
    assert {"price": 480, "by": "me"} == move.values


@pytest.mark.parametrize(
    "spelled", ["price=A", "price=480", "by=me", "price=four,by=me", "price=,by=me", "price=480,by="]
)
def test_a_payload_that_nobody_can_enter_has_no_plan(spelled):
    """To the checker it is a text like any other, as in the stories that it tells itself."""
    text = shipped()["connect-order"].replace("payload: {price: money}", "payload: {price: integer, by: text}")
    text = (
        f"{text[: text.index('stories:')]}stories:\n  told: {{events: ['q: sales.quote({spelled})'], expect: {{}}}}\n"
    )
    lifecycle = load(text)
    assert plan(lifecycle, lifecycle.stories[0]) is None


def test_the_first_of_a_role_is_called_by_the_role_alone():
    assert ["sales", "sales-2"] == [Seat(Person("sales", "sales", "sales"), number).name for number in (1, 2)]

"""Where a conversation goes, and who is given it."""

from datetime import UTC, time

import pytest

from crdt_sync.domain.delivery import Conversation
from crdt_sync.domain.hours import Hours
from crdt_sync.domain.service_desk import (
    NO_DESK,
    Person,
    Reply,
    Rule,
    ServiceDesk,
    filled,
    language_of,
    least_busy,
    next_in_turn,
    placeholders,
)

WECHAT = Conversation("wechat", "shop", "customer-1")
RULES = (
    Rule("words", words=("complaint", "投诉")),
    Rule("both", channels=frozenset({"wechat"}), accounts=frozenset({"other"})),
    Rule("chinese", languages=frozenset({"zh"})),
    Rule("rest"),
)
NIGHT = Hours(UTC, (((time(22), None),),) * 7)
NOON_MS = 12 * 3_600_000


@pytest.mark.parametrize(
    ("text", "account", "name"),
    [
        ("A COMPLAINT!", "shop", "words"),
        ("我要投诉", "other", "words"),  # the first that fits, though two others do
        ("hello", "other", "both"),
        ("你好", "shop", "chinese"),
        ("hello", "shop", "rest"),
        ("", "shop", "rest"),
    ],
)
def test_the_first_rule_that_fits_decides(text, account, name):
    found = ServiceDesk(rules=RULES).rule(Conversation("wechat", account, "customer-1"), text)

    assert name == found.name


def test_without_rules_there_is_none():
    assert NO_DESK.rule(WECHAT, "hello") is None


def test_a_language_is_told_by_its_characters():
    assert ["zh", "en", None, None] == [language_of(text) for text in ("ok 好", "ok", "", " \n")]


def test_who_is_on_duty_is_asked_and_else_all_of_the_department():
    first, second, third = (Person(f"{name}", "support", name) for name in ("support-1", "support-2", "support-3"))
    li, late = Person("li", "sales", "Li"), Person("late", "support", "Late", NIGHT)

    assert ["support-1"] == ServiceDesk(people=(late, first, li)).candidates("support", NOON_MS)
    assert ["late"] == ServiceDesk(people=(late, li)).candidates("support", NOON_MS)
    assert ["support-1", "support-2", "support-3"] == ServiceDesk(people=(first, second, third)).candidates(
        "support", NOON_MS
    )
    assert [] == ServiceDesk(people=(li,)).candidates("support", NOON_MS)


def test_the_least_busy_has_the_fewest_and_of_several_the_first():
    assert "support-2" == least_busy(
        ["support-1", "support-2", "support-3"], {"support-1": 2, "support-2": 1, "support-3": 1}
    )
    assert "support-3" == least_busy(["support-1", "support-2", "support-3"], {"support-1": 2, "support-2": 1})
    assert least_busy([], {}) is None


def test_a_turn_goes_round_everybody_and_passes_who_is_not_there():
    everybody = ["support-1", "support-2", "support-3"]

    assert ["support-1", "support-2", "support-3", "support-1"] == [
        next_in_turn(everybody, everybody, last) for last in ("", *everybody)
    ]
    assert "support-3" == next_in_turn(["support-1", "support-3"], everybody, "support-1")
    assert "support-1" == next_in_turn(["support-1"], everybody, "support-1")
    assert "support-2" == next_in_turn(["support-2"], everybody, "somebody who has left")
    assert next_in_turn([], everybody, "support-1") is None


def test_placeholders_are_filled_once():
    assert {"customer", "agent"} == placeholders("{customer}, {agent}")
    assert "{agent} and Anna" == filled("{customer} and {agent}", {"customer": "{agent}", "agent": "Anna"})
    assert "{later}" == filled("{later}", {"customer": "Ms Chen"})


def test_a_department_has_its_own_replies_and_names_are_by_actor():
    hello = Reply("hello", frozenset({"support"}), {"en": "Hello"}, {"en": "Hello."})
    desk = ServiceDesk(people=(Person("support-1", "support", "Anna"),), replies=(hello,))

    assert [hello] == desk.replies_of("support")
    assert [] == desk.replies_of("sales")
    assert ["Anna", ""] == [desk.name_of("support-1"), desk.name_of("support-2")]

"""Who has a lane, and what is said of it."""

import pytest

from crdt_sync.adapters import lifecycle_files
from crdt_sync.domain.holds import Hold, assignees, holds, key_of, read, told

LIFECYCLE = lifecycle_files.load(lifecycle_files.shipped()["connect-order"])
LATER, EARLIER = Hold(2_000, "support-1", "taken"), Hold(1_000, "support-2", "taken")


def card(*held, **fields):
    return {key_of("support", hold.actor): hold.value for hold in held} | fields


@pytest.mark.parametrize(
    ("shown", "has"),
    [
        ({}, None),
        (card(**{"assignee.support": "support-3"}), "support-3"),
        (card(LATER, **{"assignee.support": "support-1"}), "support-1"),
        (card(LATER, EARLIER, **{"assignee.support": "support-1"}), "support-2"),
        (card(LATER, EARLIER, **{"assignee.support": "support-2"}), "support-2"),
        (card(LATER, EARLIER), "support-2"),
        (
            card(LATER, EARLIER, **{"assignee.support": "support-3"}),
            "support-3",
        ),  # named by hand, by who had not seen the holds
        (card(LATER, Hold(2_000, "support-3", "taken")), "support-1"),
        ({"assignee.support": 7}, None),
        ({"assignee.support": ""}, None),
    ],
)
def test_a_lane_is_with_who_held_it_first_or_was_named_since(shown, has):
    assert has == assignees(shown).get("support")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hold.support.support-1", "taken"),
        ("hold.support.support-1", "1 stolen"),
        ("hold.support.support-1", "01 taken"),
        ("hold.support.support-1", "-1 taken"),
        ("hold.support.support-1", "1 sticky"),
        ("hold.support.support-1", "1 taken rule"),
        ("hold.support.support-1", 1),
        ("hold.support.", "1 taken"),
        ("hold.Support.support-1", "1 taken"),
        ("hold.support.安娜", "1 taken"),
        ("hold.support." + "a" * 129, "1 taken"),
    ],
)
def test_what_is_no_hold_is_none(key, value):
    assert read(key, value) is None
    assert {} == holds({key: value})


def test_a_hold_is_read_as_it_was_written():
    for hold in (LATER, Hold(0, "a.b c", "least_busy complaints-2")):
        assert ("support", hold) == read(key_of("support", hold.actor), hold.value)


def test_who_lost_is_told_with_the_reason():
    why = "Neither had seen the other's hold, and that of support-2 has the earlier time."
    assert (
        "Support is with support-2: taken at 1970-01-01T00:00:01.000Z.",
        f"Support was also taken by support-1: taken at 1970-01-01T00:00:02.000Z. {why}",
    ) == told(LIFECYCLE, card(LATER, EARLIER, **{"assignee.support": "support-1"}), "en")
    given = Hold(0, "support-3", "least_busy complaints")
    assert (
        "客服由support-4负责：在卡片上指定。",
        "support-3也领取了客服：于1970-01-01T00:00:00.000Z由规则complaints分配给未结工单最少的人。在此期间已指定support-4。",
    ) == told(LIFECYCLE, card(given, **{"assignee.support": "support-4"}), "zh")


@pytest.mark.parametrize("why", ["taken", "least_busy r", "round_robin r", "sticky r"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_way_has_words_in_both_languages(why, language):
    (line,) = told(LIFECYCLE, card(Hold(0, "support-1", why)), language)

    assert "support-1" in line
    assert "{" not in line

"""Who has a lane, and what is said of it."""

import pytest

from crdt_sync.adapters import lifecycle_files
from crdt_sync.domain.holds import Hold, assignees, holds, key_of, read, told

LIFECYCLE = lifecycle_files.load(lifecycle_files.shipped()["connect-order"])
ANNA, BO = Hold(2_000, "anna", "taken"), Hold(1_000, "bo", "taken")


def card(*held, **fields):
    return {key_of("support", hold.actor): hold.value for hold in held} | fields


@pytest.mark.parametrize(
    ("shown", "has"),
    [
        ({}, None),
        (card(**{"assignee.support": "cy"}), "cy"),
        (card(ANNA, **{"assignee.support": "anna"}), "anna"),
        (card(ANNA, BO, **{"assignee.support": "anna"}), "bo"),
        (card(ANNA, BO, **{"assignee.support": "bo"}), "bo"),
        (card(ANNA, BO), "bo"),
        (card(ANNA, BO, **{"assignee.support": "cy"}), "cy"),  # named by hand, by who had not seen the holds
        (card(ANNA, Hold(2_000, "cy", "taken")), "anna"),
        ({"assignee.support": 7}, None),
        ({"assignee.support": ""}, None),
    ],
)
def test_a_lane_is_with_who_held_it_first_or_was_named_since(shown, has):
    assert has == assignees(shown).get("support")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hold.support.anna", "taken"),
        ("hold.support.anna", "1 stolen"),
        ("hold.support.anna", "01 taken"),
        ("hold.support.anna", "-1 taken"),
        ("hold.support.anna", "1 sticky"),
        ("hold.support.anna", "1 taken rule"),
        ("hold.support.anna", 1),
        ("hold.support.", "1 taken"),
        ("hold.Support.anna", "1 taken"),
        ("hold.support.安娜", "1 taken"),
        ("hold.support." + "a" * 129, "1 taken"),
    ],
)
def test_what_is_no_hold_is_none(key, value):
    assert read(key, value) is None
    assert {} == holds({key: value})


def test_a_hold_is_read_as_it_was_written():
    for hold in (ANNA, Hold(0, "a.b c", "least_busy complaints-2")):
        assert ("support", hold) == read(key_of("support", hold.actor), hold.value)


def test_who_lost_is_told_with_the_reason():
    why = "Neither had seen the other's hold, and that of bo has the earlier time."
    assert (
        "Support is with bo: taken at 1970-01-01T00:00:01.000Z.",
        f"Support was also taken by anna: taken at 1970-01-01T00:00:02.000Z. {why}",
    ) == told(LIFECYCLE, card(ANNA, BO, **{"assignee.support": "anna"}), "en")
    given = Hold(0, "cy", "least_busy complaints")
    assert (
        "客服由dan负责：在卡片上指定。",
        "cy也领取了客服：于1970-01-01T00:00:00.000Z由规则complaints分配给未结工单最少的人。在此期间已指定dan。",
    ) == told(LIFECYCLE, card(given, **{"assignee.support": "dan"}), "zh")


@pytest.mark.parametrize("why", ["taken", "least_busy r", "round_robin r", "sticky r"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_way_has_words_in_both_languages(why, language):
    (line,) = told(LIFECYCLE, card(Hold(0, "anna", why)), language)

    assert "anna" in line
    assert "{" not in line

"""The CRM and the tickets stay in step though everything between them is killed."""

import random

from tests.integration.crm_kill import VICTIMS, World, compared


async def test_no_change_is_missed_or_doubled_by_kills_on_both_sides(tmp_path):
    seen = await World(tmp_path).run(1, random.Random(1))

    assert seen.is_good, seen
    assert dict.fromkeys(VICTIMS, 1) == seen.killed


async def test_no_change_is_missed_or_doubled_while_the_crm_is_down_for_some_seconds(tmp_path):
    seen = await World(tmp_path).outage(away_s=5)

    assert seen.is_good, seen
    assert seen.moves
    assert {"crm": 1} == seen.killed


def test_a_change_missed_and_another_doubled_do_not_cancel_out():
    changes, made = {"k1": "a", "k2": "a"}, {"k1": "t1", "k2": "t2"}
    assert (0, 0) == compared(changes, made, [("a", "t1"), ("a", "t2")])
    assert (1, 1) == compared(changes, made, [("a", "t1"), ("a", "t3")]), "made again under another id"
    assert (1, 1) == compared(changes, made, [("a", "t1"), ("a", "t1")]), "told twice"
    assert (1, 1) == compared(changes, made, [("a", "t1"), ("b", "t2")]), "on another ticket"
    assert (1, 1) == compared(changes, {"k1": "t1"}, [("a", "t1"), ("a", "t2")]), "not of this change"

"""What waits: in which order it is judged again, and that what does not concern it is not even looked at."""

import sys

import pytest

from crdt_sync.domain.transition import Undecodable
from crdt_sync.service.waiting import Waiting, WaitingList
from tests.world import SALES


def filled(count: int) -> WaitingList:
    """So many entries, none of which is to be judged any more."""
    waiting = WaitingList()
    for number in range(count):
        waiting.put(Waiting(Undecodable.MALFORMED, str(number), SALES))
    assert count == len(list(waiting.concerned()))
    return waiting


def steps_of(waiting: WaitingList) -> int:
    """How many lines of code it takes to go through what is to be judged."""
    lines = 0

    def trace(_frame, event, _argument):
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for _ in waiting.concerned():
            pass
    finally:
        sys.settrace(before)
    return lines


def test_one_of_many_is_found_in_as_many_steps_as_one_of_few():
    few, many = filled(10), filled(1_000)
    for waiting in (few, many):
        waiting.concern("7")

    assert steps_of(few) == steps_of(many) > 0


@pytest.mark.parametrize(
    "concern", [lambda waiting: [waiting.concern(name) for name in "42031"], WaitingList.concern_all]
)
def test_what_came_first_is_judged_first(concern):
    waiting = filled(5)
    waiting.put(Waiting(Undecodable.MALFORMED, "2", SALES))  # it keeps its place
    concern(waiting)
    waiting.remove("3")

    assert ["0", "1", "2", "4"] == [entry.key for entry in waiting.concerned()]
    assert [] == list(waiting.concerned())


def test_what_comes_to_be_judged_meanwhile_is_judged_as_well_and_once():
    waiting, judged = filled(5), []
    waiting.concern("2")
    for entry in waiting.concerned():
        judged.append(entry.key)
        if entry.key == "2":
            for name in ("4", "4", "1"):
                waiting.concern(name)

    assert ["2", "1", "4"] == judged

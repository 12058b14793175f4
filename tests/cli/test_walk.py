"""The walk-through notices what is not as its story says; that all is well when it is, the end-to-end tests show."""

from dataclasses import replace

import pytest

from crdt_sync.adapters.clock import SystemClock
from crdt_sync.cli.process import running
from crdt_sync.cli.walk import Walk, in_words
from crdt_sync.domain.lifecycle.model import Story
from crdt_sync.server.settings import Settings


@pytest.fixture
async def walk(tmp_path):
    settings = Settings(port=0, grpc_port=0, data=tmp_path, gateway=False, lifecycle="support-only", log_level="error")
    async with running(settings) as service, Walk(settings, service, "en", SystemClock()) as entered:
        yield entered


def tell(walk, *stories, **changes):
    """Have the walk play these stories, which nobody has checked."""
    walk._lifecycle = replace(walk._lifecycle, stories=stories, open_by=("support",), **changes)


async def test_a_story_that_ends_otherwise_than_its_file_says_is_a_failure(walk, capsys):
    tell(walk, Story("wrong", ("a: request.answer",), {"stage": "done", "request": "answered", "overtaken": ("a",)}))

    await walk.through(1)

    assert ["stage is done", "overtaken is [a]"] * 2 == walk.failures
    assert "FAIL  stage is done: ['stage is in_hand, expected done'] instead of []" in capsys.readouterr().out


async def test_a_file_whose_stories_nobody_can_play_is_shown_with_a_ticket_that_is_opened(walk, capsys):
    tell(walk, Story("impossible", ("c: request.close",), {}), talk=())  # nor does anybody answer the customer

    await walk.through(1)

    assert [] == walk.failures
    told = capsys.readouterr().out
    assert told.index("=== impossible: not played") < told.index("=== a ticket is opened")


async def test_a_story_that_breaks_is_a_failure_and_the_next_one_is_played(walk):
    """The walk believes that the ticket may be closed at once; the replica, which read the file, refuses."""
    lane = walk._lifecycle.lanes["request"]
    close = replace(lane.transitions["close"], sources=frozenset({"waiting"}), by=("support",))
    lanes = {"request": replace(lane, transitions={**lane.transitions, "close": close})}
    breaks, sound = Story("breaks", ("c: request.close",), {}), Story("sound", ("a: request.answer",), {})
    tell(walk, breaks, replace(sound, expect={"stage": "in_hand"}), lanes=lanes)

    await walk.through(2)

    assert ["'breaks' goes through"] == walk.failures


def test_two_plays_of_a_story_are_the_same_in_its_words():
    first = {"status": {"id-1": {"by": ["id-2", "id-3"]}, "id-2": {}}, "stage": "done", "kind": None}
    again = {"status": {"id-9": {}, "id-7": {"by": ["id-8", "id-9"]}}, "stage": "done", "kind": None}
    assert in_words(first, {"id-1": "a", "id-2": "b", "id-3": "c"}) == in_words(
        again, {"id-7": "a", "id-9": "b", "id-8": "c"}
    )
    assert in_words(first, {"id-1": "a"}) != in_words(again, {"id-9": "a"})

"""A visitor's log: one sequence, a key once, and nothing for longer than it is kept."""

import json

import pytest

from gateway import visitor_log
from gateway.counts import Counts
from gateway.inbox import Inbox
from gateway.retention import Retention
from gateway.visitor_log import Extent, VisitorLog
from gateway.widget.pictures import Picture, Pictures
from tests.gateway.fakes import SteppingClock

HOUR_MS = 3_600_000


@pytest.fixture
async def inbox(tmp_path):
    inbox = Inbox(tmp_path / "inbox.db", spool_rows_max=100)
    await inbox.open()
    yield inbox
    await inbox.close()


@pytest.fixture
def log(inbox):
    return VisitorLog(inbox.file)


def said(text, at_ms=1_000):
    return json.dumps({"from": "agent", "text": text, "at": at_ms})


async def test_each_conversation_has_a_sequence_of_its_own_and_a_key_stands_in_it_once(log):
    for account, conversation, key in (
        ("a", "v", "1"),
        ("a", "v", "2"),
        ("a", "w", "3"),
        ("b", "v", "1"),
        ("a", "v", "1"),
    ):
        await log.append(account, conversation, key, said(key))

    assert [(1, "1"), (2, "2")] == [(entry.seq, entry.key) for entry in await log.after("a", "v", 0)]
    assert [(1, "3")] == [(entry.seq, entry.key) for entry in await log.after("a", "w", 0)]
    assert [(1, "1")] == [(entry.seq, entry.key) for entry in await log.after("b", "v", 0)]
    assert (2, 1, 0) == (await log.seq_of("a", "2"), await log.seq_of("b", "1"), await log.seq_of("b", "2"))
    assert (Extent(1, 2), Extent(0, 0)) == (await log.extent("a", "v"), await log.extent("b", "w"))


async def test_what_is_old_is_forgotten_and_the_sequence_goes_on(inbox, log, monkeypatch):
    monkeypatch.setattr(visitor_log, "_FORGOTTEN", 2)
    clock = SteppingClock(10 * 3_600)
    for number in range(1, 6):
        await log.append("a", f"visitor-{number % 2}", str(number), said("old", number))
    await log.append("a", "visitor-1", "new", said("new", 10 * HOUR_MS))
    pictures = Pictures(inbox.file, SteppingClock(0))
    old = await pictures.keep(Picture("image/png", b"old"))
    new = await Pictures(inbox.file, clock).keep(Picture("image/png", b"new"))
    retention = Retention(inbox, log, pictures, bodies_h=1, rows_h=1, log_h=1, clock=clock, counts=Counts())
    await retention._forget()

    assert [("new", 4)] == [(entry.key, entry.seq) for entry in await log.after("a", "visitor-1", 0)]
    assert Extent(0, 0) == await log.extent("a", "visitor-0")
    await log.append("a", "visitor-0", "newer", said("newer", 10 * HOUR_MS))
    assert [("newer", 3)] == [(entry.key, entry.seq) for entry in await log.after("a", "visitor-0", 2)], "shown anew"
    assert (None, Picture("image/png", b"new")) == (await pictures.find(old), await pictures.find(new))

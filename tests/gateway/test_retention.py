import sqlite3
from contextlib import closing

from crdt_sync.errors import Unavailable
from gateway.inbox import Inbox
from tests.gateway.fakes import HeldClock
from tests.gateway.platform import T5_NOW_S, Platform, text
from tests.gateway.rig import NO_SERVICE, running

HOUR_S = 3_600


def settle(data, which="true"):
    with closing(sqlite3.connect(data / "inbox.db")) as other:
        other.execute(f"UPDATE inbox SET state = 'forwarded' WHERE {which}")
        other.commit()


async def test_bodies_and_then_rows_are_forgotten_after_the_hours_that_were_set(tmp_path):
    clock = HeldClock(T5_NOW_S)
    given = {"clock": clock, "bodies_kept_h": 2, "rows_kept_h": 96, "timestamp_tolerance_s": 10**6}
    async with running(tmp_path, NO_SERVICE, **given) as rig:
        assert 200 == (await rig.post(Platform().post(text(1)))).status_code
        settle(tmp_path)
        seen = []
        for hours in (1, 1, 1, 92, 1, 1):
            await clock.asleep(HOUR_S)
            clock.advance(hours * HOUR_S)
            await clock.asleep(HOUR_S)
            seen.append([len(raw) for (raw,) in rig.rows("raw")])

    full = len(text(1))
    assert [[full], [full], [0], [0], [0], []] == seen


async def test_what_was_forwarded_late_is_emptied_as_well(tmp_path):
    clock = HeldClock(T5_NOW_S)
    async with running(tmp_path, NO_SERVICE, clock=clock, bodies_kept_h=2, timestamp_tolerance_s=10**6) as rig:
        for number in (1, 2):
            assert 200 == (await rig.post(Platform().post(text(number)))).status_code
        settle(tmp_path, "id = 2")
        seen = []
        for _ in range(2):
            await clock.asleep(HOUR_S)
            clock.advance(3 * HOUR_S)
            await clock.asleep(HOUR_S)
            seen.append([len(raw) for (raw,) in rig.rows("raw")])
            settle(tmp_path, "id = 1")

    assert [[len(text(1)), 0], [0, 0]] == seen


async def test_a_bug_while_one_forgets_does_not_end_the_forgetting(tmp_path, monkeypatch):
    forget_rows, failures = Inbox.forget_rows, [ZeroDivisionError(), Unavailable("full")]

    async def failing(self, before_ms, *, after):
        if failures:
            raise failures.pop()
        return await forget_rows(self, before_ms, after=after)

    monkeypatch.setattr(Inbox, "forget_rows", failing)
    clock = HeldClock(T5_NOW_S)
    async with running(tmp_path, NO_SERVICE, clock=clock, bodies_kept_h=2, timestamp_tolerance_s=10**6) as rig:
        await rig.post(Platform().post(text(1)))
        settle(tmp_path)
        for _ in range(3):
            await clock.asleep(HOUR_S)
            clock.advance(HOUR_S)
        await clock.asleep(HOUR_S)

        assert [(b"",)] == rig.rows("raw")
    assert [] == failures

import sqlite3
from contextlib import closing

from tests.gateway.fakes import HeldClock
from tests.gateway.platform import T5_NOW_S, Platform, text
from tests.gateway.rig import NO_SERVICE, running

HOUR_S = 3_600


def settle(data):
    with closing(sqlite3.connect(data / "inbox.db")) as other:
        other.execute("UPDATE inbox SET state = 'forwarded'")
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

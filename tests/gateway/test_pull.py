"""Messages that are pulled from a simulated WeCom over real HTTP, into a real inbox, and on to a fake service."""

import asyncio
import sqlite3
from collections import deque
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from gateway.channels.wecom import WeCom
from tests.gateway.fakes import FakeIngress, HeldClock
from tests.gateway.platform import T5_NOW_S
from tests.gateway.rig import NO_SERVICE, Rig, running
from tests.gateway.wecom_server import WeComServer, hint, message, wecom_account


@dataclass
class Pulling:
    rig: Rig
    server: WeComServer
    ingress: FakeIngress

    async def hinted(self, source="kf1", nonce="nonce"):
        assert 200 == (await self.rig.post(hint(source, nonce=nonce), "kf")).status_code

    async def until(self, condition):
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - it becomes true in the gateway, or in the platform
                await asyncio.sleep(0.001)

    async def rested(self):
        """Until the puller waits for its next time."""
        await self.rig.clock.asleep(300, 0.75, 1.5)  # five minutes, or three quarters of one second and of two


def cursors(data):
    with closing(sqlite3.connect(data / "inbox.db")) as connection:
        return connection.execute("SELECT source, cursor FROM pull ORDER BY source").fetchall()


@asynccontextmanager
async def pulling(data, server=None, *, now_s=T5_NOW_S, **changes):
    server = server or WeComServer()
    ingress = FakeIngress()
    async with server.serving() as url, ingress.serving() as port:
        given = {"accounts": (wecom_account(url),), "clock": HeldClock(now_s)}
        async with running(data, port, **given, **changes) as rig:
            yield Pulling(rig, server, ingress)


async def test_hint_brings_every_page_in_order_with_the_hints_token(tmp_path):
    async with pulling(tmp_path) as it:
        it.server.messages["kf1"] = [message(number) for number in range(25)]
        it.server.page_max = 10
        await it.hinted()
        await it.until(lambda: len(it.ingress.taken) == 25)

        assert [f"text {number}" for number in range(25)] == [
            one.customer.parts[0].text for one in it.ingress.taken.values()
        ]
        assert [None, "10", "20"] == [pull.get("cursor") for pull in it.server.pulls]
        assert {"hint token"} == {pull["token"] for pull in it.server.pulls}
        assert [("kf1", "25")] == cursors(tmp_path)
        assert {"kf1/wm-1"} == {one.conversation for one in it.ingress.taken.values()}


async def test_duplicate_hints_bring_nothing_twice(tmp_path):
    async with pulling(tmp_path) as it:
        it.server.messages["kf1"] = [message(1)]
        await asyncio.gather(*(it.hinted(nonce=f"n{number}") for number in range(5)))
        await it.until(lambda: it.ingress.taken)
        it.server.messages["kf1"].append(message(2))
        await it.hinted(nonce="n9")
        await it.until(lambda: len(it.ingress.taken) == 2)

        assert [("m1", 0), ("m2", 0)] == [
            (key, duplicates) for key, (duplicates,) in zip(it.ingress.taken, it.rig.rows("duplicates"), strict=True)
        ]


async def test_page_pulled_again_after_its_cursor_was_lost_changes_nothing(tmp_path):
    async with pulling(tmp_path) as it:
        it.server.messages["kf1"] = [message(1), message(2)]
        await it.hinted()
        await it.until(lambda: len(it.ingress.taken) == 2)
    with closing(sqlite3.connect(tmp_path / "inbox.db")) as connection:
        connection.execute("UPDATE pull SET cursor = ''")
        connection.commit()

    async with pulling(tmp_path, it.server) as again:
        await again.until(lambda: cursors(tmp_path) == [("kf1", "2")])
        assert [1, 1] == [duplicates for (duplicates,) in again.rig.rows("duplicates")]
        assert {} == again.ingress.taken


async def test_next_gateway_pulls_what_the_one_before_was_hinted_at_without_another_hint(tmp_path):
    server = WeComServer()
    server.errors = deque([50_000] * 100)  # the platform fails as long as the first gateway runs
    async with pulling(tmp_path, server) as it:
        await it.hinted()
        await it.until(lambda: it.rig.gateway.counts["pull.failed.errcode_50000"])
    server.errors.clear()
    server.messages["kf1"] = [message(1)]

    async with pulling(tmp_path, server) as it:
        await it.until(lambda: it.ingress.taken)
        assert "token" not in server.pulls[-1]


async def test_hint_that_never_came_costs_five_minutes(tmp_path):
    async with pulling(tmp_path) as it:
        await it.hinted()
        await it.until(lambda: cursors(tmp_path) == [("kf1", "0")])
        await it.rested()
        it.server.messages["kf1"] = [message(1)]
        it.rig.clock.advance(299)
        assert {} == it.ingress.taken

        it.rig.clock.advance(1)
        await it.until(lambda: it.ingress.taken)


async def test_source_that_fails_keeps_no_other_waiting_and_is_tried_again(tmp_path):
    async with pulling(tmp_path) as it:
        it.server.messages = {"kf1": [message(1)], "kf2": [message(2, open_kfid="kf2")]}
        it.server.errors = deque([0, 0, 45009])
        await it.hinted("kf2")
        await it.until(lambda: it.ingress.taken)
        await it.hinted("kf1", nonce="n1")
        await it.until(lambda: it.rig.gateway.counts["pull.failed.busy"] or len(it.ingress.taken) == 2)
        await it.rested()
        it.rig.clock.advance(60)
        await it.until(lambda: len(it.ingress.taken) == 2)


async def test_spool_that_is_full_holds_the_cursor(tmp_path):
    async with pulling(tmp_path, spool_rows_max=1) as it:
        it.server.messages["kf1"] = [message(1), message(2)]
        await it.hinted()
        await it.until(lambda: it.rig.gateway.counts["pull.failed.unavailable"])
        assert [("kf1", "")] == cursors(tmp_path)
        assert [] == it.rig.rows("id")


async def test_platform_that_says_there_is_more_and_does_not_go_on_is_left_alone(tmp_path):
    async with pulling(tmp_path) as it:
        it.server.messages["kf1"] = [message(1)]
        it.server.page_max = 0
        await it.hinted()
        counts = it.rig.gateway.counts
        await it.until(lambda: counts["pull.failed.loop"])
        await it.rested()
        assert [("kf1", "0")] == cursors(tmp_path)
        assert 2 == len(it.server.pulls)


async def test_message_that_cannot_be_read_is_set_aside_and_the_others_go_on(tmp_path):
    async with pulling(tmp_path) as it:
        it.server.messages["kf1"] = [message(1), {"msgid": 7}, "nothing", message(2)]
        await it.hinted()
        await it.until(lambda: len(it.ingress.taken) == 2)
        await it.rig.forwarded()
        assert ["forwarded", "dead", "dead", "forwarded"] == [state for (state,) in it.rig.rows("state")]


async def test_one_token_serves_all_and_is_renewed_before_it_ends_and_when_it_is_refused(tmp_path):
    async with pulling(tmp_path) as it:
        for number in range(3):
            await it.hinted(f"kf{number}", nonce=f"n{number}")
        await it.until(lambda: len(it.server.pulls) >= 3)
        await it.rested()
        assert 1 == it.server.tokens

        it.server.tokens = 50  # the platform takes back what it gave
        it.server.messages["kf1"] = [message(1)]
        await it.hinted("kf1", nonce="n5")
        await it.until(lambda: it.ingress.taken)
        assert 51 == it.server.tokens

        await it.rested()
        it.rig.clock.advance(7_000)
        await it.until(lambda: it.server.tokens == 52)


async def test_cursor_older_than_a_day_is_an_alarm(tmp_path):
    async with pulling(tmp_path) as it:
        await it.hinted()
        await it.until(lambda: cursors(tmp_path) == [("kf1", "0")])
    server = WeComServer()
    server.errors = deque([50_000] * 100)
    with capture_logs() as entries:
        async with pulling(tmp_path, server, now_s=T5_NOW_S + 86_401) as it:
            await _alarm(it, server, entries)


async def _alarm(it, server, entries):
    await it.until(lambda: it.rig.gateway.counts["pull.cursor_overdue.kf"])
    assert 86_401 == it.rig.gateway.counts["pull.cursor_age_s.kf"]
    assert any("not pulled for a day" in entry["event"] for entry in entries)

    server.errors.clear()
    await it.rested()
    it.rig.clock.advance(60)
    await it.until(lambda: not it.rig.gateway.counts["pull.cursor_overdue.kf"])


async def test_platform_that_is_away_is_asked_again_later_and_later(tmp_path):
    clock = HeldClock(T5_NOW_S)
    async with running(tmp_path, NO_SERVICE, accounts=(wecom_account(),), clock=clock) as rig:
        await rig.post(hint(), "kf")
        it = Pulling(rig, WeComServer(), FakeIngress())
        for failures in (1, 2):
            await it.until(lambda: rig.gateway.counts["pull.failed.token"] == failures)  # noqa: B023
            await it.rested()
            clock.advance(60)


async def test_secret_and_tokens_stand_in_no_log(tmp_path, capsys, caplog):
    server = WeComServer()
    server.errors = deque([50_000])
    with capture_logs() as entries:
        async with pulling(tmp_path, server) as it:
            await it.hinted()
            await it.until(lambda: it.rig.gateway.counts["pull.failed.errcode_50000"])

    written = "".join([*capsys.readouterr(), caplog.text, *map(str, entries)])
    assert "pull failed" in written
    for secret in ("token-1", "hint token", "the secret of"):
        assert secret not in written


@pytest.mark.parametrize("body", [b"", b"[]"])
async def test_hint_without_a_seal_is_refused(tmp_path, body):
    async with running(tmp_path, NO_SERVICE, accounts=(wecom_account(),), clock=HeldClock(T5_NOW_S)) as rig:
        post = hint()
        answer = await rig.client.post("/channels/kf", params=post.query, content=body)
        assert 401 == answer.status_code
    assert [] == cursors(tmp_path)


async def test_bug_in_reading_a_page_is_tried_again_and_ends_nothing(tmp_path, monkeypatch):
    def broken(self, source, message):
        raise ZeroDivisionError

    async with pulling(tmp_path) as it:
        it.server.messages["kf1"] = [message(1)]
        with monkeypatch.context() as patch:
            patch.setattr(WeCom, "pulled", broken)
            await it.hinted()
            await it.until(lambda: it.rig.gateway.counts["pull.failed.bug"])
            await it.rested()
        it.rig.clock.advance(60)
        await it.until(lambda: it.ingress.taken)


async def test_message_that_comes_again_under_another_id_is_set_aside(tmp_path):
    async with pulling(tmp_path) as it:
        it.server.messages["kf1"] = [message(1), message(1) | {"msgid": "other"}, message(2)]
        await it.hinted()
        await it.until(lambda: len(it.ingress.taken) == 2)
        await it.rig.forwarded()

        assert [("forwarded", None), ("dead", "suspected_duplicate"), ("forwarded", None)] == it.rig.rows("state, code")
        assert 1 == it.rig.gateway.counts["callback.suspected_duplicate"]

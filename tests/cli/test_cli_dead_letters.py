"""`crdt-sync gateway dead-letters` beside a gateway that runs."""

import asyncio

import pytest
from typer.testing import CliRunner

from crdt_sync.cli.main import app
from crdt_sync.errors import Malformed, NotFound
from tests.gateway.fakes import FakeIngress, HeldClock
from tests.gateway.platform import T5_NOW_S, Platform, notice
from tests.gateway.rig import running
from tests.replica.loopback import until

BROKEN = b'{"FromUserName": :mycreate}\x1b[2J'
AT = "2014-09-03T09:14:29+00:00"


async def dead_letters(data, *arguments, group="dead-letters"):
    command = ["gateway", group, *map(str, arguments), "--data", str(data)]
    result = await asyncio.to_thread(CliRunner().invoke, app, command)
    if result.exception is not None:
        raise result.exception
    return result.output.splitlines()


async def test_what_is_set_aside_is_listed_shown_and_replayed_while_the_gateway_runs(tmp_path):
    ingress, clock = FakeIngress(), HeldClock(T5_NOW_S)
    said = [BROKEN, notice(Content="yes", MsgId="1"), notice(Content="yes", MsgId="2")]
    async with ingress.serving() as port, running(tmp_path, port, clock=clock) as rig:
        for content in said:
            assert 200 == (await rig.post(Platform().post(content))).status_code
        await rig.forwarded()
        await clock.asleep(60)
        unread, twice = (f"  {AT}  shop  {code}  " for code in ("malformed", "suspected_duplicate"))
        assert [f"1{unread}{len(BROKEN)}", f"3{twice}{len(said[2])}"] == await dead_letters(tmp_path, "list")
        assert [f"3{twice}{len(said[2])}"] == await dead_letters(tmp_path, "list", "--code", "suspected_duplicate")
        (shown,) = await dead_letters(tmp_path, "show", 1)
        assert ":mycreate}" in shown
        assert "\x1b" not in shown

        told, where = await dead_letters(tmp_path, "replay", "--code", "suspected_duplicate")
        assert "1 to be forwarded again." == told
        assert "within a minute" in where
        assert "`crdt-sync gateway dead-letters list`" in where
        still = "1 to be forwarded still: what fails comes into this list."
        assert [f"1{unread}{len(BROKEN)}", still] == await dead_letters(tmp_path, "list")
        clock.advance(60)
        async with asyncio.timeout(20):
            while len(ingress.taken) < 2:
                await ingress.entered.wait()
                ingress.entered.clear()
        await rig.forwarded()
        assert ["openid-1:1", "openid-1:2"] == list(ingress.taken)
        assert [f"1{unread}{len(BROKEN)}"] == await dead_letters(tmp_path, "list")


async def test_contents_that_were_refused_are_counted_and_fetched_again(tmp_path):
    async def asked(*arguments):
        return await dead_letters(tmp_path, *arguments, group="refused-contents")

    ingress, clock = FakeIngress(), HeldClock(T5_NOW_S)
    picture = notice(MsgType="image", MediaId="m1", MsgId="1")
    async with ingress.serving() as port, running(tmp_path, port, clock=clock) as rig:
        await rig.gateway.warm()  # what it logs stands in the output of a command that runs beside it
        assert [] == await asked("list")
        assert 200 == (await rig.post(Platform().post(picture))).status_code
        await until(lambda: rig.gateway.counts["media.refused.media_unsupported"] == 1)
        assert ["media_unsupported  1"] == await asked("list")
        assert ["0 to be fetched again."] == await asked("again", "media_size")
        assert ["1 to be fetched again."] == await asked("again", "media_unsupported")
        await clock.asleep(60)
        clock.advance(60)
        await until(lambda: rig.gateway.counts["media.refused.media_unsupported"] == 2)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["replay"], Malformed),
        (["replay", "1", "--code", "c"], Malformed),
        (["replay", "7"], NotFound),
        (["show", "7"], NotFound),
    ],
)
async def test_what_is_not_set_aside_is_refused(tmp_path, arguments, error):
    async with running(tmp_path, 1, clock=HeldClock(T5_NOW_S)):
        with pytest.raises(error):
            await dead_letters(tmp_path, *arguments)


async def test_inbox_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(NotFound, match="There is no inbox"):
        await dead_letters(tmp_path / "elsewhere", "list")
    assert not (tmp_path / "elsewhere").exists()

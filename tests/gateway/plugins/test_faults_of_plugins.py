"""Whatever a plugin does, the message in question goes on, the fault is counted, and the plugin is begun anew."""

import asyncio
import os
import time
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog

from gateway.counts import Counts
from gateway.plugins.faults import FAULTS_MAX
from gateway.plugins.hooks import Plugins
from gateway.plugins.process import PROOFS, Host
from gateway.plugins.settings import PluginSettings
from tests.gateway.fakes import FakeIngress, SteppingClock
from tests.gateway.platform import Platform, notice
from tests.gateway.plugins.packages import Held, answered, installed, said
from tests.gateway.rig import running
from tests.replica.loopback import until

DEADLINE_MS = 500  # of a test, whose machine may be busy with others
FAULTS = {"raise": "raised", "allocate": "memory", "die": "died", "hang": "timeout"}


class House:
    """One plugin, as the message path sees it."""

    def __init__(self, plugins, counts):
        self.plugins, self.counts = plugins, counts

    async def ready(self, name="faulty"):
        async with asyncio.timeout(20):
            await self.plugins.all[name].ready()

    def has(self, name, count):
        return self.counts[name] == count

    async def rule(self, text):
        envelope = said(text)
        await self.plugins.route([envelope])
        return envelope.rule


@asynccontextmanager
async def house(tmp_path, *settings):
    counts = Counts()
    host = Host("127.0.0.1:1", None, tmp_path / "plugins")
    plugins = Plugins(settings, host, clock=SteppingClock(1_000), counts=counts)
    plugins.start(("shop", "more"))
    try:
        yield House(plugins, counts)
    finally:
        await plugins.stop()


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    places = dict.fromkeys(("faulty", "second"), "tests.gateway.plugins.faulty:Faulty")
    installed(tmp_path, monkeypatch, spinner="tests.gateway.plugins.faulty:Spinner", **places)


def faulty(name="faulty", **changes):
    return PluginSettings(**({"name": name, "deadline_ms": DEADLINE_MS} | changes))


async def test_every_fault_lets_the_message_go_on_and_is_counted_and_four_turn_the_plugin_off(tmp_path):
    async with house(tmp_path, faulty()) as it:
        for text, reason in FAULTS.items():
            fault = f"plugin.faulty.fault.{reason}"
            before = it.counts[fault]
            await it.ready()
            assert "sales" == await it.rule("say sales")
            assert "" == await it.rule(text)
            assert "" == await it.rule("say sales"), "nobody waits for a plugin that is at fault"
            await until(partial(it.has, fault, before + 1))
        assert (FAULTS_MAX, 1) == (it.counts["plugin.faulty.start"], it.counts["plugin.faulty.off"])


async def test_nobody_waits_for_a_plugin_that_was_late_until_it_has_answered_three_times(tmp_path):
    async with house(tmp_path, faulty()) as it:
        await it.ready()
        assert "" == await it.rule("hang")
        await until(partial(it.has, "plugin.faulty.fault.timeout", 1))
        await it.ready()
        assert "" == await it.rule("spin")
        assert 1 == it.counts["plugin.faulty.fault.timeout"], "nobody has waited for the deadline"
        await until(partial(it.has, "plugin.faulty.fault.timeout", 2))
        await it.ready()
        for answers in range(PROOFS):
            assert "" == await it.rule("say sales")
            await until(partial(it.has, "plugin.faulty.message", answers + 1))
        assert "sales" == await it.rule("say sales")


async def test_plugin_that_spins_beside_its_hooks_is_held_back(tmp_path):
    async with house(tmp_path, faulty("spinner")) as it:
        await until(partial(it.has, "plugin.spinner.late", 1), 20)
        spinner = int((tmp_path / "plugins" / "spinner" / "spinning").read_text())
        stat = Path(f"/proc/{spinner}/stat")
        await until(lambda: " T " in stat.read_text())
        await until(lambda: " R " in stat.read_text())


async def test_plugin_that_goes_on_is_held_back_no_more(tmp_path):
    async with house(tmp_path, faulty()) as it:
        await it.ready()
        assert "" == await it.rule("block")
        await until(partial(it.has, "plugin.faulty.late", 1))
        await until(partial(it.has, "plugin.faulty.own.blocked", 1))
        assert "sales" == await it.rule("say sales")


async def test_memory_that_is_mapped_is_bounded_as_well(tmp_path):
    async with house(tmp_path, faulty()) as it:
        await it.ready()
        assert "" == await it.rule("map")
        await until(lambda: it.counts["plugin.faulty.fault.memory"] == 1)


@pytest.mark.parametrize("end", ["hang", "die", "of the gateway"])
async def test_what_a_plugin_has_begun_ends_with_it(tmp_path, end):
    with closing(Held(tmp_path / "held")) as held:
        async with house(tmp_path, faulty()) as it:
            await it.ready()
            assert "begun" == await it.rule(f"begin {tmp_path / 'held'}")
            assert held.lives()
            if end != "of the gateway":
                assert "" == await it.rule(end)
                await until(lambda: not held.lives())
        await until(lambda: not held.lives())


async def test_hundred_long_messages_are_one_question(tmp_path):
    async with house(tmp_path, faulty(deadline_ms=1_000)) as it:
        await it.ready()
        envelopes = [said("票" * 20_000) for _ in range(99)]
        await it.plugins.route([*envelopes, said("say sales")])
        assert 100 == it.counts["plugin.faulty.message"]


async def test_answer_that_came_while_the_gateway_was_kept_waiting_is_in_time(tmp_path):
    async with house(tmp_path, faulty()) as it:
        await it.ready()
        asking = asyncio.create_task(it.rule("say sales"))
        for _ in range(3):
            await asyncio.sleep(0)  # it is on its way then, and no answer is
        time.sleep(2 * DEADLINE_MS / 1000)  # noqa: ASYNC251 - nobody else has a turn
        assert "sales" == await asking


async def test_whoever_waits_for_a_plugin_that_another_stopped_goes_on_too(tmp_path):
    async with house(tmp_path, faulty(deadline_ms=1_000)) as it, asyncio.timeout(20):
        await it.ready()
        thousand = [said("hang")] * 1_000  # whose deadline is minutes away
        hanging = asyncio.create_task(it.plugins.route(thousand))
        refusing = asyncio.create_task(it.plugins.refusal(answered("raise")))
        assert [None, None] == await asyncio.gather(hanging, refusing)


async def test_hooks_are_asked_in_order_and_their_wishes_are_names(tmp_path):
    async with house(tmp_path, faulty(), faulty("second", options={"password": "env:SECOND_PASSWORD"})) as it:
        await it.ready()
        await it.ready("second")
        assert "first" == await it.rule("say first")
        assert "plugin.faulty.too_rude" == await it.plugins.refusal(answered("say too_rude"))
        assert "plugin.faulty.refused" == await it.plugins.refusal(answered("say Too-Rude!"))
        assert None is await it.plugins.refusal(answered("nothing"))
        notice = answered("say no")
        notice.message = ""
        assert None is await it.plugins.refusal(notice)
        assert "" == await it.rule("later")
        assert 0 == it.counts["plugin.faulty.fault.raised"], "to be unable to is no fault"
        assert "" == await it.rule("print")
        await until(lambda: it.counts["plugin.faulty.own.printed"] == 1)
        assert (2, 2) == (it.counts["plugin.faulty.refused"], it.counts["plugin.second.answer"] - 1)


async def test_plugin_is_shown_what_belongs_to_its_accounts_alone(tmp_path):
    async with house(tmp_path, faulty(accounts=["shop"]), faulty("second", accounts=["other", "more"])) as it:
        await it.ready()
        await it.ready("second")
        envelopes = [said("say second", "other"), said("say none", "third"), said("say first"), said("", "more")]
        await it.plugins.route(envelopes)
        assert ["second", "", "first", ""] == [envelope.rule for envelope in envelopes]
        refusals = [await it.plugins.refusal(answered("say no", account)) for account in ("shop", "other", "third")]
        assert ["plugin.faulty.no", "plugin.second.no", None] == refusals
        assert [2, 3] == [it.counts[f"plugin.{name}.asked"] for name in it.plugins.all]


async def test_accounts_that_are_not_there_are_told_of(tmp_path):
    with structlog.testing.capture_logs() as logs:
        async with house(tmp_path, faulty(accounts=["shop"]), faulty("second", accounts=["other", "more"])):
            assert [("second", ["other"])] == [(each["plugin"], each["accounts"]) for each in logs]


async def test_nothing_is_read_of_a_message_that_no_plugin_is_shown(tmp_path):
    async with house(tmp_path, faulty(accounts=["other"])) as it:
        await it.ready()
        await it.plugins.route([SimpleNamespace(account="shop")])


async def test_plugin_is_told_no_secret_but_its_own_and_stands_behind_others(tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWAY_PASSWORD", "not for plugins")
    monkeypatch.setenv("OWN_PASSWORD", "for this one")
    async with house(tmp_path, faulty(options={"password": "env:OWN_PASSWORD"})) as it:
        await it.ready()
        assert "for this one" == await it.rule("secret")
        assert ["True", "False"] == [await it.rule(f"knows {name}") for name in ("OWN_PASSWORD", "GATEWAY_PASSWORD")]
        assert f"5 {os.SCHED_OTHER}" == await it.rule("limits"), "but only while it loads behind all of them"


async def test_message_reaches_the_service_past_a_spinning_plugin(tmp_path):
    core, platform = FakeIngress(), Platform()
    async with core.serving() as port, running(tmp_path, port, plugins=(faulty(),)) as rig:
        await rig.gateway.plugins.all["faulty"].ready()
        for number, text in enumerate(("say sales", "spin", "say sales")):
            await rig.post(platform.post(notice(f"openid-{number}", MsgId=str(number), Content=text)))
            await rig.forwarded()
        assert ["sales", "", ""] == [envelope.rule for envelope in core.taken.values()]
        await until(lambda: rig.gateway.counts["plugin.faulty.fault.timeout"] == 1)
        await until(lambda: rig.gateway.counts["plugin.faulty.start"] == 2, 20)

"""Answers go from a real service to a platform over real HTTP: in order, each once, and none twice unasked."""

import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest

from crdt_sync.ports.outbox import OutboxFilter
from crdt_sync.rpc.ticketsync.v1.gateway_pb2_grpc import EgressServiceStub
from crdt_sync.service import outbox
from gateway import dispatcher
from gateway.clock import SystemChance, SystemClock
from gateway.counts import Counts
from gateway.dispatcher import Dispatcher
from gateway.forwarder import Pace
from gateway.outbound import Limits, Rate, Window
from tests.gateway.answering import IMPATIENCE_S, HttpSender, Platform
from tests.replica.loopback import until
from tests.server.conftest import run_service
from tests.server.test_grpc_egress import Gateway


class Desk:
    """A service, a platform, and whoever answers its customers."""

    def __init__(self, running, platform, url):
        self.running, self.platform, self.url = running, platform, url
        self.counts = Counts()
        self._tickets = {}

    @asynccontextmanager
    async def dispatching(self, sender=None, core=None, senders=None, refusal=None):
        """A gateway that sends; what it is in the midst of when this ends, it ends."""
        sender = sender or HttpSender(self.url)
        dispatching = Dispatcher(
            {"shop": sender} if senders is None else senders,
            token=lambda: self.running.token("gateway", accounts=["shop"]),
            pace=Pace(2_000, 1, 20),
            clock=SystemClock(),
            chance=SystemChance(),
            counts=self.counts,
            refusal=refusal,
        )
        async with grpc.aio.insecure_channel(core or f"127.0.0.1:{self.running.service.grpc_port}") as channel:
            dispatching.start(EgressServiceStub(channel))
            try:
                yield dispatching
            finally:
                await dispatching.stop()
                await sender.close()

    async def answer(self, conversation, *texts):
        if conversation not in self._tickets:
            self._tickets[conversation] = await Gateway(self.running).hear_from(conversation)
        for text in texts:
            path = f"/api/tickets/{self._tickets[conversation]}/messages"
            (await self.running.http.post(path, json={"text": text}, headers=self.running.headers())).raise_for_status()

    async def rows(self):
        return await self.running.service._store.deliveries(OutboxFilter(), limit=1_000)

    async def states(self):
        return [row.state.value for row in await self.rows()]

    async def settled(self, *states):
        """Wait until the parts stand so."""
        async with asyncio.timeout(20):
            while (found := await self.states()) != list(states):
                assert len(found) <= len(states), found
                await asyncio.sleep(0.01)

    async def fates(self):
        """What the tickets show of each part."""
        found = {}
        for ticket in self._tickets.values():
            room = await self.running.service._committer._desk.rooms.get(f"ticket/{ticket}/talk")
            found |= room.document.deliveries()
        return [found.get(f"{row.message}/{row.index}") for row in await self.rows()]


@pytest.fixture
async def desk(tmp_path):
    platform = Platform()
    async with run_service(tmp_path / "data") as running, platform.serving() as url:
        yield Desk(running, platform, url)


async def test_answers_arrive_in_the_order_of_each_conversation_and_their_tickets_say_so(desk):
    async with desk.dispatching():
        await desk.answer("chen", "one", "two")
        await desk.answer("li", "three")
        await desk.answer("chen", "four")
        await desk.settled(*["sent"] * 4)

    assert ["one", "two", "four"] == [text for to, text in desk.platform.shown if to == "chen"]
    assert [("li", "three")] == [each for each in desk.platform.shown if each[0] == "li"]
    assert ["sent"] * 4 == await desk.fates()


async def test_a_refused_answer_is_not_sent_and_what_follows_it_is(desk):
    async def refusal(delivery):
        return "plugin.quality.forbidden_word" if delivery.part.text == "guarantee" else None

    async with desk.dispatching(refusal=refusal):
        await desk.answer("chen", "one", "guarantee", "two")
        await desk.settled("sent", "dead", "sent")

    assert [("chen", "one"), ("chen", "two")] == desk.platform.shown
    assert ["sent", "failed", "sent"] == await desk.fates()
    assert ["", "plugin.quality.forbidden_word", ""] == [row.code for row in await desk.rows()]


async def test_a_busy_platform_is_asked_again_after_its_delay_and_nothing_overtakes(desk):
    desk.platform.script.extend([429, 503, 200])
    await desk.answer("chen", "one", "two")
    async with desk.dispatching():
        await desk.settled("sent", "sent")

    assert ["one", "one", "one", "two"] == desk.platform.asked
    assert [("chen", "one"), ("chen", "two")] == desk.platform.shown


async def test_retry_after_holds_for_the_whole_account(desk):
    desk.platform.script.append(429)
    desk.platform.retry_after_ms = 60_000
    await desk.answer("chen", "one")
    async with desk.dispatching():
        await until(lambda: desk.counts["send.retry"] == 1)
        await desk.answer("li", "two")
        await desk.settled("retry", "retry")

    assert ["one"] == desk.platform.asked
    assert ["busy", "rate"] == [row.code for row in await desk.rows()]


async def test_what_may_have_been_sent_is_not_sent_again_and_holds_up_its_conversation_alone(desk):
    desk.platform.script.append(None)
    sender = HttpSender(desk.url)
    sender.patience_s = IMPATIENCE_S
    await desk.answer("chen", "one", "two")
    async with desk.dispatching(sender):
        await desk.settled("unknown", "pending")
        await desk.answer("li", "three")
        await desk.settled("unknown", "pending", "sent")

    assert ["one", "three"] == desk.platform.asked


async def test_where_a_second_send_is_known_the_unknown_is_sent_again(desk, monkeypatch):
    monkeypatch.setattr(dispatcher, "_RETRY_MS_MIN", 1)
    desk.platform.script.append(None)
    sender = HttpSender(desk.url, has_idempotency=True)
    sender.patience_s = IMPATIENCE_S
    await desk.answer("chen", "one", "two")
    async with desk.dispatching(sender):
        await desk.settled("sent", "sent")

    assert ["one", "one", "two"] == desk.platform.asked


@pytest.mark.parametrize(("status", "state"), [(400, "dead"), (410, "window_closed")])
async def test_what_cannot_be_sent_is_shown_on_its_ticket_and_passed(desk, status, state):
    desk.platform.script.append(status)
    await desk.answer("chen", "one", "two")
    async with desk.dispatching():
        await desk.settled(state, "sent")

    assert ["failed", "sent"] == await desk.fates()


@pytest.mark.parametrize(
    ("window", "codes"),
    [(Window(duration_ms=60_000), ["window"] * 2), (Window(duration_ms=10**15, parts_max=1), ["", "quota"])],
)
async def test_a_platform_is_not_asked_for_what_it_will_not_allow(desk, window, codes):
    await desk.answer("chen", "one", "two")
    async with desk.dispatching(HttpSender(desk.url, limits=Limits(window=window))):
        await desk.settled(*["window_closed" if code else "sent" for code in codes])

    assert codes == [row.code for row in await desk.rows()]
    assert codes.count("") == len(desk.platform.asked)
    assert ["failed" if code else "sent" for code in codes] == await desk.fates()


async def test_a_sender_that_breaks_leaves_its_part_unknown_and_the_others_go_on(desk):
    class Broken(HttpSender):
        async def send(self, delivery):
            if delivery.part.text == "one":
                raise ZeroDivisionError
            return await super().send(delivery)

    await desk.answer("chen", "one")
    async with desk.dispatching(Broken(desk.url)):
        await desk.answer("li", "two")
        await desk.settled("unknown", "sent")


async def test_what_fails_for_a_day_is_dead(desk, monkeypatch):
    monkeypatch.setattr(dispatcher, "ATTEMPTS_MAX", 3)
    desk.platform.script.extend([503] * 3)
    await desk.answer("chen", "one")
    async with desk.dispatching():
        await desk.settled("dead")

    assert ["one"] * 3 == desk.platform.asked


async def test_what_would_wait_long_for_its_rate_goes_back_meanwhile(desk):
    limits = Limits(conversation=Rate(burst=1, per_s=0.01))
    await desk.answer("chen", "one", "two")
    async with desk.dispatching(HttpSender(desk.url, limits=limits)):
        await desk.answer("li", "three")
        await desk.settled("sent", "retry", "sent")

    assert "rate" == (await desk.rows())[1].code


async def test_what_waits_briefly_for_its_rate_is_sent_then(desk):
    limits = Limits(account=Rate(burst=1, per_s=50))
    await desk.answer("chen", "one", "two", "three")
    async with desk.dispatching(HttpSender(desk.url, limits=limits)):
        await desk.settled("sent", "sent", "sent")

    assert 0 == desk.counts["send.retry"]


async def test_a_gateway_that_ends_lets_what_it_sends_end(desk):
    desk.platform.gate.clear()
    await desk.answer("chen", "one", "two")
    async with desk.dispatching() as dispatching:
        await until(lambda: desk.platform.shown)
        stopping = asyncio.ensure_future(dispatching.stop())
        await desk.settled("sending", "pending")
        desk.platform.gate.set()
        await stopping

    assert ["sent", "pending"] == await desk.states()


async def test_a_gateway_that_is_cut_off_while_it_sends_leaves_that_part_unknown(desk, monkeypatch):
    monkeypatch.setattr(dispatcher, "_DRAIN_S", 0.0)
    monkeypatch.setattr(outbox, "LEASE_MS", 200)
    desk.platform.gate.clear()
    await desk.answer("chen", "one", "two")
    async with desk.dispatching():
        await until(lambda: desk.platform.shown)
    async with desk.dispatching():
        await desk.settled("unknown", "pending")

    assert ["one"] == desk.platform.asked
    desk.platform.gate.set()


async def test_two_gateways_send_each_part_once(desk):
    for number in range(10):
        await desk.answer(f"customer-{number}", "one", "two")
    async with desk.dispatching(), desk.dispatching():
        await desk.settled(*["sent"] * 20)

    assert 20 == len(desk.platform.shown) == len(set(desk.platform.shown))
    for number in range(10):
        assert ["one", "two"] == [text for to, text in desk.platform.shown if to == f"customer-{number}"]


async def test_a_service_that_was_away_is_found_again_and_hears_what_was_sent_meanwhile(tmp_path):
    platform = Platform()
    platform.gate.clear()
    async with platform.serving() as url:
        async with run_service(tmp_path / "data") as running:
            port = running.service.grpc_port
            desk = Desk(running, platform, url)
            await desk.answer("chen", "one", "two")
            dispatching = desk.dispatching(core=f"127.0.0.1:{port}")
            await dispatching.__aenter__()
            await until(lambda: platform.shown)
        platform.gate.set()
        async with run_service(tmp_path / "data", grpc_port=port) as running:
            desk.running = running
            await desk.settled("sent", "sent")
            await dispatching.__aexit__(None, None, None)

    assert [("chen", "one"), ("chen", "two")] == desk.platform.shown
    assert desk.counts["claim.failed.unavailable"] >= 1


async def test_a_gateway_without_senders_claims_nothing(desk):
    idle = Dispatcher(
        {}, token=lambda: "", pace=Pace(1, 1, 1), clock=SystemClock(), chance=SystemChance(), counts=desk.counts
    )
    idle.start(None)
    await idle.stop()
    assert {} == desk.counts.all()


async def test_an_account_that_comes_while_the_gateway_runs_is_answered_and_one_that_goes_is_not(desk):
    senders = {}
    async with desk.dispatching(senders=senders) as dispatching:
        await desk.answer("chen", "one")
        senders["shop"] = HttpSender(desk.url)
        dispatching.renew()
        await desk.settled("sent")
        (sender,) = senders.values()
        senders.clear()
        dispatching.renew()
        await desk.answer("chen", "two")
        senders["shop"] = sender
        dispatching.renew()
        await desk.settled("sent", "sent")
        await sender.close()
    assert [("chen", "one"), ("chen", "two")] == desk.platform.shown

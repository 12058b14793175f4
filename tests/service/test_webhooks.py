"""Other systems are told what a department hears: once by its id, in the order of each ticket, whatever fails."""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from standardwebhooks import Webhook as Oracle

from crdt_sync.domain.event import EventType
from crdt_sync.domain.webhook import AWAY_AFTER, PATIENCE_MS, RETRY_S, Paused
from crdt_sync.errors import Conflict, Forbidden, Malformed, NotFound, PreconditionUnknown, TooMany
from crdt_sync.ports.webhooks import Reply
from crdt_sync.service import courier, couriers, events, leases, turns, webhooks
from crdt_sync.service.couriers import LEASE_MS, LOOK_S
from crdt_sync.service.settling import GATHER_S
from tests.service.webhook_office import (
    CRM,
    ERP,
    SALES,
    TECH,
    assert_once_and_in_order,
    run,
    ticket,
)

HOUR_S, SOON_S = 3_600, 5


@pytest.fixture
def rarely(monkeypatch):
    """Have everybody look once a minute, for stories of days."""
    for module in (couriers, events, leases):
        monkeypatch.setattr(module, "LOOK_S", 60.0)
    monkeypatch.setattr(couriers, "LEASE_MS", 200_000)
    monkeypatch.setattr(events, "HEARTBEAT_S", 600.0)


DOWN = Reply("http_503")


def signed_by(request):
    """What the specification's library signs a request with, under each secret that it is given."""
    at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    return lambda secret: Oracle(secret).sign(request.headers["webhook-id"], at, request.body.decode())


@pytest.mark.parametrize("seed", range(2))
def test_receivers_that_fail_for_an_hour_get_everything_once_and_in_order_though_the_service_is_killed(seed):
    """Two receivers fail in their own ways, one of them takes some events and says that it has not."""

    async def story(office):
        dice = random.Random(seed)
        hooks = [await office.node.webhooks.create(SALES, url) for url in (CRM, ERP)]

        def behave(request):
            if not 30 < request.at_s < 30 + HOUR_S:
                return Reply()
            if request.url == ERP and dice.random() < 0.3:
                office.receivers.taken.append(request)
            return dice.choice([DOWN, Reply("unreachable"), Reply("http_429", 7_000), None])

        office.receivers.behave = behave
        kills = sorted(dice.uniform(10, HOUR_S + 900) for _ in range(4))
        for _ in range(300):
            await asyncio.sleep(dice.expovariate(300 / HOUR_S))
            await office.tell(dice.randrange(12))
            if kills and kills[0] < asyncio.get_running_loop().time():
                kills.pop(0)
                await office.node.kill()
                await office.begin()
        await asyncio.sleep(2 * HOUR_S)
        for hook, url in zip(hooks, (CRM, ERP), strict=True):
            assert_once_and_in_order(office, url)
            assert [] == await office.waiting(hook) == await office.waiting(hook, dead=True)

    run(story)


@pytest.mark.parametrize("seed", range(2))
def test_an_hour_of_failures_pauses_and_redeliveries_sends_nothing_twice_that_nobody_asked_for(seed):
    """Its receiver takes nothing for an hour and is paused again and again; people resume it, and send events again."""

    async def story(office):
        dice, asked, pauses = random.Random(seed), set(), 0
        hook = await office.node.webhooks.create(SALES, CRM)
        failures = [DOWN, Reply("unreachable"), Reply("http_429", 7_000), None, Reply("http_410")]
        office.receivers.behave = lambda request: (
            dice.choice(failures) if 30 < request.at_s < 30 + HOUR_S and dice.random() < 0.98 else Reply()
        )
        for _ in range(300):
            await asyncio.sleep(dice.expovariate(300 / HOUR_S))
            await office.tell(dice.randrange(12))
            if dice.random() < 0.2 and (await office.stored(hook)).paused:
                pauses += 1
                await office.node.webhooks.change(SALES, hook.id, paused=False)
            if dice.random() < 0.05:
                position, _ = dice.choice(office.made)
                asked.add(position)
                await office.node.webhooks.send_again(SALES, hook.id, position)
        await asyncio.sleep(HOUR_S)
        await office.node.webhooks.change(SALES, hook.id, paused=False)
        await asyncio.sleep(HOUR_S)

        assert pauses
        assert_once_and_in_order(office)
        taken = Counter(request.id for request in office.receivers.taken)
        assert {position for position, times in taken.items() if times > 1} <= asked
        assert [] == await office.waiting(hook) == await office.waiting(hook, dead=True)

    run(story)


def test_each_attempt_has_the_events_id_and_a_signature_of_its_own():
    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        office.receivers.behave = lambda request: Reply() if len(office.receivers.requests) > 2 else DOWN
        position = await office.tell()
        await asyncio.sleep(60)

        requests = office.receivers.requests
        assert [position] * 3 == [request.id for request in requests]
        assert 3 == len({request.headers["webhook-timestamp"] for request in requests})
        assert 3 == len({request.headers["webhook-signature"] for request in requests})
        assert {requests[0].body} == {request.body for request in requests}
        for request in requests:
            assert request.headers["webhook-signature"] == signed_by(request)(hook.secret)
        event = requests[0].event
        assert (str(position), "1.0", ticket()) == (event["id"], event["specversion"], event["subject"])
        assert "application/cloudevents+json" == requests[0].headers["content-type"]

    run(story)


def test_an_event_is_tried_as_often_as_the_schedule_says_and_others_of_its_ticket_wait_for_it(rarely):
    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        bad = await office.tell(1)
        office.receivers.behave = lambda request: DOWN if request.id == bad else Reply()
        behind = [await office.tell(1)]
        for _ in range(31):  # an hour each
            behind.append(await office.tell(1))
            elsewhere = await office.tell(2)
            await asyncio.sleep(HOUR_S)
            assert elsewhere in office.taken()
            assert set() == {bad, *behind} & set(office.taken())
        await asyncio.sleep(9 * HOUR_S)

        tried = [request.at_s for request in office.receivers.requests if request.id == bad]
        delays = [later - sooner for sooner, later in pairwise(tried)]
        assert len(RETRY_S) == len(delays)
        assert all(0 <= delay - least <= 0.2 * least + 1 for delay, least in zip(delays, RETRY_S, strict=True))
        assert ([bad], []) == (await office.waiting(hook, dead=True), await office.waiting(hook))
        assert behind == [position for position in office.taken() if position in behind]
        assert 1 == office.node.meter.webhooks["dead"]

        office.receivers.behave = lambda request: Reply()
        await office.node.webhooks.send_again(SALES, hook.id, bad)
        await asyncio.sleep(SOON_S)
        assert bad in office.taken()
        assert [] == await office.waiting(hook, dead=True)

    run(story)


def test_a_receiver_that_takes_nothing_is_paused_and_gets_everything_when_it_is_resumed(rarely):
    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        office.receivers.behave = lambda request: DOWN
        for number in range(120):
            await office.tell(number % 7)
            await asyncio.sleep(HOUR_S / 3)
        stored = await office.stored(hook)
        assert Paused.FAILING is stored.paused
        assert [] == await office.waiting(hook, dead=True)
        tried = len(office.receivers.requests)
        failed_s = (office.receivers.requests[-1].at_s - office.receivers.requests[0].at_s) * 1000
        assert PATIENCE_MS <= failed_s <= 1.1 * PATIENCE_MS
        assert tried < 1_000

        office.receivers.behave = lambda request: Reply()
        await asyncio.sleep(HOUR_S)
        assert tried == len(office.receivers.requests)
        await office.node.webhooks.change(SALES, hook.id, paused=False)
        await asyncio.sleep(60)
        assert_once_and_in_order(office)
        resumed = await office.stored(hook)
        assert (Paused.NO, 0, None) == (resumed.paused, resumed.failures, resumed.failing_since_ms)

    run(story)


def test_while_a_receiver_is_away_few_are_tried_and_it_is_found_within_ten_minutes():
    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        office.receivers.behave = lambda request: DOWN if request.at_s < HOUR_S else Reply()
        for number in range(2_000):
            await office.tell(number % 90)
            await asyncio.sleep(HOUR_S / 2_000)
        assert len(office.receivers.requests) < 70
        assert len(await office.waiting(hook)) < 30
        assert 1 == office.node.couriers.levels().states["away"]
        await asyncio.sleep(700)
        assert_once_and_in_order(office)
        assert 0 == office.node.couriers.levels().states["away"]

    run(story)


def test_a_receiver_that_is_away_is_tried_with_one_event_at_a_time(monkeypatch):
    monkeypatch.setattr(courier, "retry_ms", lambda *_: HOUR_S * 1_000)  # no row is due meanwhile

    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        office.receivers.behave = lambda request: DOWN
        for number in range(AWAY_AFTER + 30):
            await office.tell(number)
            await asyncio.sleep(0.1)
        await asyncio.sleep(40)
        assert AWAY_AFTER + 3 == len(office.receivers.requests) == len(await office.waiting(hook))

    run(story)


def test_a_receiver_that_hangs_delays_no_other():
    async def story(office):
        for url in (CRM, ERP):
            await office.node.webhooks.create(SALES, url)
        await asyncio.sleep(1)
        office.receivers.behave = lambda request: None if request.url == CRM else Reply()
        for number in range(60):
            position = await office.tell(number)
            await asyncio.sleep(0.5)
            assert position in office.taken(ERP)
        assert [] == office.taken(CRM)

    run(story)


def test_tickets_are_told_at_the_same_time_but_few_of_them_and_one_ticket_in_turn():
    async def story(office):
        await office.node.kill()
        for number in range(40):
            await office.tell(number % 10)
        await office.begin()
        await office.node.webhooks.create(SALES, CRM, after=0)
        await asyncio.sleep(SOON_S)
        assert courier.IN_FLIGHT_MAX == office.receivers.most_under_way
        assert len(office.made) == len(office.receivers.requests)
        assert_once_and_in_order(office)
        times = {}
        for request in office.receivers.requests:
            assert request.at_s - times.get(request.event["subject"], -1) >= 0.049
            times[request.event["subject"]] = request.at_s

    run(story)


def test_a_receiver_hears_what_its_department_may_and_what_it_asked_for():
    async def story(office):
        hook = office.node.webhooks
        await hook.create(SALES, CRM)
        await hook.create(replace(TECH, tickets=(ticket(3),)), ERP)
        await hook.create(SALES, "https://types.example/", [EventType.DELIVERY, EventType.OPENED])
        both = [await office.tell(number, audience=("sales", "tech")) for number in (2, 3)]
        sales, tech = await office.tell(3, audience=("sales",)), await office.tell(3, audience=("tech",))
        opened = await office.tell(4, type_=EventType.OPENED)
        await asyncio.sleep(SOON_S)

        assert [*both, sales, opened] == sorted(office.taken(CRM))
        assert [both[1], tech] == office.taken(ERP)
        assert [opened] == office.taken("https://types.example/")

    run(story)


@pytest.mark.parametrize("taken", [{"revoked": True}, {"valid_from_ms": 2**60}], ids=["revoked", "signed out"])
def test_what_is_taken_from_whoever_subscribed_ends_what_is_told_until_a_colleague_resumes_it(taken):
    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        before = await office.tell()
        await asyncio.sleep(SOON_S)
        await office.store.restrict(SALES.actor, lambda known: replace(known, **taken), 1)
        await asyncio.sleep(SOON_S)
        after = await office.tell()
        await asyncio.sleep(SOON_S)
        assert [before] == office.taken()
        assert Paused.ACCESS is (await office.stored(hook)).paused

        await office.node.webhooks.change(SALES, hook.id, paused=False)
        await asyncio.sleep(SOON_S)
        assert Paused.ACCESS is (await office.stored(hook)).paused
        await office.node.webhooks.change(replace(SALES, actor="sales-2"), hook.id, paused=False)
        await asyncio.sleep(SOON_S)
        assert [before, after] == office.taken()

    run(story)


def test_what_is_taken_from_whoever_subscribed_ends_a_long_row_of_events_within_two_seconds():
    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        await asyncio.sleep(1.1)
        for _ in range(49):
            await office.tell()
        office.receivers.answer_s = lambda request: 1
        await asyncio.sleep(0.5)
        await office.store.restrict(SALES.actor, lambda known: replace(known, revoked=True), 1)
        await asyncio.sleep(60)
        assert 1 <= len(office.taken()) <= 3
        assert Paused.ACCESS is (await office.stored(hook)).paused
        office.receivers.answer_s = lambda request: 0
        await office.node.webhooks.change(replace(SALES, actor="sales-2"), hook.id, paused=False)
        await asyncio.sleep(10)
        assert_once_and_in_order(office)

    run(story)


def test_nothing_is_lost_when_the_machine_is_told_another_time():
    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        office.receivers.behave = lambda request: Reply("http_503", 2_000) if request.at_s < 1 else Reply()
        await office.tell()
        await asyncio.sleep(3)  # it was left alone, and is listened for until the event is due
        office.clock.off_ms = -60_000
        for number in range(5):
            await office.tell(number)
        await asyncio.sleep(1)
        office.clock.off_ms = 86_400_000
        await asyncio.sleep(60)
        assert_once_and_in_order(office)
        assert [] == await office.waiting(hook)

    run(story)


def test_of_what_waits_only_that_is_sent_which_may_still_be_heard():
    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        office.receivers.behave = lambda request: DOWN
        secret, known = await office.tell(1), await office.tell(2)
        await asyncio.sleep(2)
        only = (ticket(2),)
        await office.store.restrict(SALES.actor, lambda before: replace(before, tickets=only), 1)
        await asyncio.sleep(2)
        office.receivers.behave = lambda request: Reply()
        await asyncio.sleep(SOON_S)
        assert [known] == office.taken()
        assert secret not in office.taken()
        assert [] == await office.waiting(hook)

    run(story)


def test_a_secret_that_is_replaced_signs_for_a_day_beside_the_new_one(rarely):
    async def story(office):
        first = await office.node.webhooks.create(SALES, CRM)
        await asyncio.sleep(1)
        second = await office.node.webhooks.replace_secret(SALES, first.id)
        for _ in range(2):
            await office.tell()
            await asyncio.sleep(86_401)

        during, after = office.receivers.requests
        assert [signed_by(during)(one.secret) for one in (second, first)] == during.headers["webhook-signature"].split()
        assert signed_by(after)(second.secret) == after.headers["webhook-signature"]

    run(story)


def test_everything_behind_a_position_is_sent_anew_in_its_order_under_its_ids():
    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        made = [await office.tell(number % 3) for number in range(9)]
        await asyncio.sleep(SOON_S)
        await office.node.webhooks.send_anew(SALES, hook.id, made[3])
        await asyncio.sleep(SOON_S)

        again = [request.id for request in office.receivers.taken[9:]]
        assert made[4:] == sorted(again)
        for of in range(3):
            assert [one for one in made[4:] if made.index(one) % 3 == of] == [
                one for one in again if made.index(one) % 3 == of
            ]
        assert made[-1] == (await office.stored(hook)).position

    run(story)


def test_who_asks_to_be_left_alone_is_and_who_is_gone_is_paused():
    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        office.receivers.behave = lambda request: Reply("http_503", 100_000) if request.at_s < 50 else Reply("http_410")
        for number in range(3):
            await office.tell(number)
        await asyncio.sleep(95)
        assert len(office.receivers.requests) <= courier.IN_FLIGHT_MAX
        tried = len(office.receivers.requests)
        await asyncio.sleep(60)
        assert tried < len(office.receivers.requests)
        assert Paused.GONE is (await office.stored(hook)).paused
        assert 3 == len(await office.waiting(hook))

    run(story)


def test_an_event_that_no_receiver_would_take_is_given_up_at_once(monkeypatch):
    monkeypatch.setattr(courier, "EVENT_BYTES_MAX", 700)

    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        large = await office.tell(data={"entry": "x" * 700, "code": "x"})
        small = await office.tell()
        await asyncio.sleep(SOON_S)
        assert ([small], [large]) == (office.taken(), await office.waiting(hook, dead=True))

    run(story)


def test_who_has_enough_waiting_reads_no_further_and_still_gets_everything(monkeypatch):
    monkeypatch.setattr(courier, "WAITING_MAX", 20)
    monkeypatch.setattr(courier, "FRESH_MAX", 5)

    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        bad = await office.tell(1)
        office.receivers.behave = lambda request: DOWN if request.id == bad and request.at_s < HOUR_S else Reply()
        for _ in range(40):
            await office.tell(1)
        await asyncio.sleep(60)
        assert 20 <= len(await office.waiting(hook)) < 25
        assert (await office.stored(hook)).position < office.made[-1][0]
        await asyncio.sleep(2 * HOUR_S)
        assert_once_and_in_order(office)

    run(story)


def test_receivers_that_come_back_are_sent_so_many_tickets_at_a_time(monkeypatch):
    monkeypatch.setattr(courier, "DUE_MAX", 3)

    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        made = [await office.tell(number) for number in range(10)]
        await asyncio.sleep(SOON_S)
        await office.node.webhooks.change(SALES, hook.id, paused=True)
        for position in made:
            await office.node.webhooks.send_again(SALES, hook.id, position)
        office.receivers.most_under_way = 0
        await office.node.webhooks.change(SALES, hook.id, paused=False)
        await asyncio.sleep(SOON_S)
        assert 3 == office.receivers.most_under_way
        assert made == sorted(request.id for request in office.receivers.taken[10:])

    run(story)


def test_what_became_of_many_receivers_events_is_written_down_together():
    async def story(office):
        for number in range(10):
            await office.node.webhooks.create(SALES, f"https://{number}.example/")
        office.receivers.answer_s = lambda request: 0.03 + 0.007 * int(request.url[8])  # so that none are in step
        await asyncio.sleep(1)
        asked = office.node.store.asked
        asked.clear()
        for number in range(40):
            await office.tell(number)
            await asyncio.sleep(0.02)
        await asyncio.sleep(2.2)
        assert 400 == len(office.receivers.taken)
        assert asked.count("settle_webhooks") <= 3 / GATHER_S + 1

    run(story)


def test_so_many_events_leave_a_second_for_all_receivers_together_and_each_has_its_turn(monkeypatch):
    monkeypatch.setattr(turns, "SENT_PER_S_MAX", 20)

    async def story(office):
        urls = [f"https://{number}.example/" for number in range(4)]
        for url in urls:
            await office.node.webhooks.create(SALES, url)
        await asyncio.sleep(5)
        for number in range(100):
            await office.tell(number)
        await asyncio.sleep(10)
        assert 10 * 20 <= len(office.receivers.requests) <= 11 * 20 + 1
        assert all(40 <= len(office.taken(url)) <= 65 for url in urls)
        await asyncio.sleep(15)
        for url in urls:
            assert_once_and_in_order(office, url)

    run(story)


def test_nothing_is_done_for_an_event_that_no_receiver_hears():
    async def story(office):
        hooks = [await office.node.webhooks.create(TECH, f"https://{number}.example/") for number in range(5)]
        await asyncio.sleep(30)
        asked = office.node.store.asked
        asked.clear()
        for _ in range(50):
            await office.tell(audience=("sales",))
            await asyncio.sleep(0.1)
        assert set() == {"settle_webhooks", "webhook_rows", "webhook"} & set(asked)
        assert asked.count("webhooks") <= 2 + SOON_S / LOOK_S
        assert asked.count("events") <= 50, "one reader for all"
        await office.node.stop()
        positions = {(await office.stored(hook)).position for hook in hooks}
        assert {office.made[-1][0]} == positions, "and a restart reads none of them again"

    run(story)


def test_one_of_two_processes_sends_and_the_other_takes_over_when_it_dies():
    async def story(office):
        first = office.node
        await first.webhooks.create(SALES, CRM)
        await asyncio.sleep(1)
        second = await office.begin()
        await office.tell()
        await asyncio.sleep(SOON_S)
        assert ({"sent": 1, "away": 0, "paused": 0}, 0) == (
            dict(first.couriers.levels().states),
            second.couriers.levels().states["sent"],
        )
        await first.kill()
        await office.tell()
        await asyncio.sleep(LEASE_MS / 1000 + LOOK_S + 1)
        assert_once_and_in_order(office)
        assert 2 == len(office.receivers.requests)

    run(story)


def test_a_process_that_stops_hands_over_at_once():
    async def story(office):
        first = office.node
        await first.webhooks.create(SALES, CRM)
        await asyncio.sleep(1)
        await office.begin()
        await first.stop()
        await office.tell()
        await asyncio.sleep(LOOK_S + 1)
        assert_once_and_in_order(office)

    run(story)


def test_a_change_is_followed_at_once_and_what_is_paused_waits():
    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        await asyncio.sleep(1)
        await office.node.webhooks.change(SALES, hook.id, paused=True)
        await office.tell()
        await asyncio.sleep(SOON_S)
        assert ([], 1) == (office.receivers.requests, office.node.couriers.levels().states["paused"])
        await office.node.webhooks.change(SALES, hook.id, url=ERP, paused=False)
        await asyncio.sleep(0.5)
        assert_once_and_in_order(office, ERP)
        await office.node.webhooks.change(SALES, hook.id, types=[EventType.OPENED])
        await office.tell()
        await asyncio.sleep(SOON_S)
        assert 1 == len(office.receivers.requests)
        await office.node.webhooks.remove(SALES, hook.id)
        await asyncio.sleep(0.5)
        assert 0 == sum(office.node.couriers.levels().states.values())

    run(story)


def test_what_waits_is_tried_at_once_when_it_is_resumed_and_has_all_of_its_attempts():
    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        office.receivers.behave = lambda request: DOWN
        position = await office.tell()
        await asyncio.sleep(1_000)
        assert 5 == len(office.receivers.requests), "and an hour to the next one"
        await office.node.webhooks.change(SALES, hook.id, paused=True)
        await office.node.webhooks.change(SALES, hook.id, paused=False)
        await asyncio.sleep(1_000)
        assert 10 == len(office.receivers.requests)
        office.receivers.behave = lambda request: Reply()
        await office.node.webhooks.change(SALES, hook.id, url=CRM)
        await asyncio.sleep(SOON_S)
        assert [position] == office.taken()

    run(story)


def test_who_may_look_after_which():
    async def story(office):
        service = office.node.webhooks
        wide = await service.create(SALES, CRM)
        narrow = await service.create(replace(SALES, tickets=(ticket(1), ticket(2))), CRM)
        part = replace(SALES, actor="sales-2", tickets=(ticket(1), ticket(2), ticket(3)))
        assert [wide, narrow] == list(await service.all(SALES))
        assert [narrow] == list(await service.all(part))
        for stranger in (TECH, part, replace(SALES, tickets=())):
            with pytest.raises(NotFound):
                await service.change(stranger, wide.id, url=ERP)
        assert [] == list(await service.all(TECH))
        reader = replace(SALES, read_only=True)
        assert wide == await service.get(reader, wide.id)
        for asking in (service.remove(reader, wide.id), service.create(reader, CRM)):
            with pytest.raises(Forbidden):
                await asking
        with pytest.raises(Forbidden):
            await service.all(replace(SALES, department="gateway"))

    run(story)


def test_what_cannot_be_is_refused():
    async def story(office):
        service = office.node.webhooks
        hook = await service.create(SALES, CRM)
        with pytest.raises(Malformed):
            await service.create(SALES, "http://crm.example/")
        with pytest.raises(Malformed):
            await service.change(SALES, hook.id, url="http://crm.example/")
        with pytest.raises(PreconditionUnknown):
            await service.create(SALES, CRM, after=99)
        others = await office.tell(audience=("tech",))
        for position in (others, others + 1, 0):
            with pytest.raises(NotFound):
                await service.send_again(SALES, hook.id, position)

    run(story)


def test_a_request_that_comes_again_makes_one_webhook_and_shows_its_secret_for_an_hour():
    async def story(office):
        async def create(principal=SALES, url=CRM, **more):
            return await office.node.webhooks.create(principal, url, request_id="k1", **more)

        made, again = await asyncio.gather(create(), create())
        assert made == again == await create()
        assert [made] == list(await office.store.webhooks())
        for other in (create(url=ERP), create(types=[EventType.OPENED]), create(after=0)):
            with pytest.raises(Conflict) as caught:
                await other
            assert "idempotency_key_reused" == caught.value.code
        with pytest.raises(Conflict):
            await create(replace(SALES, tickets=(ticket(1),)))
        assert made.id != (await create(TECH)).id
        with pytest.raises(Forbidden):
            await create(replace(SALES, read_only=True))
        assert made == await create()

        office.clock.off_ms = webhooks.SHOWN_AGAIN_MS
        assert replace(made, secret="") == await create()

    run(story)


def test_a_webhook_that_was_changed_or_deleted_shows_no_secret_to_a_request_that_comes_again():
    async def story(office):
        service = office.node.webhooks
        made = await service.create(SALES, CRM, request_id="k1")
        changed = await service.replace_secret(SALES, made.id)
        assert replace(changed, secret="") == await service.create(SALES, CRM, request_id="k1")
        await service.remove(SALES, made.id)
        with pytest.raises(NotFound):
            await service.create(SALES, CRM, request_id="k1")
        assert [] == list(await office.store.webhooks())

    run(story)


def test_there_are_so_many_of_a_department_and_in_all(monkeypatch):
    monkeypatch.setattr(webhooks, "TOTAL_MAX", webhooks.PER_DEPARTMENT_MAX + 1)

    async def story(office):
        for _ in range(webhooks.PER_DEPARTMENT_MAX):
            await office.node.webhooks.create(SALES, CRM)
        await office.node.webhooks.create(TECH, CRM)
        for principal in (SALES, TECH):
            with pytest.raises(TooMany) as caught:
                await office.node.webhooks.create(principal, CRM)
            assert "webhooks" == caught.value.code

    run(story)


def test_no_more_is_sent_again_by_hand_than_may_wait(monkeypatch):
    monkeypatch.setattr(webhooks, "WAITING_MAX", 2)

    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        made = [await office.tell() for _ in range(3)]
        await asyncio.sleep(SOON_S)
        await office.node.webhooks.change(SALES, hook.id, paused=True)
        for position in made[:2]:
            await office.node.webhooks.send_again(SALES, hook.id, position)
        with pytest.raises(TooMany):
            await office.node.webhooks.send_again(SALES, hook.id, made[2])

    run(story)


def test_what_was_given_up_is_forgotten_after_a_month(rarely, monkeypatch):
    monkeypatch.setattr(courier, "EVENT_BYTES_MAX", 1)

    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        dead = await office.tell()
        monkeypatch.setattr(couriers, "KEPT_MS", 4 * HOUR_S * 1000)
        await asyncio.sleep(3 * HOUR_S)
        assert [dead] == await office.waiting(hook, dead=True)
        await asyncio.sleep(3 * HOUR_S)
        assert [] == await office.waiting(hook, dead=True)

    run(story)


def test_a_receiver_counts_as_away_after_some_failures_and_not_before():
    async def story(office):
        await office.node.webhooks.create(SALES, CRM)
        office.receivers.behave = lambda request: DOWN
        for number in range(AWAY_AFTER):
            assert 0 == office.node.couriers.levels().states["away"]
            await office.tell(number)
            await asyncio.sleep(0.2)
        assert 1 == office.node.couriers.levels().states["away"]

    run(story)


def test_a_receiver_that_fails_with_one_ticket_counts_as_away_after_as_many_attempts():
    async def story(office):
        await office.node.webhooks.create(SALES, CRM)
        office.receivers.behave = lambda request: DOWN
        await office.tell(1)
        while len(office.receivers.requests) < AWAY_AFTER:
            assert 0 == office.node.couriers.levels().states["away"]
            await asyncio.sleep(1)
        await asyncio.sleep(1)
        assert 1 == office.node.couriers.levels().states["away"]

    run(story)


def test_events_that_their_receiver_refuses_while_it_takes_others_keep_to_the_schedule(rarely):
    """However many they are, and though it seems to be away in between."""

    async def story(office):
        hook = await office.node.webhooks.create(SALES, CRM)
        good = str(ticket(99))
        office.receivers.behave = lambda request: Reply() if request.event["subject"] == good else DOWN
        bad = [await office.tell(number) for number in range(2 * AWAY_AFTER)]
        for _ in range(24):  # an hour each
            await asyncio.sleep(HOUR_S)
            await office.tell(99)
        assert bad == await office.waiting(hook)

    run(story)

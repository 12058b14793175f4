"""Where a conversation goes: the rule, who is given it, and what a customer is told out of hours."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, time

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.domain.delivery import DeliveryState
from crdt_sync.domain.hours import Hours
from crdt_sync.domain.service_desk import Person, Rule, ServiceDesk
from crdt_sync.errors import Malformed
from crdt_sync.ports.outbox import OutboxFilter
from tests.fakes import START_MS
from tests.gated_store import GatedStore
from tests.world import BACKOFFICE, GATEWAY, SALES, SUPPORT, TECH, World, arrival

HOUR_MS = 3_600_000
DAY_START_MS = START_MS // (24 * HOUR_MS) * 24 * HOUR_MS
NEVER = Hours(UTC, ((),) * 7)
PEOPLE = tuple(Person(name, "support", name.title()) for name in ("support-1", "support-2", "support-3"))
AWAY = {"en": "Closed until {opens}.", "zh": "{opens}再来。"}


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def begin(store):
    """Start a world at a service desk."""
    worlds = []

    async def start(**desk):
        worlds.append(await World.start(store, others=["support-only"], service_desk=ServiceDesk(**desk)))
        return worlds[-1]

    yield start
    for world in worlds:
        await world.stop()


def rule(assign, **more):
    return Rule(**{"name": "all", "lane": "support", "assign": assign} | more)


async def hear(world, who, text="hello", **more):
    """Bring a message of somebody; return the ticket as it stands then."""
    key = f"{who}-{len(await world.store.events(0))}-{text}"
    (made,) = await world.tickets.ingest(GATEWAY, [arrival(key, text, conversation=who, sender=who, **more)])
    assert "accepted" == made.status, made
    return await world.tickets.get(SUPPORT, made.ticket)


def assignee(view):
    return view.card.get("assignee.support")


async def closed(world, view):
    if view.lanes["sales"] != "lost":
        view = await world.do(SALES, view, "sales", "lose")
    return await world.do(BACKOFFICE, view, "case", "close")


async def test_a_rule_chooses_the_lifecycle_and_what_stands_on_the_card(begin):
    card = {"priority": "high", "tags": "returns"}
    returns = Rule("returns", words=("退货",), lifecycle="support-only", card=card)
    world = await begin(rules=(returns,))

    made, other = await hear(world, "chen", "我要退货", display_name="陈"), await hear(world, "li", "hello")

    assert card | {"customer": "陈"} == made.card
    assert "support-only" == world.lifecycles.by_digest(made.lifecycle).name
    assert (world.lifecycles.default.digest, {}) == (other.lifecycle, other.card)


async def test_a_rule_that_the_gateway_names_decides_if_the_desk_has_it(begin):
    first, second = (Rule(name, card={"tags": name}) for name in ("first", "second"))
    world = await begin(rules=(first, second))

    made = [await hear(world, who, rule=who) for who in ("second", "unknown", "")]

    assert ["second", "first", "first"] == [each.card["tags"] for each in made]


async def test_the_least_busy_is_given_each_ticket_in_the_commit_that_opens_it(begin, store):
    world = await begin(rules=(rule("least_busy"),), people=PEOPLE)
    await hear(world, "customer-0")
    assert "support-1" == next(batch.tickets[0].card["assignee.support"] for batch in store.batches if batch.subjects)

    arrivals = [arrival(f"k{n}", conversation=f"customer-{n}") for n in range(1, 9)]
    made = await world.tickets.ingest(GATEWAY, arrivals)
    tickets = [await world.tickets.get(SUPPORT, each.ticket) for each in made]

    assert {"support-1": 3, "support-2": 3, "support-3": 3} == Counter(["support-1", *map(assignee, tickets)]), (
        "within a batch, too"
    )
    assert f"{START_MS} least_busy all" == tickets[0].card[f"hold.support.{assignee(tickets[0])}"]


async def test_what_is_closed_or_taken_over_counts_no_more(begin):
    world = await begin(rules=(rule("least_busy"),), people=PEOPLE[:2])
    first, second = await hear(world, "chen"), await hear(world, "li")
    assert ("support-1", "support-2") == (assignee(first), assignee(second))
    await closed(world, second)
    assert "support-2" == assignee(await hear(world, "wang"))
    await world.tickets.update_card(SUPPORT, first.id, fields={"assignee.support": "support-2"})

    assert ["support-1", "support-1"] == [assignee(await hear(world, who)) for who in ("zhao", "li-2")]


async def test_a_turn_goes_on_after_a_restart(begin):
    desk = {"rules": (rule("round_robin"),), "people": PEOPLE}
    world = await begin(**desk)
    assert ["support-1", "support-2"] == [assignee(await hear(world, who)) for who in ("chen", "li")]
    arrivals = [arrival(f"k{n}", conversation=f"customer-{n}") for n in range(3)]
    made = await world.tickets.ingest(GATEWAY, arrivals)
    assert ["support-3", "support-1", "support-2"] == [
        assignee(await world.tickets.get(SUPPORT, each.ticket)) for each in made
    ]

    assert "support-3" == assignee(await hear(await begin(**desk), "wang"))


async def test_a_customer_comes_back_to_whoever_looked_after_them_if_that_person_is_on_duty(begin, store):
    world = await begin(rules=(rule("sticky"),), people=PEOPLE)
    first = await hear(world, "chen")
    assert f"{START_MS} least_busy all" == first.card["hold.support.support-1"], "nobody has looked after them before"
    await world.tickets.update_card(SUPPORT, first.id, fields={"assignee.support": "support-3"})
    view = await closed(world, first)
    await world.do(BACKOFFICE, view, "case", "archive")

    again = await hear(world, "chen")
    assert (True, f"{START_MS} sticky all") == (first.id != again.id, again.card["hold.support.support-3"])
    away = await begin(rules=(rule("sticky"),), people=(*PEOPLE[:2], replace(PEOPLE[2], hours=NEVER)))
    await away.do(BACKOFFICE, await closed(away, again), "case", "archive")
    assert "support-1" == assignee(await hear(away, "chen"))


async def test_a_customer_who_was_linked_comes_back_to_the_same_person_on_another_channel(begin, store):
    world = await begin(rules=(rule("sticky"),), people=PEOPLE)
    first, web = await hear(world, "chen"), await hear(world, "visitor", channel="web")
    await world.tickets.update_card(SUPPORT, web.id, fields={"assignee.support": None})
    await world.tickets.update_card(SUPPORT, first.id, fields={"assignee.support": "support-3"})
    await store.link(first.id, web.id)
    await world.do(BACKOFFICE, await closed(world, web), "case", "archive")

    assert "support-3" == assignee(await hear(world, "visitor", channel="web"))


async def test_who_has_a_ticket_that_comes_back_keeps_it_while_on_duty(begin, store):
    world = await begin(rules=(rule("round_robin"),), people=PEOPLE)
    made = await hear(world, "chen")
    await closed(world, made)
    again = await hear(world, "chen")
    assert (made.id, "support-1", made.card) == (again.id, assignee(again), again.card)

    await closed(world, again)
    away = await begin(rules=(rule("round_robin"),), people=(replace(PEOPLE[0], hours=NEVER), *PEOPLE[1:]))
    back = await hear(away, "chen")
    assert (made.id, "support-2") == (back.id, assignee(back))
    assert "hold.support.support-1" not in back.card


async def test_with_nobody_on_duty_the_ticket_is_given_all_the_same(begin):
    world = await begin(rules=(rule("least_busy"),), people=(replace(PEOPLE[0], hours=NEVER),))

    assert "support-1" == assignee(await hear(world, "chen"))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (rule("sticky", lane="nothing"), "rules.0.lane"),
        (rule("sticky", lane="sales"), "rules.0.lane"),
    ],
)
async def test_a_rule_that_will_not_do_is_named_by_its_key(begin, wrong, named):
    with pytest.raises(Malformed) as caught:
        await begin(rules=(wrong,), people=PEOPLE)
    assert ("desk", True) == (caught.value.code, named in caught.value.message)


def hours(*spans):
    return Hours(UTC, (spans,) * 7)


async def said(world, ticket):
    return [
        (one["kind"], one["author"], one["parts"][0].get("text")) for one in await world.tickets.messages(TECH, ticket)
    ]


async def test_out_of_hours_a_customer_is_told_once_in_each_closed_period_and_by_the_outbox(begin, store):
    world = await begin(hours=hours((time(9), time(17))), away=AWAY)
    world.clock.advance(DAY_START_MS + 20 * HOUR_MS - START_MS)
    first = await hear(world, "chen", "你好", sent_at_ms=world.clock.now_ms())
    expected = ("system", "service", "2023-11-15 09:00再来。")
    assert expected == (await said(world, first.id))[-1]
    (row,) = await store.deliveries(OutboxFilter())
    assert (DeliveryState.PENDING, "chen", '{"text":"2023-11-15 09:00再来。","type":"text"}') == (
        row.state,
        row.conversation,
        row.content,
    )
    assert [2] == [len(batch.messages) for batch in store.batches if batch.messages], "both in one commit"

    world.clock.advance(6 * HOUR_MS)
    again = [arrival(f"again-{n}", "还在吗", conversation="chen", sender="chen") for n in range(2)]
    await world.tickets.ingest(GATEWAY, again)
    assert 4 == len(await said(world, first.id)), "the same night"
    world.clock.advance(8 * HOUR_MS)
    await hear(world, "chen", "good morning")
    assert 5 == len(await said(world, first.id)), "it is open"
    world.clock.advance(9 * HOUR_MS)
    await hear(world, "chen", "good evening")
    assert ("system", "service", "Closed until 2023-11-16 09:00.") in await said(world, first.id)
    await world.tickets.ingest(GATEWAY, [arrival(f"wang-{n}", conversation="wang") for n in range(2)])
    assert 3 == len(await store.deliveries(OutboxFilter())), "another conversation"
    assert 3 == len(store.batches[-1].messages), "once within a batch"
    await hear(world, "li", parts=({"type": "image", "ref": "m1", "name": ""},))
    both = "Closed until 2023-11-16 09:00.\n2023-11-16 09:00再来。"
    assert both == json.loads((await store.deliveries(OutboxFilter()))[-1].content)["text"]


async def test_an_away_message_is_said_once_though_the_ticket_is_another_one(begin):
    world = await begin(hours=hours((time(9), time(10))), away=AWAY)
    first = await hear(world, "chen")
    await world.do(BACKOFFICE, await closed(world, first), "case", "archive")
    second = await hear(world, "chen", "again")

    assert first.id != second.id
    assert [("customer", "again")] == [(kind, text) for kind, _, text in await said(world, second.id)]


async def test_two_nodes_that_hear_a_conversation_begin_at_once_make_one_ticket_for_one_person_and_say_one_thing(
    begin, store
):
    desk = {"rules": (rule("round_robin"),), "people": PEOPLE, "hours": hours((time(9), time(10))), "away": AWAY}
    nodes = [await begin(**desk) for _ in range(2)]

    async def bring(node, number):
        one, tries = arrival(f"k{number}", conversation="chen", sender="chen"), []
        while not tries or tries[-1].status == "retry_later":  # as a gateway does
            tries += await node.tickets.ingest(GATEWAY, [one])
        return await node.tickets.get(SUPPORT, tries[-1].ticket), len(tries)

    store.gate.clear()
    hearing = [asyncio.ensure_future(bring(node, number)) for number, node in enumerate(nodes)]
    await nodes[0].settle()
    assert 2 == store.waiting, "both have decided, and neither knows of the other"
    store.gate.set()
    (first, tries), (second, more) = await asyncio.gather(*hearing)

    assert (first.id, [1, 2]) == (second.id, sorted([tries, more]))
    assert ("support-1", "support-2") == (assignee(second), assignee(await hear(nodes[1], "li"))), "one turn was taken"
    assert ["customer", "customer", "system"] == sorted(
        kind for kind, _, _ in await said(await begin(**desk), first.id)
    )


async def test_two_nodes_take_two_turns(begin, store):
    nodes = [await begin(rules=(rule("round_robin"),), people=PEOPLE) for _ in range(2)]

    async def bring(node, who):
        tries = []
        while not tries or tries[-1].status == "retry_later":
            tries += await node.tickets.ingest(GATEWAY, [arrival(who, conversation=who)])
        return assignee(await node.tickets.get(SUPPORT, tries[-1].ticket))

    store.gate.clear()
    hearing = [asyncio.ensure_future(bring(node, f"customer-{number}")) for number, node in enumerate(nodes)]
    await nodes[0].settle()
    assert 2 == store.waiting, "both have decided, and neither knows of the other"
    store.gate.set()

    assert ["support-1", "support-2"] == sorted(await asyncio.gather(*hearing))


async def test_people_are_counted_once_for_all_conversations_of_a_batch(begin, store, monkeypatch):
    world, asked, count = await begin(rules=(rule("least_busy"),), people=PEOPLE), [], store.open_tickets

    async def counting(actors):
        asked.append(list(actors))
        return await count(actors)

    monkeypatch.setattr(store, "open_tickets", counting)
    await world.tickets.ingest(GATEWAY, [arrival(f"k{n}", conversation=f"customer-{n}") for n in range(9)])

    assert [[person.actor for person in PEOPLE]] == asked


async def test_what_a_ticket_holds_is_not_asked_of_the_store_for_each_message_of_a_night(begin, store, monkeypatch):
    world, asked, find = await begin(hours=hours((time(9), time(10))), away=AWAY), [], store.message

    async def finding(id_):
        asked.append(id_)
        return await find(id_)

    monkeypatch.setattr(store, "message", finding)
    for number in range(4):
        await hear(world, "chen", f"hello {number}")

    assert 4 + 1 == len(asked), "each by its own key, and the away message once"


@pytest.mark.parametrize("kind", ["agent", "system", "delivery", "unknown"])
async def test_only_who_writes_is_told(begin, kind):
    world = await begin(hours=hours((time(9), time(10))), away=AWAY)
    made = await hear(world, "chen", kind=kind)

    assert [kind] == [each for each, _, _ in await said(world, made.id)]


@pytest.mark.parametrize("desk", [{"hours": NEVER, "away": AWAY}, {"away": AWAY}, {"hours": NEVER}])
async def test_who_never_opens_or_says_nothing_tells_nobody(begin, desk):
    world = await begin(**desk)
    made = await hear(world, "chen")

    assert 1 == len(await said(world, made.id))


async def test_what_a_gateway_calls_a_notice_of_the_system_is_sent_to_nobody(begin, store):
    world = await begin(hours=hours((time(9), time(10))), away=AWAY)
    await hear(world, "service", "from the platform", kind="system")

    assert [] == await store.deliveries(OutboxFilter())

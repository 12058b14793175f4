"""What people see beside a conversation: whether they may still write, ready replies, and the customer's past."""

from dataclasses import replace

import pytest

from crdt_sync.adapters import lifecycle_files
from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.domain.delivery import Window
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.service_desk import Person, Reply, Rule, ServiceDesk
from crdt_sync.errors import Forbidden, NotThereYet
from crdt_sync.ports.users import User
from crdt_sync.service import conversations, heard
from crdt_sync.service.conversations import Writing
from crdt_sync.service.sending import Report, lease_of
from tests.gated_store import GatedStore
from tests.world import BACKOFFICE, GATEWAY, SALES, STRANGER, SUPPORT, TECH, World, arrival

HOUR_MS = 3_600_000
HELLO = Reply("hello", frozenset({"support"}), {"en": "Hello"}, {"en": "Hello {customer}, this is {agent}."})
RETURNS = Rule("returns", words=("return",), lifecycle="support-only")
DESK = ServiceDesk(rules=(RETURNS,), people=(Person("support-1", "support", "Anna"),), replies=(HELLO,))
READ_ONLY = replace(SALES, read_only=True)


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store, others=["support-only"], service_desk=DESK)
    yield world
    await world.stop()


async def hear(world, who, text="hello", **more):
    key = f"{who}-{text}-{len(await world.store.events(0, limit=10_000))}"
    (made,) = await world.tickets.ingest(GATEWAY, [arrival(key, text, conversation=who, sender=who, **more)])
    world.clock.advance(1)
    return made.ticket


async def claim(world, *accounts, **windows):
    claiming = world.outbox.claim(Identity(GATEWAY, None), accounts=accounts, idempotent=(), in_flight_max=10)
    await world.outbox.keep_windows(claiming, accounts, windows)
    return claiming


async def test_people_are_told_of_their_own_department_alone(world, store):
    for name, department in (("support-2", "support"), ("left", "support"), ("tech-9", "tech")):
        assert await store.add_user(User(name, department, (department,), "hash", disabled=name == "left"))
    assert {"support-1": "Anna", "support-2": ""} == await world.conversations.colleagues(SUPPORT)
    assert {"tech-9": ""} == await world.conversations.colleagues(TECH)
    assert {} == await world.conversations.colleagues(STRANGER)
    with pytest.raises(Forbidden):
        await world.conversations.colleagues(GATEWAY)


async def test_an_agent_is_told_until_when_and_how_often_a_customer_may_be_answered(world):
    heard_ms = world.clock.now_ms()
    ticket = await hear(world, "chen", sent_at_ms=heard_ms)
    assert Writing(False, True, heard_ms, 0, 0) == await world.conversations.writing(SALES, ticket)

    claiming = await claim(world, shop=Window(48 * HOUR_MS, 2), other=Window(1, 1))
    closes_ms = heard_ms + 48 * HOUR_MS
    assert Writing(True, True, heard_ms, 0, 0, closes_ms, 2) == await world.conversations.writing(SALES, ticket)
    assert await world.store.window("other") is None, "the token does not name it"
    for text in ("one", "two"):
        await world.tickets.post_message(SALES, ticket, text=text)
    assert Writing(True, False, heard_ms, 0, 2, closes_ms, 0) == await world.conversations.writing(SALES, ticket)
    row = await anext(claiming)
    await world.outbox.report(GATEWAY, Report(row.id, lease_of(row), "sent"))
    assert Writing(True, False, heard_ms, 1, 1, closes_ms, 0) == await world.conversations.writing(SALES, ticket)

    again_ms = world.clock.now_ms()
    await hear(world, "chen", "again", sent_at_ms=again_ms)
    world.clock.advance(again_ms + 48 * HOUR_MS - world.clock.now_ms())
    assert (await world.conversations.writing(SALES, ticket)).may_write
    world.clock.advance(1)
    assert not (await world.conversations.writing(SALES, ticket)).may_write
    await claiming.close()
    other = await World.start(world.store, others=["support-only"], service_desk=DESK, clock=world.clock)
    assert await world.conversations.writing(SALES, ticket) == await other.conversations.writing(SALES, ticket)
    assert (await other.conversations.writing(SALES, ticket)).known, "also on a node from which nobody claims"
    await (await claim(other)).close()
    assert (await other.conversations.writing(SALES, ticket)).known, (
        "a gateway that names no account says nothing of it"
    )
    await (await claim(other, "shop")).close()
    await other.stop()
    assert not (await world.conversations.writing(SALES, ticket)).known, "the platform sets no bound any more"


@pytest.mark.parametrize("event", ["session_ended", "session_human"])
async def test_nobody_may_write_after_the_platform_ended_the_session_until_the_customer_writes_again(world, event):
    ticket = await hear(world, "chen")
    over = ({"type": "event", "event": event},)
    assert ticket == await hear(world, "chen", event, kind="system", parts=over)

    told = await world.conversations.writing(SALES, ticket)
    assert (False, event) == (told.may_write, told.over)
    await hear(world, "chen", "again")
    told = await world.conversations.writing(SALES, ticket)
    assert (True, "") == (told.may_write, told.over)


async def test_where_a_customer_has_not_written_or_there_is_no_chat_nothing_is_bound(world):
    ticket = await hear(world, "chen", kind="system")
    claiming = await claim(world, shop=Window(48 * HOUR_MS, 2))
    assert Writing(True, True, None, 0, 0) == await world.conversations.writing(SALES, ticket)
    assert await world.conversations.writing(SALES, (await world.opened()).id) is None
    await claiming.close()


async def test_a_customers_tickets_are_found_across_channels_once_somebody_has_linked_them(world, monkeypatch):
    wechat = await hear(world, "chen")
    web, other = await hear(world, "visitor", channel="web"), await hear(world, "li")
    assert ([], None) == await world.conversations.past(SALES, wechat)

    await world.conversations.link(SALES, wechat, web)
    by_hand = (await world.opened()).id
    await world.conversations.link(SUPPORT, by_hand, wechat)
    shown, _ = await world.conversations.past(TECH, wechat)
    assert [by_hand, web] == [view.id for view in shown]
    first, cursor = await world.conversations.past(SALES, wechat, limit=1)
    rest, end = await world.conversations.past(SALES, wechat, after=cursor)
    assert ([by_hand], [web], None) == ([view.id for view in first], [view.id for view in rest], end)
    assert ([], None) == await world.conversations.past(SALES, other)
    monkeypatch.setattr(conversations, "PAGE_TICKETS_MAX", 1)
    assert (first, cursor) == await world.conversations.past(SALES, wechat, limit=100)

    await world.conversations.unlink(SALES, web)
    assert [by_hand] == [view.id for view in (await world.conversations.past(SALES, wechat))[0]]


async def test_so_many_of_the_newest_parts_are_counted(world, monkeypatch):
    monkeypatch.setattr(heard, "SENT_COUNTED_MAX", 2)
    ticket = await hear(world, "chen")
    for number in range(3):
        await world.tickets.post_message(SALES, ticket, text=str(number))

    assert 2 == (await world.conversations.writing(SALES, ticket)).waiting


async def test_nobody_hears_of_a_ticket_whose_conversation_is_not_theirs(world):
    shared = await hear(world, "chen")
    private = await hear(world, "visitor", "a return", channel="web")  # of support alone
    await world.conversations.link(SUPPORT, shared, private)

    assert [private] == [view.id for view in (await world.conversations.past(SUPPORT, shared))[0]]
    assert ([], None) == await world.conversations.past(SALES, shared)
    narrow = replace(SUPPORT, tickets=(shared,))
    assert ([], None) == await world.conversations.past(narrow, shared)
    for call in (
        world.conversations.past(SALES, private),
        world.conversations.writing(SALES, private),
        world.conversations.link(SALES, shared, private),
        world.conversations.unlink(SALES, private),
        world.conversations.replies(SALES, private),
        world.conversations.past(STRANGER, shared),
    ):
        with pytest.raises(NotThereYet):
            await call
    for denied in (
        world.conversations.past(BACKOFFICE, shared),
        world.conversations.link(BACKOFFICE, shared, shared),
        world.conversations.link(READ_ONLY, shared, shared),
        world.conversations.unlink(READ_ONLY, shared),
        world.conversations.writing(GATEWAY, shared),
    ):
        with pytest.raises(Forbidden):
            await denied


async def test_nobody_hears_of_a_ticket_in_which_their_department_works_but_does_not_converse(store):
    text = lifecycle_files.shipped()["connect-order"].replace("version: 1", "version: 2")
    text = text.replace("talk: [sales, support, tech]", "talk: [sales, support]")
    quiet = lifecycle_files.load(text)
    await store.save_lifecycle(quiet.digest, text)
    world = await World.start(store)
    shared, other = await hear(world, "chen"), (await world.opened(lifecycle=quiet.digest)).id
    await world.conversations.link(SALES, shared, other)

    assert other == (await world.tickets.get(TECH, other)).id
    assert [other] == [view.id for view in (await world.conversations.past(SALES, shared))[0]]
    assert ([], None) == await world.conversations.past(TECH, shared)
    await world.stop()


async def test_a_department_has_its_own_replies_filled_for_a_ticket(world):
    ticket = await hear(world, "chen", display_name="Ms Chen")

    (plain,), (filled,) = [await world.conversations.replies(SUPPORT, each) for each in (None, ticket)]
    assert {"en": "Hello {customer}, this is {agent}."} == plain.text
    assert {"en": "Hello Ms Chen, this is Anna."} == filled.text
    unnamed = await world.conversations.replies(replace(SUPPORT, actor="temp"), await hear(world, "li"))
    assert {"en": "Hello {customer}, this is {agent}."} == unnamed[0].text, "what is not known stays to be seen"
    assert [] == await world.conversations.replies(SALES, ticket)
    assert [] == await world.conversations.replies(GATEWAY, None)

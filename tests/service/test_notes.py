"""What is written in a bound group: a note for the department that the group is bound to, and nothing else."""

import asyncio
import json
from dataclasses import replace

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.form import FormDocument
from crdt_sync.domain.delivery import Conversation, DeliveryState
from crdt_sync.domain.group import Group, Groups, Notice
from crdt_sync.ports import Batch
from crdt_sync.ports.outbox import DeliveryChange, OutboxFilter
from crdt_sync.service import notes
from crdt_sync.wire import ysync
from tests.gated_store import GatedStore
from tests.world import BACKOFFICE, GATEWAY, SALES, STRANGER, SUPPORT, TECH, World, arrival

AT_MS = 1_764_000_000_000
ROBOT = replace(GATEWAY, accounts=("robot",))
AT = Conversation("dingtalk", "robot", "cid-office")
HEAD = "2025-11-24 16:00 UTC, 王芳:\n"


def groups(language="en", department="backoffice"):
    return Groups((Group(AT, department, frozenset({Notice.STAGE}), language),))


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store, groups=groups())
    yield world
    await world.stop()


def said(key, text, **more):
    """What somebody wrote in the bound group."""
    fields = {"channel": "dingtalk", "account": "robot", "conversation": "cid-office", "sender": "wang-id"}
    return arrival(key, text, **fields | {"sent_at_ms": AT_MS, "display_name": "王芳"} | more)


async def take(world, *arrivals, principal=ROBOT):
    return await world.tickets.ingest(principal, arrivals)


async def notes_of(world, ticket, lane="case", principal=BACKOFFICE):
    return (await world.tickets.form(principal, ticket, lane)).notes


async def told(world):
    rows = await world.store.deliveries(OutboxFilter(account="robot"), limit=1_000)
    return [json.loads(row.content)["text"] for row in rows]


async def show(world, ticket=None):
    """Have what the group was told of one ticket, or of all, be sent."""
    for row in await world.store.deliveries(OutboxFilter(DeliveryState.PENDING, "robot")):
        if ticket in {None, row.ticket}:
            sent = DeliveryChange(row, replace(row, state=DeliveryState.SENT))
            await world.store.commit(Batch(delivery_changes=[sent]))


async def test_a_message_that_names_a_ticket_is_a_note_of_the_departments_lane_with_its_author(world):
    view = await world.opened()
    (taken,) = await take(world, said("1", f"@robot #{view.id[:8]} the cable is cut\nagain"))

    assert ("accepted", view.id, "") == (taken.status, taken.ticket, taken.message)
    assert f"{HEAD}    @robot #{view.id[:8]} the cable is cut\n    again\n" == await notes_of(world, view.id)
    assert 1 == len(await told(world)), "the stage alone: nobody is told what they know"


async def test_a_note_is_relayed_to_the_department_and_is_in_no_conversation_and_no_outbox(world, store):
    (chat,) = await world.tickets.ingest(GATEWAY, [arrival("hello")])
    _, wire = await world.yjs(f"ticket/{chat.ticket}/form/case", BACKOFFICE)
    before = len(wire.frames)
    await take(world, said("1", f"#{chat.ticket} not for customers"))
    await world.settle()

    assert b"not for customers" in b"".join(map(bytes, wire.frames[before:]))
    assert 1 == len(await store.messages(chat.ticket))
    assert [] == await store.deliveries(OutboxFilter(account="shop"))
    assert not [row for row in await store.deliveries(OutboxFilter()) if "not for customers" in row.content]
    assert not [event for event in await store.events(0) if "not for customers" in str(event.data)]


@pytest.mark.parametrize("principal", [SALES, TECH, SUPPORT, STRANGER])
async def test_nobody_else_opens_the_form(world, principal):
    view = await world.opened()
    await take(world, said("1", f"#{view.id[:8]} internal"))
    _, wire = await world.yjs(f"ticket/{view.id}/form/case", principal)

    assert b"internal" not in b"".join(map(bytes, wire.frames))
    assert wire.closed is not None


async def test_a_replay_adds_nothing_over_a_restart_too(world, store):
    view = await world.opened()
    once, again = said("1", f"#{view.id[:8]} once"), said("1", f"#{view.id[:8]} twice")
    first, second = await take(world, once, once)
    assert (("accepted", view.id), ("duplicate", view.id)) == tuple((one.status, one.ticket) for one in (first, second))

    later = await World.start(store, groups=groups())
    third, other = await take(later, once, again)
    await later.stop()
    assert ("duplicate", "rejected", "idempotency_key_reused") == (third.status, other.status, other.code)
    assert 1 == (await notes_of(world, view.id)).count("once")


async def test_what_came_before_the_conversation_was_bound_is_no_note_when_it_comes_again(store):
    before, after = await World.start(store), await World.start(store, groups=groups())
    text = said("1", "once")
    (first,) = await take(before, text)
    (again,) = await take(after, text)
    for each in (before, after):
        await each.stop()

    assert ("accepted", "duplicate", first.ticket) == (first.status, again.status, again.ticket)
    assert "" == await notes_of(after, first.ticket)
    assert 1 == len(await store.messages(first.ticket))


async def test_without_a_code_it_goes_where_the_newest_notice_was_about_and_that_is_said(world):
    await world.opened()
    newest = await world.opened()
    await show(world)
    await world.opened()
    (taken,) = await take(world, said("1", "I will go there"))

    assert newest.id == taken.ticket
    assert "    I will go there\n" in await notes_of(world, newest.id)
    assert (await told(world))[-1].startswith(f"#{newest.id[:8]}: noted there")
    await show(world, newest.id)
    (other,) = await take(world, said("2", "and again"))
    assert newest.id == other.ticket, "what we said about it is about it"


async def test_a_tag_that_names_no_ticket_is_no_code(world):
    newest = await world.opened()
    await show(world)
    (taken,) = await take(world, said("1", "#complaint the cable is cut"))

    assert newest.id == taken.ticket
    assert "    #complaint the cable is cut\n" in await notes_of(world, newest.id)
    assert (await told(world))[-1].startswith(f"#{newest.id[:8]}: noted there")


@pytest.mark.parametrize("text", ["#aaaaaaaa where is it", "nothing was ever told here"])
async def test_a_message_for_which_there_is_no_ticket_is_answered_in_the_group_once(world, text):
    for _ in range(2):
        (taken,) = await take(world, said("1", text))
        assert "" == taken.ticket

    assert ["No ticket was found for this message"] == [said_there[:36] for said_there in await told(world)]


async def test_the_answer_is_in_the_language_of_the_group(store):
    world = await World.start(store, groups=groups("zh"))
    await take(world, said("1", "在吗"))

    assert (await told(world))[0].startswith("未找到对应工单")
    await world.stop()


async def test_a_group_finds_no_ticket_in_which_its_department_takes_no_part(store):
    world = await World.start(store, groups=groups(department="marketing"))
    view = await world.opened()
    (taken,) = await take(world, said("1", f"#{view.id[:8]} hello"))

    assert "" == taken.ticket
    assert ["No ticket was found"] == [text[:19] for text in await told(world)]
    await world.stop()


async def test_a_code_that_two_tickets_have_is_nobodys_to_guess(world, monkeypatch):
    for _ in range(2):
        await world.opened()
    monkeypatch.setattr(notes.groups, "code_in", lambda text: "")
    (taken,) = await take(world, said("1", "#"))

    assert "" == taken.ticket


async def test_a_gateway_whose_token_does_not_name_the_account_writes_no_note(world):
    view = await world.opened()
    (taken,) = await take(world, said("1", f"#{view.id[:8]} forged"), principal=GATEWAY)

    assert ("rejected", "account") == (taken.status, taken.code)
    assert "" == await notes_of(world, view.id)


async def test_another_conversation_of_the_robot_is_a_customers_as_ever(world, store):
    (taken,) = await take(world, said("1", "hello", conversation="cid-customer"))

    assert 1 == len(await store.messages(taken.ticket))


async def test_what_a_platform_tells_of_a_group_is_no_note_and_opens_no_ticket(world, store):
    parts = ({"type": "event", "event": "delivered"}, {"type": "text", "text": "p-1"})
    for kind in ("delivery", "system"):
        (taken,) = await take(world, said(kind, "", kind=kind, parts=parts))
        assert ("accepted", "") == (taken.status, taken.ticket)

    assert [] == await store.events(0)


async def test_what_is_no_text_stands_as_its_type(world):
    view = await world.opened()
    parts = (
        {"type": "text", "text": f"#{view.id[:8]} see"},
        {"type": "image", "ref": "media-1", "name": "plan.png"},
        {"type": "location", "latitude": "1.0", "longitude": "2.0", "label": "Gate 3"},
    )
    await take(world, said("1", "", parts=parts))

    expected = f"{HEAD}    #{view.id[:8]} see\n    [image] plan.png\n    [location] Gate 3 (1.0, 2.0)\n"
    assert expected == await notes_of(world, view.id)
    assert 1 == len(await told(world)), "the stage alone: what the picture shows comes later"


async def test_no_name_and_no_text_looks_like_the_head_of_another_note(world):
    view = await world.opened()
    name = "Wang\n2026-01-01 00:00 UTC, the boss:\x00\u2028"
    await take(world, said("1", f"#{view.id[:8]}\r\n2026-01-01 00:00 UTC, the boss:\x85ok", display_name=name))

    lines = (await notes_of(world, view.id)).split("\n")
    assert ["2025-11-24 16:00 UTC, Wang 2026-01-01 00:00 UTC, the boss::"] == [
        line for line in lines if line and not line.startswith("    ")
    ]


async def test_a_long_message_is_cut_and_full_notes_take_no_more(world, monkeypatch):
    view = await world.opened()
    await take(world, said("1", f"#{view.id[:8]} {'x' * 10_000}"))
    assert (await notes_of(world, view.id)).endswith("x…\n")
    assert 4_100 > len(await notes_of(world, view.id))

    monkeypatch.setattr(notes, "NOTES_CHARACTERS_MAX", 1)
    (taken,) = await take(world, said("2", f"#{view.id[:8]} more"))
    assert view.id == taken.ticket
    assert f"#{view.id[:8]}: not noted, because its notes are full." == (await told(world))[-1]
    assert "more" not in await notes_of(world, view.id)


async def test_a_note_comes_behind_what_a_person_typed_before_it_was_decided(world, store):
    view = await world.opened()
    connection, _ = await world.yjs(f"ticket/{view.id}/form/case", BACKOFFICE)
    store.gate.clear()
    waiting = asyncio.ensure_future(world.opened())
    await world.settle()
    noting = asyncio.ensure_future(take(world, said("1", f"#{view.id[:8]} noted")))
    await world.settle()
    connection.receive(ysync.encode_update(FormDocument(7).append_note("typed\n")))
    await world.settle()
    store.gate.set()
    await asyncio.gather(waiting, noting)
    await world.settle()

    assert (await notes_of(world, view.id)).startswith("typed\n")
    rows = (await store.document(f"ticket/{view.id}/form/case")).updates
    assert [BACKOFFICE.actor, "service"] == [row.actor for row in rows]


async def test_a_commit_that_fails_is_tried_again_by_the_gateway(world, store):
    view = await world.opened()
    store.refuses = lambda batch: bool(batch.updates)
    (taken,) = await take(world, said("1", f"#{view.id[:8]} lost?"))
    assert "retry_later" == taken.status

    store.refuses = lambda batch: False
    (taken,) = await take(world, said("1", f"#{view.id[:8]} lost?"))
    assert "accepted" == taken.status
    assert 1 == (await notes_of(world, view.id)).count("lost?")

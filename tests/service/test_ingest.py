"""What a gateway brings: one ticket a conversation, one message a platform key."""

from dataclasses import replace

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.errors import Forbidden
from crdt_sync.service import ingest as ingesting
from tests.gated_store import GatedStore
from tests.world import BACKOFFICE, GATEWAY, SALES, TECH, World, arrival


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store)
    yield world
    await world.stop()


async def ingest(world, *arrivals):
    return await world.tickets.ingest(GATEWAY, arrivals)


async def test_the_first_message_opens_a_ticket_and_the_next_one_finds_it(world):
    first, second = await ingest(world, arrival("k1", display_name="Ms Chen"), arrival("k2", "and?"))

    assert ("accepted", "accepted") == (first.status, second.status)
    assert first.ticket == second.ticket
    view = await world.tickets.get(SALES, first.ticket)
    assert ("presale", {"customer": "Ms Chen"}) == (view.stage, view.card)
    said = await world.tickets.messages(SALES, first.ticket)
    assert {first.message: "hello", second.message: "and?"} == {one["id"]: one["parts"][0]["text"] for one in said}


async def test_a_replay_changes_nothing_and_gets_the_first_ids(world):
    (first,) = await ingest(world, arrival("k1"))
    (again,) = await ingest(world, arrival("k1"))

    assert ("duplicate", first.ticket, first.message) == (again.status, again.ticket, again.message)
    assert 1 == len(await world.tickets.messages(SALES, first.ticket))


async def test_a_replay_in_the_same_batch_is_a_duplicate_too(world, store):
    first, again = await ingest(world, arrival("k1"), arrival("k1"))

    assert ("accepted", "duplicate") == (first.status, again.status)
    assert first.message == again.message


async def test_one_key_with_two_contents_is_rejected(world):
    _, other = await ingest(world, arrival("k1", "one"), arrival("k1", "two"))

    assert ("rejected", "idempotency_key_reused") == (other.status, other.code)


async def test_two_conversations_are_two_tickets(world):
    one, two = await ingest(world, arrival("k1"), arrival("k2", conversation="customer-2", sender="customer-2"))

    assert one.ticket != two.ticket


async def test_no_record_and_no_subject_names_the_customer(world, store):
    (made,) = await ingest(world, arrival("k1", conversation="openid-of-a-person", sender="openid-of-a-person"))

    for row in (*await store.journal(made.ticket), *await store.messages(made.ticket)):
        assert "openid-of-a-person" not in row.record
    subjects = [subject for batch in store.batches for subject in batch.subjects]
    assert "openid-of-a-person" not in subjects[0].subject
    assert "openid-of-a-person" in subjects[0].readable, "the readable form is a row that can be erased"


async def test_two_services_with_one_key_make_the_same_opening(store):
    ids = set()
    for _ in range(2):
        world = await World.start(GatedStore(MemoryStore()))
        (made,) = await ingest(world, arrival("k1"))
        ids.add((made.ticket, made.message))
        await world.stop()

    assert 1 == len(ids)


async def test_an_account_that_the_token_does_not_name_is_rejected(world):
    (made,) = await ingest(world, arrival("k1", account="another-shop"))

    assert ("rejected", "account", "") == (made.status, made.code, made.ticket)


async def test_only_a_gateway_ingests(world):
    with pytest.raises(Forbidden):
        await world.tickets.ingest(SALES, [arrival("k1")])


async def test_with_the_store_down_the_gateway_is_asked_to_come_again_and_then_nothing_is_doubled(world, store):
    store.down = True
    (refused,) = await ingest(world, arrival("k1"))
    assert "retry_later" == refused.status

    store.down = False
    (made,) = await ingest(world, arrival("k1"))
    assert "accepted" == made.status
    assert 1 == len(await world.tickets.messages(SALES, made.ticket))


async def close(world, ticket):
    view = await world.tickets.get(SALES, ticket)
    for principal, lane, name in [(SALES, "sales", "quote"), (SALES, "sales", "lose"), (BACKOFFICE, "case", "close")]:
        view = await world.do(principal, view, lane, name)
    return view


async def test_a_message_reopens_a_closed_ticket_where_the_lifecycle_says_so(world):
    (made,) = await ingest(world, arrival("k1"))
    await close(world, made.ticket)

    (again,) = await ingest(world, arrival("k2"))

    assert made.ticket == again.ticket
    assert "active" == (await world.tickets.get(SALES, made.ticket)).lanes["case"]


async def test_where_nothing_can_be_reopened_a_new_ticket_begins_and_a_replay_still_finds_the_old_one(world):
    (made,) = await ingest(world, arrival("k1"))
    view = await close(world, made.ticket)
    await world.do(BACKOFFICE, view, "case", "archive")

    first, second = await ingest(world, arrival("k2"), arrival("k3"))
    (replayed,) = await ingest(world, arrival("k1"))

    assert first.ticket == second.ticket != made.ticket
    assert ("duplicate", made.ticket) == (replayed.status, replayed.ticket)


async def test_a_conversation_has_so_many_tickets_and_no_more(world, monkeypatch):
    monkeypatch.setattr(ingesting, "SEQUENCES_MAX", 1)
    (made,) = await ingest(world, arrival("k1"))
    (more,) = await ingest(world, arrival("k2"))
    assert ("accepted", made.ticket) == (more.status, more.ticket)
    view = await close(world, made.ticket)
    await world.do(BACKOFFICE, view, "case", "archive")

    (late,) = await ingest(world, arrival("k3"))

    assert ("rejected", "too_many") == (late.status, late.code)


@pytest.mark.parametrize("kind", ["customer", "agent", "system", "delivery", "unknown"])
async def test_every_kind_of_envelope_is_kept_and_visible(world, kind):
    (made,) = await ingest(world, arrival("k1", kind=kind))

    assert [kind] == [message["kind"] for message in await world.tickets.messages(TECH, made.ticket)]


async def test_content_that_no_message_can_hold_is_rejected_for_ever(world):
    (made,) = await ingest(world, replace(arrival("k1"), parts=()))

    assert ("rejected", "malformed") == (made.status, made.code)

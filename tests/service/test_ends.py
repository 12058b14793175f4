"""A conversation that has ended: its other side is told once, and its rating enters the ticket that ended."""

import json

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.domain.delivery import Conversation, DeliveryState
from crdt_sync.domain.event import EventType
from crdt_sync.ports.outbox import OutboxFilter
from crdt_sync.service.sending import Report, lease_of
from tests.gated_store import GatedStore
from tests.service.test_ingest import close
from tests.service.test_outbox import claim, ready
from tests.world import BACKOFFICE, GATEWAY, SALES, World, arrival

COMMENT = {"type": "text", "text": "Thank you"}


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


async def chat(world, **more):
    (made,) = await ingest(world, arrival("k1", **({"hears_events": True} | more)))
    return made.ticket


async def told(world):
    rows = await world.store.deliveries(OutboxFilter(), limit=100)
    return [row for row in rows if json.loads(row.content)["type"] == "event"]


def rating(about, key="rated", stars=5, **more):
    event = {"type": "event", "event": f"rated {stars} of 5"}
    return arrival(key, kind="system", parts=(event, COMMENT), about=about, **more)


async def test_the_other_side_is_told_of_the_end_by_the_commit_that_makes_it(world):
    ticket = await chat(world)
    await close(world, ticket)

    (row,) = await told(world)
    assert (ticket, "shop", "customer-1", '{"event":"ended","type":"event"}') == (
        *(row.ticket, row.account, row.conversation),
        row.content,
    )


async def test_the_end_of_a_session_enters_the_ticket_that_is_there_and_opens_and_reopens_none(world):
    over = {"kind": "system", "parts": ({"type": "event", "event": "session_ended"},)}
    (early,) = await ingest(world, arrival("k0", **over))
    assert ("rejected", "no_conversation") == (early.status, early.code)
    ticket = await chat(world)
    await close(world, ticket)
    (made,) = await ingest(world, arrival("k2", **over))

    assert ("accepted", ticket) == (made.status, made.ticket)
    assert "closed" == (await world.tickets.get(SALES, ticket)).lanes["case"]
    (again,) = await ingest(world, arrival("k3"))
    assert "accepted" == again.status


async def test_who_cannot_hear_of_it_is_told_nothing(world):
    await close(world, await chat(world, hears_events=False))

    assert [] == await told(world)


async def test_nothing_is_told_while_the_ticket_is_open_nor_again_when_it_is_archived(world):
    ticket = await chat(world)
    view = await world.tickets.get(SALES, ticket)
    view = await world.do(SALES, view, "sales", "quote")
    assert [] == await told(world)
    view = await world.do(SALES, view, "sales", "lose")
    view = await world.do(BACKOFFICE, view, "case", "close")
    await world.do(BACKOFFICE, view, "case", "archive")

    assert 1 == len(await told(world))


async def test_a_ticket_that_comes_back_and_ends_again_is_told_again(world):
    ticket = await chat(world)
    await close(world, ticket)
    await ingest(world, arrival("k2"))
    view = await world.tickets.get(SALES, ticket)
    await world.do(BACKOFFICE, view, "case", "close")

    assert 2 == len({row.id for row in await told(world)})


async def test_a_service_that_was_started_anew_tells_it_as_well(world, store):
    ticket = await chat(world)
    await world.stop()
    again = await World.start(store)
    await close(again, ticket)

    assert 1 == len(await told(again))
    await again.stop()


async def test_it_is_given_to_the_gateway_and_shown_nowhere_as_a_part_of_an_answer(world, store):
    ticket = await chat(world)
    await close(world, ticket)
    claiming = claim(world)
    (row,) = await ready(world, claiming)
    after = await world.outbox.report(GATEWAY, Report(row.id, lease_of(row), "begun"))
    after = await world.outbox.report(GATEWAY, Report(row.id, lease_of(after), "sent", platform_id=row.id))
    assert DeliveryState.SENT is after.state
    assert EventType.DELIVERY not in {event.type for event in await store.events(0)}


async def test_a_rating_enters_the_ticket_that_ended_once_and_opens_and_reopens_nothing(world):
    ticket = await chat(world)
    await close(world, ticket)
    (row,) = await told(world)

    (made,) = await ingest(world, rating(row.id))
    (again,) = await ingest(world, rating(row.id))
    (other,) = await ingest(world, rating(row.id, stars=1))

    assert ("accepted", ticket) == (made.status, made.ticket)
    assert ("duplicate", made.message) == (again.status, again.message)
    assert ("rejected", "idempotency_key_reused") == (other.status, other.code)
    said = (await world.tickets.messages(SALES, ticket))[-1]
    parts = [part.get("event") or part["text"] for part in said["parts"]]
    assert ("system", ["rated 5 of 5", "Thank you"]) == (said["kind"], parts)
    assert "closed" == (await world.tickets.get(SALES, ticket)).lanes["case"]


async def test_a_rating_of_a_ticket_that_was_followed_by_another_enters_the_one_that_it_is_about(world):
    ticket = await chat(world)
    view = await close(world, ticket)
    (row,) = await told(world)
    await world.do(BACKOFFICE, view, "case", "archive")
    (next_one,) = await ingest(world, arrival("k2", hears_events=True))

    (made,) = await ingest(world, rating(row.id))

    assert made.ticket == ticket != next_one.ticket


@pytest.mark.parametrize("about", ["of another", "no delivery", "x" * 5_000])
async def test_a_rating_of_what_is_not_ones_own_is_rejected(world, about):
    await close(world, await chat(world, conversation="customer-2"))
    (row,) = await told(world)

    (made,) = await ingest(world, rating(row.id if about == "of another" else about))

    assert ("rejected", "no_delivery") == (made.status, made.code)


async def test_a_part_that_is_called_by_our_own_id_is_told_of_even_before_it_was_reported(world):
    ticket = await chat(world)
    await world.tickets.post_message(SALES, ticket, text="hello")
    (row,) = await ready(world, claim(world))
    notice = ({"type": "event", "event": "delivered"}, {"type": "text", "text": row.id})
    foreign = arrival("k3", kind="delivery", parts=notice, conversation="customer-2")

    (made, kept) = await ingest(world, arrival("k2", kind="delivery", parts=notice), foreign)

    assert (row.ticket, row.message) == (made.ticket, made.message)
    assert ticket != kept.ticket, "a notice of another's part is kept as a message of who told it"


async def test_an_end_of_unknown_fate_is_not_given_up(world, store):
    await close(world, await chat(world))
    (row,) = await store.deliveries(OutboxFilter(notices=True))
    await store.amend_delivery(row.id, [DeliveryState.PENDING], DeliveryState.UNKNOWN)
    await world.outbox.look()
    await world.settle()

    assert DeliveryState.UNKNOWN is (await store.delivery(row.id)).state


def test_a_conversation_that_hears_events_is_read_as_it_was_spelt():
    for hears in (True, False):
        one = Conversation("web", "site", "visitor", hears_events=hears)
        assert one == Conversation.read(one.to_json())
    assert Conversation("a", "b", "c") == Conversation.read('{"account":"b","channel":"a","conversation":"c"}')

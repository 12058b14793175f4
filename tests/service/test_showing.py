"""A content that comes after the message which names it: the message waits for it, for a while, and agents see why."""

import hashlib
import itertools
from dataclasses import replace

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain import media, message
from crdt_sync.domain.delivery import DeliveryState
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.media import ref_of
from crdt_sync.errors import Conflict, NotFound, NotThereYet
from crdt_sync.ports.outbox import OutboxFilter
from crdt_sync.service.sending import Report, lease_of
from crdt_sync.wire import limits, ysync
from crdt_sync.wire.status import status_of
from tests.gated_store import GatedStore
from tests.samples import JPEG, PNG
from tests.world import GATEWAY, SALES, World, arrival

CLIENTS = itertools.count(100)
PICTURE = ref_of(hashlib.sha256(PNG).hexdigest())


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store)
    yield world
    await world.stop()


@pytest.fixture
async def ticket(world):
    (made,) = await world.tickets.ingest(GATEWAY, [arrival("k1")])
    return made.ticket


async def say(world, ticket, *refs):
    """Append a message to the department's own document, as a replica does that was offline; return its id."""
    parts = [{"type": "image", "ref": ref, "name": ""} for ref in refs]
    posted = message.make(ticket=ticket, kind="agent", author=SALES.actor, at=1, parts=parts, salt="0" * 32)
    connection, _ = await world.yjs(f"ticket/{ticket}/submit/sales", SALES)
    connection.receive(ysync.encode_update(SubmitDocument(next(CLIENTS)).append_message(posted.record)))
    await world.settle()
    return posted.id


async def upload(world, ticket, content, principal=SALES):
    async def pieces():
        yield content

    return await world.contents.upload(principal, ticket, pieces())


async def told(world, row_id):
    """What the service answers to a gateway that asks for the content of a part, as a code."""
    try:
        await world.contents.of_delivery(GATEWAY, row_id)
    except (NotThereYet, NotFound) as error:
        return error.code
    return ""


async def claimed(world):
    claiming = world.outbox.claim(Identity(GATEWAY, None), accounts=(), idempotent=(), in_flight_max=0)
    row = await anext(claiming)
    return row, claiming


async def waiting(world):
    """Have a gateway find that the first part's content is not there yet."""
    row, claiming = await claimed(world)
    assert "media_awaited" == await told(world, row.id)
    retry = Report(row.id, lease_of(row), "retry", code="media_awaited", delay_ms=60_000)
    await world.outbox.report(GATEWAY, retry)
    await claiming.close()
    return row


async def shown(world, ticket):
    (posted,) = [one for one in await world.tickets.messages(SALES, ticket) if one["kind"] == "agent"]
    return [part["media"] for part in posted["parts"]]


async def test_an_answer_waits_for_its_content_and_is_given_out_once_that_is_uploaded(world, store, ticket):
    await say(world, ticket, PICTURE)
    row = await waiting(world)

    assert [{"code": "media_awaited"}] == await shown(world, ticket)
    taken = await upload(world, ticket, PNG)
    after = await store.delivery(row.id)
    assert (DeliveryState.RETRY, 0) == (after.state, after.due_ms)
    assert [{"digest": taken.digest, "size": len(PNG), "type": "image/png"}] == await shown(world, ticket)
    again, _ = await claimed(world)
    assert (row.id, "") == (again.id, await told(world, again.id))


def test_a_gateway_knows_by_the_status_alone_that_it_may_come():
    awaited, absent = NotThereYet("x", code="media_awaited"), NotFound("x", code="no_media")
    assert ("FAILED_PRECONDITION", "NOT_FOUND") == (status_of(awaited).grpc, status_of(absent).grpc)


async def test_what_was_uploaded_afterwards_is_kept_as_long_as_the_message(world, store, ticket):
    await say(world, ticket, PICTURE)
    taken = await upload(world, ticket, PNG)

    world.clock.advance(limits.MEDIA_UNUSED_S * 2000)
    assert 0 == await world.contents.prune()
    assert taken == (await store.media(ticket, taken.digest)).media


async def test_after_an_hour_it_is_given_up_and_the_agent_sees_why(world, store, ticket):
    await say(world, ticket, PICTURE)
    row = await waiting(world)

    world.clock.advance(limits.MEDIA_AWAITED_S * 1000 - 1)
    assert "media_awaited" == await told(world, row.id)
    world.clock.advance(1)
    assert "no_media" == await told(world, row.id)
    again, _ = await claimed(world)
    await world.outbox.report(GATEWAY, Report(again.id, lease_of(again), "dead", code="no_media"))
    assert [{"code": "no_media"}] == await shown(world, ticket)
    talk = (await world.rooms.get(f"ticket/{ticket}/talk")).document
    assert {f"{row.message}/0": "failed"} == talk.deliveries()


async def test_another_content_and_another_tickets_upload_release_nothing(world, store, ticket):
    (other,) = await world.tickets.ingest(GATEWAY, [arrival("k2", conversation="customer-2")])
    await say(world, ticket, PICTURE)
    row = await waiting(world)

    await upload(world, ticket, JPEG)
    await upload(world, other.ticket, PNG)
    assert row.at_ms + 60_000 <= (await store.delivery(row.id)).due_ms
    assert [{"code": "media_awaited"}] == await shown(world, ticket)


async def test_what_waits_for_another_reason_goes_on_waiting(world, store, ticket):
    await say(world, ticket, PICTURE)
    row, _ = await claimed(world)
    await world.outbox.report(GATEWAY, Report(row.id, lease_of(row), "retry", code="rate", delay_ms=60_000))
    before = await store.delivery(row.id)

    await upload(world, ticket, PNG)
    assert before == await store.delivery(row.id)


async def test_what_no_platform_may_give_is_awaited_by_nobody(world, store, ticket):
    await say(world, ticket, "a-platforms-own-name")
    (row,) = await store.deliveries(OutboxFilter())
    assert "no_media" == await told(world, row.id)


async def test_a_lease_that_is_lost_shows_nothing(world, store, ticket):
    await say(world, ticket, PICTURE)
    row, _ = await claimed(world)
    other = replace(row, owner="another")
    with pytest.raises(Conflict):
        await world.outbox.report(GATEWAY, Report(row.id, lease_of(other), "dead", code="no_media"))
    talk = (await world.rooms.get(f"ticket/{ticket}/talk")).document
    assert {} == {key: media.read(spelt) for key, spelt in talk.media().items()}


async def test_an_answer_that_a_plugin_refused_shows_its_author_why(world, ticket):
    await world.tickets.post_message(SALES, ticket, text="We guarantee it.")
    row, claiming = await claimed(world)
    refused = Report(row.id, lease_of(row), "dead", code="plugin.quality.forbidden_word")
    await world.outbox.report(GATEWAY, refused)
    await claiming.close()

    assert [{"code": "plugin.quality.forbidden_word"}] == await shown(world, ticket)
    talk = (await world.rooms.get(f"ticket/{ticket}/talk")).document
    assert {f"{row.message}/0": "failed"} == talk.deliveries()

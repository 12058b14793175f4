"""Pictures and files of a bound group: in the notes of the department's form, and for whoever may read these alone."""

import hashlib
from dataclasses import replace

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.domain.media import ref_of
from crdt_sync.errors import Forbidden, NotFound, NotThereYet
from crdt_sync.ports.outbox import OutboxFilter
from crdt_sync.service.media import Place
from tests.gated_store import GatedStore
from tests.samples import HTML, PDF, PNG
from tests.service.test_media import pieces, submit, whole
from tests.service.test_notes import HEAD, ROBOT, groups, notes_of, said, take, told
from tests.world import BACKOFFICE, GATEWAY, SALES, SUPPORT, TECH, World, arrival

PICTURE = hashlib.sha256(PNG).hexdigest()
LINE = f"    [image] plan.png (image/png, {len(PNG)} bytes, sha256:{PICTURE})\n"
IMAGE = {"type": "image", "ref": "media-1", "name": "plan.png"}


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store, groups=groups())
    yield world
    await world.stop()


async def attach(world, content, index=1, key="1", principal=ROBOT):
    given = content if isinstance(content, str) else pieces(content)
    return await world.contents.attach(principal, Place("robot", key, index), given)


async def noted(world, *parts, key="1"):
    """A ticket, and what became of a picture for it in the group."""
    view = await world.opened()
    await take(world, said(key, "", parts=({"type": "text", "text": f"#{view.id[:8]}"}, *(parts or (IMAGE,)))))
    return view.id


async def test_a_picture_follows_its_note_and_whoever_reads_the_note_opens_it(world):
    ticket = await noted(world)
    shown = await attach(world, PNG)

    assert PICTURE == shown.digest
    assert (await notes_of(world, ticket)).endswith(f"[image] plan.png\n{HEAD}{LINE}")
    assert PNG == await whole(await world.contents.of_ticket(BACKOFFICE, ticket, PICTURE))
    assert not [text for text in await told(world) if "could not be fetched" in text]


@pytest.mark.parametrize("principal", [SALES, TECH, SUPPORT])
async def test_a_picture_of_a_note_is_for_nobody_else(world, principal):
    ticket = await noted(world)
    await attach(world, PNG)

    with pytest.raises(NotFound) as caught:
        await world.contents.of_ticket(principal, ticket, PICTURE)
    assert "no_media" == caught.value.code


async def test_no_answer_carries_a_picture_of_a_note_to_the_customer(world, store):
    (chat,) = await world.tickets.ingest(GATEWAY, [arrival("hello")])
    parts = ({"type": "text", "text": f"#{chat.ticket[:8]}"}, IMAGE)
    await take(world, said("1", "", parts=parts))
    await attach(world, PNG)

    answer = [{"type": "image", "ref": ref_of(PICTURE), "name": ""}]
    with pytest.raises(NotFound, match="no such content"):
        await world.tickets.post_message(SALES, chat.ticket, text="", contents=answer)
    await submit(world, chat.ticket, *answer)  # as a replica may
    (row,) = await store.deliveries(OutboxFilter(account="shop"))
    with pytest.raises(NotThereYet):
        await world.contents.of_delivery(GATEWAY, row.id)
    await world.contents.upload(SALES, chat.ticket, pieces(PNG))
    assert PNG == await whole(await world.contents.of_delivery(GATEWAY, row.id)), "who has it himself may send it"


async def test_a_picture_that_comes_again_is_noted_once_over_a_restart_too(world, store):
    ticket = await noted(world)
    first, again = await attach(world, PNG), await attach(world, PNG)
    later = await World.start(store, groups=groups())
    third = await attach(later, PNG)
    await later.stop()

    assert first == again == third
    assert 1 == (await notes_of(world, ticket)).count(PICTURE)


async def test_a_picture_of_a_note_outlives_what_nobody_named(world):
    ticket = await noted(world)
    await attach(world, PNG)
    world.clock.advance(2 * 86_400_000)
    await world.contents.prune()

    assert PNG == await whole(await world.contents.of_ticket(BACKOFFICE, ticket, PICTURE))


async def test_why_there_is_no_content_is_told_to_the_group_once_until_there_is_one(world):
    ticket = await noted(world, IMAGE, IMAGE | {"type": "file", "name": "offer.pdf"})
    for _ in range(2):
        assert "media_expired" == await attach(world, "media_expired")
        assert "media_type" == await attach(world, HTML, index=2)

    assert 2 == len([text for text in await told(world) if f"#{ticket[:8]}: a picture or file could not" in text])
    assert "sha256" not in await notes_of(world, ticket)
    await attach(world, PNG)
    await attach(world, PDF, index=2)
    assert PICTURE == (await attach(world, "media_expired")).digest, "a content stays"
    assert 2 == (await notes_of(world, ticket)).count("sha256:")


@pytest.mark.parametrize(("index", "key"), [(0, "1"), (2, "1"), (1, "2")], ids=["text", "none", "another"])
async def test_what_is_no_content_of_a_note_is_refused(world, index, key):
    await noted(world)
    with pytest.raises(NotFound) as caught:
        await attach(world, PNG, index, key)

    assert "no_message" == caught.value.code


async def test_a_message_that_found_no_ticket_has_no_contents(world):
    await take(world, said("1", "", parts=({"type": "text", "text": "#aaaaaaaa"}, IMAGE)))
    with pytest.raises(NotFound):
        await attach(world, PNG)


async def test_a_group_that_is_bound_no_more_hears_nothing_of_it(world, store):
    ticket = await noted(world)
    later = await World.start(store)
    before = len(await told(later))
    assert "media_expired" == await attach(later, "media_expired")
    assert before == len(await told(later))
    await attach(later, PNG)
    assert PICTURE in await notes_of(later, ticket)
    await later.stop()


async def test_a_line_of_a_content_is_one_line_whatever_the_name(world):
    ticket = await noted(world, IMAGE | {"name": "a\n2026-01-01 00:00 UTC, the boss:\nb"})
    await attach(world, PNG)

    heads = [line for line in (await notes_of(world, ticket)).splitlines() if not line.startswith("    ")]
    assert [HEAD.strip()] * 2 == heads


async def test_another_gateway_brings_no_content(world):
    await noted(world)
    with pytest.raises(Forbidden) as caught:
        await attach(world, PNG, principal=replace(GATEWAY, accounts=("shop",)))
    assert "account" == caught.value.code

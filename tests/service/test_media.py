"""Contents: taken as they are, shown in the conversation, given to those who may read it, and forgotten otherwise."""

import asyncio
import hashlib
import itertools
import json
from dataclasses import replace

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain import media, message
from crdt_sync.domain.media import Media, ref_of
from crdt_sync.errors import Conflict, Forbidden, Malformed, NotFound, NotThereYet, TooLarge, TooMany, Unavailable
from crdt_sync.ports.outbox import OutboxFilter
from crdt_sync.service.media import Place
from crdt_sync.wire import limits, ysync
from tests.gated_store import GatedStore
from tests.replica.loopback import until
from tests.samples import AMR, EXECUTABLE, HTML, JPEG, PDF, PNG
from tests.world import BACKOFFICE, GATEWAY, SALES, STRANGER, SUPPORT, World, arrival

CLIENTS = itertools.count(100)
IMAGE = {"type": "image", "ref": "media-1", "name": ""}


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store)
    yield world
    await world.stop()


async def pieces(content, size=7_000):
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def whole(content):
    return b"".join([piece async for piece in content.pieces()])


async def chat(world, *parts, key="k1", conversation="customer-1"):
    """The ticket of a message that a customer wrote."""
    asked = arrival(key, parts=parts or (IMAGE,), conversation=conversation)
    (made,) = await world.tickets.ingest(GATEWAY, [asked])
    return made


async def attach(world, content, index=0, key="k1"):
    given = content if isinstance(content, str) else pieces(content)
    return await world.contents.attach(GATEWAY, Place("shop", key, index), given)


async def talk(world, ticket):
    await world.settle()
    return (await world.rooms.get(f"ticket/{ticket}/talk")).document


async def test_a_picture_is_shown_beside_its_message(world):
    made = await chat(world)
    shown = await attach(world, PNG)

    assert Media(hashlib.sha256(PNG).hexdigest(), len(PNG), "image/png") == shown
    assert {f"{made.message}/0": media.spell(shown)} == (await talk(world, made.ticket)).media()
    content = await world.contents.of_ticket(SUPPORT, made.ticket, shown.digest)
    assert PNG == await whole(content)
    (posted,) = await world.tickets.messages(SALES, made.ticket)
    assert {**IMAGE, "media": {"digest": shown.digest, "size": len(PNG), "type": "image/png"}} == posted["parts"][0]
    assert [len(PNG)] == world.meter.media


async def test_a_content_of_many_pieces_is_read_from_anywhere(world):
    made = await chat(world)
    large = PNG + bytes(range(256)) * 3_000
    shown = await attach(world, large)
    content = await world.contents.of_ticket(SALES, made.ticket, shown.digest)

    for start in (0, 1, limits.MEDIA_PIECE_BYTES, limits.MEDIA_PIECE_BYTES + 5, len(large) - 1):
        found = [piece async for piece in content.pieces(start)]
        assert large[start:] == b"".join(found)
        assert max(map(len, found)) <= limits.MEDIA_PIECE_BYTES


async def test_a_content_that_is_there_stays_whatever_is_said_later(world, store):
    made = await chat(world)
    shown = await attach(world, PNG)
    before = len(store.batches)

    assert shown == await attach(world, PNG)
    assert shown == await attach(world, JPEG)
    assert shown == await attach(world, "media_expired")
    assert {f"{made.message}/0": media.spell(shown)} == (await talk(world, made.ticket)).media()
    assert not any(batch.updates for batch in store.batches[before:])


async def test_a_failure_is_shown_until_the_content_comes_after_all(world):
    made = await chat(world)

    assert "media_expired" == await attach(world, "media_expired")
    assert {f"{made.message}/0": '{"code":"media_expired"}'} == (await talk(world, made.ticket)).media()
    shown = await attach(world, PNG)
    assert {f"{made.message}/0": media.spell(shown)} == (await talk(world, made.ticket)).media()


@pytest.mark.parametrize(
    ("kind", "content", "code"),
    [
        ("image", HTML, "media_type"),
        ("file", EXECUTABLE, "media_type"),
        ("image", PDF, "media_kind"),
        ("voice", PNG, "media_kind"),
        ("video", AMR, "media_kind"),
        ("image", b"", "media_empty"),
        ("image", b"x", "media_type"),
    ],
)
async def test_what_lies_about_its_type_is_refused_by_name(world, store, kind, content, code):
    made = await chat(world, {**IMAGE, "type": kind})

    assert code == await attach(world, content)
    (known,) = (await talk(world, made.ticket)).media().values()
    assert {"code": code} == json.loads(known)
    assert {code: 1} == world.meter.media_refusals
    assert [] == await store.all_media()
    assert {} == store._pieces


async def test_a_content_that_grows_too_large_is_read_no_further(world, store, monkeypatch):
    monkeypatch.setattr(limits, "MEDIA_BYTES_MAX", 300_000)
    monkeypatch.setattr(limits, "MEDIA_PIECE_BYTES", 100_000)
    read = 0

    async def endless():
        nonlocal read
        yield PNG
        while True:
            read += 50_000
            yield bytes(50_000)

    made = await chat(world)
    assert "media_size" == await world.contents.attach(GATEWAY, Place("shop", "k1", 0), endless())
    assert 300_000 == read
    assert {} == store._pieces
    with pytest.raises(TooLarge) as refused:
        await world.contents.upload(SALES, made.ticket, endless())
    assert "media_size" == refused.value.code


async def test_exactly_as_much_as_is_allowed_is_taken(world, monkeypatch):
    monkeypatch.setattr(limits, "MEDIA_BYTES_MAX", 300_000)
    made = await chat(world)
    largest = PNG + bytes(300_000 - len(PNG))

    assert 300_000 == (await world.contents.upload(SALES, made.ticket, pieces(largest))).size
    with pytest.raises(TooLarge):
        await world.contents.upload(SALES, made.ticket, pieces(largest + b"x"))


async def test_a_ticket_holds_so_many_bytes(world, monkeypatch):
    monkeypatch.setattr(limits, "MEDIA_TICKET_BYTES_MAX", len(PNG) + len(JPEG))
    made = await chat(world)
    await world.contents.upload(SALES, made.ticket, pieces(PNG))
    await world.contents.upload(SUPPORT, made.ticket, pieces(JPEG))
    await world.contents.upload(SUPPORT, made.ticket, pieces(JPEG))  # the same again costs nothing
    with pytest.raises(Conflict) as refused:
        await world.contents.upload(SUPPORT, made.ticket, pieces(PDF))

    assert "media_ticket_full" == refused.value.code
    assert "media_ticket_full" == await attach(world, JPEG + b"another")


async def test_an_author_brings_so_many_bytes_a_day(world, monkeypatch):
    monkeypatch.setattr(limits, "MEDIA_AUTHOR_BYTES_MAX", len(PNG))
    first, second = await chat(world), await chat(world, key="k2", conversation="customer-2")
    await attach(world, PNG)
    with pytest.raises(TooMany) as refused:
        await attach(world, JPEG, key="k2")

    assert "media_author_full" == refused.value.code
    assert {} == (await talk(world, second.ticket)).media(), "tomorrow it may come"
    await world.contents.upload(SALES, first.ticket, pieces(PNG))  # another author
    world.clock.advance(limits.MEDIA_QUOTA_S * 1000 + 1)
    assert isinstance(await attach(world, PNG, key="k2"), Media)


async def test_only_the_gateway_of_the_account_attaches_and_only_to_a_part_with_a_content(world):
    await chat(world, {"type": "text", "text": "hello"}, IMAGE)
    foreign = replace(GATEWAY, accounts=("another-shop",))
    for principal in (SALES, foreign):
        with pytest.raises(Forbidden):
            await world.contents.attach(principal, Place("shop", "k1", 1), pieces(PNG))
    for place, code in (
        (Place("shop", "k9", 0), "no_message"),
        (Place("shop", "k1", 0), "no_media_part"),
        (Place("shop", "k1", 2), "no_media_part"),
    ):
        with pytest.raises(NotFound) as refused:
            await world.contents.attach(GATEWAY, place, pieces(PNG))
        assert code == refused.value.code


async def test_a_content_is_for_those_who_may_read_the_conversation_and_for_its_ticket_alone(world):
    made, other = await chat(world), await chat(world, key="k2", conversation="customer-2")
    shown = await attach(world, PNG)
    told = []
    for principal, ticket, digest in (
        (BACKOFFICE, made.ticket, shown.digest),  # sees the ticket, and not its conversation
        (SALES, other.ticket, shown.digest),  # sees both tickets, and only one refers to it
        (SALES, made.ticket, "0" * 64),
    ):
        with pytest.raises(NotFound) as refused:
            await world.contents.of_ticket(principal, ticket, digest)
        told.append((refused.value.code, refused.value.message, refused.value.advice))
    assert 1 == len(set(told))
    with pytest.raises(NotThereYet):
        await world.contents.of_ticket(STRANGER, made.ticket, shown.digest)
    with pytest.raises(Forbidden):
        await world.contents.of_ticket(GATEWAY, made.ticket, shown.digest)


async def test_an_answer_with_a_picture_leaves_as_a_part_of_its_own(world, store):
    made = await chat(world)
    uploaded = await world.contents.upload(SALES, made.ticket, pieces(PNG))
    part = {"type": "image", "ref": ref_of(uploaded.digest), "name": "plan.png"}
    await world.tickets.post_message(SALES, made.ticket, text="See", contents=[part])

    words, picture = await store.deliveries(OutboxFilter())
    assert {"type": "text", "text": "See"} == json.loads(words.content)
    assert part == json.loads(picture.content)
    content = await world.contents.of_delivery(GATEWAY, picture.id)
    assert (PNG, "image/png") == (await whole(content), content.media.type)
    answer = (await world.tickets.messages(SUPPORT, made.ticket))[-1]
    assert {**part, "media": {"digest": uploaded.digest}} == answer["parts"][1]


async def test_a_delivery_gives_its_own_content_to_its_own_gateway(world, store):
    made, other = await chat(world), await chat(world, key="k2", conversation="customer-2")
    theirs = await world.contents.upload(SALES, other.ticket, pieces(PNG))
    for ref in (ref_of(theirs.digest), ref_of("0" * 64), "media-1"):  # what a replica may write offline
        await submit(world, made.ticket, {"type": "image", "ref": ref, "name": ""})
    rows = await store.deliveries(OutboxFilter())

    assert 3 == len(rows)
    world.clock.advance(limits.MEDIA_AWAITED_S * 1000)
    for row in rows:
        with pytest.raises(NotFound) as refused:
            await world.contents.of_delivery(GATEWAY, row.id)
        assert "no_media" == refused.value.code
    with pytest.raises(NotFound) as refused:
        await world.contents.of_delivery(replace(GATEWAY, accounts=("another-shop",)), rows[0].id)
    assert "no_delivery" == refused.value.code
    with pytest.raises(Forbidden):
        await world.contents.of_delivery(SALES, rows[0].id)


async def submit(world, ticket, part):
    posted = message.make(ticket=ticket, kind="agent", author=SALES.actor, at=1, parts=[part], salt="0" * 32)
    connection, _ = await world.yjs(f"ticket/{ticket}/submit/sales", SALES)
    connection.receive(ysync.encode_update(SubmitDocument(next(CLIENTS)).append_message(posted.record)))
    await world.settle()


async def test_an_answer_names_what_its_ticket_has_and_what_it_is(world):
    made, other = await chat(world), await chat(world, key="k2", conversation="customer-2")
    paper = await world.contents.upload(SALES, made.ticket, pieces(PDF))
    for ticket, kind, code in ((other.ticket, "file", "no_media"), (made.ticket, "image", "media_kind")):
        part = {"type": kind, "ref": ref_of(paper.digest), "name": ""}
        with pytest.raises((NotFound, Malformed)) as refused:
            await world.tickets.post_message(SALES, ticket, text="", contents=[part])
        assert code == refused.value.code


async def test_who_may_not_answer_uploads_nothing(world):
    made = await chat(world)
    for principal in (BACKOFFICE, replace(SALES, read_only=True), GATEWAY):
        with pytest.raises(Forbidden):
            await world.contents.upload(principal, made.ticket, pieces(PNG))
    with pytest.raises(NotThereYet):
        await world.contents.upload(STRANGER, made.ticket, pieces(PNG))


async def test_what_no_message_names_is_forgotten_after_a_day(world, store):
    made = await chat(world)
    kept = await attach(world, PNG)
    sent = await world.contents.upload(SALES, made.ticket, pieces(JPEG))
    part = {"type": "image", "ref": ref_of(sent.digest), "name": ""}
    await world.tickets.post_message(SALES, made.ticket, text="", contents=[part])
    await world.contents.upload(SALES, made.ticket, pieces(PDF))
    await store.put_piece("broken off", 0, PNG, world.clock.now_ms())

    world.clock.advance(limits.MEDIA_UNUSED_S * 1000)
    assert 0 == await world.contents.prune()
    world.clock.advance(1)
    assert 3 == await world.contents.prune()  # a use, its piece, and the piece of an upload that was broken off
    assert {kept.digest, sent.digest} == {stored.media.digest for stored in await store.all_media()}
    assert PNG == await whole(await world.contents.of_ticket(SALES, made.ticket, kept.digest))


async def test_a_commit_that_fails_shows_nothing_and_the_content_may_come_again(world, store):
    made = await chat(world)
    store.refuses = lambda batch: bool(batch.media)
    with pytest.raises(Unavailable):
        await attach(world, PNG)
    store.refuses = lambda batch: False
    await world.settle()

    assert {} == (await talk(world, made.ticket)).media()
    shown = await attach(world, PNG)
    assert {f"{made.message}/0": media.spell(shown)} == (await talk(world, made.ticket)).media()


class Line:
    """An upload that has sent three pieces, and says no more until it is told to fail or to end."""

    def __init__(self):
        self.sent = asyncio.Event()
        self.told = asyncio.get_running_loop().create_future()

    async def __aiter__(self):
        yield PNG + bytes(3 * limits.MEDIA_PIECE_BYTES)
        self.sent.set()
        await self.told


async def test_an_upload_that_breaks_off_leaves_nothing(world, store):
    made = await chat(world)
    for end in (lambda task, line: task.cancel(), lambda task, line: line.told.set_exception(ConnectionError())):
        line = Line()
        task = asyncio.create_task(world.contents.upload(SALES, made.ticket, aiter(line)))
        await line.sent.wait()
        assert 3 == len(store._pieces)
        end(task, line)
        with pytest.raises((asyncio.CancelledError, ConnectionError)):
            await task
        assert {} == store._pieces


async def test_a_piece_that_is_being_written_when_its_upload_breaks_off_is_dropped_too(world, store, monkeypatch):
    made = await chat(world)
    begun, gate = asyncio.Event(), asyncio.Event()
    put = store._inner.put_piece

    async def slow(*piece):
        begun.set()
        await gate.wait()
        await put(*piece)

    monkeypatch.setattr(store._inner, "put_piece", slow)
    task = asyncio.create_task(world.contents.upload(SALES, made.ticket, pieces(PNG + b"more")))
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()  # as a request's scope does, for as long as it is not gone
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    await world.contents.stop()

    assert {} == store._pieces


async def test_two_uploads_of_one_author_are_under_way_at_once(world):
    made = await chat(world)
    lines = [Line(), Line()]
    tasks = [asyncio.create_task(world.contents.upload(SALES, made.ticket, aiter(line))) for line in lines]
    for line in lines:
        await line.sent.wait()
    with pytest.raises(TooMany) as refused:
        await world.contents.upload(SALES, made.ticket, pieces(JPEG))
    assert "media_under_way" == refused.value.code
    await world.contents.upload(SUPPORT, made.ticket, pieces(JPEG))
    lines[0].told.set_result(None)
    await tasks[0]
    await world.contents.upload(SALES, made.ticket, pieces(PDF))
    lines[1].told.set_result(None)
    await tasks[1]


async def test_what_an_answer_is_about_to_name_is_not_forgotten_before_it_does(world, store):
    made = await chat(world)
    sent = await world.contents.upload(SALES, made.ticket, pieces(PNG))
    world.clock.advance(limits.MEDIA_UNUSED_S * 1000 + 1)
    store.gate.clear()
    part = {"type": "image", "ref": ref_of(sent.digest), "name": ""}
    posting = asyncio.create_task(world.tickets.post_message(SALES, made.ticket, text="", contents=[part]))
    await until(lambda: store.waiting)
    assert 0 == await world.contents.prune()
    store.gate.set()
    await posting

    assert PNG == await whole(await world.contents.of_ticket(SALES, made.ticket, sent.digest))

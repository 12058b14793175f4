"""What an operator takes is taken from open connections as well, and comes back when it is given back."""

from dataclasses import replace

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.form import FormDocument
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.restriction import Restriction
from crdt_sync.errors import Forbidden, Unauthenticated
from crdt_sync.protocol.collab_dialect import CollabDialect
from crdt_sync.protocol.yjs_dialect import YjsDialect
from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.server.grpc_dialect import GrpcDialect
from crdt_sync.wire import hocuspocus, ysync
from tests.gated_store import GatedStore
from tests.world import LEAD, SALES, World

ACTOR = SALES.actor
NO_TICKET = "ticket_scope: The token does not name this ticket."


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store)
    yield world
    await world.stop()


async def restrict(world, **changes):
    """What the operator's command writes, and the next look at it."""
    await world.store.restrict(ACTOR, lambda _: Restriction(ACTOR, **changes), world.clock.now_ms())
    assert await world.standing.refresh()
    world.leases.judge()
    await world.settle()


async def collab(world, document):
    connection, wire = world.collab()
    connection.receive(hocuspocus.encode_token(document.encode(), ACTOR, "4.7.0"))
    await world.settle()
    wire.frames.clear()
    return connection, wire


async def stream(world, *documents):
    connection, wire = world.connect(GrpcDialect(), SALES)
    connection.receive(pb.ClientFrames(frames=[pb.ClientFrame(document=name, open=pb.Open()) for name in documents]))
    await world.settle()
    wire.frames.clear()
    return connection, wire


async def test_nothing_new_is_nothing_to_judge(world):
    assert not await world.standing.refresh()
    await world.store.restrict(ACTOR, lambda _: Restriction(ACTOR), 0)

    assert [True, False] == [await world.standing.refresh(), await world.standing.refresh()]


async def test_who_was_revoked_loses_every_connection_and_gets_no_other(world):
    card = f"ticket/{(await world.opened()).id}/card"
    wires = [(await collab(world, card))[1], (await stream(world, card))[1], (await world.yjs(card, SALES))[1]]
    _, other = await world.yjs(card, LEAD)
    await restrict(world, revoked=True)

    assert [4401] * 3 == [wire.closed[0] for wire in wires]
    assert other.closed is None
    assert 3 == sum(count for (_, code), count in world.meter.refusals.items() if code == "revoked")
    with pytest.raises(Unauthenticated):
        await world.authenticate(ACTOR)
    await restrict(world)
    assert SALES.actor == (await world.authenticate(ACTOR)).principal.actor


async def test_tokens_from_before_are_void_and_later_ones_are_good(world):
    now_ms = world.clock.now_ms()
    await restrict(world, valid_from_ms=now_ms)

    with pytest.raises(Unauthenticated) as caught:
        world.standing.judge(Identity(SALES, None, issued_at_ms=now_ms - 1))
    assert "signed_out" == caught.value.code
    assert SALES == world.standing.judge(Identity(SALES, None, issued_at_ms=now_ms)).principal


async def test_a_document_that_may_no_longer_be_read_is_closed_and_the_others_stay(world):
    one, two = (await world.opened(subject="1")).id, (await world.opened(subject="2")).id
    _, sync = await world.yjs(f"ticket/{one}/card", SALES)
    _, several = await collab(world, f"ticket/{one}/card")
    _, batched = await stream(world, f"ticket/{one}/card", f"ticket/{two}/card")
    await restrict(world, tickets=(two,))

    assert (4403, "ticket_scope") == (sync.closed[0], sync.closed[1].partition(":")[0])
    assert [hocuspocus.encode_close(f"ticket/{one}/card".encode(), NO_TICKET)] == several.frames
    assert [(f"ticket/{one}/card", "closed")] == [(each.document, each.WhichOneof("body")) for each in batched.frames]
    assert {"sales-1"} == {member.principal.actor for member in (await world.rooms.get(f"ticket/{two}/card")).members}


async def test_a_writer_becomes_a_reader_and_is_told_so_and_back_again(world):
    card = f"ticket/{(await world.opened()).id}/card"
    _, wire = await collab(world, card)
    await restrict(world, read_only=True)
    assert [hocuspocus.encode_authenticated(card.encode(), read_only=True)] == wire.frames
    (member,) = (await world.rooms.get(card)).members
    assert not member.writable
    await restrict(world)

    assert [hocuspocus.encode_authenticated(card.encode(), read_only=False)] == wire.frames[1:]
    assert member.writable


async def test_roles_are_narrowed_and_come_back_as_the_token_says(world):
    lead = replace(LEAD, actor=ACTOR)
    await restrict(world, roles=("sales", "admin"))
    narrowed = world.standing.judge(Identity(lead, None))
    assert ("sales",) == narrowed.principal.roles
    await restrict(world)

    assert lead.roles == world.standing.judge(narrowed).principal.roles


async def test_a_token_is_narrowed_by_what_both_name(world):
    await restrict(world, tickets=("a", "b"))

    assert ("b",) == world.standing.judge(Identity(replace(SALES, tickets=("b", "c")), None)).principal.tickets
    assert ("a", "b") == world.standing.judge(Identity(SALES, None)).principal.tickets


async def test_who_may_only_read_moves_says_and_opens_nothing(world):
    view = await world.opened()
    reader = replace(SALES, read_only=True)
    for name, arguments, more in (
        ("open", (), {"title": "Another"}),
        ("post_message", (view.id,), {"text": "hello"}),
        ("update_card", (view.id,), {"fields": {"priority": "high"}}),
        ("update_form", (view.id, "sales"), {"fields": {"price": 1}}),
        ("transition", (view.id,), {"lane": "sales", "name": "quote", "seen": str(view.version)}),
    ):
        with pytest.raises(Forbidden) as caught:
            await getattr(world.tickets, name)(reader, *arguments, **more)
        assert "read_only" == caught.value.code, name


async def test_the_store_is_asked_once_a_look_however_many_are_connected(world, store, monkeypatch):
    monkeypatch.setattr("crdt_sync.service.leases.LOOK_S", 0.0)
    card = f"ticket/{(await world.opened()).id}/card"
    _, wire = await world.yjs(card, SALES)
    asked, inner = [], store.restrictions

    async def restrictions(after=0):
        asked.append(after)
        return await inner(after)

    store.restrictions = restrictions
    world.leases.start()
    await world.store.restrict(ACTOR, lambda _: Restriction(ACTOR, revoked=True), 0)
    await world.settle()
    await world.leases.stop()

    assert 4401 == wire.closed[0]
    assert asked == sorted(asked)


async def test_a_store_that_is_away_changes_nothing_and_is_asked_again(world, store, monkeypatch):
    monkeypatch.setattr("crdt_sync.service.leases.LOOK_S", 0.0)
    store.down = True
    await world.store.restrict(ACTOR, lambda _: Restriction(ACTOR, revoked=True), 0)
    world.leases.start()
    await world.settle()
    assert ACTOR == (await world.authenticate(ACTOR)).principal.actor
    store.down = False
    await world.settle()
    await world.leases.stop()

    with pytest.raises(Unauthenticated):
        await world.authenticate(ACTOR)


@pytest.mark.parametrize(
    "says", [lambda name: hocuspocus.encode_step1(name, b"\0"), lambda name: hocuspocus.encode_token(name, "")]
)
async def test_what_was_taken_since_the_handshake_is_missed_by_documents_that_open_later(world, says):
    card = f"ticket/{(await world.opened()).id}/card".encode()
    connection, wire = world.connect(CollabDialect(), SALES)
    await restrict(world, tickets=())
    connection.receive(says(card))
    await world.settle()

    assert [hocuspocus.encode_permission_denied(card, NO_TICKET)] == wire.frames


async def test_what_is_taken_while_a_document_is_loaded_is_taken_before_it_opens(world, store):
    form = f"ticket/{(await world.opened()).id}/form/sales".encode()
    store.reads.clear()
    connection, wire = world.collab()
    connection.receive(hocuspocus.encode_token(form, ACTOR, "4.7.0"))
    connection.receive(hocuspocus.encode_step1(form, b"\0"))
    await world.settle()
    await restrict(world, tickets=())
    store.reads.set()
    await world.settle()

    assert [hocuspocus.encode_permission_denied(form, NO_TICKET)] == wire.frames


@pytest.mark.parametrize("left", [True, False], ids=["its sender has left", "its sender is there"])
@pytest.mark.parametrize(
    ("taken", "wire_of", "code"),
    [
        ({"revoked": True}, "collab", "revoked"),
        ({"revoked": True}, "sync", "revoked"),
        ({"tickets": ()}, "collab", "ticket_scope"),
        ({"read_only": True}, "collab", "read_only"),
    ],
)
async def test_what_waits_for_its_document_is_judged_by_what_holds_when_it_opens(
    world, store, left, taken, wire_of, code
):
    form = f"ticket/{(await world.opened()).id}/form/sales"
    update = FormDocument(78).append_note("on the stairs")
    store.reads.clear()
    if wire_of == "sync":
        connection, _ = world.connect(YjsDialect(form), SALES)
        connection.join(form)
        connection.receive(ysync.encode_update(update))
    else:
        connection, _ = world.collab()
        connection.receive(hocuspocus.encode_token(form.encode(), ACTOR, "4.7.0"))
        await world.settle()
        connection.receive(hocuspocus.encode_update(form.encode(), update))
    if left:
        connection.ended()
    await restrict(world, **taken)
    store.reads.set()
    await world.settle()

    assert () == tuple((await store.document(form)).updates)
    assert 1 == world.meter.refusals[wire_of, code]
    connection.ended()
    assert set() == world.leases._leases


async def test_a_socket_that_is_lost_is_counted_once_however_many_documents_it_has(world):
    cards = [f"ticket/{(await world.opened(subject=subject)).id}/card" for subject in "12"]
    connection, _ = await collab(world, cards[0])
    connection.receive(hocuspocus.encode_token(cards[1].encode(), ACTOR, "4.7.0"))
    await world.settle()
    await restrict(world, revoked=True)

    assert 1 == world.meter.refusals["collab", "revoked"]

"""A restored store: what documents hold stays, and a copy of a former life is turned away on every wire."""

from copy import deepcopy

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.document import Document
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.kinds import new_document
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain import payload
from crdt_sync.domain.ids import DocumentName
from crdt_sync.ports import StoreDamaged, StoreUnavailable
from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.server.grpc_dialect import GrpcDialect
from crdt_sync.service.epochs import POSITIONS_SKIPPED, begin_epoch
from crdt_sync.service.media import Place
from crdt_sync.wire import hocuspocus, ysync
from tests.fakes import SeededIds
from tests.samples import PNG
from tests.world import GATEWAY, SALES, SALES_2, SUPPORT, TECH, World, arrival

NOW_MS = 5_000


class Lives:
    """One store, and the service over it, which can be stopped and started as after a restore."""

    def __init__(self, store, world):
        self.store, self.world = store, world

    async def restore(self, *, replaced=None):
        await self.world.stop()
        epoch = await begin_epoch(self.store, SeededIds(9), NOW_MS, replaced=replaced)
        self.world = await World.start(self.store)
        return epoch

    async def copy(self, text: str) -> Document:
        """What somebody holds of a document that is synced."""
        return await copy_of(self.store, text)


async def copy_of(store, text):
    document = new_document(DocumentName.parse(text).kind, 4_000_000_000)
    stored = await store.document(text)
    document.load(stored.snapshot.data if stored.snapshot else None, [(row.data, row.actor) for row in stored.updates])
    return document


@pytest.fixture
async def lives():
    store = MemoryStore()
    lives = Lives(store, await World.start(store))
    yield lives
    await lives.world.stop()


async def worked_on(world):
    """A ticket with something in each kind of document; return its view and its names."""
    view = await world.opened()
    names = {kind: f"ticket/{view.id}/{kind}" for kind in ("log", "talk", "card", "submit/sales", "form/sales")}
    submit, _ = await world.yjs(names["submit/sales"], SALES)
    colleague, _ = await world.yjs(names["submit/sales"], SALES_2)
    sealed = payload.seal({"price": "99.50"}, "ab" * 16)
    form, _ = await world.yjs(names["form/sales"], SALES)
    copy = FormDocument(11)
    for update in (copy.put_payload(sealed.digest, sealed.text), copy.set_fields({"floor": 3, "lift": None})):
        form.receive(ysync.encode_update(update))
    form.receive(ysync.encode_update(copy.append_note("签约 🧵\n")))
    quote = world.made(SALES, view, "sales", "quote", [view.id], payload=sealed.digest)
    submit.receive(ysync.encode_update(SubmitDocument(12).append_transition(quote.record)))
    inert = world.made(SALES_2, view, "sales", "cancel", [view.id])
    colleague.receive(ysync.encode_update(SubmitDocument(13).append_transition(inert.record)))
    card, _ = await world.yjs(names["card"], TECH)
    card.receive(ysync.encode_update(CardDocument(14).set_fields({"assignee.tech": "tech-1", "priority": 2})))
    await world.settle()
    await world.tickets.post_message(SUPPORT, view.id, text="We look into it.")
    return view, names


def contents(copies):
    log, talk, card = copies["log"], copies["talk"], copies["card"]
    submit, form = copies["submit/sales"], copies["form/sales"]
    return (
        (sorted(log.transitions()), log.refused(), sorted(talk.messages()), talk.deliveries(), card.card()),
        (form.fields(), form.notes(), form.payloads()),
        sorted((entry.root, entry.text, author) for entry, author in submit.authored()),
    )


async def test_what_documents_hold_stays_and_every_client_id_is_another(lives):
    _, names = await worked_on(lives.world)
    before = {kind: await lives.copy(name) for kind, name in names.items()}

    epoch = await lives.restore()

    after = {kind: await lives.copy(name) for kind, name in names.items()}
    assert contents(before) == contents(after)
    assert len(names) == epoch.documents
    for kind, name in names.items():
        assert set() == before[kind].state().keys() & after[kind].state().keys()
        assert before[kind].state().keys() == (await lives.store.document(name)).ended


async def test_a_picture_is_shown_and_served_as_before(lives):
    async def pieces():
        yield PNG

    picture = arrival("m1", parts=({"type": "image", "ref": "media-1", "name": ""},))
    (made,) = await lives.world.tickets.ingest(GATEWAY, [picture])
    shown = await lives.world.contents.attach(GATEWAY, Place("shop", "m1", 0), pieces())
    before = await lives.world.tickets.messages(SALES, made.ticket)

    await lives.restore()

    assert before == await lives.world.tickets.messages(SALES, made.ticket)
    assert "image/png" == before[0]["parts"][0]["media"]["type"]
    content = await lives.world.contents.of_ticket(SALES, made.ticket, shown.digest)
    assert [PNG] == [piece async for piece in content.pieces()]


async def test_tickets_read_and_go_on_as_before(lives):
    view, _ = await worked_on(lives.world)
    before = await lives.world.tickets.get(SALES, view.id)

    await lives.restore()

    after = await lives.world.tickets.get(SALES, view.id)
    assert (before.stage, before.lanes, before.card, before.version) == (
        after.stage,
        after.lanes,
        after.card,
        after.version,
    )
    assert "signed" == (await lives.world.do(SALES, after, "sales", "sign")).lanes["sales"]


async def test_a_client_of_a_former_life_is_told_so_before_it_gets_or_gives_anything_over_y_websocket(lives):
    _, names = await worked_on(lives.world)
    former = await lives.copy(names["card"])
    await lives.restore()
    stored = await lives.store.document(names["card"])

    connection, wire = await lives.world.yjs(names["card"], SALES)
    connection.receive(ysync.encode_step1(former.state_vector()))
    await lives.world.settle()

    assert (4410, "reset") == (wire.closed[0], wire.closed[1].partition(":")[0])
    assert [ysync.Step1] == [type(ysync.decode(frame)) for frame in wire.frames], "the service's own, and no answer"
    assert stored == await lives.store.document(names["card"])


@pytest.mark.parametrize("kind", ["card", "form/sales", "submit/sales"])
async def test_an_update_of_a_former_life_is_never_applied_nor_kept(lives, kind):
    _, names = await worked_on(lives.world)
    former = await lives.copy(names[kind])
    await lives.restore()
    stored = await lives.store.document(names[kind])

    connection, wire = await lives.world.yjs(names[kind], SALES)
    connection.receive(ysync.encode_step2(former.diff(b"\0")))
    await lives.world.settle()

    assert 4410 == wire.closed[0]
    assert stored == await lives.store.document(names[kind])
    assert [] == list(lives.store.quarantine)


async def test_a_deletion_of_a_former_life_is_named_too(lives):
    _, names = await worked_on(lives.world)
    former = await lives.copy(names["card"])
    await lives.restore()

    connection, wire = await lives.world.yjs(names["card"], SALES)
    connection.receive(ysync.encode_update(former.set_fields({"assignee.tech": None})))
    await lives.world.settle()

    assert 4410 == wire.closed[0]
    assert "tech-1" == (await lives.copy(names["card"])).card()["assignee.tech"]


async def test_collab_closes_the_document_alone_and_a_fresh_copy_is_let_in_on_the_same_socket(lives):
    _, names = await worked_on(lives.world)
    former = await lives.copy(names["card"])
    await lives.restore()
    address, other = names["card"].encode(), names["log"].encode()
    connection, wire = lives.world.collab()
    for each in (other, address):
        connection.receive(hocuspocus.encode_token(each, "sales-1", "4.7.0"))
    await lives.world.settle()
    connection.receive(hocuspocus.encode_step1(address, former.state_vector()))
    await lives.world.settle()

    assert hocuspocus.Close is type(hocuspocus.decode(wire.frames[-1]).frame)
    assert hocuspocus.decode(wire.frames[-1]).frame.reason.startswith("reset: ")
    assert wire.closed is None
    wire.frames.clear()

    connection.receive(hocuspocus.encode_update(address, former.set_fields({"title": "Old"})))
    await lives.world.settle()
    assert [] == wire.frames, "an unmodified provider goes on talking, and nobody listens"

    connection.receive(hocuspocus.encode_token(address, "sales-1", "4.7.0"))
    connection.receive(hocuspocus.encode_step1(address, b"\0"))
    await lives.world.settle()
    assert ["Authenticated", "Step1", "Step2"] == [
        type(hocuspocus.decode(frame).frame).__name__ for frame in wire.frames
    ]


async def test_an_old_update_on_collab_gets_its_one_answer(lives):
    _, names = await worked_on(lives.world)
    former = await lives.copy(names["card"])
    await lives.restore()
    address = names["card"].encode()
    connection, wire = lives.world.collab()
    connection.receive(hocuspocus.encode_token(address, "sales-1", "4.7.0"))
    connection.receive(hocuspocus.encode_update(address, former.set_fields({"title": "Old"})))
    connection.receive(hocuspocus.encode_update(address, former.set_fields({"title": "Older"})))
    await lives.world.settle()

    assert 1 == wire.frames.count(hocuspocus.encode_sync_status(address, accepted=False))
    assert 0 == wire.frames.count(hocuspocus.encode_sync_status(address, accepted=True))


async def test_grpc_closes_the_document_with_the_code_and_opens_it_again_when_asked(lives):
    _, names = await worked_on(lives.world)
    former = await lives.copy(names["card"])
    await lives.restore()
    connection, wire = lives.world.connect(GrpcDialect(), SALES)

    def frames(*frames):
        connection.receive(pb.ClientFrames(frames=[pb.ClientFrame(document=names["card"], **each) for each in frames]))

    frames({"open": pb.Open()}, {"step1": former.state_vector()})
    await lives.world.settle()
    assert "reset" == wire.frames[-1].closed.code

    frames({"open": pb.Open()}, {"step1": b"\0"})
    await lives.world.settle()
    assert "step2" == wire.frames[-1].WhichOneof("body")


async def test_positions_move_far_ahead_and_every_ticket_is_listed_as_changed(lives):
    view, _ = await worked_on(lives.world)
    before = await lives.store.position()

    epoch = await lives.restore()
    row = await lives.store.ticket(view.id)

    assert before + POSITIONS_SKIPPED == epoch.position == row.position
    done = await lives.world.do(SALES, await lives.world.tickets.get(SALES, view.id), "sales", "sign")
    assert done.position > epoch.position


async def test_the_replaced_store_ends_what_was_written_since_the_backup(lives):
    """Copies hold client ids of which the backup knows nothing; what no backup holds, cards and forms are left of."""
    view, names = await worked_on(lives.world)
    backup = deepcopy(lives.store)
    before = {kind: await lives.copy(name) for kind, name in names.items()}
    sign = lives.world.made(SALES, view, "sales", "sign", [await lives.world.newest(view.id)])
    submit, _ = await lives.world.yjs(names["submit/sales"], SALES)
    submit.receive(ysync.encode_update(SubmitDocument(21).append_transition(sign.record)))
    form, _ = await lives.world.yjs(f"ticket/{view.id}/form/tech", TECH)
    form.receive(ysync.encode_update(FormDocument(22).append_note("duct is full\n")))
    await lives.world.settle()
    later = await lives.world.opened()
    replaced, lives.store = lives.store, backup

    epoch = await lives.restore(replaced=replaced)

    assert contents(before) == contents({kind: await lives.copy(name) for kind, name in names.items()})
    assert await replaced.position() + POSITIONS_SKIPPED == epoch.position
    assert 21 in (await backup.document(names["submit/sales"])).ended
    log = await copy_of(replaced, f"ticket/{later.id}/log")
    assert log.state().keys() == (await backup.document(f"ticket/{later.id}/log")).ended
    for left in (f"ticket/{view.id}/form/tech", f"ticket/{later.id}/card"):
        assert frozenset() == (await backup.document(left)).ended


async def test_what_had_ended_before_stays_so_where_the_backup_has_nothing_of_it(lives):
    """A card may come back from copies of its last life, and from no earlier one: that would say everything twice."""
    older = deepcopy(lives.store)
    _, names = await worked_on(lives.world)
    await lives.restore()
    replaced, lives.store = lives.store, older

    await lives.restore(replaced=replaced)

    for kind in ("card", "form/sales"):
        ended = (await replaced.document(names[kind])).ended
        assert ended
        assert ended == (await older.document(names[kind])).ended


async def test_a_replaced_store_that_cannot_be_read_is_done_without(lives):
    await worked_on(lives.world)
    replaced = MemoryStore()
    await replaced.close()

    epoch = await lives.restore(replaced=replaced)

    assert epoch.unread is None


async def test_of_a_replaced_store_that_has_lost_its_position_the_documents_are_read(lives, monkeypatch):
    _, names = await worked_on(lives.world)
    replaced, lives.store = deepcopy(lives.store), MemoryStore()

    async def position():
        raise StoreDamaged("it is not there")

    monkeypatch.setattr(replaced, "position", position)
    epoch = await lives.restore(replaced=replaced)

    assert epoch.unread is None
    log = await copy_of(replaced, names["log"])
    assert log.state().keys() == (await lives.store.document(names["log"])).ended


async def test_a_log_that_holds_more_than_a_restored_service_ever_wrote_is_of_a_former_life(lives):
    """Whoever saw what came after the backup names client ids of which the backup knows nothing."""
    _, names = await worked_on(lives.world)
    await lives.restore()
    connection, wire = await lives.world.yjs(names["log"], SALES)
    connection.receive(ysync.encode_step1(b"\x01\x2a\x03"))  # clock 3 of client 42
    await lives.world.settle()

    assert 4410 == wire.closed[0]


async def test_where_nothing_was_restored_unknown_clients_are_no_reason(lives):
    _, names = await worked_on(lives.world)
    connection, wire = await lives.world.yjs(names["log"], SALES)
    connection.receive(ysync.encode_step1(b"\x01\x2a\x03"))
    await lives.world.settle()

    assert wire.closed is None


async def test_a_second_restore_ends_the_life_between_and_keeps_the_first(lives):
    _, names = await worked_on(lives.world)
    first = (await lives.copy(names["card"])).state().keys()
    await lives.restore()
    second = (await lives.copy(names["card"])).state().keys()
    await lives.restore()

    assert first | second == (await lives.store.document(names["card"])).ended


async def test_what_waits_for_its_parent_still_waits_for_it(lives):
    view = await lives.world.opened()
    quote = lives.world.made(SALES, view, "sales", "quote", [view.id])
    sign = lives.world.made(SALES, view, "sales", "sign", [quote.id])
    submit, _ = await lives.world.yjs(f"ticket/{view.id}/submit/sales", SALES)
    submit.receive(ysync.encode_update(SubmitDocument(9).append_transition(sign.record)))
    await lives.world.settle()

    await lives.restore()
    submit, _ = await lives.world.yjs(f"ticket/{view.id}/submit/sales", SALES)
    submit.receive(ysync.encode_update(SubmitDocument(10).append_transition(quote.record)))
    await lives.world.settle()

    assert "signed" == (await lives.world.tickets.get(SALES, view.id)).lanes["sales"]


async def test_messages_that_a_gateway_brought_stay(lives):
    told = await lives.world.tickets.ingest(GATEWAY, [arrival("m1", "Is anybody there?")])
    await lives.restore()
    again = await lives.world.tickets.ingest(GATEWAY, [arrival("m1", "Is anybody there?")])

    assert ["accepted", "duplicate"] == [told[0].status, again[0].status]
    talk = await lives.copy(f"ticket/{told[0].ticket}/talk")
    assert 1 == len(talk.messages())


async def test_a_store_that_cannot_be_read_is_no_new_epoch(lives):
    await worked_on(lives.world)
    await lives.world.stop()
    await lives.store.close()
    with pytest.raises(StoreUnavailable):
        await begin_epoch(lives.store, SeededIds(9), NOW_MS, replaced=None)

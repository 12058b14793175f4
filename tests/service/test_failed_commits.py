"""What fails, and what fails beside it: nothing is acknowledged, shown or kept that no commit holds."""

import asyncio
from dataclasses import replace

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain import transition
from crdt_sync.errors import ServiceError, TicketSyncError, Unavailable
from crdt_sync.ports import StoreDamaged
from crdt_sync.service import committer
from crdt_sync.wire import hocuspocus, ysync
from crdt_sync.wire.limits import GAP_UPDATES_MAX
from tests.gated_store import GatedStore
from tests.world import LEAD, SALES, SALES_2, TECH, World


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store)
    yield world
    store.gate.set()
    store.results.set()
    store.down = False
    await world.stop()


def status(address: bytes, *, accepted: bool) -> bytes:
    return hocuspocus.encode_sync_status(address, accepted=accepted)


async def collab(world: World, document: str, actor: str = "sales-1"):
    connection, wire = world.collab()
    connection.receive(hocuspocus.encode_token(document.encode(), actor))
    await world.settle()
    wire.frames.clear()
    return connection, wire


async def card_after_restart(store, document: str) -> dict:
    again = await World.start(store)
    card = (await again.rooms.get(document)).document.card()
    await again.stop()
    return card


async def test_a_duplicate_of_an_update_that_was_not_stored_is_not_acknowledged(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    address = document.encode()
    connection, wire = await collab(world, document)
    edit = CardDocument(77).set_fields({"priority": "high"})
    store.refuses = lambda batch: bool(batch.updates)

    connection.receive(hocuspocus.encode_update(address, edit))
    connection.receive(hocuspocus.encode_step2(address, edit))
    await world.settle()

    assert 0 == wire.frames.count(status(address, accepted=True))
    assert 2 == wire.frames.count(status(address, accepted=False))


async def test_a_duplicate_of_an_update_that_was_not_stored_is_stored_itself_if_that_works_again(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    address = document.encode()
    connection, wire = await collab(world, document)
    edit = CardDocument(77).set_fields({"priority": "high"})
    refusals = [True]
    store.refuses = lambda batch: bool(refusals) and refusals.pop()

    connection.receive(hocuspocus.encode_update(address, edit))
    connection.receive(hocuspocus.encode_step2(address, edit))
    await world.settle()

    assert [False, True] == [
        frame == status(address, accepted=True) for frame in wire.frames if b"\x08" == frame[len(address) + 1 :][:1]
    ]
    assert "high" == (await card_after_restart(store, document))["priority"]


async def test_clients_are_asked_for_what_a_full_disk_lost_once_it_has_room_and_not_before(world, store, monkeypatch):
    monkeypatch.setattr(committer, "STALE_RETRY_S", 0)
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    author, wire = await world.yjs(document, SALES)
    mine = CardDocument(77)
    edit = mine.set_fields({"priority": "high"})
    wire.frames.clear()
    store.full = True

    author.receive(ysync.encode_update(edit))
    checked = store.checks
    await world.settle()
    assert store.checks > checked + 2
    assert [] == wire.frames
    assert "priority" not in (await world.rooms.get(document)).document.card()

    store.full = False
    await world.settle()
    asked = ysync.decode(wire.frames.pop())
    author.receive(ysync.encode_step2(mine.diff(asked.state_vector)))
    await world.settle()
    assert "high" == (await card_after_restart(store, document))["priority"]


@pytest.mark.parametrize("others", [0, 1])
async def test_a_client_that_answers_at_once_is_not_asked_again_while_no_commit_passes(world, store, others):
    view, other = await world.opened(), await world.opened()
    document = f"ticket/{view.id}/card"
    author, wire = await world.yjs(document, SALES)
    edit = CardDocument(77).set_fields({"priority": "high"})
    wire.frames.clear()
    store.full = True

    author.receive(ysync.encode_update(edit))
    calls = [asyncio.ensure_future(world.tickets.update_card(TECH, other.id, fields={"tags": "x"}))] * others
    await world.settle()

    assert [] == wire.frames
    assert [Unavailable] * others == [type(said) for said in await asyncio.gather(*calls, return_exceptions=True)]


async def test_a_client_that_goes_on_writing_while_no_commit_passes_is_neither_asked_nor_closed(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    address = document.encode()
    connection, wire = await collab(world, document)
    mine = CardDocument(77)
    store.full = True

    for number in range(GAP_UPDATES_MAX + 2):
        connection.receive(hocuspocus.encode_update(address, mine.set_fields({"priority": number})))
        await world.settle()

    assert {status(address, accepted=False)} == set(wire.frames)
    assert (GAP_UPDATES_MAX + 2, None) == (len(wire.frames), wire.closed)


async def test_a_command_on_a_document_is_stored_behind_the_edits_that_it_builds_on(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    author, _ = await world.yjs(document, SALES)
    store.results.clear()
    command = asyncio.ensure_future(
        world.tickets.update_card(TECH, view.id, fields={"priority": "low"}, request_id="k")
    )
    await world.settle()
    author.receive(ysync.encode_update(CardDocument(77).set_fields({"priority": "high"})))
    store.results.set()
    await command
    await world.settle()

    assert "low" == (await card_after_restart(store, document))["priority"]


@pytest.mark.parametrize("touch", ["card", "transition"])
async def test_a_ticket_shows_nothing_of_its_card_that_is_not_committed(world, store, monkeypatch, touch):
    """The second change is applied when the first batch is decided, but is in no batch that the store takes."""
    monkeypatch.setattr(committer, "BATCH_JOBS_MAX", 1)
    view = await world.opened()
    author, _ = await world.yjs(f"ticket/{view.id}/card", SALES)
    lost = CardDocument(78).set_fields({"customer": "never committed"})
    store.refuses = lambda batch: any(row.data == lost for row in batch.updates)
    if touch == "card":
        author.receive(ysync.encode_update(CardDocument(77).set_fields({"priority": "high"})))
        author.take()  # in a turn of its own
    else:
        made = asyncio.ensure_future(world.do(SALES, view, "sales", "quote", payload={"price": "1"}))
        await asyncio.sleep(0)  # it is queued
    author.receive(ysync.encode_update(lost))
    await world.settle()

    row = await store.ticket(view.id)
    assert "customer" not in row.card
    assert "high" == row.card["priority"] if touch == "card" else row.version == (await made).version


async def test_notes_of_a_command_are_stored_behind_those_that_they_follow(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/form/sales"
    author, _ = await world.yjs(document, SALES)
    store.results.clear()
    command = asyncio.ensure_future(
        world.tickets.update_form(SALES, view.id, "sales", fields={}, note="second", request_id="k")
    )
    await world.settle()
    author.receive(ysync.encode_update(FormDocument(77).append_note("first\n")))
    store.results.set()
    await command
    await world.settle()

    again = await World.start(store)
    assert "first\nsecond\n" == (await again.tickets.form(SALES, view.id, "sales")).notes
    await again.stop()


async def test_after_a_failed_change_nothing_behind_it_is_stored_without_it(world, store):
    view, other = await world.opened(), await world.opened()
    document = f"ticket/{view.id}/submit/sales"
    submit = SubmitDocument(9)
    author, _ = await world.yjs(document, SALES)
    quote = world.made(SALES, view, "sales", "quote", [view.id], payload="ab" * 32)
    store.unreadable.add(f"ticket/{view.id}/form/sales")

    author.receive(ysync.encode_update(submit.append_transition(quote.record)))
    author.receive(ysync.encode_update(submit.append_message("later")))
    await world.settle()

    stored = await store.document(document)
    assert () == stored.updates
    assert other.id
    assert {} == (await world.rooms.get(document)).document.state()


async def test_what_a_batch_has_decided_stays_in_memory_when_a_later_job_of_it_fails(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    connection, _ = await world.yjs(document, SALES)
    store.gate.clear()
    blocker = asyncio.ensure_future(world.opened())  # holds the committer, so that the rest is one batch
    await world.settle()
    connection.receive(ysync.encode_update(CardDocument(77).set_fields({"priority": "high"})))
    room = await world.rooms.get(document)
    await world.settle()
    rest = asyncio.ensure_future(world.tickets.post_message(SALES, view.id, text="hello"))
    real, calls = world.desk.with_talk, []

    async def spoil_first(live):
        calls.append(live)
        world.committer.spoil(room)  # as a client's update does that yrs stumbles over
        await real(live)

    world.desk.with_talk = spoil_first
    store.gate.set()
    await blocker
    await rest
    await world.settle()

    assert calls
    assert "high" == (await world.rooms.get(document)).document.card()["priority"]
    assert "high" == (await card_after_restart(store, document))["priority"]


@pytest.mark.parametrize("error", [ServiceError, StoreDamaged])
async def test_a_document_that_is_damaged_in_the_store_ends_nobody_elses_work(world, store, error):
    view, other = await world.opened(), await world.opened()
    document = f"ticket/{view.id}/card"
    room, others = await world.rooms.get(document), await world.rooms.get(f"ticket/{other.id}/card")
    real = store.document

    async def damaged(name):
        if name == document:
            raise error("It is not what was written.")
        return await real(name)

    store.document = damaged
    world.committer.spoil(room)
    world.committer.spoil(others)
    await world.settle()

    assert (True, False) == (room.stale, others.stale)
    assert "low" == (await world.tickets.update_card(SALES, other.id, fields={"priority": "low"})).card["priority"]


async def test_one_job_with_a_fault_of_ours_fails_alone(world, store):
    view = await world.opened()
    store.gate.clear()
    blocker = asyncio.ensure_future(world.opened())
    await world.settle()
    good = asyncio.ensure_future(world.tickets.update_card(SALES, view.id, fields={"priority": "low"}))
    bad = asyncio.ensure_future(world.tickets.update_card(SALES, view.id, fields={"title": "\ud800"}))
    later = asyncio.ensure_future(world.tickets.update_card(TECH, view.id, fields={"tags": "new"}))
    await world.settle()
    store.gate.set()

    assert "low" == (await good).card["priority"]
    with pytest.raises(TicketSyncError):
        await bad
    assert "new" == (await later).card["tags"]
    await blocker


async def test_an_answer_that_cannot_be_made_fails_after_the_commit_and_alone(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    connection, wire = await collab(world, document)
    store.gate.clear()
    blocker = asyncio.ensure_future(world.opened())
    await world.settle()

    def faulty(_live):
        raise ZeroDivisionError

    from crdt_sync.service.look import Look

    look = Look(SALES, view.id, faulty)
    world.committer.enqueue(look)
    connection.receive(hocuspocus.encode_update(document.encode(), CardDocument(77).set_fields({"priority": "high"})))
    store.gate.set()
    await blocker
    with pytest.raises(ServiceError):
        await look.outcome
    await world.settle()

    assert status(document.encode(), accepted=True) in wire.frames
    assert 0 == (await world.rooms.get(document)).pending


async def test_an_entry_is_judged_with_the_roles_it_was_sent_with_and_not_before_its_own_commit(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/submit/sales"
    lead, _ = await world.yjs(document, LEAD)
    lead.receive(ysync.encode_update(SubmitDocument(8).append_message("was lead once")))
    await world.settle()
    again = await World.start(store)
    demoted = replace(LEAD, roles=("sales",))
    author, _ = await again.yjs(document, demoted)
    again.desk.drop(view.id)
    as_lead = transition.make(
        ticket=view.id, lane="sales", name="quote", actor="lead-1", roles=("sales", "sales_lead"), after=(view.id,),
        lifecycle=view.lifecycle, at=1,
    )  # fmt: skip
    submit = SubmitDocument(9)

    author.receive(ysync.encode_update(submit.append_message("first")))
    author.receive(ysync.encode_update(submit.append_transition(as_lead.record)))
    await again.settle()

    log = (await again.rooms.get(f"ticket/{view.id}/log")).document
    assert "role_not_held" == log.refused().get(as_lead.id)
    await again.stop()


async def test_an_entry_whose_update_was_not_stored_is_not_admitted_later(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/submit/sales"
    quote = world.made(SALES, view, "sales", "quote", [view.id])
    sign = world.made(SALES, view, "sales", "sign", [quote.id])
    author, _ = await world.yjs(document, SALES)
    store.refuses = lambda batch: bool(batch.updates)
    author.receive(ysync.encode_update(SubmitDocument(9).append_transition(sign.record)))
    await world.settle()
    store.refuses = lambda batch: False

    author.receive(ysync.encode_update(SubmitDocument(10).append_transition(quote.record)))
    await world.settle()

    assert "quoted" == (await world.tickets.get(SALES, view.id)).lanes["sales"]


async def test_a_colleagues_copy_of_what_waits_does_not_stand_in_its_way(world):
    view = await world.opened()
    document = f"ticket/{view.id}/submit/sales"
    quote = world.made(SALES, view, "sales", "quote", [view.id])
    sign = world.made(SALES, view, "sales", "sign", [quote.id])
    author, _ = await world.yjs(document, SALES)
    colleague, _ = await world.yjs(document, SALES_2)
    author.receive(ysync.encode_update(SubmitDocument(9).append_transition(sign.record)))
    await world.settle()

    colleague.receive(ysync.encode_update(SubmitDocument(10).append_transition(sign.record)))
    await world.settle()
    author.receive(ysync.encode_update(SubmitDocument(11).append_transition(quote.record)))
    await world.settle()

    assert "signed" == (await world.tickets.get(SALES, view.id)).lanes["sales"]


async def test_what_waits_survives_that_its_ticket_leaves_the_memory(world):
    view = await world.opened()
    quote = world.made(SALES, view, "sales", "quote", [view.id])
    sign = world.made(SALES, view, "sales", "sign", [quote.id])
    start = world.made(TECH, view, "tech", "start", [sign.id])
    tech, _ = await world.yjs(f"ticket/{view.id}/submit/tech", TECH)
    tech.receive(ysync.encode_update(SubmitDocument(8).append_transition(start.record)))
    await world.settle()
    world.desk.drop(view.id)

    sales, _ = await world.yjs(f"ticket/{view.id}/submit/sales", SALES)
    submit = SubmitDocument(9)
    sales.receive(ysync.encode_update(submit.append_transition(quote.record)))
    sales.receive(ysync.encode_update(submit.append_transition(sign.record)))
    await world.settle()

    assert 4 == len(await world.store.journal(view.id))


async def test_an_acknowledgement_is_not_given_to_a_later_subscription_of_the_same_name(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    address = document.encode()
    connection, wire = await collab(world, document)
    store.gate.clear()
    connection.receive(hocuspocus.encode_update(address, CardDocument(77).set_fields({"priority": "high"})))
    connection.receive(hocuspocus.encode_close(address, ""))
    connection.receive(hocuspocus.encode_token(address, "sales-1"))
    await world.settle()
    store.gate.set()
    await world.settle()

    assert status(address, accepted=True) not in wire.frames


async def test_a_client_that_leaves_and_comes_back_while_its_document_is_opened_is_in_the_room(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    address = document.encode()
    connection, wire = world.collab()
    find, found = store.ticket, asyncio.Event()

    async def slow(ticket):
        await found.wait()
        return await find(ticket)

    store.ticket = slow
    connection.receive(hocuspocus.encode_token(address, "sales-1"))
    await world.settle()
    connection.receive(hocuspocus.encode_close(address, ""))
    connection.receive(hocuspocus.encode_token(address, "sales-1"))
    await world.settle()
    found.set()
    await world.settle()

    connection.receive(hocuspocus.encode_update(address, CardDocument(77).set_fields({"priority": "high"})))
    await world.settle()

    assert status(address, accepted=True) in wire.frames


async def test_what_comes_while_the_service_stops_is_not_shown_as_committed(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    author, _ = await world.yjs(document, SALES)
    reader, wire = await world.yjs(document, TECH)
    await world.committer.stop()

    author.receive(ysync.encode_update(CardDocument(77).set_fields({"priority": "high"})))
    reader.receive(ysync.encode_step1(b"\0"))
    await world.settle()

    shown = [frame.update for frame in map(ysync.decode, wire.frames) if isinstance(frame, ysync.Step2)]
    assert all(b"high" not in update for update in shown)


async def test_what_a_client_sends_again_is_stored_before_what_builds_on_it(world, store):
    view, other = await world.opened(), await world.opened()
    document = f"ticket/{view.id}/submit/sales"
    author, _ = await world.yjs(document, SALES)
    submit = SubmitDocument(9)
    store.gate.clear()
    store.results.clear()
    store.refuses = lambda batch: True
    author.receive(ysync.encode_update(submit.append_message("first")))
    await world.settle()
    between = asyncio.ensure_future(
        world.tickets.update_card(SALES, other.id, fields={"priority": "low"}, request_id="k")
    )
    await world.settle()
    author.receive(ysync.encode_update(submit.append_message("second")))
    store.gate.set()
    await world.settle()
    store.refuses = lambda batch: False
    author.receive(ysync.encode_step2(submit.diff(b"\0")))
    store.results.set()
    await between
    await world.settle()

    again = await World.start(store)
    assert {9: 2} == (await again.rooms.get(document)).document.state()
    await again.stop()


async def test_commits_and_those_that_failed_are_counted(world, store):
    view = await world.opened()
    before, failed = len(world.meter.batches), world.meter.failures
    await world.tickets.update_card(SALES, view.id, fields={"priority": "high"})
    store.down = True
    with pytest.raises(Unavailable):
        await world.tickets.update_card(SALES, view.id, fields={"priority": "low"})

    assert ([(1, 1)], failed + 1) == (world.meter.batches[before:], world.meter.failures)


async def test_updates_that_come_while_a_document_cannot_be_loaded_are_refused_and_not_collected(world, store):
    document = f"ticket/{(await world.opened()).id}/card"
    connection, wire = await world.yjs(document, SALES)
    await world.settle()
    room, card = await world.rooms.get(document), CardDocument(7)
    store.down = True
    connection.receive(ysync.encode_update(card.set_fields({"priority": "0"})))
    await world.settle()
    connection.receive(ysync.encode_step1(b"\x00"))
    for number in range(1, 20):
        connection.receive(ysync.encode_update(card.set_fields({"priority": str(number)})))
    await world.settle()

    assert (True, 0, 0) == (room.stale, len(room._deferred), room.pending)
    assert wire.closed is None
    store.down = False

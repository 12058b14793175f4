"""Sessions over the real committer: what is relayed and acknowledged is committed, and what is refused says why."""

from dataclasses import replace

import pycrdt
import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.state_vectors import decode_state_vector, encode_state_vector
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.documents.updates import decode, merge
from crdt_sync.domain import payload, transition
from crdt_sync.domain.holds import Hold
from crdt_sync.wire import hocuspocus, limits, ysync
from crdt_sync.wire.awareness import State, encode
from tests.gated_store import GatedStore
from tests.world import BACKOFFICE, GATEWAY, SALES, SALES_2, STRANGER, SUPPORT, TECH, World


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store)
    yield world
    store.gate.set()
    store.down = False
    await world.stop()


def updates(wire) -> list[bytes]:
    frames = [ysync.decode(frame) for frame in wire.frames]
    return [frame.update for frame in frames if isinstance(frame, ysync.Update)]


def step2(wire) -> bytes:
    return next(frame.update for frame in map(ysync.decode, reversed(wire.frames)) if isinstance(frame, ysync.Step2))


def card_edit(client: int = 77, title: str = "Bakery") -> bytes:
    return CardDocument(client).set_fields({"priority": title})


async def test_an_update_is_neither_relayed_nor_echoed_before_its_commit(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    author, author_wire = await world.yjs(document, SALES)
    _, other_wire = await world.yjs(document, TECH)
    edit = card_edit()
    store.gate.clear()

    author.receive(ysync.encode_update(edit))
    await world.settle()
    assert 1 == store.waiting
    assert [] == updates(author_wire) == updates(other_wire)

    store.gate.set()
    await world.settle()
    assert [edit] == updates(author_wire) == updates(other_wire), "the received bytes, to both"
    stored = await store.document(document)
    assert edit == stored.updates[-1].data


@pytest.mark.parametrize("together", [False, True])
async def test_a_lane_of_another_department_is_not_taken_through_the_card(world, together):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    _, other_wire = await world.yjs(document, SALES)
    thief, thief_wire = await world.yjs(document, TECH)
    theft = CardDocument(77).take("sales", Hold(1, TECH.actor, "taken"))
    for edit in (theft, card_edit(78)) if together else (theft,):
        thief.receive(ysync.encode_update(edit))
    await world.settle()

    assert 4403 == thief_wire.closed[0]
    assert theft not in updates(other_wire)
    assert "assignee.sales" not in (await world.tickets.get(SALES, view.id)).card
    owner, owner_wire = await world.yjs(document, SALES)
    owner.receive(ysync.encode_update(CardDocument(79).take("sales", Hold(2, SALES.actor, "taken"))))
    await world.settle()
    assert owner_wire.closed is None
    assert SALES.actor == (await world.tickets.get(TECH, view.id)).card["assignee.sales"]


async def test_step_1_is_answered_with_committed_state_only(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    author, _ = await world.yjs(document, SALES)
    reader, wire = await world.yjs(document, TECH)
    store.gate.clear()
    author.receive(ysync.encode_update(card_edit()))
    author.take()
    reader.receive(ysync.encode_step1(b"\0"))
    author.receive(ysync.encode_update(card_edit(78, "Later")))
    await world.settle()
    assert [ysync.Step1] == [type(ysync.decode(frame)) for frame in wire.frames]

    store.gate.set()
    await world.settle()

    copy = CardDocument(5)
    copy.apply_committed(step2(wire))
    assert "Bakery" == copy.card()["priority"]
    assert "Later" not in str(copy.card()), "what came behind the question is not part of the answer"


async def test_a_collab_client_gets_one_status_a_frame_after_the_commit_and_then_the_echo(world, store):
    view = await world.opened()
    address = f"ticket/{view.id}/card".encode()
    connection, wire = world.collab()
    connection.receive(hocuspocus.encode_token(address, "sales-1"))
    await world.settle()
    wire.frames.clear()
    store.gate.clear()
    edit = card_edit()

    connection.receive(hocuspocus.encode_update(address, edit))
    connection.receive(hocuspocus.encode_update(address, edit))
    await world.settle()
    assert [] == wire.frames, "a duplicate is acknowledged no earlier than the commit that covers it"

    store.gate.set()
    await world.settle()
    status = hocuspocus.encode_sync_status(address, accepted=True)
    assert 2 == wire.frames.count(status)
    assert 1 == wire.frames.count(hocuspocus.encode_update(address, edit))
    assert 3 == len(wire.frames)


async def test_a_y_websocket_client_hears_the_echo_of_a_duplicate_and_nobody_else_does(world):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    author, author_wire = await world.yjs(document, SALES)
    _, other_wire = await world.yjs(document, TECH)
    edit = card_edit()
    author.receive(ysync.encode_update(edit))
    await world.settle()

    author.receive(ysync.encode_step2(edit))
    await world.settle()

    assert [edit, edit] == updates(author_wire)
    assert [edit] == updates(other_wire)


async def test_each_question_for_presence_is_written_before_the_next_answer_is_made(world):
    view = await world.opened()
    author, wire = await world.yjs(f"ticket/{view.id}/card", SALES)
    author.receive(ysync.encode_awareness(encode([State(77, 1, "{}")])))
    await world.settle()
    wire.frames.clear()
    wire.writes = 0
    for _ in range(5):
        author.receive(ysync.encode_query_awareness())

    assert 5 == wire.writes == len(wire.frames)


async def test_the_service_asks_after_each_step_1_of_a_collab_client(world):
    view = await world.opened()
    address = f"ticket/{view.id}/card".encode()
    connection, wire = world.collab()
    connection.receive(hocuspocus.encode_token(address, "sales-1"))
    connection.receive(hocuspocus.encode_step1(address, b"\0"))
    await world.settle()

    kinds = [type(hocuspocus.decode(frame).frame).__name__ for frame in wire.frames]
    assert ["Authenticated", "Step1", "Step2"] == kinds

    connection.receive(hocuspocus.encode_step2(address, b"\0\0"))
    await world.settle()
    assert hocuspocus.encode_sync_status(address, accepted=True) == wire.frames[-1]


async def test_everything_of_one_turn_is_written_to_a_socket_at_once(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    author, _ = await world.yjs(document, SALES)
    _, wire = await world.yjs(document, TECH)
    wire.writes, wire.frames = 0, []

    for client in range(100, 120):
        author.receive(ysync.encode_update(card_edit(client)))
    await world.settle()

    assert 20 == len(updates(wire))
    assert 1 == wire.writes
    assert 1 == len([batch for batch in store.batches if len(batch.updates) == 20]), "one commit for all"


async def test_an_update_behind_a_gap_waits_and_is_relayed_when_the_gap_is_filled(world):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    author, wire = await world.yjs(document, SALES)
    card = CardDocument(77)
    first, second = card.set_fields({"title": "One"}), card.set_fields({"title": "Two"})

    author.receive(ysync.encode_update(second))
    await world.settle()
    assert [] == updates(wire)
    assert ysync.Step1 is type(ysync.decode(wire.frames[-1])), "the client is asked for the rest"

    author.receive(ysync.encode_step2(first))
    await world.settle()
    assert [first, second] == updates(wire)


async def test_a_submitted_transition_reaches_the_log_in_the_commit_that_records_it(world, store):
    view = await world.opened()
    connection, _ = await world.yjs(f"ticket/{view.id}/submit/sales", SALES)
    made = world.made(SALES, view, "sales", "quote", [view.id])

    connection.receive(ysync.encode_update(SubmitDocument(9).append_transition(made.record)))
    await world.settle()

    (batch,) = [batch for batch in store.batches if batch.transitions and batch.transitions[0].id == made.id]
    assert {f"ticket/{view.id}/submit/sales", f"ticket/{view.id}/log"} == {row.document for row in batch.updates}
    assert [view.id] == [row.id for row in batch.tickets]
    assert "quoted" == (await world.tickets.get(TECH, view.id)).lanes["sales"]


async def test_a_refused_entry_closes_nothing_and_stands_in_the_log_with_its_code(world):
    view = await world.opened()
    connection, wire = await world.yjs(f"ticket/{view.id}/submit/tech", TECH)
    document = SubmitDocument(9)
    foreign_lane = world.made(TECH, view, "sales", "quote", [view.id])
    other_name = world.made(SALES, view, "tech", "start", [view.id])
    no_role = transition.make(
        ticket=view.id, lane="tech", name="start", actor="tech-1", roles=("tech_lead",), after=(view.id,),
        lifecycle=view.lifecycle, at=1,
    )  # fmt: skip
    inert = world.made(TECH, view, "tech", "deliver", [view.id])
    child = world.made(TECH, view, "tech", "halt", [inert.id])
    for record in (foreign_lane.record, other_name.record, no_role.record, inert.record, child.record, "nonsense"):
        connection.receive(ysync.encode_update(document.append_transition(record)))
    await world.settle()

    log = (await world.rooms.get(f"ticket/{view.id}/log")).document
    assert {
        foreign_lane.id: "lane_owner",
        other_name.id: "actor",
        no_role.id: "role_not_held",
        inert.id: "from",
        child.id: "parent_refused",
        transition.entry_key(b"nonsense"): "malformed",
    } == log.refused()
    assert wire.closed is None
    assert 6 == len(updates(wire)), "each update was committed and acknowledged"


async def test_an_entry_whose_parent_is_missing_waits_and_is_admitted_when_it_comes(world):
    view = await world.opened()
    connection, _ = await world.yjs(f"ticket/{view.id}/submit/sales", SALES)
    quote = world.made(SALES, view, "sales", "quote", [view.id])
    sign = world.made(SALES, view, "sales", "sign", [quote.id])

    connection.receive(ysync.encode_update(SubmitDocument(9).append_transition(sign.record)))
    await world.settle()
    assert "lead" == (await world.tickets.get(SALES, view.id)).lanes["sales"]
    log = (await world.rooms.get(f"ticket/{view.id}/log")).document
    assert {} == log.refused()

    connection.receive(ysync.encode_update(SubmitDocument(10).append_transition(quote.record)))
    await world.settle()
    assert "signed" == (await world.tickets.get(SALES, view.id)).lanes["sales"]


async def test_an_entry_whose_payload_is_missing_waits_until_the_form_has_it(world):
    view = await world.opened()
    submit, _ = await world.yjs(f"ticket/{view.id}/submit/sales", SALES)
    form, _ = await world.yjs(f"ticket/{view.id}/form/sales", SALES)
    sealed = payload.seal({"price": "99.50"}, "ab" * 16)
    quote = world.made(SALES, view, "sales", "quote", [view.id], payload=sealed.digest)

    submit.receive(ysync.encode_update(SubmitDocument(9).append_transition(quote.record)))
    await world.settle()
    assert "lead" == (await world.tickets.get(SALES, view.id)).lanes["sales"]

    form.receive(ysync.encode_update(FormDocument(10).put_payload(sealed.digest, sealed.text)))
    await world.settle()
    assert "quoted" == (await world.tickets.get(SALES, view.id)).lanes["sales"]


async def test_of_a_form_the_payload_that_is_named_is_read_and_no_other(world, monkeypatch):
    """A full form is some megabytes, and one frame may submit a thousand transitions that name its payloads."""
    view = await world.opened()
    submissions, _ = await world.yjs(f"ticket/{view.id}/submit/sales", SALES)
    form, _ = await world.yjs(f"ticket/{view.id}/form/sales", SALES)
    sealed = payload.seal({"price": "99.50"}, "ab" * 16)
    quote = world.made(SALES, view, "sales", "quote", [view.id], payload=sealed.digest)
    form.receive(ysync.encode_update(FormDocument(10).put_payload(sealed.digest, sealed.text)))
    await world.settle()
    monkeypatch.delattr(FormDocument, "payloads")
    submissions.receive(ysync.encode_update(SubmitDocument(9).append_transition(quote.record)))
    await world.settle()

    assert quote.id == await world.newest(view.id)


async def test_a_payload_of_the_wrong_type_is_refused(world):
    view = await world.opened()
    submit, _ = await world.yjs(f"ticket/{view.id}/submit/sales", SALES)
    form, _ = await world.yjs(f"ticket/{view.id}/form/sales", SALES)
    sealed = payload.seal({"price": "a lot"}, "ab" * 16)
    quote = world.made(SALES, view, "sales", "quote", [view.id], payload=sealed.digest)

    form.receive(ysync.encode_update(FormDocument(10).put_payload(sealed.digest, sealed.text)))
    submit.receive(ysync.encode_update(SubmitDocument(9).append_transition(quote.record)))
    await world.settle()

    log = (await world.rooms.get(f"ticket/{view.id}/log")).document
    assert {quote.id: "payload"} == log.refused()


async def test_what_waits_is_judged_after_a_restart_with_the_roles_it_was_sent_with(world, store):
    view = await world.opened()
    submit, _ = await world.yjs(f"ticket/{view.id}/submit/sales", SALES)
    quote = world.made(SALES, view, "sales", "quote", [view.id])
    sign = world.made(SALES, view, "sales", "sign", [quote.id])
    submit.receive(ysync.encode_update(SubmitDocument(9).append_transition(sign.record)))
    await world.settle()
    again = await World.start(store)

    submit, _ = await again.yjs(f"ticket/{view.id}/submit/sales", SALES)
    submit.receive(ysync.encode_update(SubmitDocument(10).append_transition(quote.record)))
    await again.settle()

    assert "signed" == (await again.tickets.get(SALES, view.id)).lanes["sales"]
    await again.stop()


async def test_an_explicit_retry_is_judged_anew_and_clears_the_refusal(world):
    view = await world.opened()
    submit, _ = await world.yjs(f"ticket/{view.id}/submit/sales", SALES)
    bad = transition.make(
        ticket=view.id, lane="sales", name="quote", actor="sales-1", roles=("sales", "sales_lead"), after=(view.id,),
        lifecycle=view.lifecycle, at=1,
    )  # fmt: skip
    submit.receive(ysync.encode_update(SubmitDocument(9).append_transition(bad.record)))
    await world.settle()
    log = (await world.rooms.get(f"ticket/{view.id}/log")).document
    assert {bad.id: "role_not_held"} == log.refused()

    promoted = replace(SALES, roles=("sales", "sales_lead"))
    submit, _ = await world.yjs(f"ticket/{view.id}/submit/sales", promoted)
    submit.receive(ysync.encode_update(SubmitDocument(10).append_transition(bad.record)))
    await world.settle()

    assert {} == log.refused()
    assert "quoted" == (await world.tickets.get(SALES, view.id)).lanes["sales"]


async def test_a_copy_of_a_colleagues_entry_blocks_neither_him_nor_what_builds_on_it(world):
    view = await world.opened()
    sales, _ = await world.yjs(f"ticket/{view.id}/submit/sales", SALES)
    support, _ = await world.yjs(f"ticket/{view.id}/submit/support", SUPPORT)
    quote = world.made(SALES, view, "sales", "quote", [view.id])
    sign = world.made(SALES, view, "sales", "sign", [quote.id])
    opening = (await world.store.journal(view.id))[0].record
    copies = SubmitDocument(8)
    mine = SubmitDocument(9)

    support.receive(ysync.encode_update(copies.append_message(opening)))
    support.receive(ysync.encode_update(copies.append_transition(quote.record)))
    sales.receive(ysync.encode_update(mine.append_transition(sign.record)))
    support.receive(ysync.encode_update(copies.append_transition(sign.record)))
    await world.settle()
    log = (await world.rooms.get(f"ticket/{view.id}/log")).document
    assert {quote.id: "actor", sign.id: "parent_refused"} == {key: log.refused()[key] for key in (quote.id, sign.id)}
    assert view.id not in log.refused()

    sales.receive(ysync.encode_update(mine.append_transition(quote.record)))
    await world.settle()
    assert "signed" == (await world.tickets.get(SALES, view.id)).lanes["sales"]
    assert not {quote.id, sign.id} & log.refused().keys(), "what was admitted stands in the log and nowhere else"


async def test_what_builds_on_a_forgery_is_refused_and_waits_for_nobody(world, store):
    """A colleague forges a move in somebody's name; he builds on it, and another on that, before it is noticed."""
    view = await world.opened()
    submits = f"ticket/{view.id}/submit/sales"
    sales, _ = await world.yjs(submits, SALES)
    forger, _ = await world.yjs(submits, SALES_2)
    forged = world.made(SALES, view, "sales", "quote", [view.id])
    child = world.made(SALES, view, "sales", "sign", [forged.id])
    grandchild = world.made(SALES_2, view, "sales", "withdraw", [child.id])

    forger.receive(ysync.encode_update(SubmitDocument(8).append_transition(grandchild.record)))
    sales.receive(ysync.encode_update(SubmitDocument(9).append_transition(child.record)))
    await world.settle()
    log = (await world.rooms.get(f"ticket/{view.id}/log")).document
    assert {} == log.refused()
    forger.receive(ysync.encode_update(SubmitDocument(10).append_transition(forged.record)))
    await world.settle()

    refused = {forged.id: "actor", child.id: "parent_refused", grandchild.id: "parent_refused"}
    assert refused == log.refused()
    events = [event.data["entry"] for event in await store.events(0) if event.type == "refused"]
    assert sorted(refused) == sorted(events), "told once"

    again = await World.start(world.store)
    late, _ = await again.yjs(submits, SALES)
    log = (await again.rooms.get(f"ticket/{view.id}/log")).document
    assert refused == log.refused()
    late.receive(ysync.encode_update(SubmitDocument(11).append_transition(forged.record)))
    await again.settle()
    assert "withdrawn" == (await again.tickets.get(SALES, view.id)).lanes["sales"], "it was no forgery after all"
    assert {} == log.refused()
    await again.stop()


async def test_a_refusal_for_good_leaves_nothing_waiting(world):
    view = await world.opened()
    tech, _ = await world.yjs(f"ticket/{view.id}/submit/tech", TECH)
    early = world.made(TECH, view, "tech", "deliver", [view.id])
    child = world.made(TECH, view, "tech", "halt", [early.id])
    grandchild = world.made(TECH, view, "tech", "dismantle", [child.id])
    mine = SubmitDocument(8)
    for made in (grandchild, child, early):
        tech.receive(ysync.encode_update(mine.append_transition(made.record)))
    await world.settle()

    log = (await world.rooms.get(f"ticket/{view.id}/log")).document
    assert {early.id: "from", child.id: "parent_refused", grandchild.id: "parent_refused"} == log.refused()
    live = await world.desk.find(view.id)
    assert not any(live.waiting.values())


async def test_what_was_built_on_a_copy_waits_no_more_once_the_author_is_refused(world):
    view = await world.opened()
    submits = f"ticket/{view.id}/submit/sales"
    (sales, _), (other, _) = [await world.yjs(submits, person) for person in (SALES, SALES_2)]
    early = world.made(SALES, view, "sales", "withdraw", [view.id])
    child = world.made(SALES, view, "sales", "quote", [early.id])
    grandchild = world.made(SALES, view, "sales", "sign", [child.id])
    mine = SubmitDocument(8)
    for made in (grandchild, child):
        sales.receive(ysync.encode_update(mine.append_transition(made.record)))
    other.receive(ysync.encode_update(SubmitDocument(9).append_transition(early.record)))
    await world.settle()
    live = await world.desk.find(view.id)
    assert [grandchild.id, child.id] == [entry.key for entry in live.waiting["sales"]]

    sales.receive(ysync.encode_update(mine.append_transition(early.record)))
    await world.settle()
    assert {early.id: "from", child.id: "parent_refused", grandchild.id: "parent_refused"} == live.log.refused()
    assert not any(live.waiting.values())


async def test_a_copy_does_not_overwrite_why_the_author_was_refused(world):
    view = await world.opened()
    tech, _ = await world.yjs(f"ticket/{view.id}/submit/tech", TECH)
    support, _ = await world.yjs(f"ticket/{view.id}/submit/support", SUPPORT)
    early = world.made(TECH, view, "tech", "deliver", [view.id])
    tech.receive(ysync.encode_update(SubmitDocument(8).append_transition(early.record)))
    await world.settle()

    support.receive(ysync.encode_update(SubmitDocument(9).append_transition(early.record)))
    await world.settle()

    log = (await world.rooms.get(f"ticket/{view.id}/log")).document
    assert {early.id: "from"} == log.refused()


async def test_resubmission_under_another_client_id_makes_one_transition(world):
    view = await world.opened()
    submit, _ = await world.yjs(f"ticket/{view.id}/submit/sales", SALES)
    quote = world.made(SALES, view, "sales", "quote", [view.id])

    for client in (9, 10, 11):
        submit.receive(ysync.encode_update(SubmitDocument(client).append_transition(quote.record)))
        await world.settle()

    assert 2 == len(await world.store.journal(view.id))


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_ticket_that_was_opened_offline_appears_with_its_submissions(world, at_once):
    opened = transition.make(
        ticket=None, lane="case", name="open", actor="sales-1", roles=("sales",), after=(),
        lifecycle=world.lifecycles.default.digest, at=1, subject="offline-1",
    )  # fmt: skip
    first = transition.make(
        ticket=opened.id, lane="sales", name="quote", actor="sales-1", roles=("sales",), after=(opened.id,),
        lifecycle=world.lifecycles.default.digest, at=2,
    )  # fmt: skip
    document = SubmitDocument(9)
    early = document.append_transition(first.record)
    late = document.append_transition(opened.record)
    connection, wire = await world.yjs(f"ticket/{opened.id}/submit/sales", SALES)

    for update in [merge([early, late])] if at_once else [early, late]:
        connection.receive(ysync.encode_update(update))
    await world.settle()

    view = await world.tickets.get(TECH, opened.id)
    assert ("presale", "quoted", "offline-1") == (view.stage, view.lanes["sales"], view.subject)
    assert wire.closed is None


async def test_a_refused_opening_creates_no_log_and_refuses_the_document_with_its_code(world, store):
    opened = transition.make(
        ticket=None, lane="case", name="open", actor="tech-1", roles=("tech",), after=(),
        lifecycle=world.lifecycles.default.digest, at=1, subject="offline-2",
    )  # fmt: skip
    connection, wire = await world.yjs(f"ticket/{opened.id}/submit/tech", TECH)

    connection.receive(ysync.encode_update(SubmitDocument(9).append_transition(opened.record)))
    await world.settle()

    assert (4403, "open_by") == (wire.closed[0], wire.closed[1].split(":")[0])
    assert await store.ticket(opened.id) is None
    assert () == (await store.document(f"ticket/{opened.id}/submit/tech")).updates
    assert ["open_by"] == [row.code for row in store.quarantine]


def pycrdt_deletion() -> bytes:
    doc = pycrdt.Doc(client_id=901)
    array = doc.get("transitions", type=pycrdt.Array)
    array.append("mine")
    del array[0]
    return doc.get_update()


def other_root() -> bytes:
    doc = pycrdt.Doc(client_id=902)
    doc.get("elsewhere", type=pycrdt.Array).append("x")
    return doc.get_update()


async def test_a_forged_struct_under_a_colleagues_client_id_is_refused_and_he_goes_on(world):
    view = await world.opened()
    document = f"ticket/{view.id}/submit/sales"
    honest, honest_wire = await world.yjs(document, SALES)
    forger, forger_wire = await world.yjs(document, SALES_2)
    his = SubmitDocument(500)
    first = his.append_transition(world.made(SALES, view, "sales", "quote", [view.id]).record)
    honest.receive(ysync.encode_update(first))
    await world.settle()
    forged = SubmitDocument(500)
    forged.apply_committed(first)

    forger.receive(ysync.encode_update(forged.append_transition("forged")))
    await world.settle()
    assert (4422, "foreign_client") == (forger_wire.closed[0], forger_wire.closed[1].split(":")[0])

    honest.receive(ysync.encode_update(his.append_message("later")))
    await world.settle()
    assert honest_wire.closed is None
    assert 2 == len(updates(honest_wire))


@pytest.mark.parametrize(("code", "forge"), [("deletion", pycrdt_deletion), ("second_root", other_root)])
async def test_damage_to_a_submit_document_is_refused_with_its_code_and_kept(world, store, code, forge):
    view = await world.opened()
    document = f"ticket/{view.id}/submit/sales"
    connection, wire = await world.yjs(document, SALES)
    _, other_wire = await world.yjs(document, SALES_2)
    data = forge()

    connection.receive(ysync.encode_update(data))
    await world.settle()

    assert (4422, code) == (wire.closed[0], wire.closed[1].split(":")[0])
    assert [(document, "sales-1", code, data)] == [
        (row.document, row.actor, row.code, row.data) for row in store.quarantine
    ]
    assert other_wire.closed is None
    assert () == (await store.document(document)).updates


async def test_two_replicas_with_one_client_id_are_told_apart(world):
    view = await world.opened()
    document = f"ticket/{view.id}/submit/sales"
    first, _ = await world.yjs(document, SALES)
    second, wire = await world.yjs(document, SALES)
    quote = world.made(SALES, view, "sales", "quote", [view.id])
    lose = world.made(SALES, view, "sales", "lose", [view.id])
    first.receive(ysync.encode_update(SubmitDocument(9).append_transition(quote.record)))
    await world.settle()

    second.receive(ysync.encode_update(SubmitDocument(9).append_transition(lose.record)))
    await world.settle()
    assert (4422, "client_id_reused") == (wire.closed[0], wire.closed[1].split(":")[0])

    again, _ = await world.yjs(document, SALES)
    again.receive(ysync.encode_update(SubmitDocument(10).append_transition(lose.record)))
    await world.settle()
    assert 3 == len(await world.store.journal(view.id)), "under a fresh client id nothing is lost"


async def test_clocks_that_do_not_exist_yet_are_held_and_never_stored(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/submit/sales"
    connection, wire = await world.yjs(document, SALES)
    ahead = SubmitDocument(9)
    ahead.append_transition("one")

    connection.receive(ysync.encode_update(ahead.append_transition("two")))
    await world.settle()

    assert wire.closed is None
    assert () == (await store.document(document)).updates
    assert ysync.Step1 is type(ysync.decode(wire.frames[-1]))


@pytest.mark.parametrize(
    ("part", "principal", "code"),
    [
        ("log", STRANGER, 4403),
        ("form/sales", SUPPORT, 4403),
        ("submit/sales", TECH, 4403),
        ("talk", BACKOFFICE, 4403),
        ("card", GATEWAY, 4403),
        ("form/nothing", SALES, 4403),
        ("nonsense", SALES, 4404),
        ("submit", SALES, 4404),
    ],
)
async def test_a_document_that_is_not_for_the_caller_is_never_opened(world, part, principal, code):
    view = await world.opened()

    _, wire = await world.yjs(f"ticket/{view.id}/{part}", principal)

    assert code == wire.closed[0]
    assert [] == wire.frames


async def test_a_ticket_that_is_not_there_yet_may_be_asked_for_again(world):
    missing = "a" * 52

    _, wire = await world.yjs(f"ticket/{missing}/log", SALES)
    assert 4504 == wire.closed[0]

    _, wire = await world.yjs(f"ticket/{missing}/submit/sales", SALES)
    assert wire.closed is None


async def test_nobody_writes_the_log(world, store):
    view = await world.opened()
    connection, wire = await world.yjs(f"ticket/{view.id}/log", SALES)
    rows = len((await store.document(f"ticket/{view.id}/log")).updates)
    doc = pycrdt.Doc(client_id=9)
    doc.get("log", type=pycrdt.Array).append("forged")

    connection.receive(ysync.encode_update(doc.get_update()))
    await world.settle()

    assert b"read_only" in wire.frames[-1]
    assert wire.closed is None
    assert rows == len((await store.document(f"ticket/{view.id}/log")).updates)


async def test_a_reader_that_gives_back_what_is_known_is_acknowledged_like_anybody(world, store):
    view = await world.opened()
    address = f"ticket/{view.id}/log".encode()
    connection, wire = world.collab()
    connection.receive(hocuspocus.encode_token(address, "sales-1"))
    await world.settle()
    known = (await world.rooms.get(address.decode())).document.diff(b"\0")

    connection.receive(hocuspocus.encode_step2(address, known))
    await world.settle()

    assert hocuspocus.encode_sync_status(address, accepted=True) == wire.frames[-1]


async def test_if_a_batch_fails_only_the_failing_document_is_refused(world, store):
    view, other = await world.opened(), await world.opened()
    good, good_wire = await world.yjs(f"ticket/{view.id}/card", SALES)
    bad_document = f"ticket/{other.id}/card"
    address = bad_document.encode()
    bad, bad_wire = world.collab()
    bad.receive(hocuspocus.encode_token(address, "sales-1"))
    await world.settle()
    bad_wire.frames.clear()
    store.refuses = lambda batch: any(row.document == bad_document for row in batch.updates)

    good.receive(ysync.encode_update(card_edit(100)))
    bad.receive(hocuspocus.encode_update(address, card_edit(101)))
    await world.settle()

    assert [card_edit(100)] == updates(good_wire)
    assert hocuspocus.encode_sync_status(address, accepted=False) in bad_wire.frames
    assert hocuspocus.encode_sync_status(address, accepted=True) not in bad_wire.frames
    assert bad_wire.closed is None


async def test_after_a_failed_commit_the_client_is_asked_again_and_nothing_is_lost(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    connection, wire = await world.yjs(document, SALES)
    card = CardDocument(77)
    first = card.set_fields({"tags": "One"})
    store.refuses = lambda batch: True
    connection.receive(ysync.encode_update(first))
    await world.settle()
    assert [] == updates(wire)
    store.refuses = lambda batch: False

    asked = [frame for frame in map(ysync.decode, wire.frames) if isinstance(frame, ysync.Step1)][-1]
    assert 77 not in decode_state_vector(asked.state_vector), "the room forgot what was never committed"
    second = card.set_fields({"priority": "high"})
    connection.receive(ysync.encode_update(second))
    await world.settle()
    assert [] == updates(wire), "it builds on what was not stored"
    connection.receive(ysync.encode_step2(card.diff(encode_state_vector({}))))
    await world.settle()

    shown = (await world.tickets.get(SALES, view.id)).card
    assert ("One", "high") == (shown["tags"], shown["priority"])


async def test_with_the_store_down_nothing_is_relayed_and_sessions_and_presence_stay(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    author, author_wire = await world.yjs(document, SALES)
    _, other_wire = await world.yjs(document, TECH)
    store.down = True

    author.receive(ysync.encode_update(card_edit()))
    author.receive(ysync.encode_awareness(encode([State(5, 1, "{}")])))
    await world.settle()

    assert [] == updates(author_wire) == updates(other_wire)
    assert author_wire.closed is None is other_wire.closed
    assert ysync.encode_awareness(encode([State(5, 1, "{}")])) in other_wire.frames


async def test_a_client_that_leaves_takes_its_presence_along(world):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    author, _ = await world.yjs(document, SALES)
    author.receive(ysync.encode_awareness(encode([State(5, 1, "{}")])))
    await world.settle()
    _, wire = await world.yjs(document, TECH)
    assert ysync.encode_awareness(encode([State(5, 1, "{}")])) in wire.frames, "a newcomer sees who is there"

    author.ended()
    await world.settle()

    assert ysync.encode_awareness(encode([State(5, 1, None)])) == wire.frames[-1]


async def test_a_plain_document_exists_only_where_that_is_switched_on(store):
    world = await World.start(store, open_documents=True)
    connection, wire = await world.yjs("notes", SALES)
    doc = pycrdt.Doc(client_id=9)
    doc.get("anything", type=pycrdt.Text).insert(0, "free")

    connection.receive(ysync.encode_update(doc.get_update()))
    await world.settle()

    assert [doc.get_update()] == updates(wire)
    assert 1 == len(decode((await store.document("notes")).updates[0].data).structs)
    await world.stop()


async def test_without_that_switch_a_plain_name_can_never_be_a_document(world):
    _, wire = await world.yjs("notes", SALES)

    assert 4404 == wire.closed[0]


async def test_a_plain_name_that_is_none_opens_nothing(store):
    world = await World.start(store, open_documents=True)
    _, wire = await world.yjs("a\0b", SALES)
    await world.stop()

    assert (4404, "unknown_document") == (wire.closed[0], wire.closed[1].partition(":")[0])


async def test_a_wrong_token_is_refused_in_band(world):
    connection, wire = world.collab()

    connection.receive(hocuspocus.encode_token(b"d", "wrong"))
    await world.settle()

    assert [hocuspocus.encode_permission_denied(b"d", "unauthenticated: The token is wrong.")] == wire.frames
    assert wire.closed is None


async def test_a_restarted_service_has_every_acknowledged_update(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    connection, wire = await world.yjs(document, SALES)
    connection.receive(ysync.encode_update(card_edit()))
    await world.settle()
    assert 1 == len(updates(wire))

    again = await World.start(store)
    reader, wire = await again.yjs(document, TECH)
    reader.receive(ysync.encode_step1(b"\0"))
    await again.settle()

    copy = CardDocument(5)
    copy.apply_committed(step2(wire))
    assert "Bakery" == copy.card()["priority"]
    await again.stop()


async def test_a_stopping_service_closes_its_sockets_with_a_code_that_brings_them_back(world):
    view = await world.opened()
    _, wire = await world.yjs(f"ticket/{view.id}/card", SALES)

    await world.connections.stop(1012, "restarting")

    assert (1012, "restarting") == wire.closed


async def test_a_client_that_sends_a_refused_struct_for_ever_costs_one_row(world, store):
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    forbidden = FormDocument(77).append_note("no card has notes")
    for _ in range(5):
        connection, wire = await world.yjs(document, SALES)
        for _ in range(5):
            connection.receive(ysync.encode_update(forbidden))
        await world.settle()
        assert 4422 == wire.closed[0]

    assert 1 == sum(len(batch.quarantined) for batch in store.batches)
    assert 0 == len((await store.document(document)).updates) - 1, "the title alone"


async def test_a_member_is_relayed_nothing_between_its_question_and_the_answer(world, store):
    """What is committed in between is in the answer; before it, the copy has no place for it."""
    view = await world.opened()
    document = f"ticket/{view.id}/card"
    author, author_wire = await world.yjs(document, SALES)
    reader, wire = await world.yjs(document, TECH)
    card = CardDocument(77)
    first, second, third = (card.set_fields({"priority": number}) for number in (1, 2, 3))
    store.gate.clear()
    for update in (first, second):
        author.receive(ysync.encode_update(update))
        author.take()
    reader.receive(ysync.encode_step1(b"\0"))
    author.receive(ysync.encode_step1(b"\0"))
    wire.frames.clear()
    store.gate.set()
    await world.settle()
    author.receive(ysync.encode_update(third))
    await world.settle()

    assert ["Step2", "Update"] == [type(ysync.decode(frame)).__name__ for frame in wire.frames]
    copy = CardDocument(5)
    for frame in map(ysync.decode, wire.frames):
        copy.apply_committed(frame.update)
    assert 3 == copy.card()["priority"]
    assert [first, second, third] == updates(author_wire), "who asks himself is acknowledged all the same"


async def test_bytes_of_a_stranger_are_refused_and_not_kept(world, store):
    connection, wire = world.collab()
    connection.receive(b"\xff")
    await world.settle()

    assert (4422, []) == (wire.closed[0], list(store.quarantine))
    assert 1 == world.meter.refusals["collab", "malformed"]


async def test_refused_bytes_are_not_kept_while_too_much_waits(world, store, monkeypatch):
    monkeypatch.setattr(limits, "COMMIT_QUEUE_BYTES_MAX", -1)
    connection, wire = await world.yjs(f"ticket/{(await world.opened()).id}/card", SALES)
    connection.receive(b"\xff")
    await world.settle()

    assert (4422, []) == (wire.closed[0], list(store.quarantine))

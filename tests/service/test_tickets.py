"""Commands of callers without a CRDT client, over the real committer."""

import asyncio
import dataclasses

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain.access import Principal
from crdt_sync.errors import (
    Conflict,
    Forbidden,
    Malformed,
    NotFound,
    NotThereYet,
    PreconditionMissing,
    PreconditionUnknown,
    Refused,
    Unavailable,
)
from crdt_sync.ports import TicketFilter
from crdt_sync.service import tickets
from crdt_sync.wire import ysync
from tests.fakes import START_MS
from tests.gated_store import GatedStore
from tests.world import BACKOFFICE, GATEWAY, LEAD, SALES, SALES_2, STRANGER, SUPPORT, TECH, World

ALL = TicketFilter(department="anything")


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store)
    yield world
    await world.stop()


async def test_a_ticket_is_opened_with_its_card_and_shown_to_every_participant(world):
    view = await world.opened(card={"customer": "Bakery"})

    assert ("presale", "normal", {"title": "Fibre for the bakery", "customer": "Bakery"}) == (
        view.stage,
        view.kind,
        view.card,
    )
    assert view == await world.tickets.get(TECH, view.id)
    assert str(view.version) == view.to_json()["version"]
    assert view.to_json()["opened_at"].endswith("Z")


async def test_signed_meets_pending(world):
    view = await world.opened()
    view = await world.do(SALES, view, "sales", "quote", payload={"price": "120.00"})
    view = await world.do(SALES, view, "sales", "sign")

    assert ("ready_to_start", "pending") == (view.stage, view.lanes["tech"])


async def test_a_stale_seen_is_judged_in_what_was_seen_and_merges(world):
    view = await world.opened()
    view = await world.do(SALES, view, "sales", "quote")
    view = await world.do(SALES, view, "sales", "sign")

    await world.do(TECH, view, "tech", "start")
    merged = await world.do(SALES, view, "sales", "withdraw")

    assert ("stop_work", "compensation") == (merged.stage, merged.kind)
    assert [{"tech": ["halt", "dismantle"]}] == [entry["owes"] for entry in merged.obligations]


async def test_a_move_that_was_not_enabled_in_what_was_seen_is_a_conflict_that_says_why(world):
    view = await world.opened()

    with pytest.raises(Conflict, match="starts from quoted, but sales was 'lead'") as caught:
        await world.do(SALES, view, "sales", "sign")
    assert "from" == caught.value.code
    with pytest.raises(Conflict, match="sales was 'lead'") as caught:
        await world.do(TECH, view, "tech", "start")
    assert "if" == caught.value.code
    with pytest.raises(Conflict, match="roles sales_lead") as caught:
        await world.do(SALES, view, "sales", "rule_lost")
    assert "role" == caught.value.code
    assert 1 == len(await world.store.journal(view.id))


@pytest.mark.parametrize("seen", ["0", "999999", "x", "", "-1", "1" * 30, "٣"])
async def test_an_unknown_seen_is_refused(world, seen):
    view = await world.opened()

    with pytest.raises(PreconditionUnknown):
        await world.tickets.transition(SALES, view.id, lane="sales", name="quote", seen=seen)


async def test_a_missing_seen_is_refused(world):
    view = await world.opened()

    with pytest.raises(PreconditionMissing):
        await world.tickets.transition(SALES, view.id, lane="sales", name="quote", seen=None)


async def test_a_version_of_another_ticket_is_unknown(world):
    view, other = await world.opened(), await world.opened()

    with pytest.raises(PreconditionUnknown):
        await world.tickets.transition(SALES, view.id, lane="sales", name="quote", seen=str(other.version))


async def test_another_departments_lane_is_forbidden(world):
    view = await world.opened()

    with pytest.raises(Forbidden) as caught:
        await world.do(TECH, view, "sales", "quote")
    assert "lane_owner" == caught.value.code


@pytest.mark.parametrize(("lane", "name"), [("sales", "fly"), ("nothing", "quote"), ("case", "open")])
async def test_an_unknown_transition_is_malformed(world, lane, name):
    view = await world.opened()

    with pytest.raises(Malformed) as caught:
        await world.do(SALES, view, lane, name)
    assert "unknown_transition" == caught.value.code


async def test_a_payload_of_the_wrong_type_is_refused_and_one_of_the_right_type_is_kept_in_the_form(world):
    view = await world.opened()

    with pytest.raises(Malformed) as caught:
        await world.do(SALES, view, "sales", "quote", payload={"price": "much"})
    assert "payload" == caught.value.code
    await world.do(SALES, view, "sales", "quote", payload={"price": "12.50"})

    form = (await world.rooms.get(f"ticket/{view.id}/form/sales")).document
    (text,) = form.payloads().values()
    assert '"price":"12.50"' in text


async def test_the_same_key_and_request_gets_the_first_result_although_the_ticket_went_on(world):
    view = await world.opened()
    asked = {"lane": "sales", "name": "quote", "seen": str(view.version), "request_id": "k1"}
    first = await world.tickets.transition(SALES, view.id, **asked)
    await world.do(SALES, first.ticket, "sales", "sign")

    assert first == await world.tickets.transition(SALES, view.id, **asked)
    assert 3 == len(await world.store.journal(view.id))


async def test_the_same_key_for_another_request_is_a_conflict_and_for_another_actor_it_is_another_key(world):
    view = await world.opened(request_id="k1")

    with pytest.raises(Conflict) as caught:
        await world.tickets.open(SALES, title="Another", request_id="k1")
    assert "idempotency_key_reused" == caught.value.code
    assert (await world.tickets.open(BACKOFFICE, title="Another", request_id="k1")).ticket.id != view.id


async def test_two_requests_with_one_key_in_one_batch_make_one_ticket(world, store):
    store.gate.clear()
    both = [asyncio.ensure_future(world.tickets.open(SALES, title="One", request_id="k")) for _ in range(2)]
    await world.settle()
    store.gate.set()

    first, second = await asyncio.gather(*both)

    assert first == second


@pytest.mark.parametrize("key", ["", "x" * 256, "ключ", "a\nb"])
async def test_a_key_that_no_header_could_carry_is_refused(world, key):
    with pytest.raises(Malformed):
        await world.tickets.open(SALES, title="One", request_id=key)


async def test_a_subject_has_one_ticket_for_ever(world):
    first = await world.tickets.open(SALES, title="One", subject="order-7")

    world.clock.advance(60_000)
    again = await world.tickets.open(BACKOFFICE, title="Two", subject="order-7")

    assert (first.ticket, False) == (again.ticket, again.created), "as it stands, nothing updated"


async def test_two_openings_of_one_subject_in_one_batch_make_one_ticket(world, store):
    store.gate.clear()
    both = [asyncio.ensure_future(world.tickets.open(SALES, title="One", subject="order-8")) for _ in range(2)]
    await world.settle()
    store.gate.set()

    first, second = await asyncio.gather(*both)

    assert first.ticket.id == second.ticket.id
    assert {True, False} == {first.created, second.created}


async def test_a_subject_whose_ticket_is_not_for_the_caller_is_a_conflict_without_an_id(world):
    one, other = await world.opened(subject="order-9"), await world.opened()
    narrow = Principal("sales-3", "sales", ("sales",), tickets=(other.id,))

    with pytest.raises(Conflict) as caught:
        await world.tickets.open(narrow, title="", subject="order-9")
    assert one.id not in caught.value.message


async def test_chat_subjects_belong_to_the_gateway(world):
    with pytest.raises(Forbidden) as caught:
        await world.tickets.open(SALES, title="", subject="chat:abc")
    assert "chat_subject" == caught.value.code


async def test_only_the_roles_that_the_lifecycle_names_open_tickets(world):
    with pytest.raises(Forbidden) as caught:
        await world.tickets.open(TECH, title="")
    assert "open_by" == caught.value.code
    with pytest.raises(Forbidden) as caught:
        await world.tickets.open(STRANGER, title="")
    assert "department" == caught.value.code


async def test_without_a_role_nothing_is_opened_and_nothing_moves(world):
    view, nobody = await world.opened(), Principal("sales-1", "sales", ())

    with pytest.raises(Forbidden) as caught:
        await world.tickets.open(nobody, title="")
    assert "role_not_held" == caught.value.code
    with pytest.raises(Forbidden) as caught:
        await world.do(nobody, view, "sales", "quote")
    assert "role_not_held" == caught.value.code


async def test_an_unknown_lifecycle_is_not_found(world):
    with pytest.raises(NotFound):
        await world.tickets.open(SALES, title="", lifecycle="0" * 64)


async def test_a_ticket_that_is_not_for_the_caller_is_as_good_as_none(world):
    view, other = await world.opened(), await world.opened()
    narrow = Principal("sales-3", "sales", ("sales",), tickets=(other.id,))
    for principal in (STRANGER, narrow):
        calls = [
            world.tickets.get(principal, view.id),
            world.tickets.messages(principal, view.id),
            world.tickets.history(principal, view.id),
            world.tickets.explain(principal, view.id, "en"),
            world.tickets.form(principal, view.id, "sales"),
            world.tickets.update_card(principal, view.id, fields={"title": "x"}),
            world.tickets.update_form(principal, view.id, "sales", fields={}, note="x"),
            world.tickets.post_message(principal, view.id, text="x"),
            world.tickets.transition(principal, view.id, lane="sales", name="quote", seen=str(view.version)),
        ]
        for call in calls:
            with pytest.raises(NotThereYet) as caught:
                await call
            assert "no_ticket" == caught.value.code


async def test_a_gateway_reads_and_changes_no_tickets(world):
    view = await world.opened()

    with pytest.raises(Forbidden):
        await world.tickets.get(GATEWAY, view.id)
    with pytest.raises(Forbidden):
        await world.tickets.list(GATEWAY, ALL)
    with pytest.raises(Forbidden):
        await world.tickets.open(GATEWAY, title="x")


async def test_a_list_holds_the_callers_tickets_whatever_department_it_asks_for(world):
    one, other = await world.opened(), await world.opened()
    narrow = Principal("sales-3", "sales", ("sales",), tickets=(other.id,))

    assert {one.id, other.id} == {view.id for view in (await world.tickets.list(SALES, ALL)).tickets}
    assert [other.id] == [view.id for view in (await world.tickets.list(narrow, ALL)).tickets]
    assert [] == list((await world.tickets.list(STRANGER, TicketFilter(department="sales"))).tickets)


async def test_a_list_goes_on_where_it_stopped(world):
    ids = {(await world.opened()).id for _ in range(3)}

    first = await world.tickets.list(SALES, ALL, limit=2)
    rest = await world.tickets.list(SALES, ALL, after=first.next, limit=2)

    assert (2, None) == (len(first.tickets), rest.next)
    assert ids == {view.id for page in (first, rest) for view in page.tickets}


async def test_a_page_has_so_many_tickets_whatever_is_asked_for(world, monkeypatch):
    monkeypatch.setattr(tickets, "PAGE_TICKETS_MAX", 1)
    for _ in range(2):
        await world.opened()

    page = await world.tickets.list(SALES, ALL, limit=100)
    assert page.next == page.tickets[-1].id
    assert 1 == len(page.tickets)


async def test_a_request_id_has_so_many_characters(world):
    view = await world.opened()
    await world.tickets.update_card(SALES, view.id, fields={}, request_id="k" * 255)
    with pytest.raises(Malformed) as refused:
        await world.tickets.update_card(SALES, view.id, fields={}, request_id="k" * 256)

    assert "idempotency_key" == refused.value.code


async def test_the_card_is_changed_field_by_field(world):
    view = await world.opened()

    changed = await world.tickets.update_card(TECH, view.id, fields={"priority": "high"}, request_id="c1")

    assert {"title": "Fibre for the bakery", "priority": "high"} == changed.card
    assert changed == await world.tickets.update_card(TECH, view.id, fields={"priority": "high"}, request_id="c1")
    assert changed == await world.tickets.get(SALES, view.id)


async def test_a_lane_is_taken_by_its_own_department_and_the_explanation_says_who_has_it(world):
    view = await world.opened()
    for denied in (TECH, dataclasses.replace(SALES, read_only=True)):
        with pytest.raises(Forbidden):
            await world.tickets.take(denied, view.id, "sales")
    with pytest.raises(Forbidden):
        await world.tickets.take(SALES, view.id, "nothing")

    first = await world.tickets.take(SALES, view.id, "sales", request_id="t1")
    assert ("sales-1", f"{START_MS} taken") == (first.card["assignee.sales"], first.card["hold.sales.sales-1"])
    assert first == await world.tickets.take(SALES, view.id, "sales", request_id="t1")
    second = await world.tickets.take(SALES_2, view.id, "sales")
    assert second.card == (await world.tickets.get(TECH, view.id)).card
    assert {"assignee.sales", "hold.sales.sales-2", "title"} == second.card.keys(), "the one who was seen is replaced"
    assert "Sales is with sales-2: taken at" in (await world.tickets.explain(TECH, view.id, "en")).lines[-1]


async def test_nobody_writes_a_hold_in_anothers_name(world):
    view = await world.opened()
    with pytest.raises(Refused):
        await world.tickets.update_card(SALES, view.id, fields={"hold.sales.sales-1": "1 taken"})


async def test_a_field_that_a_card_cannot_hold_is_refused_and_nothing_changes(world):
    view = await world.opened()

    with pytest.raises(Refused):
        await world.tickets.update_card(SALES, view.id, fields={"priority": "high", "colour": "red"})

    assert view == await world.tickets.get(SALES, view.id)


async def test_a_form_is_for_its_owner_to_write_and_for_its_readers_to_read(world):
    view = await world.opened()
    written = await world.tickets.update_form(TECH, view.id, "tech", fields={"port": 7}, note="second floor, 二楼")

    assert ({"port": 7}, "second floor, 二楼\n") == (written.fields, written.notes)
    shown = await world.tickets.form(TECH, view.id, "tech")
    assert (written.fields, written.notes) == (shown.fields, shown.notes)
    with pytest.raises(Forbidden):
        await world.tickets.form(SALES, view.id, "tech")
    with pytest.raises(Forbidden):
        await world.tickets.update_form(SALES, view.id, "tech", fields={}, note="x")
    with pytest.raises(Forbidden):
        await world.tickets.form(SALES, view.id, "nothing")


async def test_the_conversation_is_for_those_whom_the_lifecycle_names(world):
    view = await world.opened()
    posted = await world.tickets.post_message(SUPPORT, view.id, text="We look into it.", request_id="m1")

    assert posted == await world.tickets.post_message(SUPPORT, view.id, text="We look into it.", request_id="m1")
    (shown,) = await world.tickets.messages(SALES, view.id)
    assert (posted.message, "agent", "support-1") == (shown["id"], shown["kind"], shown["author"])
    with pytest.raises(Forbidden):
        await world.tickets.post_message(BACKOFFICE, view.id, text="x")
    with pytest.raises(Forbidden):
        await world.tickets.messages(BACKOFFICE, view.id)
    with pytest.raises(Malformed):
        await world.tickets.post_message(SALES, view.id, text="")


async def test_a_conversation_has_so_many_messages_and_no_more(world, monkeypatch):
    from crdt_sync.service import commands

    view = await world.opened()
    await world.tickets.post_message(SALES, view.id, text="one")
    monkeypatch.setattr(commands, "MESSAGES_PER_TICKET_MAX", 1)

    with pytest.raises(Conflict) as caught:
        await world.tickets.post_message(SALES, view.id, text="two")
    assert "too_many" == caught.value.code


async def test_a_ticket_has_so_many_transitions_and_no_more(world, monkeypatch):
    from crdt_sync.service import admission

    view = await world.opened()
    monkeypatch.setattr(admission, "TRANSITIONS_PER_TICKET_MAX", 1)  # its opening
    made = world.made(SALES, view, "sales", "quote", (view.id,))
    connection, _ = await world.yjs(f"ticket/{view.id}/submit/sales", SALES)
    connection.receive(ysync.encode_update(SubmitDocument(1_000).append_transition(made.record)))
    await world.settle()

    assert 1 == len(await world.tickets.history(TECH, view.id))
    log = (await world.rooms.get(f"ticket/{view.id}/log")).document
    assert {made.id: "too_many"} == log.refused()


async def test_a_time_that_no_calendar_has_spoils_no_history(world):
    view = await world.opened()
    made = world.made(SALES, view, "sales", "quote", (view.id,), at=2**53 - 1)
    connection, _ = await world.yjs(f"ticket/{view.id}/submit/sales", SALES)
    connection.receive(ysync.encode_update(SubmitDocument(1_000).append_transition(made.record)))
    await world.settle()

    assert ["2023-11-14T22:13:20.000Z", "9999-12-31T23:59:59.999Z"] == [
        entry["at"] for entry in await world.tickets.history(TECH, view.id)
    ]


async def test_the_history_says_what_became_of_each_transition(world):
    view = await world.opened()
    view = await world.do(SALES, view, "sales", "quote")
    await world.do(SALES, view, "sales", "sign")
    await world.do(LEAD, view, "sales", "lose")

    history = await world.tickets.history(TECH, view.id)

    assert [("open", None), ("quote", "superseded"), ("sign", "contested"), ("lose", "contested")] == [
        (entry["name"], entry.get("status")) for entry in history
    ]


async def test_the_explanation_speaks_both_languages(world):
    view = await world.opened()

    english = await world.tickets.explain(SALES, view.id, "en")
    chinese = await world.tickets.explain(SALES, view.id, "zh")

    assert view == english.ticket == chinese.ticket
    assert len(english.lines) == len(chinese.lines) > 1
    assert english.lines[0].isascii()
    assert not chinese.lines[0].isascii()


async def test_the_events_of_a_merge_name_what_changed_and_who_may_know(world):
    view = await world.opened()
    view = await world.do(SALES, view, "sales", "quote")
    view = await world.do(SALES, view, "sales", "sign")
    await world.do(TECH, view, "tech", "start")
    await world.do(SALES, view, "sales", "withdraw")
    await world.tickets.post_message(SALES, view.id, text="x")

    events = await world.store.events(0)

    kinds = [event.type for event in events]
    assert kinds[0:2] == ["opened", "stage_changed"]
    assert "obligation_raised" in kinds
    assert {"tech": ["halt", "dismantle"]} == next(e for e in events if e.type == "obligation_raised").data["owes"]
    assert world.lifecycles.default.departments == events[0].audience
    assert world.lifecycles.default.talk == events[-1].audience


async def test_a_traceparent_goes_into_every_row_that_a_command_writes(world, store):
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"

    await world.opened(trace=trace)

    batch = store.batches[-1]
    assert {trace} == {row.traceparent for row in (*batch.updates, *batch.transitions, *batch.events, *batch.tickets)}


async def test_a_command_that_cannot_be_stored_is_unavailable_and_changes_nothing(world, store):
    view = await world.opened()
    store.down = True

    with pytest.raises(Unavailable):
        await world.do(SALES, view, "sales", "quote")

    store.down = False
    assert "quoted" == (await world.do(SALES, view, "sales", "quote")).lanes["sales"]


async def test_a_command_after_the_end_is_unavailable(world):
    view = await world.opened()
    await world.committer.stop()

    with pytest.raises(Unavailable):
        await world.do(SALES, view, "sales", "quote")

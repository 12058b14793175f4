"""What is to be sent: written with the answer, given out in order, and what became of it shown on the ticket."""

import asyncio
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain import message
from crdt_sync.domain.delivery import OPEN, DeliveryState
from crdt_sync.domain.identity import Identity
from crdt_sync.errors import Conflict, Forbidden, NotFound, TooMany, Unavailable
from crdt_sync.ports.outbox import OutboxFilter
from crdt_sync.service.heard import TAIL_MESSAGES, Heard
from crdt_sync.service.outbox import CLAIMERS_PER_CALLER_MAX, KEPT_DAYS, LEASE_MS, TEND_MS
from crdt_sync.service.sending import Report, lease_of
from crdt_sync.wire import ysync
from tests.gated_store import GatedStore
from tests.replica.loopback import until
from tests.world import GATEWAY, SALES, SUPPORT, World, arrival

OTHER_GATEWAY = replace(GATEWAY, actor="gateway-2")
FOREIGN_GATEWAY = replace(GATEWAY, actor="gateway-3", accounts=("another-shop",))


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store)
    yield world
    await world.stop()


async def chat(world, conversation="customer-1", **more):
    """The ticket of a conversation that a customer began."""
    asked = arrival(f"from {conversation}", conversation=conversation, sender=conversation, **more)
    (made,) = await world.tickets.ingest(GATEWAY, [asked])
    return made.ticket


def claim(world, principal=GATEWAY, accounts=(), idempotent=(), in_flight_max=0):
    identity = Identity(principal, None)
    return world.outbox.claim(identity, accounts=accounts, idempotent=idempotent, in_flight_max=in_flight_max)


async def ready(world, claiming):
    """Everything that a claimer is given without waiting."""
    given_out = []
    while True:
        fetching = asyncio.ensure_future(anext(claiming))
        await world.settle()
        if not fetching.done():
            fetching.cancel()
            return given_out
        given_out.append(fetching.result())


async def report(world, row, outcome, principal=GATEWAY, **more):
    return await world.outbox.report(principal, Report(row.id, lease_of(row), outcome, **more))


async def fates(world, ticket):
    """What the ticket shows of each part of its answers."""
    await world.settle()
    return (await world.rooms.get(f"ticket/{ticket}/talk")).document.deliveries()


async def events(world):
    return [event.data for event in await world.store.events(0) if event.type == "delivery"]


async def test_an_answer_is_in_the_outbox_by_the_commit_that_admits_it(world, store):
    ticket = await chat(world)
    posted = await world.tickets.post_message(SALES, ticket, text="We will call you.")

    holding = [batch for batch in store.batches if batch.deliveries]
    assert 1 == len(holding)
    assert [posted.message] == [new.id for new in holding[0].messages]
    (row,) = await store.deliveries(OutboxFilter())
    assert ("wechat", "shop", "customer-1") == (row.channel, row.account, row.conversation)
    assert (ticket, posted.message, 0) == (row.ticket, row.message, row.index)
    assert '{"text":"We will call you.","type":"text"}' == row.content


async def test_a_commit_that_fails_leaves_neither_the_answer_nor_its_row(world, store):
    ticket = await chat(world)
    store.refuses = lambda batch: bool(batch.deliveries)
    with pytest.raises(Unavailable):
        await world.tickets.post_message(SALES, ticket, text="We will call you.")

    assert [] == await store.deliveries(OutboxFilter())
    assert 1 == len(await store.messages(ticket))


async def test_an_answer_that_was_typed_offline_is_sent_part_by_part(world, store):
    ticket = await chat(world)
    parts = ({"type": "text", "text": "See"}, {"type": "image", "ref": "media-1", "name": "plan.png"})
    posted = message.make(ticket=ticket, kind="agent", author=SALES.actor, at=1, parts=parts, salt="0" * 32)
    await submit(world, SALES, ticket, posted.record)

    assert [(posted.id, 0), (posted.id, 1)] == [(row.message, row.index) for row in await rows(store)]


async def test_an_answer_is_told_with_its_author_s_department_and_a_chat_with_its_channel(world, store):
    ticket = await chat(world)
    await world.tickets.post_message(SALES, ticket, text="We will call you.")
    typed = ({"type": "text", "text": "So will we."},)
    offline = message.make(ticket=ticket, kind="agent", author=SUPPORT.actor, at=1, parts=typed, salt="0" * 32)
    await submit(world, SUPPORT, ticket, offline.record)
    await world.tickets.ingest(GATEWAY, [arrival("on the platform", kind="agent")])

    told = await store.events(0)
    assert ["sales", "support", None] == [event.data["department"] for event in told if event.type == "answered"]
    bound = [event.data for event in told if event.type == "conversation_bound"]
    assert [{"channel": "wechat", "account": "shop"}] == bound


async def rows(store):
    return await store.deliveries(OutboxFilter())


async def submit(world, principal, ticket, record):
    """Append to the department's own document, as a replica does that was offline."""
    connection, _ = await world.yjs(f"ticket/{ticket}/submit/{principal.department}", principal)
    connection.receive(ysync.encode_update(SubmitDocument(7).append_message(record)))
    await world.settle()


async def answered(world, *texts, conversation="customer-1"):
    """A conversation with answers in it."""
    ticket = await chat(world, conversation)
    for text in texts:
        await world.tickets.post_message(SALES, ticket, text=text)
    return ticket


async def test_a_ticket_that_is_no_chats_has_nobody_to_send_to(world, store):
    view = await world.opened()
    await world.tickets.post_message(SALES, view.id, text="We will call you.")

    assert [] == await rows(store)


async def test_after_a_restart_a_ticket_still_knows_whom_it_answers(world, store):
    ticket = await chat(world)
    again = await World.start(store)
    await again.tickets.post_message(SALES, ticket, text="We will call you.")
    await again.stop()

    assert ["customer-1"] == [row.conversation for row in await rows(store)]


async def test_what_an_agent_said_on_the_platform_itself_is_not_sent_again(world, store):
    await world.tickets.ingest(GATEWAY, [arrival("k1"), arrival("k2", kind="agent", sender="clerk")])

    assert [] == await rows(store)


async def test_a_replayed_answer_is_sent_once(world, store):
    ticket = await chat(world)
    for _ in range(2):
        await world.tickets.post_message(SALES, ticket, text="We will call you.", request_id="r1")

    assert 1 == len(await rows(store))


async def test_a_claimer_gets_each_conversations_first_part_and_the_next_once_that_is_sent(world):
    await answered(world, "one", "two")
    await answered(world, "three", conversation="customer-2")
    claiming = claim(world)

    first = await ready(world, claiming)
    assert [("customer-1", 1), ("customer-2", 1)] == [(row.conversation, row.attempts) for row in first]
    await report(world, first[0], "sent", platform_id="p1")
    (second,) = await ready(world, claiming)
    assert '{"text":"two","type":"text"}' == second.content


async def test_who_waits_hears_of_a_new_answer_by_its_commit(world):
    ticket = await chat(world)
    claiming = claim(world)
    waiting = asyncio.ensure_future(anext(claiming))
    await world.settle()
    assert not waiting.done()

    posted = await world.tickets.post_message(SALES, ticket, text="We will call you.")
    await world.settle()
    assert posted.message == waiting.result().message


async def test_two_gateways_never_hold_one_part_at_once(world):
    for number in range(6):
        await answered(world, "hello", conversation=f"customer-{number}")
    one, two = claim(world, in_flight_max=3), claim(world, OTHER_GATEWAY)

    first, second = await ready(world, one), await ready(world, two)
    assert (3, 3) == (len(first), len(second))
    assert 6 == len({row.id for row in [*first, *second]})


async def test_no_more_is_in_flight_than_the_claimer_wants(world):
    for number in range(3):
        await answered(world, "hello", conversation=f"customer-{number}")
    claiming = claim(world, in_flight_max=2)

    first = await ready(world, claiming)
    assert 2 == len(first)
    await report(world, first[0], "begun")
    assert [] == await ready(world, claiming)
    await report(world, first[0], "sent")
    assert 1 == len(await ready(world, claiming))


async def test_the_lease_of_a_gateway_that_died_before_it_began_comes_back(world):
    await answered(world, "hello")
    (held,) = await ready(world, claim(world))

    another = claim(world, OTHER_GATEWAY)
    assert [] == await ready(world, another)
    world.clock.advance(LEASE_MS)
    world.outbox.notice()
    (again,) = await ready(world, another)
    assert (held.id, 2) == (again.id, again.attempts)
    with pytest.raises(Conflict) as late:
        await report(world, held, "begun")
    assert "lease_lost" == late.value.code


async def test_who_leaves_gives_back_at_once_what_was_not_begun(world):
    await answered(world, "hello")
    await answered(world, "hello", conversation="customer-2")
    leaving = claim(world)
    begun, given_back = await ready(world, leaving)
    await report(world, begun, "begun")

    await leaving.close()
    assert [given_back.id] == [row.id for row in await ready(world, claim(world))]


async def test_what_was_begun_by_a_gateway_that_died_is_unknown_and_waits(world, store):
    await answered(world, "one", "two")
    (held,) = await ready(world, claim(world))
    await report(world, held, "begun")
    world.clock.advance(LEASE_MS)

    assert [] == await ready(world, claim(world, OTHER_GATEWAY))
    assert [DeliveryState.UNKNOWN, DeliveryState.PENDING] == [row.state for row in await rows(store)]
    (again,) = await ready(world, claim(world, OTHER_GATEWAY, idempotent=["shop"]))
    assert held.id == again.id


async def test_a_late_report_is_refused_unless_it_says_that_the_part_was_sent(world, store):
    ticket = await answered(world, "one")
    (held,) = await ready(world, claim(world))
    await report(world, held, "begun")
    world.clock.advance(LEASE_MS)

    for outcome in ("begun", "retry", "unknown", "window_closed", "dead"):
        with pytest.raises(Conflict) as late:
            await report(world, held, outcome)
        assert "lease_lapsed" == late.value.code
    await report(world, held, "sent", platform_id="p1")
    assert {f"{held.message}/0": "sent"} == await fates(world, ticket)


@pytest.mark.parametrize("outcome", ["begun", "sent", "retry", "unknown", "window_closed", "dead"])
async def test_a_report_that_is_made_again_changes_nothing(world, store, outcome):
    ticket = await answered(world, "one")
    (held,) = await ready(world, claim(world))
    first = await report(world, held, outcome, code="why")
    told = (await fates(world, ticket), len(await events(world)), await rows(store))

    assert first == await report(world, held, outcome, code="why")
    assert told == (await fates(world, ticket), len(await events(world)), await rows(store))


async def test_a_part_that_was_settled_stays_so(world):
    await answered(world, "one")
    (held,) = await ready(world, claim(world))
    await report(world, held, "sent")

    with pytest.raises(Conflict) as refused:
        await report(world, held, "dead", code="late")
    assert "lease_lapsed" == refused.value.code


@pytest.mark.parametrize(
    ("outcome", "fate"), [("sent", "sent"), ("window_closed", "failed"), ("dead", "failed"), ("unknown", None)]
)
async def test_what_became_of_a_part_is_on_the_ticket_in_the_commit_that_lets_the_next_one_pass(
    world, store, outcome, fate
):
    ticket = await answered(world, "one", "two")
    claiming = claim(world)
    (held,) = await ready(world, claiming)
    await report(world, held, outcome, code="why")

    reporting = [batch for batch in store.batches if batch.delivery_changes]
    assert 1 == len(reporting)
    assert (1 if fate else 0) == len(reporting[0].updates) == len(reporting[0].events)
    assert ({f"{held.message}/0": fate} if fate else {}) == await fates(world, ticket)
    assert [{"message": held.message, "part": 0, "state": fate}] * bool(fate) == await events(world)
    assert (1 if fate else 0) == len(await ready(world, claiming)), "the unknown is not passed"


async def test_a_report_whose_commit_fails_changes_nothing_and_may_be_made_again(world, store):
    ticket = await answered(world, "one")
    (held,) = await ready(world, claim(world))
    store.refuses = lambda batch: bool(batch.delivery_changes)
    with pytest.raises(Unavailable):
        await report(world, held, "sent")
    assert (DeliveryState.LEASED, {}) == ((await rows(store))[0].state, await fates(world, ticket))

    store.refuses = lambda batch: False
    await report(world, held, "sent")
    assert {f"{held.message}/0": "sent"} == await fates(world, ticket)


async def test_a_retry_waits_for_its_time_and_nothing_overtakes_it(world):
    await answered(world, "one", "two")
    claiming = claim(world)
    (held,) = await ready(world, claiming)
    await report(world, held, "retry", code="busy", delay_ms=5_000)

    assert [] == await ready(world, claiming)
    world.clock.advance(5_000)
    world.outbox.notice()
    assert [(held.id, 2)] == [(row.id, row.attempts) for row in await ready(world, claiming)]


async def test_what_an_operator_dropped_is_shown_as_failed_before_the_next_part_passes(world, store):
    ticket = await answered(world, "one", "two")
    claiming = claim(world)
    (held,) = await ready(world, claiming)
    await report(world, held, "unknown", code="timeout")
    await store.amend_delivery(held.id, [DeliveryState.UNKNOWN], DeliveryState.DROPPED)
    assert [] == await ready(world, claiming)

    await world.outbox.look()
    await world.settle()
    assert {f"{held.message}/0": "failed"} == await fates(world, ticket)
    assert (DeliveryState.DEAD, "dropped") == ((await rows(store))[0].state, (await rows(store))[0].code)
    assert 1 == len(await ready(world, claiming))


async def test_a_failure_counts_no_more_once_a_later_attempt_was_sent(world, store):
    ticket = await answered(world, "one")
    claiming = claim(world)
    (held,) = await ready(world, claiming)
    await report(world, held, "dead", code="why")
    await store.amend_delivery(held.id, [DeliveryState.DEAD], DeliveryState.PENDING)
    world.outbox.notice()
    (again,) = await ready(world, claiming)
    await report(world, again, "sent")

    assert {f"{held.message}/0": "sent"} == await fates(world, ticket)


async def test_a_notice_of_the_platform_moves_the_part_that_it_names_and_never_back(world):
    ticket = await answered(world, "one")
    (held,) = await ready(world, claim(world))
    await report(world, held, "sent", platform_id="p1")

    for number, fate in enumerate(["read", "delivered", "read"]):
        (taken,) = await world.tickets.ingest(GATEWAY, [notice(f"n{number}", "p1", fate)])
        assert ("accepted", ticket, held.message) == (taken.status, taken.ticket, taken.message)
    assert {f"{held.message}/0": "read"} == await fates(world, ticket)
    assert ["sent", "read"] == [event["state"] for event in await events(world)]
    assert ["agent", "customer"] == sorted(one["kind"] for one in await world.tickets.messages(SALES, ticket))


def notice(key, called, fate):
    parts = ({"type": "event", "event": fate}, {"type": "text", "text": called})
    return arrival(key, kind="delivery", parts=parts)


async def test_a_notice_that_comes_before_the_report_waits_for_it_and_no_longer_than_the_lease(world):
    ticket = await answered(world, "one")
    (held,) = await ready(world, claim(world))
    await report(world, held, "begun")
    for early in (notice("n1", "p1", "delivered"), notice("n2", "p2", "read")):
        (taken,) = await world.tickets.ingest(GATEWAY, [early])
        assert ("retry_later", "not_reported") == (taken.status, taken.code)
    (other,) = await world.tickets.ingest(GATEWAY, [replace(notice("n3", "p1", "read"), conversation="customer-2")])
    assert "accepted" == other.status

    await report(world, held, "sent", platform_id="p1")
    (taken,) = await world.tickets.ingest(GATEWAY, [notice("n1", "p1", "delivered")])
    assert ("accepted", held.message) == (taken.status, taken.message)
    assert {f"{held.message}/0": "delivered"} == await fates(world, ticket)


async def test_a_notice_of_a_part_that_is_never_reported_is_kept_once_its_lease_is_over(world):
    ticket = await answered(world, "one")
    (held,) = await ready(world, claim(world))
    await report(world, held, "begun")
    world.clock.advance(LEASE_MS)
    (taken,) = await world.tickets.ingest(GATEWAY, [notice("n1", "p1", "delivered")])
    assert "accepted" == taken.status
    assert "delivery" in [one["kind"] for one in await world.tickets.messages(SALES, ticket)]


@pytest.mark.parametrize(("called", "fate"), [("p2", "read"), ("p1", "vanished")])
async def test_a_notice_of_nothing_that_is_known_is_kept_as_a_message(world, called, fate):
    ticket = await answered(world, "one")
    (held,) = await ready(world, claim(world))
    await report(world, held, "sent", platform_id="p1")

    await world.tickets.ingest(GATEWAY, [notice("n", called, fate)])
    assert {f"{held.message}/0": "sent"} == await fates(world, ticket)
    assert "delivery" in [one["kind"] for one in await world.tickets.messages(SALES, ticket)]


async def test_only_a_gateway_claims_and_reports_and_only_for_accounts_that_its_token_names(world):
    await answered(world, "one")
    (held,) = await ready(world, claim(world))

    for principal, accounts, code in [
        (SALES, (), "not_a_gateway"),
        (GATEWAY, ("another-shop",), "account"),
        (replace(GATEWAY, read_only=True), (), "read_only"),
    ]:
        with pytest.raises(Forbidden) as denied:
            claim(world, principal, accounts)
        assert code == denied.value.code
    with pytest.raises(Forbidden):
        await report(world, held, "sent", SALES)
    with pytest.raises(NotFound):
        await report(world, held, "sent", FOREIGN_GATEWAY)
    assert [] == await ready(world, claim(world, FOREIGN_GATEWAY))


async def test_one_caller_claims_only_so_often(world):
    for _ in range(CLAIMERS_PER_CALLER_MAX):
        claim(world)
    with pytest.raises(TooMany):
        claim(world)
    claim(world, OTHER_GATEWAY)


async def test_a_claim_ends_when_the_service_stops_and_when_its_token_does(world, store):
    ending = claim(world)
    ending.lose(ending.lease, Forbidden("The token has ended."))
    with pytest.raises(Forbidden):
        await anext(ending)
    stopping = claim(world)
    await world.outbox.stop()
    with pytest.raises(Unavailable):
        await anext(stopping)
    with pytest.raises(Unavailable):
        claim(world)


async def test_a_part_comes_with_when_its_customer_was_last_heard_and_what_was_sent_since(world):
    ticket = await answered(world, "one", "two", "three")
    claiming = claim(world)
    for number, outcome in enumerate(["sent", "sent", "dead"]):
        (row,) = await ready(world, claiming)
        assert Heard(1_000, number, 3 - number) == await world.outbox.heard(row.ticket)
        await report(world, row, outcome)
    await world.tickets.post_message(SALES, ticket, text="four")
    (row,) = await ready(world, claiming)
    assert Heard(1_000, 2, 1) == await world.outbox.heard(row.ticket)

    await world.tickets.ingest(GATEWAY, [arrival("again", sent_at_ms=5_000)])
    assert Heard(5_000, 0, 0) == await world.outbox.heard(row.ticket)


async def test_what_is_told_with_parts_is_read_once_for_a_batch_and_no_conversation_as_a_whole(
    world, store, monkeypatch
):
    tickets = [await answered(world, "hello", conversation=f"customer-{number}") for number in range(3)]
    asked, newest = [], store._inner.newest_messages

    async def counting(tickets, limit):
        asked.append(set(tickets))
        return await newest(tickets, limit)

    monkeypatch.setattr(store._inner, "newest_messages", counting)
    monkeypatch.delattr(MemoryStore, "messages")
    claiming = claim(world)
    rows = await ready(world, claiming)

    assert [set(tickets)] == [each for each in asked if each]
    assert [(Heard(1_000, 0, 1), "")] * 3 == [claiming.told(row) for row in rows]
    assert {} == claiming._told, "what was given out is not remembered"


async def test_of_a_conversation_with_very_many_answers_all_are_counted(world):
    ticket = await answered(world, *(str(number) for number in range(TAIL_MESSAGES + 1)))

    assert Heard(1_000, 0, TAIL_MESSAGES + 1) == await world.outbox.heard(ticket)


async def test_what_is_to_be_sent_is_counted_now_and_then_with_the_age_of_the_oldest(world, store):
    await world.outbox.tend()
    assert (0, 0.0) == (sum(world.outbox.levels().parts.values()), world.outbox.levels().oldest_s)
    ticket = await answered(world, "one", "two")
    world.clock.advance(TEND_MS)
    await world.tickets.post_message(SALES, ticket, text="three")
    await world.outbox.tend()
    levels = world.outbox.levels()
    assert (set(OPEN), 3, TEND_MS / 1000) == (levels.parts.keys(), levels.parts["pending"], levels.oldest_s)

    claiming = claim(world)
    (row,) = await ready(world, claiming)
    await report(world, row, "begun")
    for outcome in ("unknown", "unknown"):
        await report(world, row, outcome)
    world.clock.advance(TEND_MS - 1)
    await world.outbox.tend()
    assert levels.parts == world.outbox.levels().parts, "not sooner"
    world.clock.advance(1)
    await world.outbox.tend()
    assert (2, 1, TEND_MS * 2 / 1000) == (
        world.outbox.levels().parts["pending"],
        world.outbox.levels().parts["unknown"],
        world.outbox.levels().oldest_s,
    )


async def test_a_part_is_counted_once_by_what_became_of_it(world):
    await answered(world, "one", "two", "three")
    claiming = claim(world)
    for outcome in ("sent", "dead", "window_closed"):
        (row,) = await ready(world, claiming)
        await report(world, row, "begun")
        for _ in range(2):
            await report(world, row, outcome)

    assert ["sent", "dead", "window_closed"] == world.meter.settlements


async def test_what_was_settled_long_ago_is_forgotten_and_nothing_that_is_open(world, store):
    await answered(world, "one", "two")
    claiming = claim(world)
    (row,) = await ready(world, claiming)
    await report(world, row, "sent")
    world.clock.advance(KEPT_DAYS * 86_400_000)
    await world.outbox.tend()
    assert 2 == len(await store.deliveries(OutboxFilter()))
    world.clock.advance(TEND_MS)
    await world.outbox.tend()
    (left,) = await store.deliveries(OutboxFilter())
    assert "two" in left.content


async def test_a_store_that_does_not_answer_is_tended_another_time(world, store, logged):
    world.clock.advance(TEND_MS)
    await store.close()
    await world.outbox.tend()
    assert "outbox not tended" in [entry["event"] for entry in logged]


async def test_a_bug_while_one_looks_does_not_end_the_looking(store, monkeypatch, logged):
    monkeypatch.setattr("crdt_sync.service.outbox.LOOK_S", 0.001)
    deliveries, failures = store.deliveries, [ZeroDivisionError()]

    async def failing(where, **more):
        if failures:
            raise failures.pop()
        return await deliveries(where, **more)

    monkeypatch.setattr(store, "deliveries", failing)
    world = await World.start(store)
    await world.settle()
    await answered(world, "one")
    (row,) = await rows(store)
    await store.amend_delivery(row.id, [DeliveryState.PENDING], DeliveryState.DROPPED)
    await until(lambda: [DeliveryState.DEAD] == world.meter.settlements)
    await world.stop()
    assert "outbox not looked after" in [entry["event"] for entry in logged]


WORDS = st.sampled_from(["answer", "note", "field", "set_card", "customer"])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(WORDS, st.sampled_from(["customer-1", "customer-2"])), max_size=8), st.data())
def test_nothing_but_answers_leaves_in_any_history(history, data):
    """Notes, fields and cards of a ticket, and what the customer said, are never in what a gateway is given."""

    async def play():
        world = await World.start(MemoryStore())
        wanted = {"customer-1": [], "customer-2": []}
        for number, (deed, conversation) in enumerate(history):
            text = f"{deed} {number}"
            (made,) = await world.tickets.ingest(
                GATEWAY, [arrival(text, f"customer {number}", conversation=conversation)]
            )
            if deed == "answer":
                wanted[conversation].append(text)
                await world.tickets.post_message(data.draw(st.sampled_from([SALES, SUPPORT])), made.ticket, text=text)
            elif deed == "note":
                await world.tickets.update_form(SALES, made.ticket, "sales", fields={}, note=text)
            elif deed == "field":
                await world.tickets.update_form(SALES, made.ticket, "sales", fields={"why": text})
            elif deed == "set_card":
                await world.tickets.update_card(SALES, made.ticket, fields={"title": text})
        given_out = {"customer-1": [], "customer-2": []}
        claiming = claim(world)
        while found := await ready(world, claiming):
            for row in found:
                given_out[row.conversation].append(json.loads(row.content)["text"])
                await report(world, row, data.draw(st.sampled_from(["sent", "dead", "window_closed"])))
        await world.stop()
        assert wanted == given_out

    asyncio.run(play())

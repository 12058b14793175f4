"""What bound groups are told: by the commit of what they tell, once, and no more than their departments may know."""

import asyncio
import json
from dataclasses import replace

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain.delivery import Conversation, DeliveryState
from crdt_sync.domain.group import NO_GROUPS, RED_AFTER_MS, Group, Groups, Notice
from crdt_sync.domain.identity import Identity
from crdt_sync.errors import Conflict, Unavailable
from crdt_sync.ports import Batch, StoreUnavailable
from crdt_sync.ports.outbox import DeliveryChange, OutboxFilter
from crdt_sync.ports.owed import OwedChange
from crdt_sync.service.sending import Report, lease_of
from crdt_sync.wire import ysync
from tests.fakes import ManualClock
from tests.gated_store import GatedStore
from tests.replica.loopback import until
from tests.world import GATEWAY, LEAD, SALES, TECH, World, arrival

HOUR_MS = 3_600_000
ALL = frozenset(Notice)
OFFICE = Group(Conversation("dingtalk-group", "office-robot", ""), "backoffice", ALL, "zh")
TECHNICIANS = Group(Conversation("dingtalk", "robot", "cid-tech"), "tech", frozenset({Notice.RED}), "en")
STRANGERS = Group(Conversation("wecom-group", "strangers", ""), "marketing", ALL, "en")
GATEWAY_OF_ROBOTS = replace(GATEWAY, actor="gateway-2", accounts=("office-robot",))
DELIVERED = ({"type": "event", "event": "delivered"}, {"type": "text", "text": "p-1"})
SELLERS = Group(Conversation("feishu-group", "sellers", ""), "sales", frozenset({Notice.RAISED}), "en")
GROUPS = Groups((OFFICE, TECHNICIANS, STRANGERS, SELLERS), HOUR_MS)


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store, groups=GROUPS)
    yield world
    await world.stop()


async def told(world, account):
    """What a group was told, in order."""
    rows = await world.store.deliveries(OutboxFilter(account=account), limit=1_000)
    return [json.loads(row.content)["text"] for row in rows]


async def signed(world):
    """A ticket whose work has begun."""
    view = await world.opened()
    for name, payload in (("quote", {"price": "480.00"}), ("sign", {"contract": "secret-7"})):
        view = await world.do(SALES, view, "sales", name, payload=payload)
    return await world.do(TECH, view, "tech", "start")


async def withdrawn(world):
    """A ticket that owes a halt."""
    return await world.do(SALES, await signed(world), "sales", "withdraw")


async def test_a_stage_is_told_with_the_step_and_the_role_and_nothing_of_its_content(world):
    view = await signed(world)
    code = f"#{view.id[:8]} Fibre for the bakery"

    assert [
        f"{code}：新工单，售前",
        f"{code}：售前 → 可以开工\n销售：签约（销售）",
        f"{code}：可以开工 → 交付中\n技术：开始开通（技术）",
    ] == await told(world, "office-robot")


async def test_what_is_owed_since_a_stage_stands_in_the_same_notice(world):
    view = await withdrawn(world)

    assert [
        f"#{view.id[:8]} Fibre for the bakery：交付中 → 合同已失效，停止施工",
        "销售：撤约（销售）",
        "待办：技术：暂停施工 或 拆除",
    ] == (await told(world, "office-robot"))[-1].splitlines()


async def test_a_group_hears_what_it_is_to_hear_of_and_only_where_its_department_takes_part(world):
    view = await withdrawn(world)
    assert [] == await told(world, "robot")
    world.clock.advance(HOUR_MS)
    await world.overdue.look()

    owed = f"#{view.id[:8]} Fibre for the bakery: To be done: Halt or Dismantle in Field engineering"
    assert [owed] == await told(world, "sellers")
    assert [] == await told(world, "strangers")


async def test_a_notice_is_written_by_the_commit_of_what_it_tells(world, store):
    view = await signed(world)
    holding = [batch for batch in store.batches if batch.deliveries]

    assert [("open",), ("sign",), ("start",)] == [
        tuple(json.loads(new.record)["name"] for new in batch.transitions) for batch in holding
    ]
    store.refuses = lambda batch: bool(batch.deliveries)
    with pytest.raises(Unavailable):
        await world.do(SALES, view, "sales", "withdraw")
    assert 3 == len(await told(world, "office-robot"))


async def test_what_was_said_while_it_was_offline_is_told_once(world, store):
    """Several steps of one commit are one notice."""
    view = await world.opened()
    quote = world.made(SALES, view, "sales", "quote", (view.id,))
    sign = world.made(SALES, view, "sales", "sign", (quote.id,))
    await submit(world, SALES, view.id, quote.record, sign.record)

    assert [f"#{view.id[:8]} Fibre for the bakery：售前 → 可以开工\n销售：报价（销售）\n销售：签约（销售）"] == (
        await told(world, "office-robot")
    )[1:]


async def submit(world, principal, ticket, *records):
    connection, _ = await world.yjs(f"ticket/{ticket}/submit/{principal.department}", principal)
    document = SubmitDocument(7)
    for update in [document.append_transition(record) for record in records]:
        connection.receive(ysync.encode_update(update))
    await world.settle()


async def test_an_obligation_turns_red_once_after_its_time(world):
    view = await withdrawn(world)
    world.clock.advance(HOUR_MS - 1)
    await world.overdue.look()
    assert [] == await told(world, "robot")

    world.clock.advance(1)
    for _ in range(3):
        await world.overdue.look()
    red = f"#{view.id[:8]} Fibre for the bakery"
    assert [f"{red}: Still to be done after 60 minutes: Halt or Dismantle in Field engineering"] == await told(
        world, "robot"
    )
    assert f"{red}：已超过 60 分钟仍待办：技术：暂停施工 或 拆除" == (await told(world, "office-robot"))[-1]
    events = [event for event in await world.store.events(0) if event.type == "obligation_overdue"]
    assert [{"row": "stop_work", "owes": {"tech": ["halt", "dismantle"]}}] == [event.data for event in events]


async def test_what_was_done_in_time_does_not_turn_red_and_what_is_owed_anew_begins_anew(world):
    view = await withdrawn(world)
    world.clock.advance(HOUR_MS - 1)
    view = await world.do(SALES, view, "sales", "revive")
    view = await world.do(SALES, view, "sales", "sign", payload={"contract": "secret-8"})
    view = await world.do(SALES, view, "sales", "withdraw")
    world.clock.advance(HOUR_MS - 1)
    await world.overdue.look()
    assert [] == await told(world, "robot")

    world.clock.advance(1)
    await world.overdue.look()
    assert 1 == len(await told(world, "robot"))


async def test_a_service_that_was_down_tells_what_turned_red_meanwhile_and_not_again(store):
    clock = ManualClock()
    first = await World.start(store, groups=GROUPS, clock=clock)
    await withdrawn(first)
    await first.stop()
    clock.advance(HOUR_MS)
    for _ in range(2):
        world = await World.start(store, groups=GROUPS, clock=clock)
        await world.overdue.look()
        await world.stop()

    assert 1 == len(await told(world, "robot"))


async def test_a_commit_that_fails_leaves_the_obligation_for_the_next_look(world, store):
    await withdrawn(world)
    world.clock.advance(HOUR_MS)
    store.refuses = lambda batch: bool(batch.owed)
    await world.overdue.look()
    assert [] == await told(world, "robot")

    store.refuses = lambda batch: False
    await world.overdue.look()
    assert 1 == len(await told(world, "robot"))


async def test_one_that_always_fails_holds_up_no_other(world, store, monkeypatch):
    monkeypatch.setattr("crdt_sync.service.overdue.PAGE_ROWS", 1)
    stuck = await withdrawn(world)
    world.clock.advance(1)
    other = await withdrawn(world)
    world.clock.advance(HOUR_MS)
    store.refuses = lambda batch: any(owed.ticket == stuck.id for owed in batch.owed)
    await world.overdue.look()
    assert [other.id[:8]] == [text[1:9] for text in await told(world, "robot")]

    store.refuses = lambda batch: False
    await world.overdue.look()
    assert 2 == len(await told(world, "robot"))


async def test_a_look_that_ends_in_a_fault_is_not_the_last_one(world, monkeypatch):
    monkeypatch.setattr("crdt_sync.service.overdue.LOOK_S", 0)
    await withdrawn(world)
    world.clock.advance(HOUR_MS)
    looks = [ValueError("a row does not decode"), None]
    overdue = world.store.overdue

    async def faulty(*args, **more):
        if looks and (error := looks.pop(0)) is not None:
            raise error
        return await overdue(*args, **more)

    monkeypatch.setattr(world.store, "overdue", faulty)
    await world.overdue.stop()
    world.overdue.start(world.committer)
    await until(lambda: not looks)
    await world.settle()
    assert 1 == len(await told(world, "robot"))


async def test_more_than_a_page_turns_red_in_one_look(world, monkeypatch):
    monkeypatch.setattr("crdt_sync.service.overdue.PAGE_ROWS", 2)
    for _ in range(5):
        await withdrawn(world)
    world.clock.advance(HOUR_MS)
    await world.overdue.look()

    assert 5 == len(await told(world, "robot"))


async def test_what_the_store_wrongly_calls_owed_is_forgotten(world, store):
    view = await signed(world)
    await store.commit(Batch(owed=[OwedChange(view.id, '{"owes":{"tech":["halt"]},"row":"stop_work"}', "raised", 0)]))
    await world.overdue.look()

    assert [] == await told(world, "robot")
    assert [] == await store.overdue(world.clock.now_ms())


@pytest.mark.parametrize("groups", [GROUPS, NO_GROUPS])
async def test_two_services_that_look_at_once_tell_it_once(store, groups):
    first, other = [await World.start(store, groups=groups) for _ in range(2)]
    await withdrawn(first)
    for world in (first, other):
        world.clock.advance(RED_AFTER_MS)
    await asyncio.gather(first.overdue.look(), other.overdue.look())
    await first.stop()
    await other.stop()

    assert len(groups.groups[:1]) == len(await told(first, "robot"))
    assert 1 == [event.type for event in await store.events(0)].count("obligation_overdue")


async def test_what_becomes_of_a_notice_stands_in_the_outbox_and_on_no_ticket(world, store):
    (opened,) = await world.tickets.ingest(GATEWAY, [arrival("hello")])
    claiming = world.outbox.claim(Identity(GATEWAY_OF_ROBOTS, None), accounts=(), idempotent=(), in_flight_max=0)
    row = await anext(claiming)
    for outcome in ("begun", "sent"):
        await world.outbox.report(GATEWAY_OF_ROBOTS, Report(row.id, lease_of(row), outcome, platform_id="p-1"))
    await claiming.close()
    # A platform that tells of it tells nothing about a part of the conversation.
    told = arrival("told", account="office-robot", kind="delivery", parts=DELIVERED, conversation="somebody")
    await world.tickets.ingest(GATEWAY_OF_ROBOTS, [told])

    assert DeliveryState.SENT is (await store.delivery(row.id)).state
    assert {} == (await world.rooms.get(f"ticket/{opened.ticket}/talk")).document.deliveries()
    assert [] == [event for event in await store.events(0) if event.type == "delivery"]


async def test_a_notice_that_an_operator_drops_lets_the_next_pass(world, store):
    view = await signed(world)
    first, second, _ = await store.deliveries(OutboxFilter(account="office-robot"))
    await store.amend_delivery(first.id, [DeliveryState.PENDING], DeliveryState.DROPPED)
    await world.outbox.look()
    await world.settle()

    assert DeliveryState.DEAD is (await store.delivery(first.id)).state
    assert {} == (await world.rooms.get(f"ticket/{view.id}/talk")).document.deliveries()
    claiming = world.outbox.claim(Identity(GATEWAY_OF_ROBOTS, None), accounts=(), idempotent=(), in_flight_max=0)
    assert second.id == (await anext(claiming)).id
    await claiming.close()


async def test_a_notice_of_unknown_fate_is_given_up_and_the_next_passes(world, store):
    await signed(world)
    (opened,) = await world.tickets.ingest(GATEWAY, [arrival("hello")])
    await world.tickets.post_message(SALES, opened.ticket, text="hello, too")
    (answer,) = await store.deliveries(OutboxFilter(account="shop"))
    assert await store.amend_delivery(answer.id, [DeliveryState.PENDING], DeliveryState.UNKNOWN)
    claiming = world.outbox.claim(Identity(GATEWAY_OF_ROBOTS, None), accounts=(), idempotent=(), in_flight_max=0)
    row = await anext(claiming)
    await world.opened()
    for outcome in ("begun", "unknown"):
        await world.outbox.report(GATEWAY_OF_ROBOTS, Report(row.id, lease_of(row), outcome, code="timeout"))
    await world.outbox.look()
    await world.settle()

    given_up = await store.delivery(row.id)
    assert (DeliveryState.DEAD, "timeout") == (given_up.state, given_up.code)
    assert row.place < (await anext(claiming)).place
    assert answer.id == (await store.deliveries(OutboxFilter(DeliveryState.UNKNOWN)))[0].id, "an operator may know"
    assert DeliveryState.DEAD == world.meter.settlements[-1]
    await claiming.close()


async def claimed(world):
    claiming = world.outbox.claim(Identity(GATEWAY_OF_ROBOTS, None), accounts=(), idempotent=(), in_flight_max=0)
    row = await anext(claiming)
    await claiming.close()
    return row


async def sent(world, row):
    for outcome in ("begun", "sent"):
        await world.outbox.report(GATEWAY_OF_ROBOTS, Report(row.id, lease_of(row), outcome, platform_id=""))


def said(row):
    return json.loads(row.content)["text"].split("\n")


async def test_what_waits_for_a_group_leaves_as_one_message(world, store):
    views = [await world.opened() for _ in range(3)]
    owing = await withdrawn(world)
    world.clock.advance(HOUR_MS)
    await world.overdue.look()
    claiming = world.outbox.claim(Identity(GATEWAY_OF_ROBOTS, None), accounts=(), idempotent=(), in_flight_max=0)
    row = await anext(claiming)

    assert [f"#{view.id[:8]}" for view in (owing, *views, owing, owing)] == [line[:9] for line in said(row)]
    expected = ((0, "60 分钟"), (-2, "合同已失效"), (-1, "待办"))
    assert [word for _, word in expected] == [word for line, word in expected if word in said(row)[line]]
    await sent(world, row)
    rows = await store.deliveries(OutboxFilter(account="office-robot"))
    assert [DeliveryState.SENT] + [DeliveryState.JOINED] * 7 == [each.state for each in rows]
    assert 7 == world.meter.settlements.count("joined")
    assert owing.id == await store.newest_notice("office-robot", "")
    await world.opened()
    assert 1 == len(said(await anext(claiming)))
    await claiming.close()


async def test_what_was_tried_before_leaves_as_it_was(world):
    """Its platform may know it, and take what is told under its name for the same."""
    claiming = world.outbox.claim(Identity(GATEWAY_OF_ROBOTS, None), accounts=(), idempotent=(), in_flight_max=0)
    await world.opened()
    row = await anext(claiming)
    await world.outbox.report(GATEWAY_OF_ROBOTS, Report(row.id, lease_of(row), "retry", code="rate"))
    await world.opened()

    again = await anext(claiming)
    assert (row.id, 2, row.content) == (again.id, again.attempts, again.content)
    await claiming.close()


async def test_what_waits_for_a_robot_that_is_away_is_bounded_and_nothing_red_is_lost(world, store, monkeypatch):
    monkeypatch.setattr("crdt_sync.service.outbox.WAITING_MAX", 3)
    monkeypatch.setattr("crdt_sync.domain.notice.LINES_MAX", 3)
    for _ in range(2):
        await withdrawn(world)
    world.clock.advance(HOUR_MS)
    await world.overdue.look()
    for _ in range(4):
        await world.opened()
    await world.outbox.look()
    await world.settle()

    (row,) = await store.deliveries(OutboxFilter(DeliveryState.PENDING, "office-robot"))
    assert ["60 分钟", "60 分钟", "新工单", "及其他 7 项"] == [
        word
        for line, word in zip(said(row), ["60 分钟", "60 分钟", "新工单", "及其他 7 项"], strict=True)
        if word in line
    ]
    assert 7 == world.meter.left_out


async def test_a_notice_that_cannot_be_joined_leaves_alone(world, store):
    await world.opened()
    await world.opened()
    store.refuses = lambda batch: bool(batch.delivery_changes)

    assert 1 == len(said(await claimed(world)))


async def test_a_lease_that_went_meanwhile_spoils_no_batch(world, store):
    await world.opened()
    await world.opened()
    claiming = world.outbox.claim(Identity(GATEWAY_OF_ROBOTS, None), accounts=(), idempotent=(), in_flight_max=0)
    (row,), _ = await world.outbox.lease(claiming, 10)
    await store.release(row.owner)

    assert await world.outbox.joined(row) is None
    assert 0 == world.meter.failures
    assert 2 == len(await store.deliveries(OutboxFilter(DeliveryState.PENDING, "office-robot")))
    await claiming.close()


async def test_what_leaves_is_what_a_commit_kept_whose_answer_was_lost(world, store, monkeypatch):
    async def lost(batch, commit=store.commit):
        await commit(batch)
        if batch.delivery_changes:
            raise StoreUnavailable("the connection is gone")

    await world.opened()
    await world.opened()
    with monkeypatch.context() as lossy:
        lossy.setattr(store, "commit", lost)
        assert 2 == len(said(await claimed(world)))


async def test_what_was_joined_after_it_was_given_out_is_not_begun_and_leaves_with_the_next_lease(world, store):
    await world.opened()
    claiming = world.outbox.claim(Identity(GATEWAY_OF_ROBOTS, None), accounts=(), idempotent=(), in_flight_max=0)
    row = await anext(claiming)
    says = json.loads(row.content) | {"text": "what was joined late"}
    late = DeliveryChange(row, replace(row, content=json.dumps(says)))
    await store.commit(Batch(delivery_changes=[late]))

    with pytest.raises(Conflict, match="lease is another's"):
        await world.outbox.report(GATEWAY_OF_ROBOTS, Report(row.id, lease_of(row), "begun"))
    await claiming.close()
    assert ["what was joined late"] == said(await claimed(world))


async def test_a_notice_that_cannot_be_read_after_it_was_joined_is_claimed_anew(world, store, monkeypatch):
    async def away(id_):
        raise StoreUnavailable("the connection is gone")

    await world.opened()
    await world.opened()
    claiming = world.outbox.claim(Identity(GATEWAY_OF_ROBOTS, None), accounts=(), idempotent=(), in_flight_max=0)
    with monkeypatch.context() as lossy:
        lossy.setattr(store, "delivery", away)
        with pytest.raises(Unavailable):
            await anext(claiming)
    await claiming.close()

    assert 2 == (await claimed(world)).attempts


async def test_a_flagged_lane_owes_a_review(world):
    view = await world.opened()
    seen = await world.do(SALES, view, "sales", "quote", payload={"price": "1.00"})
    sign = world.made(LEAD, seen, "sales", "sign", (await world.newest(view.id),))
    view = await world.do(SALES, seen, "sales", "lose")
    await world.do(SALES, view, "sales", "revive")
    await submit(world, LEAD, view.id, sign.record)

    assert (await told(world, "office-robot"))[-1].endswith("待办：销售：复核")

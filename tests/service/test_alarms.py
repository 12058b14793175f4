"""The service's end of the tripwire: a claim is compared and, where it differs, kept; it disturbs nobody."""

import asyncio

import pytest
from structlog.testing import capture_logs

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.domain.access import Principal
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.transition import decode
from crdt_sync.domain.tripwire import (
    ALARMS_PER_TICKET_MAX,
    COMPARED_TICKETS_MAX,
    Agreement,
    Alarm,
    Evidence,
    Fingerprint,
    fingerprint,
    heads_of,
)
from crdt_sync.errors import Conflict, Forbidden, Malformed, NotThereYet, TooLarge
from tests.fakes import START_MS
from tests.gated_store import GatedStore
from tests.world import GATEWAY, SALES, STRANGER, TECH, World

WRONG = "f" * 64
BELIEVED = Evidence("Sales has lost.", '{"stage":"cancelled"}')
NARROW = Principal("sales-9", "sales", ("sales",), tickets=("b" * 51 + "a",))


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store)
    yield world
    store.gate.set()
    await world.stop()


async def found_in(world, ticket):
    """The fingerprint of a replica that has the whole log."""
    records = [decode(row.record.encode()) for row in await world.store.journal(ticket)]
    fold = Fold(world.lifecycles.default, ticket)
    for made in records:
        fold.add(made)
    return fingerprint(fold, heads_of(records))


async def wrong_in(world, ticket):
    return Fingerprint((await found_in(world, ticket)).heads, WRONG)


async def raised(world, principal, ticket, evidence=BELIEVED, claimed=None):
    claimed = claimed or await wrong_in(world, ticket)
    return await world.tickets.raise_alarm(principal, ticket, claimed=claimed, evidence=evidence)


async def test_each_claim_is_answered_in_its_place(world):
    one, two = await world.opened(), await world.opened()
    behind = await found_in(world, two.id)
    await world.do(SALES, two, "sales", "quote", payload={"price": "1"})
    claims = [
        (two.id, await found_in(world, two.id)),
        (one.id, await wrong_in(world, one.id)),
        (two.id, behind),
        ("a" * 52, behind),
        ("\x00nonsense", behind),
    ]

    expected = ["equal", "diverged", "other_heads", "no_ticket", "no_ticket"]
    assert expected == await world.tickets.compare(SALES, claims)
    assert [] == await world.tickets.compare(SALES, [])


async def test_what_is_not_for_the_caller_is_as_good_as_not_there(world):
    view = await world.opened()
    claim = (view.id, await found_in(world, view.id))

    for principal in (STRANGER, NARROW):
        assert [Agreement.NO_TICKET] == await world.tickets.compare(principal, [claim])
        with pytest.raises(NotThereYet):
            await raised(world, principal, view.id)
    for call in (world.tickets.compare(GATEWAY, [claim]), raised(world, GATEWAY, view.id)):
        with pytest.raises(Forbidden):
            await call


async def test_claims_are_bounded_and_checked_before_any_ticket_is_looked_at(world):
    claim = ("a" * 52, Fingerprint(WRONG, WRONG))

    assert COMPARED_TICKETS_MAX == len(await world.tickets.compare(SALES, [claim] * COMPARED_TICKETS_MAX))
    with pytest.raises(TooLarge):
        await world.tickets.compare(SALES, [claim] * (COMPARED_TICKETS_MAX + 1))
    with pytest.raises(Malformed):
        await world.tickets.compare(SALES, [claim, ("a" * 52, Fingerprint(WRONG, "x"))])


async def test_a_comparison_looks_at_one_ticket_a_batch(world, store):
    """So that nobody's commit waits until a hundred tickets are loaded."""
    ids = [(await world.opened()).id for _ in range(3)]
    claims = [(id_, await found_in(world, id_)) for id_ in ids]
    waiting = []
    enqueue = world.committer.enqueue

    def counted(job):
        waiting.append(len(world.committer._queue))
        enqueue(job)

    world.committer.enqueue = counted
    await world.tickets.compare(SALES, claims)

    assert [0, 0, 0] == waiting


async def test_what_is_not_committed_is_not_compared(world, store):
    view = await world.opened()
    before = await found_in(world, view.id)
    store.gate.clear()
    moving = asyncio.ensure_future(world.do(SALES, view, "sales", "quote", payload={"price": "1"}))
    await world.settle()
    comparing = asyncio.ensure_future(world.tickets.compare(SALES, [(view.id, before)]))
    await world.settle()
    assert (1, False) == (store.waiting, comparing.done())
    store.gate.set()
    await moving

    assert ["other_heads"] == await comparing


async def test_an_alarm_keeps_what_both_believe_and_is_logged_once(world):
    view = await world.opened()
    claimed = await wrong_in(world, view.id)
    with capture_logs() as logs:
        own = await raised(world, SALES, view.id)
        again = await raised(world, SALES, view.id, Evidence("Something else.", "{}"))

    assert own == again
    assert own.explanation.startswith("The ticket is in the stage Presale")
    alarm = Alarm(view.id, "sales", "sales-1", claimed.heads, BELIEVED, own, START_MS)
    assert [alarm] == await world.store.alarms(view.id)
    line = {
        "event": "replica diverged",
        "log_level": "error",
        "ticket": view.id,
        "department": "sales",
        "heads": claimed.heads,
        "replica": "Sales has lost.",
        "service": own.explanation,
    }
    assert [line] == logs


async def test_without_a_difference_there_is_no_alarm(world):
    view = await world.opened()
    right = await found_in(world, view.id)
    wrong = await wrong_in(world, view.id)
    await world.do(SALES, view, "sales", "quote", payload={"price": "1"})
    for claimed in (await found_in(world, view.id), right, wrong, Fingerprint(WRONG, WRONG)):
        with pytest.raises(Conflict, match="nothing to raise an alarm about"):
            await raised(world, SALES, view.id, claimed=claimed)

    assert [] == await world.store.alarms(view.id)


@pytest.mark.parametrize("evidence", [Evidence("\ud800", ""), Evidence("", "x" * 65_537)])
async def test_evidence_that_cannot_be_kept_is_refused(world, evidence):
    view = await world.opened()
    with pytest.raises((Malformed, TooLarge)):
        await raised(world, SALES, view.id, evidence)
    with pytest.raises(Malformed):
        await raised(world, SALES, view.id, claimed=Fingerprint("x", WRONG))

    assert [] == await world.store.alarms(view.id)


async def test_a_hostile_department_fills_its_own_room_alone_and_changes_nothing(world):
    view = await world.opened()
    with capture_logs() as logs:
        for number in range(10):
            assert ["diverged"] == await world.tickets.compare(SALES, [(view.id, await wrong_in(world, view.id))])
            await raised(world, SALES, view.id)
            view = await world.do(SALES, view, "sales", "quote", payload={"price": str(number)})
    before = await world.tickets.get(TECH, view.id)
    assert ["equal"] == await world.tickets.compare(TECH, [(view.id, await found_in(world, view.id))])

    assert ALARMS_PER_TICKET_MAX == len(logs)
    assert ["sales"] * ALARMS_PER_TICKET_MAX == [alarm.department for alarm in await world.store.alarms(view.id)]
    await raised(world, TECH, view.id)
    assert {"sales", "tech"} == {alarm.department for alarm in await world.store.alarms(view.id)}
    assert before == await world.tickets.get(TECH, view.id)

"""A replica finds out that it reads a log otherwise than the service, and is never alarmed by work under way."""

import asyncio

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.domain.tripwire import ALARMS_PER_TICKET_MAX, EVIDENCE_BYTES_MAX, Agreement, Alarm, Evidence
from crdt_sync.errors import Malformed
from crdt_sync.replica.link import agreements_of
from crdt_sync.replica.store import ReplicaStore
from tests.gated_store import GatedStore
from tests.planted import DropsRounds, Fails, ForgetsSettled, plant
from tests.replica.loopback import LoopbackLink, opened, until
from tests.world import LEAD, SALES, SALES_2, TECH, World

SYNC_S = 10.0


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store)
    yield world
    await world.stop()


@pytest.fixture
def replica_of(world, tmp_path):
    def make(principal, *, poll_s=0.02):
        link = LoopbackLink(world, principal)
        return opened(tmp_path / f"{principal.actor}.db", principal, link, poll_s=poll_s), link

    return make


def heads_compared(link, ticket):
    return [claimed.heads for claims in link.compared for id_, claimed in claims if id_ == ticket]


async def rounds(link, times=1):
    """Wait until the replica had so many more occasions to compare."""
    begun = link.rounds
    await until(lambda: link.rounds > begun + times)


async def alarms_of(replica):
    """What the replica keeps, once it keeps anything."""
    async with asyncio.timeout(SYNC_S):
        while not (alarms := (await replica.status()).alarms):
            pass
    return alarms


async def revived(world, view):
    """A loss that does not know of the revival beside it: it is overtaken, unless rounds are dropped."""
    quoted = await world.do(SALES, view, "sales", "quote", payload={"price": "1"})
    lost = await world.do(SALES, quoted, "sales", "lose")
    await world.do(SALES, lost, "sales", "revive")
    await world.do(SALES_2, quoted, "sales", "lose")


async def settled_twice(world, view):
    """An amendment after one ruling, and the contrary ruling beside both."""
    quoted = await world.do(SALES, view, "sales", "quote", payload={"price": "1"})
    await world.do(SALES, quoted, "sales", "sign", payload={"contract": "A"})
    disputed = await world.do(SALES, quoted, "sales", "lose")
    signed = await world.do(LEAD, disputed, "sales", "rule_signed")
    await world.do(SALES, signed, "sales", "amend", payload={"contract": "B"})
    await world.do(LEAD, disputed, "sales", "rule_lost")


@pytest.mark.parametrize(("faulty", "history"), [(DropsRounds, revived), (ForgetsSettled, settled_twice)])
async def test_a_faulty_fold_raises_an_alarm_that_both_sides_keep(world, replica_of, faulty, history):
    view = await world.opened()
    entering, _ = replica_of(SALES)
    async with entering as replica:
        await replica.synced(SYNC_S)
        ticket = await replica.ticket(view.id)
        plant(ticket, faulty)
        await history(world, view)
        await replica.synced(SYNC_S)
        [alarm] = await alarms_of(replica)
        told = ticket.explain()

    explained = await world.tickets.explain(SALES, view.id, "en")
    assert [alarm] == await world.store.alarms(view.id)
    assert (view.id, "sales", "sales-1") == (alarm.ticket, alarm.department, alarm.actor)
    assert ("\n".join(told), "\n".join(explained.lines)) == (alarm.replica.explanation, alarm.service.explanation)
    assert alarm.replica != alarm.service


async def test_healthy_replicas_at_work_raise_none(world, replica_of):
    view = await world.opened()
    (selling, sales_link), (working, tech_link) = replica_of(SALES), replica_of(TECH)
    async with selling as sales, working as tech:
        await sales.synced(SYNC_S)
        await tech.synced(SYNC_S)
        signing, starting = await sales.ticket(view.id), await tech.ticket(view.id)
        await signing.do("sales", "quote", {"price": "1"})
        for number in range(10):
            await signing.do("sales", "quote", {"price": f"{number}"})
            await signing.do("sales", "sign", {"contract": f"A-{number}"})
            await until(lambda: starting.lanes["sales"] == "signed")
            await signing.do("sales", "withdraw")
            await signing.do("sales", "revive")
            await sales.synced(SYNC_S)
            await tech.synced(SYNC_S)
        await rounds(sales_link)
        await rounds(tech_link)

        assert ([], []) == ((await sales.status()).alarms, (await tech.status()).alarms)
        assert heads_compared(sales_link, view.id)[-1] == heads_compared(tech_link, view.id)[-1]
        assert {*sales_link.agreements[view.id], *tech_link.agreements[view.id]} <= {"equal", "other_heads"}
        assert ("equal", "equal") == (sales_link.agreements[view.id][-1], tech_link.agreements[view.id][-1])
    assert [] == await world.store.alarms(view.id)


async def test_own_moves_that_are_not_delivered_are_left_out(world, replica_of):
    view = await world.opened()
    entering, link = replica_of(SALES)
    async with entering as replica:
        await until(lambda: len(link.agreements[view.id]) == 1)
        link.cut()
        ticket = await replica.ticket(view.id)
        await ticket.do("sales", "quote", {"price": "1"})
        world.store.refuses = lambda batch: bool(batch.transitions)
        replica._tripwire.forget()
        link.mend()
        await until(lambda: len(link.agreements[view.id]) >= 2)

        assert ("quoted", 1) == (ticket.lanes["sales"], len(ticket.pending))
        assert {"equal"} == set(link.agreements[view.id])
        world.store.refuses = lambda batch: False
        await replica.synced(SYNC_S)
        await until(lambda: len(set(heads_compared(link, view.id))) == 2)
    assert {"equal"} == set(link.agreements[view.id])


async def test_a_behind_replica_compares_again_once_it_has_caught_up(world, replica_of):
    view = await world.opened()
    entering, link = replica_of(SALES)
    async with entering as replica:
        await replica.synced(SYNC_S)
        await rounds(link)
        plant(await replica.ticket(view.id), DropsRounds)
        link.cut()
        await revived(world, view)
        replica._tripwire.forget()
        link.deaf = True
        link.mend()
        await until(lambda: "other_heads" in link.agreements[view.id])
        assert [] == (await replica.status()).alarms
        link.deaf = False
        link.cut()
        link.mend()
        await until(lambda: "diverged" in link.agreements[view.id])


async def test_all_that_changed_goes_in_one_request_a_poll_and_nothing_goes_twice(world, replica_of):
    views = [await world.opened() for _ in range(5)]
    entering, link = replica_of(SALES, poll_s=3600)

    async def polled():
        await replica._compare()
        return [sorted(id_ for id_, _ in claims) for claims in link.compared]

    async with entering as replica:
        await replica.synced(SYNC_S)
        assert [] == link.compared, "documents that arrive make no request"
        assert [sorted(view.id for view in views)] == await polled()
        assert [sorted(view.id for view in views)] == await polled()

        link.compared.clear()
        for view in views[:3]:
            await world.do(SALES, view, "sales", "quote", payload={"price": "1"})
        await until(lambda: 3 == sum(ticket.lanes["sales"] == "quoted" for ticket in replica._tickets.values()))
        assert [] == link.compared
        assert [sorted(view.id for view in views[:3])] == await polled()
        assert [sorted(view.id for view in views[:3])] == await polled()


async def test_more_tickets_than_a_request_takes_are_compared_by_and_by(world, replica_of, monkeypatch):
    monkeypatch.setattr("crdt_sync.replica.tripwire.COMPARED_TICKETS_MAX", 2)
    views = [await world.opened() for _ in range(5)]
    entering, link = replica_of(SALES, poll_s=3600)
    async with entering as replica:
        await replica.synced(SYNC_S)
        for _ in range(3):
            await replica._compare()

    assert [2, 2, 1] == [len(claims) for claims in link.compared]
    assert {view.id for view in views} == link.agreements.keys()


@pytest.mark.parametrize("call", ["compare", "raise_alarm"])
async def test_what_got_no_answer_is_asked_again_and_stops_nothing(world, replica_of, call):
    view = await world.opened()
    entering, link = replica_of(SALES)
    async with entering as replica:
        await replica.synced(SYNC_S)
        plant(await replica.ticket(view.id), DropsRounds)
        link.failing = call
        await revived(world, view)
        await replica.synced(SYNC_S)
        await rounds(link)
        status = await replica.status()
        assert (1, None, []) == (link.attempts, status.problem, status.alarms)
        link.failing = None
        assert [view.id] == [alarm.ticket for alarm in await alarms_of(replica)]


@pytest.mark.parametrize("theirs", [Evidence("\ud800", "{}"), Evidence("", "x" * (EVIDENCE_BYTES_MAX + 1))])
async def test_evidence_of_a_service_that_cannot_be_kept_is_asked_for_again_and_stops_nothing(
    world, replica_of, monkeypatch, theirs
):
    answers = []

    async def answered(*_):
        answers.append(theirs)
        return theirs

    view = await world.opened()
    entering, link = replica_of(SALES)
    monkeypatch.setattr(link, "raise_alarm", answered)
    async with entering as replica:
        await replica.synced(SYNC_S)
        plant(await replica.ticket(view.id), DropsRounds)
        await revived(world, view)
        await until(lambda: 2 <= len(answers))
        status = await replica.status()
        assert ("connected", None, []) == (status.connection, status.problem, status.alarms)


async def test_a_fold_that_fails_fails_whoever_looks_and_the_connection_goes_on(world, replica_of):
    view, other = await world.opened(), await world.opened()
    entering, link = replica_of(SALES)
    async with entering as replica:
        await replica.synced(SYNC_S)
        await rounds(link)
        ticket = await replica.ticket(view.id)
        plant(ticket, Fails)
        for moving in (view, other):
            await world.do(SALES, moving, "sales", "quote", payload={"price": "1"})
        await until(lambda: len(link.agreements[other.id]) == 2)
        await rounds(link)
        with pytest.raises(ZeroDivisionError):
            ticket.stage  # noqa: B018
        assert ("connected", None) == ((await replica.status()).connection, replica._sync.problem)


async def test_an_alarm_outlives_the_process_until_the_replica_is_reset(world, replica_of):
    view = await world.opened()
    entering, link = replica_of(SALES)
    async with entering as replica:
        await replica.synced(SYNC_S)
        plant(await replica.ticket(view.id), DropsRounds)
        await revived(world, view)
        await alarms_of(replica)
    entering, link = replica_of(SALES)
    async with entering as replica:
        await replica.synced(SYNC_S)
        await rounds(link)
        assert [view.id] == [alarm.ticket for alarm in (await replica.status()).alarms]
        assert ["equal"] == link.agreements[view.id]

        await replica.reset()
        assert [] == (await replica.status()).alarms


async def test_a_replica_that_was_reset_compares_everything_again(world, replica_of):
    view = await world.opened()
    entering, link = replica_of(SALES)
    async with entering as replica:
        await until(lambda: ["equal"] == link.agreements[view.id])
        await replica.reset()
        await until(lambda: ["equal", "equal"] == link.agreements[view.id])


async def test_a_replicas_file_keeps_the_first_few_alarms_of_a_ticket(tmp_path):
    def alarm(ticket, heads, text=""):
        return Alarm(ticket, "sales", "ann", heads, Evidence(text, "{}"), Evidence("王\x00", "{}"), 7)

    store = await ReplicaStore.open(tmp_path / "replica.db")
    for made in [
        alarm("a", "1"),
        alarm("a", "1", "again"),
        alarm("b", "1"),
        *(alarm("a", f"{n}") for n in range(2, 9)),
    ]:
        await store.save_alarm(made)
    kept = await store.alarms()
    await store.close()

    assert [alarm("a", f"{n}") for n in range(1, ALARMS_PER_TICKET_MAX + 1)] + [alarm("b", "1")] == kept


@pytest.mark.parametrize("words", [["equal"], ["equal", "equal", "equal"], ["equal", "same"], []])
def test_an_answer_that_does_not_fit_the_question_is_a_fault(words):
    with pytest.raises(Malformed, match="comparison"):
        agreements_of(words, 2)
    assert [Agreement.EQUAL, Agreement.DIVERGED] == agreements_of(["equal", "diverged"], 2)

"""Replicas and the real service: offline and back in any order, refusals, stolen client ids, everything delivered."""

import asyncio
import json

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain import access, payload, transition
from crdt_sync.domain.access import Principal
from crdt_sync.errors import Conflict, Forbidden, NotFound, NotThereYet, Unavailable
from crdt_sync.replica import Replica, sync
from crdt_sync.replica.link import Change, Diff
from crdt_sync.replica.replica import Status
from tests.fakes import SeededIds
from tests.gated_store import GatedStore
from tests.replica.loopback import LoopbackLink, opened, token_of, until
from tests.world import PEOPLE, SALES, SALES_2, SUPPORT, TECH, World

SYNC_S = 10.0


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


@pytest.fixture
def replica_of(world, tmp_path):
    """Open a replica of a principal that is connected to the world."""

    def make(principal, *, seed=None, **more):
        link = LoopbackLink(world, principal, **more)
        return opened(tmp_path / f"{principal.actor}.db", principal, link, seed=seed), link

    return make


def submit_of(ticket) -> SubmitDocument:
    return ticket._submit


def state_bytes(ticket) -> bytes:
    return json.dumps(ticket.state.to_json(), sort_keys=True).encode()


async def test_what_was_refused_is_done_again_with_its_payload(world, replica_of):
    promoted = Principal("sales-1", "sales", ("sales", "sales_lead"))
    entering, _ = replica_of(promoted)
    view = await world.opened()
    async with entering as replica:
        await until(lambda: view.id in replica._tickets and replica._tickets[view.id].code is None)
        ticket = await replica.ticket(view.id)
        quote = await ticket.do("sales", "quote", {"price": "99.50"})
        await until(lambda: {quote: "role_not_held"} == ticket.refused)
        again = await ticket.again(quote)

        assert quote != again
        made = [transition.decode(entry.record.encode()) for entry in ticket.undelivered if entry.id in {quote, again}]
        texts = ticket._form("sales", access.read).payloads()
        assert ["99.50", "99.50"] == [payload.unseal(texts[one.payload])["price"] for one in made]
        with pytest.raises(NotFound):
            await ticket.again("a" * 52)


async def test_a_ticket_opened_and_worked_on_offline_is_delivered_whole(world, replica_of):
    entering, link = replica_of(SALES, connected=False)
    async with entering as replica:
        ticket = await replica.open_ticket(title="Fibre")
        await ticket.do("sales", "quote", {"price": "100.00"})
        await ticket.do("sales", "sign", {"contract": "A-17"})
        said = await ticket.say("Signed, thank you.")
        await ticket.note("sales", "calls back")
        assert 4 == len(ticket.pending)

        link.mend()
        await replica.synced(SYNC_S)
        assert await ticket.delivered(said, SYNC_S)
        assert ((), {}) == (ticket.pending, ticket.refused)

    view = await world.tickets.get(TECH, ticket.id)
    assert ("ready_to_start", "Fibre") == (view.stage, view.card["title"])
    assert ["Signed, thank you."] == [
        one["parts"][0]["text"] for one in await world.tickets.messages(SUPPORT, ticket.id)
    ]
    assert "calls back\n" == (await world.tickets.form(SALES, ticket.id, "sales")).notes


@pytest.mark.parametrize("first", ["sales", "tech"])
async def test_two_replicas_come_back_in_either_order_to_equal_bytes(world, replica_of, first):
    view = await world.opened()
    await world.do(SALES, view, "sales", "quote", payload={"price": "1"})
    (sales_entering, sales_link), (tech_entering, tech_link) = replica_of(SALES), replica_of(TECH)
    async with sales_entering as sales, tech_entering as tech:
        await sales.synced(SYNC_S)
        await tech.synced(SYNC_S)
        sales_link.cut()
        tech_link.cut()
        signing, working = await sales.ticket(view.id), await tech.ticket(view.id)
        await signing.do("sales", "sign", {"contract": "A-17"})
        await working.set_form("tech", {"port": "7/2"})
        await working.note("tech", "cabinet is full")
        assert ("ready_to_start", "presale") == (signing.stage, working.stage)

        order = [(sales_link, sales), (tech_link, tech)]
        for link, replica in order if first == "sales" else reversed(order):
            link.mend()
            await replica.synced(SYNC_S)
        await until(lambda: working.stage == "ready_to_start")

        assert state_bytes(signing) == state_bytes(working)
        assert ("ready_to_start", {"port": "7/2"}) == (working.stage, working.form("tech"))
        await working.do("tech", "start")
        await signing.do("sales", "withdraw")
        await until(lambda: signing.stage == working.stage == "stop_work")
        await until(lambda: state_bytes(signing) == state_bytes(working))


@pytest.mark.parametrize("first", ["sales-1", "sales-2"])
async def test_two_who_take_one_ticket_offline_both_see_who_has_it_and_why(world, replica_of, first):
    view = await world.opened()
    agents = {principal.actor: replica_of(principal) for principal in (SALES, SALES_2)}
    (entering, link), (other_entering, other_link) = agents.values()
    async with entering as replica, other_entering as other_replica:
        replicas = {"sales-1": (replica, link), "sales-2": (other_replica, other_link)}
        tickets = {}
        for name, (one, its_link) in replicas.items():
            await one.synced(SYNC_S)
            its_link.cut()
            tickets[name] = await one.ticket(view.id)
        for later_s, name in enumerate((first, *(replicas.keys() - {first}))):
            tickets[name].desk.clock.advance(later_s * 1_000)
            await tickets[name].take("sales")
            assert name == tickets[name].card["assignee.sales"], "offline everybody has it"
        with pytest.raises(Forbidden):
            await tickets[first].take("tech")

        for one, its_link in reversed(replicas.values()):
            its_link.mend()
            await one.synced(SYNC_S)
        await until(lambda: tickets["sales-1"].explain() == tickets["sales-2"].explain())

        cards = [ticket.card for ticket in tickets.values()] + [(await world.tickets.get(TECH, view.id)).card]
        assert cards[0] == cards[1] == cards[2]
        assert first == cards[0]["assignee.sales"]
        assert f"Sales is with {first}: taken at" in tickets[first].explain()[-2]
        assert "Neither had seen the other's hold" in tickets[first].explain()[-1]


async def test_a_department_never_holds_a_form_that_it_may_not_read(world, replica_of, tmp_path):
    view = await world.opened()
    entering, link = replica_of(TECH)
    async with entering as replica:
        await replica.synced(SYNC_S)
        names = {str(name) for name in (await replica.ticket(view.id)).names}

    assert {f"ticket/{view.id}/form/tech"} == {name for name in names if "/form/" in name}
    assert not any("/form/sales" in frame.document for frame in link.sent)


async def test_of_five_offline_moves_one_is_refused_and_only_what_was_built_on_it_with_it(world, tmp_path):
    view = await world.opened()
    path = tmp_path / "replica.db"
    lead = Principal(SALES.actor, SALES.department, ("sales", "sales_lead"))
    async with opened(path, SALES, LoopbackLink(world, SALES)) as replica:
        await replica.synced(SYNC_S)
    async with opened(path, SALES) as replica:
        ticket = await replica.ticket(view.id)
        quoted = await ticket.do("sales", "quote", {"price": "1"})
        signed = await ticket.do("sales", "sign", {"contract": "A"})
    async with opened(path, lead) as replica:  # the role is held when the move is made, and withdrawn before it arrives
        ticket = await replica.ticket(view.id)
        lost = await ticket.do("sales", "lose", seen=(quoted,))
    async with opened(path, SALES) as replica:
        ticket = await replica.ticket(view.id)
        revived = await ticket.do("sales", "revive", seen=(lost,))
        amended = await ticket.do("sales", "amend", {"contract": "B"}, seen=(signed,))
        assert "quoted" == ticket.lanes["sales"], "the revival opens a new round"

    link = LoopbackLink(world, SALES)
    async with opened(path, SALES, link) as replica:
        ticket = await replica.ticket(view.id)
        await until(lambda: not ticket.pending)
        assert {lost: "role_not_held", revived: "parent_refused"} == ticket.refused
        assert ("signed", (amended,)) == (ticket.lanes["sales"], ticket.frontier)
        assert [quoted, signed, amended] == [row.id for row in (await world.store.journal(view.id))[1:]]

        PEOPLE[SALES.actor] = lead  # the role is back, and the entry is judged anew
        try:
            link.cut()
            link.mend()
            await replica.synced(SYNC_S)
            await ticket.retry(lost)
            await until(lambda: {revived: "parent_refused"} == ticket.refused)
            await ticket.retry(revived)
            await until(lambda: not ticket.refused)
        finally:
            PEOPLE[SALES.actor] = SALES
        assert "quoted" == ticket.lanes["sales"]


async def test_a_client_id_that_another_has_is_given_up_and_nothing_is_lost(world, tmp_path):
    view = await world.opened()
    links = [LoopbackLink(world, one, connected=False) for one in (SALES, SALES_2)]
    paths = [tmp_path / f"{n}.db" for n in range(2)]
    for path, principal in zip(paths, (SALES, SALES_2), strict=True):
        async with opened(path, principal, LoopbackLink(world, principal)) as replica:
            await replica.synced(SYNC_S)
    async with opened(paths[0], SALES, links[0], seed=7) as one, opened(paths[1], SALES_2, links[1], seed=7) as other:
        mine, theirs = await one.ticket(view.id), await other.ticket(view.id)
        assert submit_of(mine).client_id == submit_of(theirs).client_id
        first = await mine.do("sales", "quote", {"price": "1"})
        second = await theirs.do("sales", "lose")
        third = await theirs.say("We are sorry.")
        for link, replica in zip(links, (one, other), strict=True):
            link.mend()
            await replica.synced(SYNC_S)
        await until(lambda: not mine.pending and not theirs.pending)

        assert {first, second} <= {row.id for row in await world.store.journal(view.id)}
        assert [third] == [row.id for row in await world.store.messages(view.id)]
        assert submit_of(mine).client_id != submit_of(theirs).client_id
        await until(lambda: state_bytes(mine) == state_bytes(theirs))
        assert {} == (await other.status()).closed
        await theirs.do("sales", "quote", {"price": "2"}, seen=(mine.id,))
        await until(lambda: not theirs.pending)


async def test_a_gap_is_asked_for_again(world, replica_of):
    view = await world.opened()
    entering, link = replica_of(TECH)
    async with entering as replica:
        await replica.synced(SYNC_S)
        ticket = await replica.ticket(view.id)
        link.losing = f"ticket/{view.id}/log"
        view = await world.do(SALES, view, "sales", "quote", payload={"price": "1"})
        await world.settle()
        assert "lead" == ticket.lanes["sales"]
        await world.do(SALES, view, "sales", "lose")
        await until(lambda: ticket.lanes["sales"] == "lost")


async def test_a_ticket_that_a_colleague_opens_appears_and_is_told(world, replica_of):
    entering, _ = replica_of(TECH)
    async with entering as replica:
        await replica.synced(SYNC_S)
        told = asyncio.ensure_future(anext(replica.changes()))
        await asyncio.sleep(0)
        view = await world.opened()
        await replica.refresh()
        assert view.id == (await told).ticket
        await replica.synced(SYNC_S)

        ticket = await replica.ticket(view.id)
        assert ("presale", "Fibre for the bakery", None) == (ticket.stage, ticket.title, ticket.code)


async def test_a_ticket_without_its_lifecycle_says_so_until_it_was_fetched(world, replica_of):
    view = await world.opened()
    entering, link = replica_of(SALES)
    link.lifecycles_known = False
    async with entering as replica:
        await replica.synced(SYNC_S)
        ticket = await replica.ticket(view.id)
        assert ("lifecycle_unknown", None, ()) == (ticket.code, ticket.stage, ticket.explain())
        assert {view.id: "lifecycle_unknown"} == ticket.state.to_json()["codes"]
        with pytest.raises(NotThereYet):
            await ticket.do("sales", "quote")

        link.lifecycles_known = True
        await replica.refresh()
        assert "presale" == (await replica.ticket(view.id)).stage


async def test_a_wrong_token_stops_all_attempts_and_shows(world, replica_of):
    entering, link = replica_of(SALES, token="nobody")
    async with entering as replica:
        await until(lambda: replica._sync.connection == "stopped")
        status = await replica.status()

    assert isinstance(status, Status)
    assert ("stopped", "unauthenticated", 1) == (status.connection, status.problem.code, link.attempts)


async def test_a_service_that_cannot_commit_loses_nothing(world, store, replica_of):
    view = await world.opened()
    entering, _ = replica_of(SALES)
    async with entering as replica:
        await replica.synced(SYNC_S)
        store.down = True
        ticket = await replica.ticket(view.id)
        made = await ticket.do("sales", "quote", {"price": "1"})
        assert not await ticket.delivered(made, 0.2)
        store.down = False
        assert await ticket.delivered(made, SYNC_S)


async def test_what_could_not_be_committed_is_offered_again_on_the_same_connection(world, store, replica_of):
    view = await world.opened()
    entering, link = replica_of(SALES)
    async with entering as replica:
        await replica.synced(SYNC_S)
        ticket = await replica.ticket(view.id)
        store.refuses = lambda batch: True
        made = await ticket.do("sales", "lose")
        await until(lambda: any(standing.declined for standing in replica._sync.standings.values()))
        store.refuses = lambda batch: False

        assert await ticket.delivered(made, SYNC_S)
        await replica.synced(SYNC_S)
        assert 1 == link.attempts


async def test_a_subject_that_has_a_ticket_closes_the_second_one_and_says_why(world, replica_of):
    await world.opened(SUPPORT, subject="order 7")
    entering, _ = replica_of(SALES)
    async with entering as replica:
        ticket = await replica.open_ticket(title="Again", subject="order 7")
        await replica.synced(SYNC_S)
        submit = f"ticket/{ticket.id}/submit/sales"
        assert {submit: "subject_taken"} == {
            name: problem.code for name, problem in (await replica.status()).closed.items()
        }
        assert (ticket.id,) == ticket.pending
        replica.retry(submit)
        assert {} == (await replica.status()).closed
        await until(lambda: replica._sync.closed)


async def test_more_documents_than_a_connection_may_open_take_turns(world, replica_of, monkeypatch):
    monkeypatch.setattr(sync, "DOCUMENTS_MAX", 6)
    views = [await world.opened() for _ in range(5)]
    entering, _ = replica_of(SALES)
    async with entering as replica:
        await replica.synced(SYNC_S)
        assert ["presale"] * 5 == [ticket.stage for ticket in await replica.tickets()]
        view = await world.do(SALES, views[0], "sales", "quote", payload={"price": "1"})
        first = await replica.ticket(view.id)
        await until(lambda: first.lanes["sales"] == "quoted")
        made = await first.do("sales", "lose")
        assert await first.delivered(made, SYNC_S)
        joined = [standing for standing in replica._sync.standings.values() if standing.joined]
        assert len(joined) <= 6


class Patient(SeededIds):
    """`Ids` whose jitter makes every wait between two connections last for days."""

    def jitter(self):
        return -1e7


async def test_a_service_that_answers_is_connected_to_at_once_whatever_the_wait(world, tmp_path):
    link = LoopbackLink(world, SALES, connected=False)
    async with Replica.open(tmp_path / "replica.db", token=token_of(SALES), link=link, ids=Patient()) as replica:
        ticket = await replica.open_ticket(title="Fibre")
        await until(lambda: link.attempts == 1)
        with pytest.raises(Unavailable):
            await replica.refresh()
        link.mend()

        await replica.refresh()

        assert await ticket.delivered(ticket.id, SYNC_S)


async def test_reset_keeps_what_was_not_delivered_in_a_file_and_begins_again(world, replica_of, tmp_path):
    view = await world.opened()
    entering, link = replica_of(SALES)
    async with entering as replica:
        await replica.synced(SYNC_S)
        link.cut()
        ticket = await replica.ticket(view.id)
        made = await ticket.do("sales", "quote", {"price": "1"})
        await ticket.note("sales", "unsent")
        kept = await replica.reset(tmp_path / "kept.jsonl")
        with pytest.raises(Conflict):
            await replica.reset(kept)
        assert [] == await replica.tickets()
        link.mend()
        await replica.synced(SYNC_S)
        assert (("lead", ()),) == tuple((one.lanes["sales"], one.pending) for one in await replica.tickets())

    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [made] == [transition.decode(line["record"].encode()).id for line in lines if line["kind"] == "transition"]
    assert ["unsent\n"] == [line["notes"] for line in lines if line.get("lane") == "sales"]


async def test_an_edit_goes_out_only_after_it_is_durable_here(world, replica_of):
    view = await world.opened()
    entering, link = replica_of(SALES)
    async with entering as replica:
        await replica.synced(SYNC_S)
        ticket = await replica.ticket(view.id)
        replica._shelf._store._connection.close()
        before = len(link.sent)
        with pytest.raises(Unavailable) as caught:
            await ticket.do("sales", "lose")
        assert "replica_store" == caught.value.code
        await world.settle()
        assert not [frame for frame in link.sent[before:] if isinstance(frame, Change | Diff)]
        with pytest.raises(Unavailable):
            await ticket.say("never")
        await world.opened()  # what the service tells of it cannot be kept
        await until(lambda: replica._sync.connection == "stopped")


async def test_tickets_are_heard_of_and_no_more_asked_for(world, replica_of):
    entering, link = replica_of(TECH)
    async with entering as replica:
        await replica.synced(SYNC_S)
        asked = link.asked
        view = await world.opened()
        await until(lambda: replica._index.is_listed(view.id))
        await replica.synced(SYNC_S)
        await until(lambda: link.rounds > 3)
        assert asked == link.asked
        assert view.position <= replica._index.position


async def test_what_was_heard_is_there_after_a_restart_and_nothing_was_missed_between(world, replica_of):
    entering, _ = replica_of(TECH)
    async with entering as replica:
        await replica.synced(SYNC_S)
        heard = await world.opened()
        await until(lambda: replica._index.is_listed(heard.id))
    missed = await world.opened()
    entering, link = replica_of(TECH)
    async with entering as replica:
        await replica.synced(SYNC_S)
        assert {heard.id, missed.id} == {ticket.id for ticket in await replica.tickets()}
        assert 1 == link.asked


async def test_a_service_with_another_database_is_asked_for_everything(world, replica_of):
    entering, _ = replica_of(TECH)
    async with entering as replica:
        await replica.synced(SYNC_S)
        await replica._index._store.save_listing([], 1_000)
    view = await world.opened()
    entering, link = replica_of(TECH)
    async with entering as replica:
        await replica.synced(SYNC_S)
        assert [view.id] == [ticket.id for ticket in await replica.tickets()]
    assert 2 == link.asked

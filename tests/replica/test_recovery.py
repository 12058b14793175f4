"""A restored service and replicas that come back to it: nothing old resurrects, and nothing new is lost."""

import asyncio
import json
import os
from contextlib import AsyncExitStack
from copy import deepcopy
from itertools import permutations
from pathlib import Path

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain import transition
from crdt_sync.domain.access import Principal
from crdt_sync.domain.ids import DocumentKind, DocumentName
from crdt_sync.domain.tripwire import Agreement
from crdt_sync.errors import Conflict
from crdt_sync.replica.edits import Edit
from crdt_sync.replica.link import Closed
from crdt_sync.replica.recovery import write_new
from crdt_sync.service.epochs import begin_epoch
from crdt_sync.wire import ysync
from tests.fakes import SeededIds
from tests.replica.loopback import LoopbackLink, opened, until
from tests.world import SALES, SALES_2, SUPPORT, TECH, World

SYNC_S = 20.0
PROMOTED = Principal("sales-2", "sales", ("sales", "sales_lead"))  # so says the token; the service knows better


class Site:
    """A service that can be restored, and replicas in files of their own, each on a network that can be cut."""

    def __init__(self, world, store, folder):
        self.world, self.store, self._folder = world, store, folder
        self._stack = AsyncExitStack()
        self.links, self.replicas = {}, {}

    async def replica(self, principal, **more):
        link = self.links[principal.actor] = LoopbackLink(self.world, principal, **more)
        entering = opened(self._folder / f"{principal.actor}.db", principal, link)
        self.replicas[principal.actor] = await self._stack.enter_async_context(entering)
        return self.replicas[principal.actor]

    def leave(self, *actors):
        for actor in actors or self.links:
            self.links[actor].cut()

    def back_up(self):
        return deepcopy(self.store)

    async def restore(self, backup, *, replaced):
        self.leave()
        await self.world.stop()
        await begin_epoch(backup, SeededIds(77), 9, replaced=self.store if replaced else None)
        self.store, self.world = backup, await World.start(backup)
        for link in self.links.values():
            link.world = self.world

    async def come_back(self, *actors):
        for actor in actors:
            self.links[actor].mend()
            await asyncio.sleep(0.01)
        await self.synced(*actors)

    async def synced(self, *actors):
        for actor in actors or self.replicas:
            await self.replicas[actor].synced(SYNC_S)

    async def journal(self, ticket):
        return sorted(row.id for row in await self.store.journal(ticket))

    async def close(self):
        await self._stack.aclose()
        await self.world.stop()


@pytest.fixture
async def site(tmp_path):
    store = MemoryStore()
    site = Site(await World.start(store), store, tmp_path)
    yield site
    await site.close()


async def arrived(replica, id_):
    """The ticket in another's replica, once it is there."""
    await until(lambda: id_ in replica._tickets and replica._tickets[id_].code is None, SYNC_S)
    return await replica.ticket(id_)


async def agree(site, *tickets):
    """Every replica that looks at these tickets agrees with the service about each."""
    for actor, replica in site.replicas.items():
        for ticket in tickets:
            said = site.links[actor].agreements[ticket]
            await until(lambda said=said: said and said[-1] is Agreement.EQUAL, SYNC_S)
        assert [] == (await replica.status()).alarms


@pytest.mark.parametrize(
    ("order", "replaced"),
    [(order, number % 2 == 0) for number, order in enumerate(permutations(["sales-1", "sales-2", "tech-1"]))],
    ids=str,
)
async def test_after_a_restore_nothing_old_resurrects_and_nothing_new_is_lost(site, order, replaced):
    sales, colleague, tech = [await site.replica(each) for each in (SALES, SALES_2, TECH)]
    here = await sales.open_ticket(title="Fibre")
    made = [here.id, await here.do("sales", "quote", {"price": "99.50"})]
    await here.note("sales", "before")
    await site.synced("sales-1")
    there, far = await arrived(colleague, here.id), await arrived(tech, here.id)
    await site.synced()
    backup = site.back_up()

    await here.set(priority=1)
    await here.note("sales", "acknowledged")
    made.append(await here.do("sales", "sign", {"contract": "C-17"}))
    await until(lambda: there.lanes["sales"] == far.lanes["sales"] == "signed")
    made.append(await far.do("tech", "start"))
    await site.synced()
    site.leave("sales-1", "tech-1")
    made.append(await there.do("sales", "amend", {"contract": "C-18"}))
    made.append(await there.do("sales", "amend", {"contract": "C-19"}))
    await site.synced("sales-2")
    made.append(await far.do("tech", "deliver"))
    await far.note("tech", "duct is full")
    await here.set(customer="Bakery")
    await here.note("sales", "from the train")
    later = await sales.open_ticket(title="Opened after the backup")
    quoted = await later.do("sales", "quote", {"price": "1.00"})

    await site.restore(backup, replaced=replaced)
    assert 2 == len(await site.journal(here.id))
    await site.come_back(*order)
    await site.synced()

    assert sorted(made) == await site.journal(here.id), "each once"
    assert sorted([later.id, quoted]) == await site.journal(later.id)
    for ticket in (here, there, far):
        await until(lambda ticket=ticket: ticket.card == {"title": "Fibre", "customer": "Bakery"})
        await until(lambda ticket=ticket: (ticket.lanes["sales"], ticket.lanes["tech"]) == ("signed", "delivered"))
        assert {} == ticket.refused
    for ticket in (here, there):
        await until(lambda ticket=ticket: sorted(ticket.notes("sales").splitlines()) == ["before", "from the train"])
    assert "duct is full\n" == far.notes("tech")
    assert "Opened after the backup" == later.title
    await agree(site, here.id, later.id)
    dropped = [json.loads(line) for line in (site._folder / "sales-1.db.dropped.jsonl").read_text().splitlines()]
    assert 1 in [line["fields"].get("priority") for line in dropped if line["kind"] == "card"]


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced read", "replaced lost"])
async def test_a_ticket_that_no_backup_has_is_opened_again_by_who_opened_it(site, replaced):
    sales, tech = await site.replica(SALES), await site.replica(TECH)
    backup = site.back_up()
    here = await sales.open_ticket(title="Fibre")
    quote = await here.do("sales", "quote")
    await here.set(priority=1)
    await site.synced("sales-1")
    there = await arrived(tech, here.id)
    await site.synced()

    await site.restore(backup, replaced=replaced)
    site.links["tech-1"].mend()
    await until(lambda: not tech._index.is_listed(here.id))
    assert "Fibre" == there.title, "its copy stays readable"
    await site.come_back("sales-1", "tech-1")
    await site.synced()

    assert sorted([here.id, quote]) == await site.journal(here.id)
    await until(lambda: {"title": "Fibre", "priority": 1} == there.card == here.card)
    await agree(site, here.id)


async def test_what_was_refused_since_the_backup_is_judged_anew_and_what_before_is_not(site):
    sales = await site.replica(SALES)
    here = await sales.open_ticket(title="Fibre")
    await site.synced()
    colleague = await site.replica(PROMOTED)
    there = await arrived(colleague, here.id)
    before = await there.do("sales", "quote")
    await site.synced()
    backup = site.back_up()
    after = await there.do("sales", "lose")
    await site.synced()
    assert {"role_not_held"} == set(there.refused.values())

    submits = DocumentName(here.id, DocumentKind.SUBMIT, "sales")
    await site.restore(backup, replaced=True)
    await site.come_back("sales-1", "sales-2")
    await site.synced()

    assert {before, after} <= there.refused.keys()
    texts = [entry.text for entry in (await site.world.rooms.get(str(submits))).document.entries()]
    assert sorted([here.id, before, after]) == sorted(transition.entry_key(text.encode()) for text in texts)


async def test_a_forgery_in_our_name_is_not_submitted_again_as_ours(site):
    sales = await site.replica(SALES)
    here = await sales.open_ticket(title="Fibre")
    await site.synced()
    view = await site.world.tickets.get(SALES, here.id)
    forged = site.world.made(SALES, view, "sales", "quote", [here.id])
    backup = site.back_up()
    connection, _ = await site.world.yjs(f"ticket/{here.id}/submit/sales", SALES_2)
    connection.receive(ysync.encode_update(SubmitDocument(9).append_transition(forged.record)))
    await until(lambda: {forged.id: "actor"} == here.refused)

    await site.restore(backup, replaced=True)
    await site.come_back("sales-1")

    assert [here.id] == await site.journal(here.id)
    assert {} == here.refused
    assert () == here.pending


async def test_what_somebody_elses_copy_took_the_place_of_is_submitted_again(site):
    """A colleague's copy came first, and was refused in his name; the author's own entry is judged all the same."""
    sales = await site.replica(SALES)
    here = await sales.open_ticket(title="Fibre")
    await site.synced()
    site.leave()
    quote = await here.do("sales", "quote")
    record = here.undelivered[0].record
    connection, _ = await site.world.yjs(f"ticket/{here.id}/submit/sales", SALES_2)
    connection.receive(ysync.encode_update(SubmitDocument(9).append_transition(record)))
    await site.world.settle()

    await site.come_back("sales-1")

    assert sorted([here.id, quote]) == await site.journal(here.id)
    assert {} == here.refused


async def test_what_is_to_be_made_again_survives_the_process(site):
    """The copy is dropped; before the new life arrives, the replica ends, and another process opens its file."""
    sales = await site.replica(SALES)
    here = await sales.open_ticket(title="Fibre")
    await site.synced()
    backup = site.back_up()
    quote = await here.do("sales", "quote")
    await site.synced()
    site.leave()
    await here.set(customer="Bakery")
    for name in (DocumentName(here.id, DocumentKind.CARD), here.submit_name, DocumentName(here.id, DocumentKind.LOG)):
        await sales._recovery.reset(name)
    assert quote in here.pending, "it shows as what it is, all the while"
    await site._stack.aclose()
    site._stack = AsyncExitStack()

    await site.restore(backup, replaced=True)
    again = await (await site.replica(SALES)).ticket(here.id)
    await site.synced("sales-1")

    assert sorted([here.id, quote]) == await site.journal(here.id)
    await until(lambda: {"title": "Fibre", "customer": "Bakery"} == again.card)


def dropped(site, actor):
    """What the file of a replica's dropped copies tells."""
    lines = (site._folder / f"{actor}.db.dropped.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


async def test_what_no_document_takes_any_more_is_told_and_the_rest_is_made_again(site):
    sales = await site.replica(SALES)
    here = await sales.open_ticket(title="Fibre")
    await site.synced()
    site.leave()
    card = DocumentName(here.id, DocumentKind.CARD)
    old, good = Edit("fields", {"a_key_of_former_times": 1}), Edit("fields", {"customer": "Bakery"})
    await sales._shelf.end(card, [old, good])
    await site.come_back("sales-1")

    await until(lambda: {"title": "Fibre", "customer": "Bakery"} == here.card)
    assert [{"ticket": here.id, "document": str(card), "edit": "fields", "value": old.value}] == dropped(
        site, "sales-1"
    )
    assert [] == sales._shelf.ended


async def test_what_an_older_program_submitted_is_told_when_its_copy_is_dropped(site):
    """Files of before there were edits do not say what was made in them."""
    sales = await site.replica(SALES)
    here = await sales.open_ticket(title="Fibre")
    quote = await here.do("sales", "quote")
    await site.synced()
    site.leave()
    sales._shelf._made.clear()
    await sales._recovery.reset(here.submit_name)

    records = [line["record"].encode() for line in dropped(site, "sales-1")]
    assert [here.id, quote] == [transition.decode(record).id for record in records]


async def test_a_reset_tells_what_was_to_be_made_again(site):
    sales = await site.replica(SALES)
    here = await sales.open_ticket(title="Fibre")
    await site.synced()
    site.leave()
    card = DocumentName(here.id, DocumentKind.CARD)
    await sales._shelf.end(card, [Edit("fields", {"customer": "Bakery"})])
    file = await sales.reset()

    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {"ticket": here.id, "document": str(card), "edit": "fields", "value": {"customer": "Bakery"}} in lines


async def test_a_reset_that_fails_leaves_the_replica_at_work(site, tmp_path):
    sales = await site.replica(SALES)
    here = await sales.open_ticket(title="Fibre")
    await site.synced()
    taken = tmp_path / "taken.jsonl"
    taken.write_text("")
    with pytest.raises(Conflict):
        await sales.reset(taken)
    await here.do("sales", "quote")

    await site.synced()


async def test_a_service_that_resets_for_ever_is_left_alone_in_the_end(site):
    sales = await site.replica(SALES)
    here = await sales.open_ticket(title="Fibre")
    await site.synced()
    name = DocumentName(here.id, DocumentKind.CARD)
    for _ in range(4):
        await sales._sync._take(name, Closed(str(name), "reset", "Again."), whole=True)

    assert "reset" == (await sales.status()).closed[str(name)].code


async def test_messages_are_said_again_and_once(site):
    support = await site.replica(SUPPORT)
    sales = await site.replica(SALES)
    here = await sales.open_ticket(title="Fibre")
    await site.synced("sales-1")
    there = await arrived(support, here.id)
    first = await there.say("We look into it.")
    await site.synced()
    backup = site.back_up()
    second = await there.say("It is mended.")
    await site.synced()

    await site.restore(backup, replaced=True)
    await site.come_back("support-1", "sales-1")
    await site.synced()

    assert sorted([first, second]) == sorted(row.id for row in await site.store.messages(here.id))
    await until(lambda: [first, second] == [one.id for one in there.messages] or len(there.messages) == 2)


def test_what_is_told_of_a_copy_is_on_the_disk_before_the_copy_is_dropped(tmp_path, monkeypatch):
    synced, real = [], os.fsync

    def fsync(handle):
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    file = tmp_path / "export.jsonl"
    write_new(file, ["{}"])

    assert [file, tmp_path] == synced
    assert "{}\n" == file.read_text()

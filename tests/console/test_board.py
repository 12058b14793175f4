"""The board's figures are those of the event log, as far as each department may know it."""

import asyncio
import json
import random
from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.domain.group import RED_AFTER_MS
from crdt_sync.domain.identity import Identity
from crdt_sync.errors import CallerError
from crdt_sync.ports import TicketFilter
from crdt_sync.service.sending import Report, lease_of
from tests.console import board
from tests.console.test_agreement import node
from tests.world import BACKOFFICE, GATEWAY, LEAD, SALES, STRANGER, SUPPORT, TECH, World, arrival

STEPS = 250
QUIET_MS = 86_400_000
PEOPLE = (SALES, LEAD, TECH, SUPPORT, BACKOFFICE)
BRIDGE = replace(GATEWAY, accounts=("shop", "desk"))
PAUSES_MS = (1_000, 60_000, 1_800_000, 7_200_000, 20_000_000, RED_AFTER_MS)


@pytest.mark.parametrize(("seed", "zone"), [(1, "Asia/Kathmandu"), (2, "America/New_York")])
async def test_the_figures_of_a_department_are_those_of_the_event_log(seed, zone):
    """A random history of a real service; of each department the page is closed in the middle, and resumes."""
    world = await World.start(MemoryStore())
    story = Story(world, seed)
    await story.live()
    log = await world.store.events(0, limit=100_000)
    now_ms = world.clock.now_ms()
    shown = {}
    for person in (SALES, BACKOFFICE, STRANGER):
        own = [event for event in log if person.department in event.audience]
        texts = await _heard(world, person, len(own))
        closed_after = story.dice.randrange(len(texts) + 1)
        (line,) = node("figures", zone, now_ms, QUIET_MS, closed_after, told="\n".join(texts))
        shown[person.department] = json.loads(line)
        assert board.figures(own, zone=zone, now_ms=now_ms, quiet_ms=QUIET_MS) == shown[person.department]
        await _assert_as_the_tickets_are(world, person, shown[person.department])
    await world.stop()

    assert 0 == shown["marketing"]["open"] == len(shown["marketing"]["flow"])
    assert [] == shown["backoffice"]["channels"] == shown["backoffice"]["responses"], "it is not in the conversation"
    assert [] == [name for name, figure in shown["sales"].items() if not figure], "it says something of everything"
    assert {"", "sales", "support"} <= {row["department"] for row in shown["sales"]["responses"]}
    assert 0 < sum(row["failed"] for row in shown["sales"]["channels"])
    assert {"duplicate_marked", "duplicate_cleared"} <= {event.type for event in log}
    assert 0 < sum(row["reopened"] for row in shown["sales"]["flow"])


class Story:
    """People open tickets, move them, write, send and wait, and customers write, all by chance."""

    def __init__(self, world, seed):
        self.world, self.dice = world, random.Random(seed)
        self.views = []  # of tickets, as somebody saw them at some time
        self.marked = []  # as duplicates
        self.step = 0

    async def live(self):
        await self.opens(SALES)
        deeds = [
            self.hears,
            self.hears,
            self.opens,
            *[self.moves] * 5,
            self.answers,
            self.answers,
            self.sends,
            self.reds,
        ]
        for self.step in range(STEPS):
            self.world.clock.advance(self.dice.choice(PAUSES_MS) + self.dice.randrange(1_000))
            if self.step % 10 == 0:
                await self.marks()
            with suppress(CallerError):  # it was not for this person, or not enabled in what was seen
                await self.dice.choice(deeds)(self.dice.choice(PEOPLE))

    async def hears(self, person):
        """Somebody writes on a platform."""
        who, account = f"customer-{self.dice.randrange(8)}", self.dice.choice(["shop", "shop", "desk"])
        kind = self.dice.choice(["customer", "customer", "customer", "agent", "system"])
        said = arrival(f"{self.step}", account=account, conversation=who, sender=who, kind=kind)
        (made,) = await self.world.tickets.ingest(BRIDGE, [said])
        self.views.append(await self.world.tickets.get(person, made.ticket))

    async def opens(self, person):
        self.views.append((await self.world.tickets.open(person, title="Fibre for the bakery")).ticket)

    async def moves(self, person):
        """Make a move in what was seen once, which others may have changed meanwhile."""
        view = self.dice.choice(self.views)
        lanes = [lane for lane in self.world.lifecycles.default.lanes.values() if lane.owner == person.department]
        fit = [
            (lane.id, spec.name)
            for lane in lanes
            for spec in lane.transitions.values()
            if view.lanes.get(lane.id, lane.initial) in spec.sources
        ]
        if fit:
            self.views.append(await self.world.do(person, view, *self.dice.choice(fit)))

    async def answers(self, person):
        await self.world.tickets.post_message(person, self.dice.choice(self.views).id, text=f"answer {self.step}")

    async def marks(self):
        """Say that a ticket is a duplicate; later that it is none, for what is one owes nothing that is shown."""
        marking = self.world.conversations
        for ticket in self.marked[:1]:
            await marking.clear_duplicate(SUPPORT, ticket)
        self.marked = self.marked[1:]
        one, other = self.views[-1].id, self.views[0].id
        with suppress(CallerError):  # it is that one, or a customer could not be answered there
            await marking.mark_duplicate(SALES, one, other)
            self.marked.append(one)

    async def sends(self, person):
        """A gateway takes a part that is to be sent, and says what became of it."""
        del person
        world = self.world
        claiming = world.outbox.claim(Identity(BRIDGE, None), accounts=(), idempotent=(), in_flight_max=0)
        fetching = asyncio.ensure_future(anext(claiming))
        await world.settle()
        if fetching.done():
            row = fetching.result()
            for outcome in ("begun", self.dice.choice(["sent", "dead", "window_closed"])):
                row = await world.outbox.report(BRIDGE, Report(row.id, lease_of(row), outcome))
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)
        await claiming.close()

    async def reds(self, person):
        """The service looks for what has been owed for too long."""
        del person
        await self.world.overdue.look()


async def _heard(world, person, own):
    """The first so many events that are told to somebody, as they are told."""
    watch = await world.events.watch(Identity(person, None), 0, wire="events")
    texts = []
    while len(texts) < own:
        texts += [told.text for told in (await anext(watch)).events]
    watch.close()
    return texts


async def _assert_as_the_tickets_are(world, person, figures):
    """What is told by events is what the tickets' rows say, which no event has a part in."""
    rows = await world.store.tickets(TicketFilter(person.department), after=None, limit=1_000)
    going = [row for row in rows if row.kind not in {"settled", "final"} and row.duplicate_of is None]
    assert Counter(row.stage for row in going) == {row["stage"]: row["count"] for row in figures["stages"]}
    owed = Counter(tuple(sorted(owed["owes"])) for row in rows for owed in row.obligations)
    assert owed == {tuple(row["lanes"]): sum(row["ages"]) for row in figures["obligations"]}

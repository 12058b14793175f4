"""Webhooks on virtual time: nodes that can be killed, receivers that do as a test says, and events for both."""

import asyncio
import json
from dataclasses import dataclass, field

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.domain.access import Principal
from crdt_sync.domain.event import EventType
from crdt_sync.errors import Malformed
from crdt_sync.ports import Batch, NewEvent, StoreUnavailable
from crdt_sync.ports.webhooks import Reply
from crdt_sync.service.courier import Means
from crdt_sync.service.couriers import Couriers
from crdt_sync.service.events import Events
from crdt_sync.service.leases import Leases
from crdt_sync.service.standing import Standing
from crdt_sync.service.webhooks import Webhooks
from property_tests.simulation.loop import VirtualLoop
from tests.fakes import START_MS, CountingMeter, SeededIds

SALES, TECH = Principal("sales-1", "sales", ("sales",)), Principal("tech-1", "tech", ("tech",))
CRM, ERP = "https://crm.example/", "https://erp.example/"
ANSWER_S = 0.05  # what a receiver takes
OWN = ("sales", "tech")


def ticket(number=0):
    return "a" * 49 + f"{'abcdefghij'[number // 10 % 10]}{'abcdefghij'[number % 10]}a"


class LoopClock:
    """The loop's time, and by how much the machine was told another one."""

    off_ms = 0

    def now_ms(self):
        return START_MS + int(asyncio.get_running_loop().time() * 1000) + self.off_ms


class OneLife:
    """A process's way to the store: nothing passes once it is dead. It counts what is asked for by name."""

    def __init__(self, store):
        self._store, self.dead, self.asked = store, False, []

    def __getattr__(self, name):
        work = getattr(self._store, name)

        async def ask(*args, **named):
            if self.dead:
                raise StoreUnavailable("killed")
            self.asked.append(name)
            return await work(*args, **named)

        return ask


@dataclass
class Request:
    url: str
    at_s: float
    headers: dict
    body: bytes

    @property
    def id(self):
        return int(self.headers["webhook-id"])

    @property
    def event(self):
        return json.loads(self.body)


class FakeReceivers:
    """Receivers that take everything, unless `behave` says otherwise: a `Reply`, or None for one that hangs."""

    def __init__(self):
        self.requests, self.taken = [], []  # all that came, and those that were answered with success
        self.behave = lambda request: Reply()
        self.answer_s = lambda request: ANSWER_S
        self.under_way, self.most_under_way = 0, 0

    def check(self, url):
        if not url.startswith("https://"):
            raise Malformed("Events travel encrypted.", code="webhook_url")

    def open(self, url):
        return FakeReceiver(self, url)


@dataclass
class FakeReceiver:
    all: FakeReceivers
    url: str

    async def post(self, headers, body):
        request = Request(self.url, asyncio.get_running_loop().time(), dict(headers), body)
        self.all.requests.append(request)
        self.all.under_way += 1
        self.all.most_under_way = max(self.all.most_under_way, self.all.under_way)
        try:
            reply = self.all.behave(request)
            await asyncio.sleep(10 if reply is None else self.all.answer_s(request))
        finally:
            self.all.under_way -= 1
        if reply is None:
            return Reply("timeout")
        if not reply.code:
            self.all.taken.append(request)
        return reply

    async def close(self):
        pass


class Node:
    """One process of the service."""

    def __init__(self, office, seed):
        self.store, clock, self.meter = OneLife(office.store), office.clock, CountingMeter()
        ids = SeededIds(seed, clock)
        self.standing = Standing(self.store)
        self.leases = Leases(clock, self.standing)
        self.events = Events(self.store, self.leases)
        means = Means(self.store, self.events, office.receivers, clock, ids, self.meter)
        self.couriers = Couriers(means)
        self.webhooks = Webhooks(self.store, office.receivers, self.couriers, clock, ids)

    async def start(self):
        await self.standing.refresh()
        for part in (self.leases, self.events, self.couriers):
            part.start()

    async def stop(self):
        for part in (self.couriers, self.leases, self.events):
            await part.stop()

    async def kill(self):
        """End at once: whatever its tasks do at their end reaches nothing."""
        self.store.dead = True
        await self.stop()


@dataclass
class Office:
    store: MemoryStore = field(default_factory=MemoryStore)
    receivers: FakeReceivers = field(default_factory=FakeReceivers)
    clock: LoopClock = field(default_factory=LoopClock)
    node: Node = None
    made: list = field(default_factory=list)  # position and ticket of every event
    _nodes: int = 0

    async def begin(self):
        self._nodes += 1
        self.node = Node(self, self._nodes)
        await self.node.start()
        return self.node

    async def tell(self, of=0, *, type_=EventType.REFUSED, audience=OWN, data=None):
        told = {"entry": str(len(self.made)), "code": "x"} if data is None else data
        event = NewEvent(type_, ticket(of), told, audience, self.clock.now_ms())
        committed = await self.store.commit(Batch(events=[event]))
        self.made.append((committed.last, ticket(of)))
        if self.node is not None:
            self.node.events.notice()
        return committed.last

    def taken(self, url=CRM):
        """The ids that a receiver took, in the order in which it saw each first."""
        return list(dict.fromkeys(request.id for request in self.receivers.taken if request.url == url))

    async def waiting(self, hook, *, dead=False):
        return [row.position for row in await self.store.webhook_rows(hook.id, dead=dead, limit=9999)]

    async def stored(self, hook):
        return await self.store.webhook(hook.id)


def run(story):
    """Tell a story on virtual time, with one node at its beginning and none left at its end."""

    async def told():
        office = Office()
        await office.begin()
        try:
            await story(office)
        finally:
            await office.node.stop()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(told())


def assert_once_and_in_order(office, url=CRM):
    """Everything that happened was taken once, as its id tells, and what is of one ticket in its order."""
    taken = office.taken(url)
    assert sorted(position for position, _ in office.made) == sorted(taken)
    for of in {of for _, of in office.made}:
        own = [position for position, other in office.made if other == of]
        assert own == [position for position in taken if position in set(own)]

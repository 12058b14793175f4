"""A whole service without sockets, for tests: the real committer, rooms and sessions over any store."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from crdt_sync.adapters import lifecycle_files
from crdt_sync.domain import transition
from crdt_sync.domain.access import Principal
from crdt_sync.domain.group import NO_GROUPS, Groups
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import TicketId
from crdt_sync.domain.service_desk import NO_DESK, ServiceDesk
from crdt_sync.domain.transition import Transition
from crdt_sync.errors import Unauthenticated
from crdt_sync.ports import Store
from crdt_sync.protocol.collab_dialect import CollabDialect
from crdt_sync.protocol.dialect import Dialect
from crdt_sync.protocol.yjs_dialect import YjsDialect
from crdt_sync.service.arrival import Arrival
from crdt_sync.service.audit import Audit
from crdt_sync.service.committer import Committer
from crdt_sync.service.compaction import Compactor
from crdt_sync.service.connection import Connection
from crdt_sync.service.connections import Connections
from crdt_sync.service.conversations import Conversations
from crdt_sync.service.events import Events
from crdt_sync.service.leases import Leases
from crdt_sync.service.lifecycles import Lifecycles
from crdt_sync.service.live_ticket import Desk
from crdt_sync.service.media import Contents
from crdt_sync.service.outbox import Outbox
from crdt_sync.service.overdue import Overdue
from crdt_sync.service.rooms import Rooms
from crdt_sync.service.standing import Standing
from crdt_sync.service.tickets import Tickets
from crdt_sync.service.views import TicketView
from tests.fakes import CountingMeter, ManualClock, SeededIds

SALES = Principal("sales-1", "sales", ("sales",))
SALES_2 = Principal("sales-2", "sales", ("sales",))
LEAD = Principal("lead-1", "sales", ("sales", "sales_lead"))
TECH = Principal("tech-1", "tech", ("tech",))
SUPPORT = Principal("support-1", "support", ("support",))
BACKOFFICE = Principal("office-1", "backoffice", ("backoffice",))
STRANGER = Principal("other-1", "marketing", ("sales",))
GATEWAY = Principal("gateway-1", "gateway", ("gateway",), accounts=("shop",))
PEOPLE = {one.actor: one for one in (SALES, SALES_2, LEAD, TECH, SUPPORT, BACKOFFICE, STRANGER, GATEWAY)}


class Wire:
    """A transport that keeps what was written, and lets a test wait for the next of it."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.writes = 0
        self.pauses = 0
        self.closed: tuple[int, str] | None = None

    def pause(self) -> None:
        self.pauses += 1

    def resume(self) -> None:
        self.pauses -= 1

    def encode(self, said: Sequence[object]) -> object:
        return said

    def write(self, frames: Sequence[object]) -> None:
        self.writes += 1
        self.frames += chain.from_iterable(frames)

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


class World:
    """Everything that `serve` builds, but the sockets."""

    def __init__(
        self,
        store: Store,
        lifecycles: Lifecycles,
        clock: ManualClock,
        *,
        open_documents: bool,
        groups: Groups,
        service_desk: ServiceDesk,
    ) -> None:
        self.store, self.lifecycles, self.clock, self.ids = store, lifecycles, clock, SeededIds(1)
        self.expires_at_ms: int | None = None  # of every token that is judged from now on
        self.meter = CountingMeter()
        self.compactor = Compactor(store, self.ids, self.meter)
        self.rooms = Rooms(store, self.ids, self.compactor)
        self.desk = Desk(store, self.rooms, lifecycles, self.ids, groups)
        self.standing = Standing(store)
        self.leases = Leases(clock, self.standing)
        self.audit = Audit(self.meter, clock, b"k" * 32)
        self.events = Events(store, self.leases)
        hearing = replace(service_desk, groups=groups)
        self.outbox = Outbox(store, self.leases, clock, self.ids, self.meter, service_desk=hearing)
        noticed = {"notice": self.events.notice, "outbox": self.outbox.notice}
        self.committer = Committer(self.desk, clock, self.meter, **noticed)
        self.overdue = Overdue(store, clock, red_after_ms=groups.red_after_ms)
        shared = {"store": store, "rooms": self.rooms, "committer": self.committer, "lifecycles": lifecycles}
        self.tickets = Tickets(**shared, clock=clock, ids=self.ids, secret=b"k" * 32, service_desk=service_desk)
        self.conversations = Conversations(store, self.tickets, self.outbox, lifecycles, self.ids, service_desk)
        self.contents = Contents(store, self.tickets, lifecycles, clock, self.ids, self.meter)
        self.connections = Connections(
            **shared, clock=clock, audit=self.audit, leases=self.leases, open_documents=open_documents
        )

    @classmethod
    async def start(
        cls,
        store: Store,
        *,
        open_documents: bool = False,
        lifecycle: str = "connect-order",
        others: Sequence[str] = (),
        service_desk: ServiceDesk = NO_DESK,
        groups: Groups = NO_GROUPS,
        clock: ManualClock | None = None,
    ) -> "World":
        sources = {name: lifecycle_files.shipped()[name] for name in (lifecycle, *others)}
        lifecycles = await Lifecycles.load(store, lifecycle_files.load, lifecycle_files.load_accepted, sources)
        chosen = {"open_documents": open_documents, "groups": groups, "service_desk": service_desk}
        world = cls(store, lifecycles, clock or ManualClock(), **chosen)
        world.compactor.start()
        world.committer.start()
        world.committer._task.add_done_callback(_end_what_waits)
        world.connections.start()
        world.events.start()
        world.outbox.start(world.committer)
        world.overdue.start(world.committer)
        world.contents.start(world.committer)
        return world

    async def stop(self) -> None:
        await self.connections.stop(1012, "stopping")
        await self.events.stop()
        await self.outbox.stop()
        await self.overdue.stop()
        await self.contents.stop()
        await self.committer.stop()
        self.committer._task.result()
        await self.compactor.stop()

    async def authenticate(self, token: str) -> Identity:
        """In tests a token is an actor's name."""
        if token not in PEOPLE:
            raise Unauthenticated("The token is wrong.")
        return self.standing.judge(Identity(PEOPLE[token], self.expires_at_ms))

    def connect(self, dialect: Dialect, principal: Principal | None = None) -> tuple[Connection, Wire]:
        wire = Wire()
        identity = Identity(principal, self.expires_at_ms) if principal is not None else None
        return self.connections.connect(dialect, wire, authenticate=self.authenticate, identity=identity), wire

    async def yjs(self, document: str, principal: Principal) -> tuple[Connection, Wire]:
        connection, wire = self.connect(YjsDialect(document), principal)
        connection.join(document)
        await self.settle()
        return connection, wire

    def collab(self) -> tuple[Connection, Wire]:
        return self.connect(CollabDialect())

    async def settle(self) -> None:
        """Let everything that is under way come to rest: no timers, only turns of the loop."""
        for _ in range(200):
            await asyncio.sleep(0)

    async def opened(self, principal: Principal = SALES, **more) -> TicketView:
        return (await self.tickets.open(principal, title="Fibre for the bakery", **more)).ticket

    async def do(self, principal: Principal, view: TicketView, lane: str, name: str, **more) -> TicketView:
        made = await self.tickets.transition(principal, view.id, lane=lane, name=name, seen=str(view.version), **more)
        return made.ticket

    def made(self, principal: Principal, view: TicketView, lane: str, name: str, after, **more) -> Transition:
        """A transition as an offline replica would make it."""
        fields = {"at": 1, "lifecycle": view.lifecycle, **more}
        return transition.make(
            ticket=TicketId(view.id),
            lane=lane,
            name=name,
            actor=principal.actor,
            roles=principal.roles,
            after=after,
            **fields,
        )

    async def newest(self, ticket: str) -> str:
        return (await self.store.journal(ticket))[-1].id


def _end_what_waits(committer: asyncio.Task[None]) -> None:
    """Fail the test at once whose committer died; it would wait for ever. `World.stop` raises what killed it."""
    if not committer.cancelled() and committer.exception() is not None:
        for task in asyncio.all_tasks():
            task.cancel()


def arrival(key: str, text: str = "hello", **more) -> Arrival:
    fields = {
        "key": key,
        "channel": "wechat",
        "account": "shop",
        "conversation": "customer-1",
        "sender": "customer-1",
        "kind": "customer",
        "parts": ({"type": "text", "text": text},),
        "sent_at_ms": 1_000,
        **more,
    }
    return Arrival(**fields)

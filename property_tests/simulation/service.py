"""The service of a world: what `serve` composes, without its listeners; it dies and starts again on one database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from crdt_sync.adapters.lifecycle_files import load, load_accepted
from crdt_sync.domain.group import RED_AFTER_MS
from crdt_sync.errors import Unavailable
from crdt_sync.ports import StoreUnavailable
from crdt_sync.protocol.collab_dialect import CollabDialect
from crdt_sync.service.audit import Audit
from crdt_sync.service.committer import Committer
from crdt_sync.service.compaction import Compactor
from crdt_sync.service.connection import Connection
from crdt_sync.service.connections import Connections
from crdt_sync.service.conversations import Conversations
from crdt_sync.service.courier import Means
from crdt_sync.service.couriers import Couriers
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
from crdt_sync.service.transport import Transport
from crdt_sync.service.webhooks import Webhooks
from property_tests.simulation.cast import Cast, DrawnIds, SkewedClock, source_of
from property_tests.simulation.database import Database
from property_tests.simulation.loop import Process
from tests.fakes import CountingMeter

RESTARTING = (1012, "restarting: The service is restarting.")


class Service:
    """The parts of one run of the service, and the runs after it."""

    def __init__(self, database: Database, cast: Cast, clock: SkewedClock, seed: int) -> None:
        self.database, self.cast, self.clock = database, cast, clock
        self._seed, self._starts = seed, 0
        self.process = Process("service")
        self.process.alive = self._ready = False

    @property
    def alive(self) -> bool:
        """Say whether it runs and listens."""
        return self.process.alive and self._ready

    @property
    def starting(self) -> bool:
        """Say whether it runs and does not listen yet."""
        return self.process.alive and not self._ready

    async def start(self) -> None:
        """Start a new run; while the database does not answer, once more."""
        while not self.alive:
            self._starts += 1
            self.process = Process(f"service-{self._starts}")
            starting = self.process.spawn(self._start())
            await asyncio.wait([starting])
            self._ready = not starting.cancelled() and starting.exception() is None
            if not self._ready:
                await self.kill()
                if not starting.cancelled() and not isinstance(starting.exception(), StoreUnavailable):
                    starting.result()

    async def _start(self) -> None:
        ids = DrawnIds(f"{self._seed} service {self._starts}", self.clock)
        self.store = store = self.database.open()
        self.lifecycles = await Lifecycles.load(store, load, load_accepted, {"chosen": source_of(self.cast.spec)})
        meter = CountingMeter()
        leases = Leases(self.clock, Standing(store))
        self.events = Events(store, leases)
        self.compactor = Compactor(store, ids, meter)
        self.rooms = Rooms(store, ids, self.compactor)
        self.desk = Desk(store, self.rooms, self.lifecycles, ids)
        self.outbox = Outbox(store, leases, self.clock, ids, meter)
        noticed = {"notice": self.events.notice, "outbox": self.outbox.notice}
        self.committer = Committer(self.desk, self.clock, meter, **noticed)
        self.overdue = Overdue(store, self.clock, red_after_ms=RED_AFTER_MS)
        shared: dict[str, Any] = {
            "store": store, "rooms": self.rooms, "committer": self.committer, "lifecycles": self.lifecycles
        }  # fmt: skip
        self.tickets = Tickets(**shared, clock=self.clock, ids=ids, secret=b"k" * 32)
        self.conversations = Conversations(store, self.tickets, self.outbox, self.lifecycles, ids)
        self.contents = Contents(store, self.tickets, self.lifecycles, self.clock, ids, meter)
        nobody: Any = None  # no world has a receiver: tests/service/test_webhooks.py has
        self.couriers = Couriers(Means(store, self.events, nobody, self.clock, ids, meter))
        self.webhooks = Webhooks(store, nobody, self.couriers, self.clock, ids)
        self.connections = Connections(
            **shared, clock=self.clock, audit=Audit(meter, self.clock, b"k" * 32), leases=leases, open_documents=False
        )
        self.compactor.start()
        self.committer.start()
        self.connections.start()
        self.events.start()
        self.couriers.start()
        self.outbox.start(self.committer)
        self.overdue.start(self.committer)
        self.contents.start(self.committer)

    def fall(self) -> None:
        """Be dead from this moment on; `kill` cleans up."""
        self.process.alive = self._ready = False
        self.database.die()

    async def kill(self) -> None:
        """End without a word to anybody."""
        self.fall()
        await self.process.kill()

    async def stop(self) -> None:
        """End as a service does that is told to: connections first, then what is queued; it may die of that."""
        process = self.process
        stopping = process.spawn(self._stop())
        await asyncio.wait([stopping])
        if process.alive:
            stopping.result()
            await self.kill()

    async def _stop(self) -> None:
        await self.couriers.stop()
        await self.connections.stop(*RESTARTING)
        await self.events.stop()
        await self.outbox.stop()
        await self.overdue.stop()
        await self.contents.stop()
        await self.committer.stop()
        await self.compactor.stop()

    def connect(self, transport: Transport) -> Connection:
        """Take a new socket."""
        if not self.alive:
            raise Unavailable("Nobody listens.", code="unreachable")
        connection: Connection = self.process.run(self._connect, transport)
        return connection

    def _connect(self, transport: Transport) -> Connection:
        return self.connections.connect(CollabDialect(), transport, authenticate=self.cast.authenticate)

    async def call(self, make: Callable[[Tickets], Awaitable[Any]]) -> Any:
        """Run a request in the service; it has no answer if the service dies first."""
        if not self.alive:
            raise Unavailable("Nobody listens.", code="unreachable")
        task = self.process.spawn(_awaited(make(self.tickets)))
        await asyncio.wait([task])
        if task.cancelled():
            raise Unavailable("The service died.", code="unreachable")
        try:
            return task.result()
        except StoreUnavailable as error:
            raise Unavailable("The store does not answer.") from error


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work

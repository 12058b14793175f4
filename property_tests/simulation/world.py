"""One world: a service, replicas and a network, in which the deeds of a story happen one after the other."""

import asyncio
import hashlib
import itertools
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from crdt_sync.adapters.lifecycle_files import load
from crdt_sync.domain import transition
from crdt_sync.domain.ids import DocumentKind, DocumentName
from crdt_sync.errors import TicketSyncError
from crdt_sync.replica.ticket import Ticket
from property_tests.simulation.cast import DAY_MS, DrawnIds, Person, SkewedClock, cast, source_of
from property_tests.simulation.client import RawClient
from property_tests.simulation.committed import Committed
from property_tests.simulation.database import Database
from property_tests.simulation.loop import VirtualLoop, apart
from property_tests.simulation.machine import POLL_S, Machine
from property_tests.simulation.network import Link
from property_tests.simulation.service import Service
from property_tests.simulation.witness import Witness

PATIENCE_S = 60.0
DOWN_S = (0.1, 2.0, 15.0)  # how long the service stays down after it died


class World:
    """Everything that there is in one run, and what was written down of it."""

    def __init__(self, seed: int, loop: VirtualLoop, disk: Path, schema: sqlite3.Connection) -> None:
        dice = Random(f"{seed} world")
        self.seed, self.loop, self.cast = seed, loop, cast(dice)
        self.tight = dice.random() < 0.4
        self.lifecycle = load(source_of(self.cast.spec))
        self.counts: Counter[str] = Counter()
        self.story: list[str] = []
        self.unsynced: dict[str, str] = {}  # replicas that wait at the end
        self.digest = hashlib.sha256()
        self.database = Database(Random(f"{seed} database"), schema)
        self.database.on_death, self.database.struck = self.service_died, self._struck_commit
        self.committed = Committed(self.database)
        self.witness = Witness(self.cast, self.committed)
        self.ids = DrawnIds(f"{seed} raw clients", SkewedClock(loop, 0))
        skews = [days * DAY_MS for days in dice.choices(range(-3, 4), k=1 + len(self.cast.replicas))]
        self.service = Service(self.database, self.cast, SkewedClock(loop, skews[0]), seed)
        self._link_numbers = itertools.count()
        self.machines = [
            Machine(person, self._link(person), disk, SkewedClock(loop, skew), seed)
            for person, skew in zip(self.cast.replicas, skews[1:], strict=True)
        ]
        self._clients: dict[str, RawClient] = {}
        self._names: dict[str, str] = {}
        self._dice, self._dying = dice, list[asyncio.Task[None]]()

    async def begin(self) -> None:
        """Start everything, and let every replica hear of the service once."""
        await self.service.start()
        self.began_ms = self.service.clock.now_ms()
        for machine in self.machines:
            await machine.start()
        opener = self.cast.opener
        for number in range(self._dice.choice((1, 1, 2))):
            view = (await self.service.call(lambda tickets: tickets.open(opener.principal, title=f"T{number}"))).ticket  # noqa: B023
            self.witness.made[view.id] = opener.actor, ""
        for machine in self.machines:
            await machine.do(lambda replica: replica.refresh())
        await asyncio.sleep(1)
        for machine in self.machines:
            await machine.back_up()

    async def end(self) -> None:
        """Stop everything."""
        for machine in self.machines:
            await machine.crash()
        await asyncio.gather(*self._dying)
        await self.service.kill()
        self.database.close()

    def machine(self, number: int) -> Machine:
        """Choose a replica."""
        return self.machines[number % len(self.machines)]

    def link(self, number: int) -> Link:
        """Choose a replica's link."""
        return self.machine(number).link

    def client(self, person: Person) -> RawClient:
        """Return somebody's client that sends raw bytes."""
        if person.actor not in self._clients:
            self._clients[person.actor] = RawClient(self._link(person))
        return self._clients[person.actor]

    async def ticket(self, machine: Machine, number: int) -> Ticket | None:
        """Choose a ticket of a replica, which starts if it was not running."""
        await machine.start()
        tickets = await machine.do(lambda replica: replica.tickets())
        return tickets[number % len(tickets)] if tickets else None

    def pick_stored(self, number: int) -> str | None:
        """Choose a ticket that is stored."""
        tickets = self.committed.tickets()
        return tickets[number % len(tickets)] if tickets else None

    def stale(self, machine: Machine, ticket: Ticket) -> tuple[Any, ...] | None:
        """Return what the person saw when it last looked, if all of that is still here."""
        seen, fold = machine.seen.get(ticket.id), ticket.fold
        return seen if seen and fold is not None and all(id_ in fold for id_ in seen) else None

    def remember(self, machine: Machine, ticket: Ticket, id_: str) -> None:
        """Keep who made an entry, as it stands in its submissions."""
        assert machine.replica is not None
        name = DocumentName(ticket.id, DocumentKind.SUBMIT, machine.person.department)
        for entry in machine.replica._shelf.get(name).entries():
            key = transition.entry_key(entry.text.encode())
            if key == id_ or entry.root == "messages":
                self.witness.made.setdefault(id_ if key == id_ else entry.text, (machine.person.actor, entry.text))

    def name(self, id_: str) -> str:
        """A short name for a person who reads the story."""
        return self._names.setdefault(id_, f"#{len(self._names) + 1}")

    def loop_ms(self) -> int:
        """Milliseconds since the beginning."""
        return int(self.loop.time() * 1000)

    def tell(self, sentence: str) -> None:
        """Write a sentence of the story."""
        self.story.append(f"{self.loop.time():>12.3f} s  {sentence}")
        self.note("story", sentence)

    def note(self, kind: str, *parts: object) -> None:
        """Take something into the digest of the run."""
        self.counts["frames"] += kind == "frame"
        self.digest.update(f"{self.loop.time():.9f} {kind} {parts}\n".encode())

    def struck(self, fault: str) -> None:
        """Count a fault."""
        self.counts[f"fault: {fault}"] += 1

    def service_died(self, step: str) -> None:
        """Let the service be dead from now on, and start again later."""
        if self.service.starting:
            self._dying.append(apart(self.service.kill()))  # whoever starts it does so again
        if not self.service.alive:
            return
        self.service.fall()
        self.note("died", step)
        self.counts[f"fault: service crash, {step}"] += step == "now"
        for link in self._links():
            link.cut("reset")
        self._dying.append(apart(self._start_again(self._dice.choice(DOWN_S))))

    async def restart(self) -> None:
        """Stop and start the service in good order."""
        await asyncio.gather(*self._dying)
        await self.service.stop()
        for link in self._links():
            link.cut("restart")
        await asyncio.gather(*self._dying)  # if it died meanwhile, it is started again there
        await self.service.start()

    async def settle(self) -> None:
        """Mend everything, and let everybody hear of everything."""
        self.database.fault = None
        await asyncio.gather(*self._dying)
        for machine in self.machines:
            machine.person.withdrawn.clear()
            machine.link.mend()
            machine.link.cut("mended")
            await machine.start()
        for client in self._clients.values():
            client.link.mend()
            client.visit(self.committed.tickets())
        for _ in range(2):
            await asyncio.sleep(POLL_S + 1)
            for machine in self.machines:
                try:
                    await machine.do(lambda replica: replica.synced(PATIENCE_S))
                except TicketSyncError as error:
                    self.unsynced[machine.person.actor] = error.message
                else:
                    self.unsynced.pop(machine.person.actor, None)

    def _struck_commit(self, step: str, deadly: bool) -> None:
        self.struck(f"service crash, {step}" if deadly else f"database failure, {step}")

    async def _start_again(self, after_s: float) -> None:
        await self.service.kill()
        await asyncio.sleep(after_s)
        await self.service.start()
        self.tell("the service is up again")

    def _links(self) -> Iterator[Link]:
        yield from (machine.link for machine in self.machines)
        yield from (client.link for client in self._clients.values())

    def _link(self, person: Person) -> Link:
        dice = Random(f"{self.seed} link {next(self._link_numbers)}")
        return Link(self.service, person, dice, self.witness.show, self.witness.sent, self.note)

"""The network of a world: real frames between replicas and the service, late, lost, twice, cut off or held for days.

Frames of one document keep their order, as on every wire; those of two documents do not.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from random import Random
from typing import Any, cast

from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import Digest, Position, TicketId
from crdt_sync.domain.tripwire import Agreement, Evidence, Fingerprint
from crdt_sync.errors import TicketSyncError, Unauthenticated, Unavailable
from crdt_sync.ports import StoreUnavailable, TicketFilter
from crdt_sync.replica.link import Change, Diff, Heard, Inbound, Listing, Outbound, heard, split_reason
from crdt_sync.replica.websocket_link import decoded, encoded
from crdt_sync.wire import cloudevents, hocuspocus
from property_tests.simulation.cast import Person
from property_tests.simulation.service import Service

UNAUTHENTICATED = 4401
LINGER_S = (0.0, 0.3, 4.0)  # how long the service takes to learn that a line is gone
RECORDED_MAX = 40  # frames that the network can send again
TICK_S = 1e-6  # between two frames of one document, since timers of one moment are in no order


@dataclass(eq=False)
class Link:
    """One person's way to the service: the port `Link` of the replica."""

    service: Service
    person: Person
    dice: Random
    show: Callable[["Line", bytes], None]  # hears of each frame before it leaves the service
    sent: Callable[["Line", Outbound], None]
    note: Callable[..., None]
    up: bool = True
    held: bool = False  # what is sent stays on the way
    lag_s: float = 0.0
    losing: int = 0  # so many of the next updates get lost
    lines: list["Line | Hearing"] = field(default_factory=list)
    record: deque[Outbound] = field(default_factory=lambda: deque(maxlen=RECORDED_MAX))
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def connect(self) -> "Line":
        """Open a line; behind a partition nobody answers, and nobody refuses."""
        await self._there()
        line = Line(self)
        self.lines.append(line)
        return line

    async def tickets(self, changed_after: Position) -> Listing:
        """Ask for the index."""
        where = TicketFilter(self.person.principal.department, changed_after=changed_after)
        page = await self._ask(lambda tickets: tickets.list(self.person.now, where, limit=500))
        return Listing(tuple((view.id, view.lifecycle) for view in page.tickets), Position(page.position))

    async def watch(self, after: Position) -> AsyncGenerator[Heard]:
        """Hear the events, each page late or lost with its line."""
        await self._there()
        hearing = Hearing(self)
        self.lines.append(hearing)
        hearing.begin(after)
        try:
            while True:
                yield await hearing.receive()
        finally:
            await hearing.close()

    async def lifecycle(self, digest: Digest | None) -> str:
        """Fetch a lifecycle."""
        await self._there()
        lifecycles = self.service.lifecycles
        return lifecycles.source(digest or lifecycles.default.digest)

    async def compare(self, claims: Sequence[tuple[TicketId, Fingerprint]]) -> Sequence[Agreement]:
        """Compare tickets with the service."""
        agreements: Sequence[Agreement] = await self._ask(lambda tickets: tickets.compare(self.person.now, claims))
        return agreements

    async def raise_alarm(self, ticket: TicketId, claimed: Fingerprint, evidence: Evidence) -> Evidence:
        """Tell the service that a ticket is otherwise here."""
        believed: Evidence = await self._ask(
            lambda tickets: tickets.raise_alarm(self.person.now, ticket, claimed=claimed, evidence=evidence)
        )
        return believed

    async def close(self) -> None:
        """End every line."""
        self.cut("closed")

    def cut(self, why: str = "cut") -> None:
        """End every line; what was on the way is lost."""
        lines, self.lines = self.lines, []
        for line in lines:
            line.end(1006, f"{why}: The line is gone.")

    def mend(self) -> None:
        """Let everything through again, at once."""
        self.up, self.held, self.lag_s, self.losing = True, False, 0.0, 0
        self.moved.set()
        self.moved.clear()
        for line in self.lines:
            line.release()

    def delay_s(self) -> float:
        return self.lag_s * self.dice.random() + self.dice.choice((0.0, 0.001, 0.01, 0.08))

    async def _there(self) -> None:
        await asyncio.sleep(self.delay_s())
        while self.held:
            await self.moved.wait()
        if not (self.up and self.service.alive):
            raise Unavailable("Nobody answers.", code="unreachable")

    async def _ask(self, make: Callable[[Any], Any]) -> Any:
        await self._there()
        answer = await self.service.call(make)
        await self._there()
        return answer


class Hearing:
    """One watch: pages of events on their way to a replica, in their order."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.ended: TicketSyncError | None = None
        self._inbox: deque[Heard] = deque()
        self._arrived = asyncio.Event()
        self._due = 0.0
        self._held: list[Sequence[str]] = []
        self._process = link.service.process
        self._telling: asyncio.Task[None] | None = None

    def begin(self, after: Position) -> None:
        """Begin to listen, in the service."""
        self._telling = self._process.spawn(self._tell(after))

    async def receive(self) -> Heard:
        """Wait for the next page."""
        while not self._inbox:
            if self.ended is not None:
                raise self.ended
            self._arrived.clear()
            await self._arrived.wait()
        return self._inbox.popleft()

    async def close(self) -> None:
        """End it from the replica's side."""
        if self in self.link.lines:
            self.link.lines.remove(self)
        self.end(1000, "closed: The replica closed it.")

    def end(self, code: int, reason: str) -> None:
        """End it for the replica now, and for the service when it learns of it."""
        if self.ended is None:
            kind, message = split_reason(reason)
            self.ended = Unavailable(message, code=kind)
            self._arrived.set()
            asyncio.get_running_loop().call_later(self.link.dice.choice(LINGER_S), self._service_side_ends)

    def release(self) -> None:
        """Let what was held go on."""
        held, self._held = self._held, []
        for texts in held:
            self._post(texts)

    async def _tell(self, after: Position) -> None:
        service, watch = self.link.service, None
        try:
            watch = await service.events.watch(Identity(self.link.person.now, None), after, wire="events")
            async for page in watch:
                self._post([*(told.text for told in page.events), cloudevents.encode_heartbeat(page.position)])
        except (TicketSyncError, StoreUnavailable) as error:
            self.end(1013, f"unavailable: {error}")
        finally:
            if watch is not None:
                watch.close()

    def _post(self, texts: Sequence[str]) -> None:
        if self.ended is None:
            loop = asyncio.get_running_loop()
            self._due = max(self._due + TICK_S, loop.time() + self.link.delay_s())
            loop.call_at(self._due, self._deliver, texts)

    def _deliver(self, texts: Sequence[str]) -> None:
        if self.ended is not None:
            return
        if self.link.held:
            self._held.append(texts)
            return
        self._inbox.append(heard(texts))
        self._arrived.set()

    def _service_side_ends(self) -> None:
        if self._process.alive and self._telling is not None:
            self._telling.cancel()


class Line:
    """One connection: the `Line` of a replica, and the transport of the service's side."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.ended: TicketSyncError | None = None
        self._inbox: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self.due: dict[tuple[str, str], float] = {}
        self._held: list[tuple[str, str, object]] = []
        self._process = link.service.process
        self._connection = link.service.connect(_ServiceSide(self))

    async def send(self, frames: Sequence[Outbound]) -> None:
        """Send as a replica does."""
        self._check()
        for frame in frames:
            update = isinstance(frame, Change | Diff)
            if update:
                self.link.record.append(frame)
                self.link.sent(self, frame)
            self.post("up", frame.document, encoded(frame, self.link.person.actor), update=update)

    def say(self, document: str, data: object, *, update: bool) -> None:
        """Send whatever one likes."""
        self.post("up", document, data, update=update)

    async def receive(self) -> Sequence[Inbound]:
        """Wait for the next frames."""
        while not self._inbox:
            self._check()
            self._arrived.clear()
            await self._arrived.wait()
        return decoded(self._inbox.popleft())

    async def close(self) -> None:
        """End it from the replica's side."""
        if self in self.link.lines:
            self.link.lines.remove(self)
        self.end(1000, "closed: The replica closed it.")

    def write(self, frames: Sequence[object]) -> None:
        """Take frames of the service."""
        if not self._process.alive:
            return
        for frame in chain.from_iterable(cast("Sequence[Sequence[object]]", frames)):
            assert isinstance(frame, bytes)
            self.link.show(self, frame)
            said = hocuspocus.decode(frame)
            document = said.document if isinstance(said, hocuspocus.Addressed) else ""
            update = any(isinstance(one, Change) for one in decoded(frame))
            self.post("down", document, frame, update=update)

    def end(self, code: int, reason: str) -> None:
        """End it for the replica now, and for the service when it learns of it."""
        if self.ended is None:
            kind, message = split_reason(reason)
            self.ended = (Unauthenticated if code == UNAUTHENTICATED else Unavailable)(message, code=kind)
            self._arrived.set()
            loop = asyncio.get_running_loop()
            loop.call_later(self.link.dice.choice(LINGER_S), self._process.run, self._service_side_ends)

    def post(self, way: str, document: str, data: object, *, update: bool) -> None:
        """Put a frame on the way."""
        if self.ended is not None:
            return
        link = self.link
        if update and link.losing:
            link.losing -= 1
            link.note("lost", link.person.actor, way, document)
            return
        loop = asyncio.get_running_loop()
        due = max(self.due.get((way, document), 0.0) + TICK_S, loop.time() + link.delay_s())
        self.due[way, document] = due
        loop.call_at(due, self._deliver, way, document, data)

    def release(self) -> None:
        """Let what was held go on."""
        held, self._held = self._held, []
        for way, document, data in held:
            self.post(way, document, data, update=False)

    def _deliver(self, way: str, document: str, data: Any) -> None:
        if self.ended is not None:
            return
        if self.link.held:
            self._held.append((way, document, data))
            return
        self.link.note("frame", self.link.person.actor, way, document, data)
        if way == "down":
            self._inbox.append(data)
            self._arrived.set()
        elif self._process.alive:
            self._process.run(self._connection.receive, data)

    def _service_side_ends(self) -> None:
        if self._process.alive:
            self._connection.ended()

    def _check(self) -> None:
        if self.ended is not None:
            raise self.ended


@dataclass(frozen=True)
class _ServiceSide:
    """The transport that the service writes to."""

    line: Line

    def pause(self) -> None:
        """Do nothing: nobody here sends so much."""

    def resume(self) -> None:
        """Do nothing."""

    def encode(self, said: Sequence[object]) -> object:
        return said

    def write(self, frames: Sequence[object]) -> None:
        self.line.write(frames)

    def close(self, code: int, reason: str) -> None:
        """Close behind what is on the way."""
        loop = asyncio.get_running_loop()
        behind = max([loop.time(), *self.line.due.values()])
        loop.call_at(behind + TICK_S, self.line.end, code, reason)

"""How a replica's documents and the service's become the same: one connection at a time, for as long as it takes.

Owns the state of each document on the connection and when to come back. It knows no wire, and it decides nothing about
a ticket.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Protocol, assert_never

from crdt_sync.domain.ids import DocumentKind, DocumentName
from crdt_sync.errors import NotThereYet, Reset, TicketSyncError, Unauthenticated, Unavailable
from crdt_sync.replica.backoff import Backoff
from crdt_sync.replica.link import (
    Answered,
    Change,
    Closed,
    Diff,
    Inbound,
    Join,
    Leave,
    Line,
    Link,
    Opened,
    Outbound,
    StateVector,
)
from crdt_sync.replica.shelf import Shelf
from crdt_sync.wire.limits import DOCUMENTS_PER_SOCKET_MAX

LASTING_S = 10.0  # a connection that held for so long was no failure: delays begin anew
RECOVERIES_MAX = 3  # of one document: a service that still refuses it then is not going to take it
DOCUMENTS_MAX = DOCUMENTS_PER_SOCKET_MAX - 20  # room for tickets that are opened meanwhile; the others take turns

_TRANSIENT = frozenset({"unavailable", "internal"})
_TAKEN = frozenset({"client_id_reused", "foreign_client"})  # another writer has our client id


class Connection(StrEnum):
    """Where a replica stands with the service."""

    OFFLINE = "offline"  # no service was named
    CONNECTING = "connecting"
    CONNECTED = "connected"
    STOPPED = "stopped"  # the service does not know us, or the file cannot be written


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something does not sync."""

    code: str
    message: str


@dataclass(slots=True)
class Standing:
    """One document on the connection. `owed` counts what the service has not answered yet."""

    joined: bool = False
    writable: bool = True
    asked: bool = False  # the service asked for what it lacks, and was answered
    given: bool = False  # the service gave what we lacked
    owed: int = 0
    declined: bool = False  # the service could not take something; it is offered again with the next look, not at once
    settled: bool = False  # both sides had the same, when it was last joined

    @property
    def same(self) -> bool:
        """Tell whether both sides have the same."""
        return self.given and self.owed == 0 and not self.declined


class Refresh(Protocol):
    """Asks the service which tickets changed, or `anew` which there are at all."""

    async def __call__(self, *, anew: bool) -> None:
        """Ask."""
        ...


class Recoverer(Protocol):
    """What Sync asks for when the service does not take a copy any more; `Recovery` is it."""

    async def taken(self, name: DocumentName) -> None:
        """Begin a new copy: the client id of the old one is another's."""
        ...

    async def reset(self, name: DocumentName) -> None:
        """Begin a new copy: the old one is of a former life of the document."""
        ...


class Sync:
    """Keeps the documents that `wanted` names in step with the service, until it is stopped."""

    def __init__(
        self,
        link: Link,
        shelf: Shelf,
        backoff: Backoff,
        *,
        poll_s: float,
        wanted: Callable[[], Awaitable[Sequence[DocumentName]]],
        refresh: Refresh,
        watch: Callable[[], Coroutine[Any, Any, None]],
        compare: Callable[[], Awaitable[None]],
        recovery: Recoverer,
        heard: Callable[[Sequence[DocumentName]], Awaitable[None]],
        changed: Callable[[DocumentName | None], None],
    ) -> None:
        self.connection = Connection.CONNECTING
        self.problem: Problem | None = None
        self.closed: dict[DocumentName, Problem] = {}
        self.standings: dict[DocumentName, Standing] = {}
        self._link, self._shelf, self._backoff, self._poll_s = link, shelf, backoff, poll_s
        self._wanted, self._refresh, self._watch, self._compare = wanted, refresh, watch, compare
        self._recovery, self._heard, self._changed = recovery, heard, changed
        self._recovered: Counter[DocumentName] = Counter()
        self._doubtful = False  # whether the service has every ticket that it once listed
        self._resets: Counter[DocumentName] = Counter()
        self._outgoing: deque[Outbound] = deque()
        self._written = asyncio.Event()
        self._poll = asyncio.Event()
        self._again = asyncio.Event()
        self._answered = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="replica-sync")

    async def stop(self) -> None:
        """End the connection and all attempts."""
        if self._task is not None:
            self._task.cancel()
            [result] = await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            if isinstance(result, Exception):
                raise result

    def settled(self, wanted: Callable[[], Iterable[DocumentName]]) -> bool:
        """Tell whether every document that is wanted is the same on both sides, or closed by the service."""
        if self.connection is not Connection.CONNECTED:
            return False
        if not all(standing.settled for name, standing in self.standings.items() if name not in self.closed):
            return False  # without a look at what is wanted, which takes longer
        return all(name in self.standings or name in self.closed for name in wanted())

    def edited(self, updates: Sequence[tuple[DocumentName, bytes]]) -> None:
        """Send updates that were made here and are durable here."""
        for name, data in updates:
            standing = self.standings.setdefault(name, Standing())
            standing.settled = False
            if standing.joined and standing.asked and not standing.declined:
                standing.owed += 1
                self._send(Change(str(name), data))
            elif not standing.joined:
                self._poll.set()

    def poll(self) -> None:
        """Look at once for documents to open."""
        self._poll.set()

    def answered(self) -> None:
        """Take note that the service has just answered a request: what waits to connect again does so at once."""
        self._answered.set()

    def retry(self, name: DocumentName) -> None:
        """Forget that the service closed a document; a connection that refused it is replaced by a new one."""
        if self.closed.pop(name, None) is not None:
            self._again.set()

    async def _run(self) -> None:
        try:
            await self._come_back()
        finally:
            self.connection = Connection.STOPPED

    async def _come_back(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._connected()
            except Unauthenticated as error:
                self._ended(Connection.STOPPED, error)
                return
            except TicketSyncError as error:
                self._doubtful = error.code == NotThereYet.default_code
                stopped = error.code == "replica_store"
                self._ended(Connection.STOPPED if stopped else Connection.CONNECTING, error)
                if stopped:
                    return
            if loop.time() - began > LASTING_S:
                self._backoff.reset()
            await self._wait(self._backoff.next_s())

    async def _wait(self, delay_s: float) -> None:
        self._answered.clear()
        try:
            async with asyncio.timeout(delay_s):
                await self._answered.wait()
        except TimeoutError:
            return

    def _ended(self, connection: Connection, error: TicketSyncError) -> None:
        self.connection, self.problem = connection, Problem(error.code, error.message)
        self._changed(None)

    async def _connected(self) -> None:
        """Hold one connection until it ends; raise what ended it, or return if it is to be replaced."""
        line = await self._link.connect()
        try:
            self._outgoing.clear()
            self._again.clear()
            self.standings = {name: Standing() for name in self.standings}
            await _first(self._read(line), self._write(line), self._follow(), self._again.wait())
        finally:
            self.connection = Connection.CONNECTING
            await line.close()

    async def _follow(self) -> None:
        """Learn what happened meanwhile, then follow what happens."""
        await self._refresh(anew=self._doubtful)
        self._doubtful = False
        await _first(self._keep_up(), self._watch())

    async def _keep_up(self) -> None:
        """Open documents when there are new ones, and time and again; compare no more often than that."""
        clock = asyncio.get_running_loop().time
        due_s = clock()
        while True:
            self._poll.clear()
            await self._join()
            if self.connection is not Connection.CONNECTED:
                self.connection, self.problem = Connection.CONNECTED, None
            self._changed(None)
            if clock() >= due_s:
                due_s = clock() + self._poll_s
                await self._compare()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due_s):
                    await self._poll.wait()

    async def _join(self) -> None:
        wanted = dict.fromkeys(name for name in await self._wanted() if name not in self.closed)
        for name in [name for name in self.standings if name not in wanted and name not in self.closed]:
            del self.standings[name]  # the service has lost the ticket
        for name in wanted:
            self.standings.setdefault(name, Standing())
        for name, standing in list(self.standings.items()):
            if standing.joined and standing.declined and standing.owed == 0:
                self._leave(name)
        waiting = sorted(  # those that waited longest first, but what is known to differ before what was the same
            (name for name in self.standings if name in wanted and not self.standings[name].joined),
            key=lambda name: self.standings[name].settled,
        )
        joined = [name for name, standing in self.standings.items() if standing.joined]
        room = DOCUMENTS_MAX - len(joined)
        for name in [name for name in joined if self.standings[name].same][: max(0, len(waiting) - room)]:
            self._leave(name)
            room += 1
        for name in waiting[:room]:
            self._open(name)

    def _open(self, name: DocumentName) -> None:
        document = self._shelf.get(name)
        assert document is not None, "what is wanted was loaded"
        settled = self.standings.pop(name).settled
        self.standings[name] = Standing(joined=True, settled=settled)  # at the end: whoever came first leaves first
        self._send(Join(str(name)))
        self._send(StateVector(str(name), document.state_vector()))

    def _leave(self, name: DocumentName) -> None:
        standing = self.standings.pop(name)
        self.standings[name] = Standing(settled=standing.same)  # at the end: whoever left last comes back last
        self._send(Leave(str(name)))

    def _send(self, frame: Outbound) -> None:
        self._outgoing.append(frame)
        self._written.set()

    async def _write(self, line: Line) -> None:
        while True:
            await self._written.wait()
            self._written.clear()
            frames = list(self._outgoing)
            self._outgoing.clear()
            await line.send(frames)

    async def _read(self, line: Line) -> None:
        while True:
            frames = [(name, frame) for frame in await line.receive() if (name := self._known(frame)) is not None]
            updates = [(name, frame.update) for name, frame in frames if isinstance(frame, Diff | Change)]
            gaps = await self._shelf.receive(updates)
            for name in dict.fromkeys(gaps):
                self._ask(name)
            for name, frame in frames:
                await self._take(name, frame, whole=name not in gaps)
            names = list(dict.fromkeys(name for name, _ in frames))
            await self._heard(names)
            for name in names:
                standing = self.standings[name]
                standing.settled = standing.same or (standing.settled and not standing.joined)
                if standing.settled:
                    self._resets.pop(name, None)
                    await self._shelf.agreed(name, still=partial(getattr, standing, "same"))
                self._changed(name)

    def _known(self, frame: Inbound) -> DocumentName | None:
        """Return the document that a frame concerns, None if it is not one that we have open."""
        name = DocumentName.parse(frame.document)
        return name if name in self.standings and self.standings[name].joined else None

    def _ask(self, name: DocumentName) -> None:
        document = self._shelf.get(name)
        if document is not None:
            self.standings[name].given = False
            self._send(StateVector(str(name), document.state_vector()))

    async def _take(self, name: DocumentName, frame: Inbound, *, whole: bool) -> None:
        standing = self.standings[name]
        match frame:
            case Opened():
                standing.writable = not frame.read_only
            case StateVector():
                if standing.writable and not standing.declined:
                    diff = await self._shelf.diff(name, frame.state_vector)
                    standing.asked = True
                    standing.owed += 1
                    self._send(Diff(str(name), diff))
            case Diff():
                standing.given = standing.given or whole
            case Change():
                pass  # applied with the others of its batch
            case Answered():
                standing.owed = max(0, standing.owed - 1)
                standing.declined = standing.declined or not frame.accepted
            case Closed():
                await self._close(name, frame)
            case _:
                assert_never(frame)

    async def _close(self, name: DocumentName, frame: Closed) -> None:
        self.standings[name] = Standing()
        if frame.code == NotThereYet.default_code:  # over WebSocket the connection ends with it, too
            raise Unavailable(frame.message, code=frame.code)
        if frame.code in _TRANSIENT:
            return
        if frame.code == Reset.default_code and self._resets[name] < RECOVERIES_MAX:
            self._resets[name] += 1
            await self._recovery.reset(name)
            self._open(name)
            return
        if frame.code in _TAKEN and name.kind is DocumentKind.SUBMIT and self._recovered[name] < RECOVERIES_MAX:
            self._recovered[name] += 1
            await self._recovery.taken(name)
            self._again.set()  # a document that was refused stays refused on its connection
            return
        self.closed[name] = Problem(frame.code, frame.message)


async def _first(*work: Coroutine[Any, Any, object]) -> None:
    """Run these until one ends; end the others, and raise what it raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

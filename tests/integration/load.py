"""Many clients that write on all five paths at once, until the service is gone or a test has seen enough."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import httpx
from websockets.exceptions import ConnectionClosed

from tests.conformance.reader import Reader
from tests.conformance.server_process import ServerProcess
from tests.integration.patient import PatientWriter
from tests.integration.sources import DEPARTMENT, Card, Mark, Notes, Source, Submissions, marks_in
from tests.integration.writers import (
    CollabLink,
    GrpcLink,
    Link,
    ReplicaWriter,
    RestWriter,
    SyncLink,
    Tally,
    WeChatWriter,
    Writer,
)

LINKS: Mapping[str, type[Link]] = {"/sync": SyncLink, "/collab": CollabLink, "gRPC Sync": GrpcLink}
REST, WECHAT = "REST", "WeChat"
PATHS = (*LINKS, REST, WECHAT)
ENOUGH_S = 60  # for the acknowledgements; two slow cores take five


@dataclass(frozen=True, slots=True)
class Size:
    """How much of a load: `acks` are counted for each path before anything happens to the service."""

    acks: int
    callers: int = 16  # of REST, each with a ticket of its own
    customers: int = 5


class Load:
    """The writers of one round, what they counted, and what a bystander was told meanwhile."""

    def __init__(self, number: int, size: Size, *, patient: bool = False) -> None:
        self.number = number
        self._size = size
        self._patient = patient
        self._enough = asyncio.Event()
        self.tallies = {path: Tally(path, self._count) for path in PATHS}
        self.writers: list[Writer] = []
        self.bystander = Bystander()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def sent(self) -> set[Mark]:
        """Every mark that was ever sent."""
        return set().union(*(tally.sent for tally in self.tallies.values()))

    @property
    def acked(self) -> set[Mark]:
        """Every mark that was ever acknowledged."""
        return set().union(*(tally.acked for tally in self.tallies.values()))

    def counts(self) -> dict[str, int]:
        """How many acknowledgements each path has."""
        return {path: len(tally.acked) for path, tally in self.tallies.items()}

    async def prepare(self, server: ServerProcess) -> None:
        """Open the tickets, of which every writer has its own, and connect the bystander."""
        watched = []
        async with server.client(DEPARTMENT) as rest:
            for path, link in LINKS.items():
                ticket = await _opened(rest)
                writer = PatientWriter if self._patient else ReplicaWriter
                self.writers.append(writer(server, link, _sources(ticket), self.tallies[path]))
                watched.append(ticket["id"])
            for _ in range(self._size.callers):
                ticket = await _opened(rest)
                self.writers.append(RestWriter(server, self.tallies[REST], ticket["id"], ticket["version"]))
        for customer in range(self._size.customers):
            number = self.number * self._size.customers + customer
            self.writers.append(WeChatWriter(server, self.tallies[WECHAT], number))
        for writer in self.writers:
            writer.patient = self._patient
        await self.bystander.enter(server, watched)

    async def begin(self) -> None:
        """Write until every path has its acknowledgements, and go on."""
        self._tasks = [asyncio.create_task(writer.write()) for writer in self.writers]
        enough = asyncio.create_task(self._enough.wait())
        done, _ = await asyncio.wait({enough, *self._tasks}, timeout=ENOUGH_S, return_when=asyncio.FIRST_COMPLETED)
        enough.cancel()
        for task in done - {enough}:
            task.result()
        assert done, f"Not every path had {self._size.acks} acknowledgements after {ENOUGH_S} s: {self.counts()}"
        assert enough in done, f"A writer lost its connection before anything happened: {self.counts()}"

    async def end(self) -> None:
        """Wait until every writer has noticed that the service is gone."""
        await asyncio.gather(*self._tasks)
        await self.bystander.leave()

    async def finish(self, seconds: float) -> None:
        """Have every patient writer end as soon as all that it sent is acknowledged."""
        for writer in self.writers:
            writer.finish()
        async with asyncio.timeout(seconds):
            await self.end()

    def _count(self) -> None:
        if all(count >= self._size.acks for count in self.counts().values()):
            self._enough.set()


class Bystander:
    """Somebody who reads the documents of some tickets all the while: `heard` are the marks that were relayed."""

    def __init__(self) -> None:
        self.heard: set[Mark] = set()
        self._readers: dict[str, Reader] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def enter(self, server: ServerProcess, tickets: Sequence[str]) -> Self:
        """Connect; what is relayed from now on is heard."""
        for ticket in tickets:
            for kind in (f"form/{DEPARTMENT}", "log", "talk", "card"):
                name = f"ticket/{ticket}/{kind}"
                reader = self._readers[name] = await Reader(server, name, DEPARTMENT).__aenter__()
                self._tasks.append(asyncio.create_task(self._listen(reader)))
        return self

    async def leave(self) -> None:
        """Disconnect, and know what was heard."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for reader in self._readers.values():
            await reader.__aexit__()
        self.heard = self.so_far()

    @property
    def documents(self) -> Sequence[str]:
        """What is listened to."""
        return list(self._readers)

    def so_far(self) -> set[Mark]:
        """Return what was heard until now."""
        return {Mark(name, text) for name, reader in self._readers.items() for text in marks_in(reader.document)}

    async def _listen(self, reader: Reader) -> None:
        with suppress(ConnectionClosed):
            await reader.follow()


async def _opened(rest: httpx.AsyncClient) -> dict[str, Any]:
    answer = await rest.post("/api/tickets", json={"title": "Written to while the service dies"})
    assert 201 == answer.status_code, answer.text
    return answer.json()


def _sources(ticket: dict[str, Any]) -> list[Source]:
    """One client's documents of a ticket of its own."""
    return [Notes(ticket["id"], 11), Submissions(ticket["id"], 12, ticket["lifecycle"]), Card(ticket["id"], 13)]

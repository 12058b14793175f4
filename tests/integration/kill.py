"""kill -9 in the middle of writers on every path, again and again: what was acknowledged must be there, and once.

`python -m tests.integration.kill --rounds 30` prints a table and exits with 1 if anything was lost or doubled, or if a
path had too few acknowledgements for a round to mean anything.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from tests.conformance.server_process import ServerProcess
from tests.integration.evidence import Evidence
from tests.integration.sources import DEPARTMENT, Card, Mark, Notes, Source, Submissions
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
ACKS_MIN = 300  # a path and round
CALLERS = 16  # of REST, each with a ticket of its own
CUSTOMERS = 5
ROUND_S = 60  # for the acknowledgements; two slow cores take five


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one round showed of one path."""

    round: int
    path: str
    acks: int  # before the kill
    seconds: float  # from the first write to the kill
    lost: frozenset[Mark]  # acknowledged, and not there after the restart
    missing: frozenset[Mark] = frozenset()  # sent once more by a writer that came back, and still not there
    doubled: frozenset[Mark] = frozenset()  # there more than once, or there though nobody sent it

    @property
    def is_good(self) -> bool:
        return self.acks >= ACKS_MIN and not (self.lost or self.missing or self.doubled)


@dataclass
class Round:
    """The writers of one round, and what they counted."""

    number: int
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    tallies: dict[str, Tally] = field(default_factory=dict)
    writers: list[Writer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tallies = {path: Tally(path, self._count) for path in PATHS}

    @property
    def sent(self) -> set[Mark]:
        return set().union(*(tally.sent for tally in self.tallies.values()))

    def _count(self) -> None:
        if all(len(tally.acked) >= ACKS_MIN for tally in self.tallies.values()):
            self.enough.set()

    async def prepare(self, server: ServerProcess) -> None:
        """Open the tickets; every writer has its own."""
        async with server.client(DEPARTMENT) as rest:
            for path, link in LINKS.items():
                sources = _sources(await _opened(rest))
                self.writers.append(ReplicaWriter(server, link, sources, self.tallies[path]))
            for _ in range(CALLERS):
                ticket = await _opened(rest)
                self.writers.append(RestWriter(server, self.tallies[REST], ticket["id"], ticket["version"]))
        for customer in range(CUSTOMERS):
            self.writers.append(WeChatWriter(server, self.tallies[WECHAT], self.number * CUSTOMERS + customer))

    async def write(self, server: ServerProcess) -> float:
        """Write until every path has its acknowledgements, then kill; return the seconds until then."""
        began = time.monotonic()
        writing = [asyncio.create_task(writer.write()) for writer in self.writers]
        enough = asyncio.create_task(self.enough.wait())
        try:
            done, _ = await asyncio.wait({enough, *writing}, timeout=ROUND_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            seconds = time.monotonic() - began
            server.kill()
            enough.cancel()
        await asyncio.gather(*writing)
        counts = {path: len(tally.acked) for path, tally in self.tallies.items()}
        assert done, f"Not every path had {ACKS_MIN} acknowledgements after {ROUND_S} s: {counts}"
        assert enough in done, f"A writer lost its connection before the kill: {counts}\n{server.log()[-2000:]}"
        return seconds


class Trial:
    """One service and its rounds."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._evidence = Evidence(server)
        self._rounds: list[Round] = []

    async def strike(self) -> tuple[Round, list[Outcome]]:
        """Write, kill, start again and look for what was acknowledged."""
        this = Round(len(self._rounds) + 1)
        self._rounds.append(this)
        await this.prepare(self._server)
        seconds = await this.write(self._server)
        acked = {path: frozenset(tally.acked) for path, tally in this.tallies.items()}
        self._server.start()
        held = await self._evidence.of(set().union(*acked.values()))
        return this, [
            Outcome(this.number, path, len(marks), seconds, frozenset(mark for mark in marks if not held[mark]))
            for path, marks in acked.items()
        ]

    async def round(self) -> list[Outcome]:
        """Strike, let the clients come back, and look for everything."""
        this, outcomes = await self.strike()
        await asyncio.gather(*(writer.come_back() for writer in this.writers))
        missing, doubled = await self.wrong([this])
        return [replace(one, missing=missing[one.path], doubled=doubled[one.path]) for one in outcomes]

    async def wrong(
        self, rounds: Sequence[Round] | None = None
    ) -> tuple[Mapping[str, frozenset[Mark]], Mapping[str, frozenset[Mark]]]:
        """What is missing and what is doubled, by path, of all that these rounds (or all) ever sent."""
        rounds = self._rounds if rounds is None else rounds
        held = await self._evidence.of(set().union(*(each.sent for each in rounds)))
        missing, doubled = {}, {}
        for path in PATHS:
            sent = set().union(*(each.tallies[path].sent for each in rounds))
            places = {mark.place for mark in sent}
            missing[path] = frozenset(mark for mark in sent if not held[mark])
            doubled[path] = frozenset(
                mark for mark, count in held.items() if mark.place in places and (count > 1 or mark not in sent)
            )
        return missing, doubled


async def _opened(rest: httpx.AsyncClient) -> dict[str, Any]:
    answer = await rest.post("/api/tickets", json={"title": "Written to while the service dies"})
    assert 201 == answer.status_code, answer.text
    return answer.json()


def _sources(ticket: dict[str, Any]) -> list[Source]:
    """One client's documents of a ticket of its own."""
    return [Notes(ticket["id"], 11), Submissions(ticket["id"], 12, ticket["lifecycle"]), Card(ticket["id"], 13)]


async def _rounds(count: int, data: Path) -> bool:
    """Run and print the rounds; tell whether all were good."""
    good = True
    columns = "{:>5}  {:<10} {:>6} {:>8} {:>5} {:>8} {:>8}"
    print(columns.format("kill", "path", "acks", "seconds", "lost", "missing", "doubled"))
    with ServerProcess(data) as server:
        trial = Trial(server)
        for _ in range(count):
            for one in await trial.round():
                counts = (len(one.lost), len(one.missing), len(one.doubled))
                print(columns.format(one.round, one.path, one.acks, f"{one.seconds:.1f}", *counts), flush=True)
                good = good and one.is_good
        missing, doubled = await trial.wrong()
        for path in PATHS:
            print(columns.format("all", path, "", "", "", len(missing[path]), len(doubled[path])))
            good = good and not missing[path] and not doubled[path]
    return good


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if asyncio.run(_rounds(rounds, Path(folder))) else 1)


if __name__ == "__main__":
    main()

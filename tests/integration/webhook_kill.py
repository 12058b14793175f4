"""Kills of a service that tells receivers of its events while they fail, take and deny it, and hang.

`python -m tests.integration.webhook_kill --kills 20` prints what was seen, and exits with 1 if a receiver missed an
event, saw two of one ticket in another order, or was sent what it cannot verify.
"""

import argparse
import asyncio
import json
import random
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from standardwebhooks import Webhook as Oracle

from tests.conformance.server_process import ServerProcess
from tests.integration.sources import DEPARTMENT
from tests.replica.loopback import until
from tests.webhook_receiver import Received, Receiver, receiving

HASTY = (sys.executable, "-m", "tests.integration.hasty_serve")
PATHS = ("/steady", "/failing", "/hanging")
DRAIN_S = 60
_HEARD = "SELECT position, ticket FROM events WHERE audience LIKE ? ORDER BY position"


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of it: how many events there were, and per receiver how often one came again, and what is wrong."""

    kills: int
    events: int
    again: dict[str, int]
    missing: dict[str, int]
    disordered: dict[str, int]

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.missing.values()) and not any(self.disordered.values())


async def kills(folder: Path, count: int, chance: random.Random) -> Seen:
    """Kill so many times while receivers fail, let them recover, and compare what each has with what happened."""
    async with receiving() as receiver:
        recovered = asyncio.Event()
        receiver.status = lambda request: _status(request, chance, well=recovered.is_set())
        settings = {"CRDT_SYNC_GATEWAY": "false", "CRDT_SYNC_WEBHOOK_ORIGINS": json.dumps([receiver.origin])}
        with ServerProcess(folder, program=HASTY, settings=settings) as server:
            secrets = await _subscribed(server, receiver)
            writing = asyncio.create_task(_write(server, chance))
            for _ in range(count):
                await asyncio.sleep(chance.uniform(0.3, 1.2))
                server.kill()
                await asyncio.to_thread(server.start)
            await asyncio.sleep(0.5)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            recovered.set()
            made = _made(folder)
            with suppress(TimeoutError):
                await until(lambda: not any(_missing(made, receiver.at(path)) for path in PATHS), DRAIN_S)
        for path in PATHS:
            for request in receiver.at(path):
                Oracle(secrets[path]).verify(request.body, request.headers)
        found = {path: list(dict.fromkeys(map(_id, receiver.at(path)))) for path in PATHS}
        return Seen(
            count,
            len(made),
            {path: len(receiver.at(path)) - len(found[path]) for path in PATHS},
            {path: _missing(made, receiver.at(path)) for path in PATHS},
            {path: _disordered(made, found[path]) for path in PATHS},
        )


def _status(request: Received, chance: random.Random, *, well: bool) -> int | None:
    if well or request.path == "/steady":
        return 204
    return None if request.path == "/hanging" and chance.random() < 0.5 else chance.choice([500, 503, 429])


async def _subscribed(server: ServerProcess, receiver: Receiver) -> dict[str, str]:
    async with server.client(DEPARTMENT) as http:
        made = [await http.post("/api/webhooks", json={"url": receiver.origin + path}) for path in PATHS]
    return {path: answer.raise_for_status().json()["secret"] for path, answer in zip(PATHS, made, strict=True)}


async def _write(server: ServerProcess, chance: random.Random) -> None:
    """Open tickets and answer in them, whatever becomes of it."""
    tickets: list[str] = []
    async with server.client(DEPARTMENT) as http:
        while True:
            with suppress(httpx.HTTPError):
                if len(tickets) < 8:
                    tickets.append((await http.post("/api/tickets", json={"title": "x"})).json()["id"])
                await http.post(f"/api/tickets/{chance.choice(tickets)}/messages", json={"text": "hello"})
            await asyncio.sleep(0.02)


def _made(folder: Path) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(folder / "crdt-sync.db")) as database:
        return database.execute(_HEARD, (f'%"{DEPARTMENT}"%',)).fetchall()


def _id(request: Received) -> int:
    return int(request.headers["webhook-id"])


def _missing(made: Sequence[tuple[int, str]], requests: Sequence[Received]) -> int:
    return len({position for position, _ in made} - set(map(_id, requests)))


def _disordered(made: Sequence[tuple[int, str]], found: Sequence[int]) -> int:
    """Count the tickets whose events a receiver saw first in another order than that in which they happened."""
    tickets = dict(made)
    own = {ticket: [position for position in found if tickets.get(position) == ticket] for ticket in tickets.values()}
    return sum(positions != sorted(positions) for positions in own.values())


async def main() -> bool:
    """Run as often as was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        seen = await kills(Path(name) / "data", chosen.kills, random.Random(chosen.seed))
    print(seen)
    return seen.is_good


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main()) else 1)

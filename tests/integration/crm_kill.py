"""kill -9 of the service, of the CRM, and of the gateway and its plugin between them, while people work on both sides.

Or the CRM alone is down, for as long as one likes.

Everybody who works repeats what was not answered, under the same id. In the end what the CRM shows must be what the
tickets are, and every change of the CRM one transition.
"""

import asyncio
import itertools
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import grpc
from example_crm import crm_pb2 as pb
from example_crm.crm_pb2_grpc import CrmServiceStub

from crdt_sync.rpc.ticketsync.v1 import tickets_pb2 as tickets
from crdt_sync.rpc.ticketsync.v1.tickets_pb2_grpc import TicketServiceStub
from tests.conformance.server_process import ServerProcess, environment
from tests.integration.gateway_process import GatewayProcess, lasting_port

PATIENCE_S = 120.0
CUSTOMERS, CHANGES = 4, 8  # of a round, and of each
AGAIN_S = 0.05
AWAY_S = 3.0  # that the CRM is down: longer than it takes to be asked more seldom, while tickets go on
_PASSING = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.NOT_FOUND}
VICTIMS = ("service", "crm", "plugin", "gateway")


class CrmProcess:
    """The CRM as a child process, on one port for ever."""

    def __init__(self, data: Path) -> None:
        self._data, self.port = data, lasting_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it listens."""
        command = [sys.executable, "-m", "example_crm.server", "--data", self._data, "--port", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(), process_group=0)
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), "the CRM did not start"

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()


@dataclass(frozen=True, slots=True)
class Seen:
    """What was there in the end."""

    killed: Mapping[str, int]
    changes: int
    made: int  # changes in the CRM, of which each must be wanted
    missed: int
    doubled: int
    refused: int
    stale: int  # customers whom the CRM shows otherwise than their tickets are
    moves: int  # transitions that people made on tickets themselves

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong, and everything was there to go wrong."""
        wrong = (self.missed, self.doubled, self.refused, self.stale)
        return 0 < self.changes == self.made and not any(wrong)


class World:
    """Both sides and those who work on them."""

    def __init__(self, folder: Path) -> None:
        self.crm = CrmProcess(folder / "crm.db")
        options = {"crm": f"127.0.0.1:{self.crm.port}", "status.quoted": "sales.quote"}
        plugin = {"name": "crm", "token": "env:CRM_TOKEN", "options": options}
        self.core = ServerProcess(folder / "core", settings={"CRDT_SYNC_GATEWAY": "false"})
        self.core.port, self.core.grpc_port = lasting_port(), lasting_port()
        token = self.core.token("sales", actor="crm", seconds=86_400)
        settings = {"CRDT_SYNC_GATEWAY_PLUGINS": json.dumps([plugin]), "CRM_TOKEN": token}
        self.gateway = GatewayProcess(folder / "gateway", self.core, (), settings=settings)
        self.killed: Counter[str] = Counter()
        self._changes = 0
        self._moves: dict[str, tuple[str, str]] = {}  # of each key its ticket and its transition
        self._patience_s = PATIENCE_S

    async def run(self, rounds: int, chance: random.Random) -> Seen:
        """Work and kill, so many times each; return what is there once all is quiet."""
        async with self._running():
            for number in range(rounds):
                order = chance.sample(VICTIMS, len(VICTIMS))
                working = asyncio.create_task(self._work(number))
                for victim in order:
                    await asyncio.sleep(chance.random())
                    await asyncio.to_thread(self._kill, victim)
                await working
            return await self._quiet()

    async def outage(self, away_s: float) -> Seen:
        """Have the CRM down for so long while people work on both sides; return what is there once all is quiet."""
        self._patience_s = PATIENCE_S + away_s
        async with self._running():
            opened = [await self._opened(f"away-{number}") for number in range(CUSTOMERS)]
            await asyncio.gather(*(self._quote_there(ticket, f"before-{ticket}") for ticket in opened))
            await asyncio.to_thread(self.crm.kill)
            async with asyncio.TaskGroup() as group:
                for turn, ticket in itertools.product(range(CHANGES), opened):
                    group.create_task(self._quote_there(ticket, f"{turn}-{ticket}"))
                for turn in range(CHANGES):
                    for ticket in [*opened, await self._opened(f"meanwhile-{turn}")]:
                        await self._quote_here(ticket, f"move-{turn}-{ticket}")
                    await asyncio.sleep(away_s / CHANGES)
                await asyncio.to_thread(self.crm.start)
            self.killed["crm"] += 1
            return await self._quiet()

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        try:
            starting = (self.core.start, self.crm.start, self.gateway.start)
            await asyncio.gather(*(asyncio.to_thread(start) for start in starting))
            async with (
                grpc.aio.insecure_channel(self.core.grpc) as core,
                grpc.aio.insecure_channel(f"127.0.0.1:{self.crm.port}") as crm,
            ):
                self._tickets, self._crm = TicketServiceStub(core), CrmServiceStub(crm)
                yield
        finally:
            self.gateway.kill()
            self.core.kill()
            self.crm.kill()

    async def _work(self, turn: int) -> None:
        """Several people open tickets, and change their customers in the CRM as soon as it has them."""
        await asyncio.gather(*(self._customer(f"{turn}-{number}") for number in range(CUSTOMERS)))

    async def _customer(self, name: str) -> None:
        ticket = await self._opened(name)
        for number in range(CHANGES):
            await self._quote_there(ticket, f"quote-{name}-{number}")
            await asyncio.sleep(AGAIN_S)

    async def _opened(self, name: str) -> str:
        opening = tickets.OpenRequest(title=f"order {name}", request_id=f"open-{name}")
        return (await self._asked(self._tickets.Open, opening)).ticket.id

    async def _quote_there(self, ticket: str, key: str) -> None:
        self._changes += 1
        amount = f"{self._changes}.50"
        await self._asked(
            self._crm.SetStatus, pb.SetStatusRequest(ticket=ticket, status="quoted", amount=amount, key=key)
        )

    async def _quote_here(self, ticket: str, key: str) -> None:
        seen = (await self._asked(self._tickets.Get, tickets.GetRequest(id=ticket))).ticket.version
        request = tickets.TransitionRequest(id=ticket, lane="sales", name="quote", seen=seen, request_id=key)
        request.payload.update({"price": "1.00"})
        self._moves[key] = ticket, (await self._asked(self._tickets.Transition, request)).transition

    async def _asked(self, call: Callable[..., Awaitable[object]], request: object) -> object:
        """Ask until it is answered; a customer whom the CRM does not have yet comes."""
        headers = (("authorization", f"Bearer {self.core.token('sales')}"),)
        async with asyncio.timeout(self._patience_s):
            while True:
                try:
                    return await call(request, metadata=headers, timeout=5, wait_for_ready=True)
                except grpc.aio.AioRpcError as error:
                    if error.code() not in _PASSING:
                        raise
                    await asyncio.sleep(AGAIN_S)

    def _kill(self, victim: str) -> None:
        match victim:
            case "service":
                self.core.kill()
                self.core.start()
            case "crm":
                self.crm.kill()
                time.sleep(AWAY_S)
                self.crm.start()
            case "gateway":
                self.gateway.kill()
                self.gateway.start()
            case "plugin":
                while not (pids := plugins_of(self.gateway.pid)):
                    time.sleep(AGAIN_S)
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
        self.killed[victim] += 1

    async def _quiet(self) -> Seen:
        async with asyncio.timeout(PATIENCE_S):
            while not await self._is_quiet():  # noqa: ASYNC110 - files of others tell
                await asyncio.sleep(0.1)
        return await self._seen()

    async def _is_quiet(self) -> bool:
        """Whether the CRM waits for nothing and is as far as the tickets."""
        with closing(sqlite3.connect(self.crm._data, timeout=20)) as connection:
            (waiting,) = connection.execute("SELECT count(*) FROM change WHERE outcome = ''").fetchone()
        return not waiting and not await self._stale()

    async def _stale(self) -> int:
        listed = (await self._asked(self._tickets.List, tickets.ListRequest())).tickets
        there = {(each.ticket, each.stage, each.version) for each in (await self._shown()).customers}
        return len({(each.id, each.stage, each.version) for each in listed} - there)

    async def _shown(self) -> pb.ListResponse:
        return await self._asked(self._crm.List, pb.ListRequest())

    async def _seen(self) -> Seen:
        with closing(sqlite3.connect(self.crm._data, timeout=20)) as connection:
            changes = connection.execute("SELECT id, ticket, amount, outcome FROM change").fetchall()
        with closing(sqlite3.connect(self.core.data / "crdt-sync.db", timeout=20)) as connection:
            told = connection.execute("SELECT ticket, data FROM events WHERE type = 'transitioned'").fetchall()
            results = connection.execute("SELECT key, result FROM results WHERE key LIKE 'crm-change-%'").fetchall()
        quotes = [(ticket, json.loads(data)) for ticket, data in told]
        missed, doubled = compared(
            {f"crm-change-{id_}": ticket for id_, ticket, _, _ in changes}
            | {key: ticket for key, (ticket, _) in self._moves.items()},
            {key: json.loads(result)["transition"] for key, result in results}
            | {key: transition for key, (_, transition) in self._moves.items()},
            [(ticket, data["transition"]) for ticket, data in quotes if data["name"] == "quote"],
        )
        made = len({(ticket, amount) for _, ticket, amount, _ in changes})
        return Seen(
            dict(self.killed),
            changes=self._changes,
            made=made,
            missed=missed,
            doubled=doubled + len(changes) - made,
            refused=sum(outcome != "done" for *_, outcome in changes),
            stale=await self._stale(),
            moves=len(self._moves),
        )


def compared(changes: Mapping[str, str], made: Mapping[str, str], told: Iterable[tuple[str, str]]) -> tuple[int, int]:
    """Count changes without their transition, and transitions without their change.

    `changes` are the tickets of keys, `made` the transitions that were answered to them, `told` those of events.
    """
    wanted = Counter((ticket, made.get(key, "")) for key, ticket in changes.items())
    there = Counter(told)
    return (wanted - there).total(), (there - wanted).total()


def plugins_of(pid: int) -> list[int]:
    """The processes of plugins that a gateway in this process has begun."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    found = re.findall(rf"(?m)^ *(\d+) +{pid} .*gateway\.plugins\b", listed)
    return [int(each) for each in found]

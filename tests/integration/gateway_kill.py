"""kill -9 of the gateway and of the service at chosen points, while two chat platforms bring their customers' messages.

Each process is started with its next death laid down, dies by itself, and is started again; both do so side by side.
Agents answer meanwhile. In the end everything is drained, and an oracle of its own judges.
"""

import asyncio
import itertools
import json
import random
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.conformance.server_process import SERVE, ServerProcess
from tests.integration import chat_oracle, mortal
from tests.integration.chat_oracle import Verdict
from tests.integration.chat_platform import PATIENCE_S, SETTINGS, WECHAT, WECOM, ChatPlatform
from tests.integration.gateway_process import PROGRAM, GatewayProcess, lasting_port
from tests.integration.sources import DEPARTMENT

DEATH_S = 180  # for the work to pass a point so often
DRAIN_S = 300
ANSWER_EVERY_S = 0.1
_OPEN = (
    "SELECT account, conversation, state, content FROM outbox "
    "WHERE state IN ('pending', 'leased', 'sending', 'retry', 'unknown') ORDER BY place"
)
_PASSES = dict.fromkeys(mortal.CORE, (2, 12))  # of calls and commits, each of which holds many messages
_PASSES |= dict.fromkeys(("gateway, mid-forward", "gateway, after answer, before marking", *mortal.CARELESS), (2, 12))
_PASSES |= {"service, in start": (1, 1), "service, mid-claim": (1, 5), "service, after report": (1, 5)}
_OFTEN = (5, 60)  # of callbacks


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it: `customers` of each account write once a second; every point of both is taken `turns` times."""

    customers: Mapping[str, int] = field(default_factory=lambda: {WECHAT: 150, WECOM: 50})
    turns: int = 1
    patience_s: float = PATIENCE_S
    answers: bool = True
    lapse: bool = True  # wait for what was leased to the dead, which takes up to half a minute
    gateway: Sequence[str] = tuple(mortal.GATEWAY)
    service: Sequence[str] = tuple(mortal.CORE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen. `answers` were taken by the service; `shown_twice` reached their customer more than once.

    `unshown` were taken and reached nobody, though the service does not say of them that this is unknown.
    """

    deaths: Mapping[str, int]
    verdict: Verdict
    attempts: int
    answers: int
    shown: int
    held: int
    unshown: Collection[str]
    shown_twice: Collection[str]

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong, and everything was there to go wrong."""
        is_there = self.verdict.acked > 0 and self.answers > 0 and self.shown > 0
        return is_there and self.verdict.is_good and not self.unshown and not self.shown_twice

    def table(self) -> str:
        """Spell it."""
        rows = [f"{point:<40} {self.deaths[point]:>6}" for point in (*mortal.GATEWAY, *mortal.CORE)]
        attempts = f"{self.attempts} attempts of the platforms"
        shown = f"{self.shown} shown, {len(self.shown_twice)} of them twice"
        answers = f"answers: {self.answers} taken, {shown}, {self.held} unknown, {len(self.unshown)} lost"
        return "\n".join([f"{'died':<40} {'times':>6}", *rows, f"{attempts}; {self.verdict}", answers])


class World:
    """A service, a gateway, two platforms and some agents."""

    def __init__(self, folder: Path, plan: Plan, chance: random.Random) -> None:
        self.plan = plan
        self._chance = chance
        self._folder = folder
        self.core = ServerProcess(folder / "core", settings={"CRDT_SYNC_GATEWAY": "false"})
        self.deaths: Counter[str] = Counter()
        self.answers: set[str] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the platforms, and end whatever was started by then."""
        self.core.port, self.core.grpc_port = lasting_port(), lasting_port()
        self.gateway = GatewayProcess(self._folder / "gateway", self.core, (), settings=SETTINGS)
        self.platform = ChatPlatform(self.gateway.port, self.plan.customers, self.plan.patience_s)
        try:
            async with self.platform.serving():
                self.gateway.accounts = self.platform.accounts()
                yield
        finally:
            self.gateway.kill()
            self.core.kill()

    async def die(self, process: ServerProcess, plain: Sequence[str], points: Sequence[str]) -> None:
        """Start a process again and again, each time to die at another point, and in the end to live."""
        order = [point for _ in range(self.plan.turns) for point in self._chance.sample(points, len(points))]
        for number, point in enumerate(order):
            mark = self._folder / f"{process.data.name}-{number}"
            passes = self._chance.randint(*_PASSES.get(point, _OFTEN))
            process.program = (sys.executable, "-m", "tests.integration.mortal", point, str(passes), str(mark))
            with suppress(AssertionError):  # who dies before he has said that he is there
                await asyncio.to_thread(process.start)
                await asyncio.to_thread(process.wait, DEATH_S)
            process.kill()
            assert mark.exists(), f"It died elsewhere than at {point}:\n{process.log()[-2000:]}"
            self.deaths[point] += 1
        process.program = plain
        await asyncio.to_thread(process.start)
        assert process.is_running, process.log()[-2000:]

    async def answer(self) -> None:
        """Answer customers who have written, as agents do; what the service does not take is not counted."""
        async with self.core.client(DEPARTMENT) as rest:
            tickets: list[str] = []
            for number in itertools.count(1):
                await asyncio.sleep(ANSWER_EVERY_S)
                with suppress(httpx.TransportError):
                    if not tickets:
                        found = await rest.get("/api/tickets")
                        tickets = [one["id"] for one in found.json()["tickets"]] if found.is_success else []
                        self._chance.shuffle(tickets)
                    if tickets:
                        place, text = f"/api/tickets/{tickets.pop()}/messages", f"answer {number}"
                        if (await rest.post(place, json={"text": text})).is_success:
                            self.answers.add(text)

    async def drained(self) -> None:
        """Return once nothing waits, neither with WeCom nor in the gateway nor in the service."""
        async with asyncio.timeout(DRAIN_S):
            while not self._is_drained():
                await self.platform.remind()
                await asyncio.sleep(0.2)

    def _is_drained(self) -> bool:
        with closing(sqlite3.connect(self.gateway.inbox)) as connection:
            (waiting,) = connection.execute("SELECT count(*) FROM inbox WHERE state = 'received'").fetchone()
            pulled = connection.execute("SELECT sum(cursor) FROM pull").fetchone()[0] or 0
        return not waiting and pulled == self.platform.kept and not self.outbox()[0]

    def outbox(self) -> tuple[set[str], set[str]]:
        """What is still to be sent; and what was perhaps sent, with all that waits behind it.

        WeChat knows no second send, so there an operator decides. What was being sent when somebody died is told to be
        so only half a minute later, when its lease is over.
        """
        moving, held, stuck = set(), set(), set()
        with closing(sqlite3.connect(self.core.data / "crdt-sync.db", timeout=20)) as connection:
            for account, conversation, state, content in connection.execute(_OPEN):
                leased = state == "leased" and not self.plan.lapse
                if leased or state == "sending" or (state == "unknown" and account == WECHAT):
                    stuck.add(conversation)
                (held if conversation in stuck else moving).add(json.loads(content)["text"])
        return moving, held

    async def verdict(self) -> Verdict:
        """Ask the oracle."""
        held = chat_oracle.held_in(self.core.data / "crdt-sync.db")
        async with self.core.client(DEPARTMENT) as rest:
            shown = await chat_oracle.shown_by(rest, held)
        return chat_oracle.judged(self.platform.written, held, shown)


async def kills(folder: Path, plan: Plan, chance: random.Random) -> Outcome:
    """Run it."""
    world = World(folder, plan, chance)
    async with world.running():
        writing = asyncio.create_task(world.platform.write())
        answering = asyncio.create_task(world.answer() if plan.answers else asyncio.sleep(0))
        try:
            await asyncio.gather(
                world.die(world.gateway, PROGRAM, plan.gateway), world.die(world.core, SERVE, plan.service)
            )
            world.platform.stop()
            await writing
        finally:
            writing.cancel()
            answering.cancel()
            await asyncio.gather(writing, answering, return_exceptions=True)
        await world.drained()
        shown = {text: count for text, count in world.platform.shown.items() if text.startswith("answer ")}
        held = world.outbox()[1]
        return Outcome(
            world.deaths,
            await world.verdict(),
            world.platform.attempts,
            len(world.answers),
            shown=len(shown),
            held=len(held),
            unshown=world.answers - shown.keys() - held,
            shown_twice=[text for text, count in shown.items() if count > 1],
        )

"""kill -9 in the middle of writers on every path, at chosen points and at random: what was acknowledged must be there.

It must be there once, and nobody may have been told of what is not there after the restart.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.conformance.server_process import ServerProcess
from tests.integration.aims import AIMS, Phase, Strace, fatal_phase
from tests.integration.evidence import Evidence
from tests.integration.load import Load, Size
from tests.integration.sources import Mark

RANDOM_S_MAX = 0.5
DEATH_S = 30

Marks = frozenset[Mark]
NONE: Marks = frozenset()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one kill showed."""

    number: int
    aimed: Phase
    phase: Phase | None  # what the evidence says; None if the call that it died in is none of ours
    acks: Mapping[str, int]  # by path, before the kill
    unacked: int  # sent, never acknowledged, and there after the restart
    gone: int  # sent, never acknowledged, and not there
    lost: Marks  # acknowledged, and not there after the restart
    unkept: Marks  # relayed to a bystander, and not there
    missing: Marks = NONE  # sent once more by a writer that came back, and still not there
    doubled: Marks = NONE  # there more than once, or there though nobody sent it

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.unkept or self.missing or self.doubled)

    @property
    def total(self) -> int:
        """All acknowledgements before the kill."""
        return sum(self.acks.values())


@dataclass
class Trial:
    """One service, killed again and again. `chance` chooses when."""

    server: ServerProcess
    size: Size
    chance: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._evidence = Evidence(self.server)
        self._loads: list[Load] = []

    async def strike(self, aimed: Phase = Phase.ANYWHERE) -> tuple[Load, Outcome]:
        """Write, kill, start again and look for what was acknowledged."""
        load = Load(len(self._loads) + 1, self.size)
        self._loads.append(load)
        await load.prepare(self.server)
        phase = await self._kill(load, aimed)
        acked, sent = frozenset(load.acked), load.sent
        self.server.start()
        held = await self._evidence.of(sent | load.bystander.heard, wait_for=acked)
        there = frozenset(mark for mark, count in held.items() if count)
        unacked, gone = len((sent - acked) & there), len(sent - acked - there)
        if (phase is Phase.COMMITTED and not unacked) or (phase is Phase.READ and not gone):
            phase = None  # the call was the right one, and was about nobody's change
        return load, Outcome(
            load.number,
            aimed,
            phase,
            load.counts(),
            unacked=unacked,
            gone=gone,
            lost=acked - there,
            unkept=load.bystander.heard - there,
        )

    async def round(self, aimed: Phase = Phase.ANYWHERE) -> Outcome:
        """Strike, let the clients come back, and look for everything."""
        load, outcome = await self.strike(aimed)
        await asyncio.gather(*(writer.come_back() for writer in load.writers))
        missing, doubled = await self.wrong([load])
        return replace(outcome, missing=missing, doubled=doubled)

    async def wrong(self, loads: Sequence[Load] | None = None) -> tuple[Marks, Marks]:
        """What is missing and what is doubled of all that these loads (or all) ever sent."""
        sent = set().union(*(load.sent for load in (self._loads if loads is None else loads)))
        held = await self._evidence.of(sent)
        return (
            frozenset(mark for mark in sent if not held[mark]),
            frozenset(mark for mark, count in held.items() if count > 1 or mark not in sent),
        )

    async def _kill(self, load: Load, aimed: Phase) -> Phase | None:
        """Kill at the aim once the load is full, and return where that was."""
        server = self.server
        try:
            await load.begin()
            if aimed is Phase.ANYWHERE:
                await asyncio.sleep(self.chance.uniform(0, RANDOM_S_MAX))
                return aimed
            trace = server.data / f"trace-{load.number}"
            aim = AIMS[aimed]
            when = self.chance.randint(1, aim.calls_max)
            files = [server.data / file for file in aim.files]
            with Strace(server.pid, aim.calls, f"signal=SIGKILL:when={when}", trace, files):
                await asyncio.to_thread(server.wait, DEATH_S)
            return fatal_phase(trace)
        finally:
            server.kill()
            await load.end()

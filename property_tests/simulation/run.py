"""One run of one story, from a seed to a report; equal seeds give equal reports, event for event."""

import asyncio
import functools
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import structlog

from crdt_sync.service import compaction, live_ticket, rooms
from property_tests.simulation import faults, malice, people, verdict
from property_tests.simulation.database import Database
from property_tests.simulation.deeds import VERBS, Deed, drawn
from property_tests.simulation.loop import CURRENT, VirtualLoop
from property_tests.simulation.witness import Finding
from property_tests.simulation.world import World

MEMORY = Path("/dev/shm")
FAULTS_OF_OURS = {"error", "critical"}

assert {faults, malice, people}, "importing them enters their verbs"


@dataclass(frozen=True)
class Report:
    """What came of a run."""

    seed: int
    deeds: Sequence[Deed]
    findings: Sequence[Finding]
    story: Sequence[str]
    digest: str
    counts: Counter[str]


def run(seed: int, deeds: Sequence[Deed] | None = None) -> Report:
    """Run the story of a seed, or other deeds in its world."""
    told = drawn(Random(f"{seed} deeds")) if deeds is None else list(deeds)
    schema = _schema()
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as disk:
        loop = VirtualLoop()
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(_run(World(seed, loop, Path(disk), schema), told, loop))


@functools.cache
def _schema() -> sqlite3.Connection:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(Database.build())


async def _run(world: World, deeds: Sequence[Deed], loop: VirtualLoop) -> Report:
    told = loop.create_task(_perform(world, deeds))
    loop.on_exhausted(told.cancel)
    with _watching(world, loop), _caches(tight=world.tight):
        await asyncio.wait([told])
        if told.cancelled():
            world.witness.find("comes to rest", "the world turns and turns")
        elif error := told.exception():
            world.witness.find("no fault of ours", f"{type(error).__name__}: {error}")
        stored = world.committed.transitions()
        for row in stored:
            world.note("transition", *row)
        world.counts.update(world.witness.counts + Counter(transitions=len(stored)))
        await world.end()
    return Report(world.seed, deeds, tuple(world.witness.findings), world.story, world.digest.hexdigest(), world.counts)


@contextmanager
def _caches(*, tight: bool) -> Iterator[None]:
    """Leave the service next to no caches, if it is to be tight."""
    small = [(rooms, "IDLE_ROOMS_MAX", 1), (live_ticket, "LIVE_TICKETS_MAX", 1), (compaction, "TAIL_ROWS_MAX", 5)]
    before = [getattr(module, name) for module, name, _ in small]
    try:
        for module, name, value in small if tight else ():
            setattr(module, name, value)
        yield
    finally:
        for (module, name, _), value in zip(small, before, strict=True):
            setattr(module, name, value)


async def _perform(world: World, deeds: Sequence[Deed]) -> None:
    await world.begin()
    for deed in deeds:
        perform, _ = VERBS[deed.verb]
        world.tell(await perform(world, deed))
        await asyncio.sleep(deed.pause_s)
        if world.witness.findings:
            return
    await world.settle()
    if not world.witness.findings:
        await verdict.judge(world)


@contextmanager
def _watching(world: World, loop: VirtualLoop) -> Iterator[None]:
    """Take every fault of ours that is only logged, or raised where nobody hears it, for a finding."""

    def logged(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
        del logger
        process = CURRENT.get()
        if process is not None and not process.alive:
            raise structlog.DropEvent  # the dead say nothing
        world.note("log", method, event["event"])
        if method in FAULTS_OF_OURS:
            why = event.get("reason", event.get("exception", ""))
            world.witness.find("no fault of ours", f"{event['event']}: {why}")
        raise structlog.DropEvent

    loop.set_exception_handler(
        lambda _, context: world.witness.find("no fault of ours", f"{context['message']}: {context.get('exception')!r}")
    )
    before = structlog.get_config()
    structlog.configure(processors=[structlog.processors.ExceptionRenderer(), logged], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)

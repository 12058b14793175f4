"""One person's machine with a real replica on a real file: it starts, stops, dies, and gets an old disk back."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from crdt_sync.errors import TicketSyncError
from crdt_sync.replica import Replica
from property_tests.simulation.cast import DrawnIds, Person, SkewedClock
from property_tests.simulation.loop import Process
from property_tests.simulation.network import Link

POLL_S = 30.0
SUFFIXES = ("", "-wal")  # the file and what its last transactions wrote beside it


class Machine:
    """A replica, its disk and its clock. `seen` keeps frontiers that were shown earlier, by ticket."""

    def __init__(self, person: Person, link: Link, disk: Path, clock: SkewedClock, seed: int) -> None:
        self.person, self.link, self.clock = person, link, clock
        self.replica: Replica | None = None
        self.seen: dict[str, tuple[str, ...]] = {}
        self._seed, self._starts = seed, 0
        self._file, self._backup = disk / person.actor, disk / f"{person.actor}.backup"
        self._process = Process(person.actor)
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Open the replica, if it is not open."""
        if self.replica is not None:
            return
        self._starts += 1
        self._process = Process(f"{self.person.actor}-{self._starts}")
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopping = asyncio.Event()
        self._life = self._process.spawn(self._live(started))
        await asyncio.wait([started, self._life], return_when=asyncio.FIRST_COMPLETED)
        if self._life.done():
            self._life.result()

    async def _live(self, started: asyncio.Future[None]) -> None:
        ids = DrawnIds(f"{self._seed} {self.person.actor} {self._starts}", self.clock)
        async with Replica.open(
            self._file, token=self.person.token(), link=self.link, poll_s=POLL_S, clock=self.clock, ids=ids
        ) as self.replica:
            started.set_result(None)
            await self._stopping.wait()

    async def stop(self) -> None:
        """Close the replica as a program does that ends."""
        if self.replica is not None:
            self._stopping.set()
            await self._life
            self.replica = None

    async def crash(self) -> None:
        """End between two steps of whatever it is doing."""
        if self.replica is not None:
            await self._process.kill()
            self.link.cut("crashed")
            self.replica = None

    async def do(self, work: Callable[[Replica], Awaitable[Any]]) -> Any:
        """Do something with the replica, in its process; None if it does not run, or dies meanwhile."""
        if self.replica is None:
            return None
        task = self._process.spawn(_awaited(work(self.replica)))
        await asyncio.wait([task])
        return None if task.cancelled() else task.result()

    async def back_up(self) -> None:
        """Copy the disk as it is at this moment."""
        for suffix in SUFFIXES:
            self._copy(self._file, self._backup, suffix)

    async def restore(self) -> bool:
        """Die, and start again with the disk of the last backup."""
        if not self._backup.exists():
            return False
        await self.crash()
        for suffix in SUFFIXES:
            self._copy(self._backup, self._file, suffix)
        await self.start()
        return True

    @staticmethod
    def _copy(source: Path, target: Path, suffix: str) -> None:
        come, go = Path(f"{source}{suffix}"), Path(f"{target}{suffix}")
        go.unlink(missing_ok=True)
        if come.exists():
            shutil.copyfile(come, go)


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


async def outcome(work: Awaitable[Any]) -> tuple[Any, str]:
    """Return what came of it: an answer, or the code of the error that was told."""
    try:
        return await work, ""
    except TicketSyncError as error:
        return None, error.code

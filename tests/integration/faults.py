"""What becomes of writers on every path while the service's disk is full, or cannot sync, and when it can again."""

import asyncio
import shutil
import sqlite3
import time
from contextlib import AbstractContextManager, AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import httpx
from websockets.asyncio.client import ClientConnection, connect

from crdt_sync.wire import awareness, ysync
from tests.conformance.reader import read
from tests.conformance.server_process import SERVE, ServerProcess, verified
from tests.integration import disks
from tests.integration.evidence import Evidence
from tests.integration.load import Load, Size
from tests.integration.sources import DEPARTMENT, marks_in

NOTICE_S = 60  # a full disk is noticed when the log has to grow, which a load of some megabytes comes to
QUIET_S = 1.5  # watched while it lasts, after what was under way has arrived
ARRIVE_S = 0.5
RECOVER_S = 30
PROBE_S = 0.1


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one fault showed."""

    name: str
    noticed_s: float  # until the service said that it is not ready
    acks_meanwhile: int  # while it was not ready
    heard_meanwhile: int  # relayed while it was not ready
    readable: bool  # a fresh client could read a document meanwhile, and presence went its way
    recovered_s: float
    acks: int
    unacked: int  # sent, and not acknowledged in the end
    lost: int  # acknowledged, and not there
    unkept: int  # relayed, and not there
    doubled: int
    integrity: str

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        wrong = self.acks_meanwhile or self.heard_meanwhile or self.unacked or self.lost or self.unkept or self.doubled
        return not wrong and self.readable and self.integrity == "ok"


async def full_disk(data: Path, size: Size) -> Trouble:
    """Fill the disk under the load, and make room again."""
    if disks.may_mount():
        with ServerProcess(data, program=disks.on_small_disk(data)) as server:
            return await _trouble("full disk", server, size, disks.full(server), disks.seen_inside(server))
    with ServerProcess(data) as server:
        return await _trouble("full disk", server, size, disks.limited(server), data)


async def unsyncable_disk(data: Path, size: Size) -> Trouble:
    """Let every fdatasync fail under the load, and then none."""
    with ServerProcess(data, program=SERVE) as server:
        return await _trouble("failing fdatasync", server, size, disks.unsyncable(server, data / "trace"), data)


async def _trouble(
    name: str, server: ServerProcess, size: Size, fault: AbstractContextManager[None], data: Path
) -> Trouble:
    load = Load(1, size, patient=True)
    await load.prepare(server)
    async with AsyncExitStack() as stack:
        watched = next(iter(load.bystander.documents))
        here, there = [await stack.enter_async_context(_visitor(server, watched)) for _ in range(2)]
        await load.begin()
        with fault:
            noticed_s = await _until_ready(server, NOTICE_S, ready=False)
            await asyncio.sleep(ARRIVE_S)
            acks, heard = len(load.acked), load.bystander.so_far()
            readable = bool(marks_in(await read(server, watched, DEPARTMENT))) and await _is_seen(here, there)
            await asyncio.sleep(QUIET_S)
            acks_meanwhile, heard_meanwhile = len(load.acked) - acks, len(load.bystander.so_far() - heard)
        recovered_s = await _until_ready(server, RECOVER_S, ready=True)
        readable = readable and await _is_seen(here, there)
        await load.finish(RECOVER_S)
    copy = server.data.with_name(f"{server.data.name}-copy")
    shutil.copytree(data, copy)
    server.kill()
    integrity = _integrity(copy)
    with ServerProcess(copy) as again:
        held = await Evidence(again).of(load.sent | load.bystander.heard, wait_for=load.acked)
    return Trouble(
        name,
        noticed_s,
        acks_meanwhile,
        heard_meanwhile,
        readable,
        recovered_s,
        acks=len(load.acked),
        unacked=len(load.sent - load.acked),
        lost=sum(not held[mark] for mark in load.acked),
        unkept=sum(not held[mark] for mark in load.bystander.heard),
        doubled=sum(count > 1 or mark not in load.sent for mark, count in held.items()),
        integrity=integrity,
    )


async def _until_ready(server: ServerProcess, seconds: float, *, ready: bool) -> float:
    """Ask until the service says so; return how long that took."""
    began = time.monotonic()
    async with asyncio.timeout(seconds), httpx.AsyncClient(base_url=server.http, trust_env=False) as client:
        while (await client.get("/readyz")).is_success is not ready:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(PROBE_S)
    return time.monotonic() - began


def _visitor(server: ServerProcess, document: str) -> connect:
    url = f"{server.ws}/sync/{document}?token={server.token(DEPARTMENT)}"
    return connect(url, compression=None, max_size=None, proxy=None)


async def _is_seen(here: ClientConnection, there: ClientConnection) -> bool:
    """Whether presence that one session shows reaches the other."""
    now = time.monotonic_ns() // 1_000_000
    states = awareness.encode([awareness.State(now, 1, "{}")])
    await here.send(ysync.encode_awareness(states))
    async with asyncio.timeout(NOTICE_S):
        while True:
            frame = ysync.decode(await there.recv())
            if isinstance(frame, ysync.Awareness) and any(s.client == now for s in awareness.decode(frame.states)):
                return True


def _integrity(data: Path) -> str:
    """What SQLite says of both databases, and the service's own proof of its."""
    said = set()
    for file in ("crdt-sync.db", "gateway/inbox.db"):
        with closing(sqlite3.connect(data / file)) as connection:
            said |= {row[0] for row in connection.execute("PRAGMA integrity_check")}
    return " ".join(sorted(said | ({wrong} if (wrong := verified(data)) else set())))

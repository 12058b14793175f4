"""Brings domain events to a plugin in its own process: each at least once, in order, from where it was.

Owns the position: it is written once the plugin has returned from everything up to there.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import grpc
import structlog

from crdt_sync.rpc.ticketsync.v1 import events_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import sync_pb2
from crdt_sync.rpc.ticketsync.v1.events_pb2_grpc import EventServiceStub
from gateway.plugins.api import Context, Event, OnEvent, TryLater
from gateway.plugins.connector import open_channel

RETRY_S_MIN, RETRY_S_MAX = 0.2, 10.0
FAULTS_MAX = (
    10  # of one event: with four in ten minutes a plugin is off, so nothing is set aside within a short trouble
)
DELAY_S_MAX = 60.0  # of what a plugin asks for: it finds what was away within a minute

_log = structlog.get_logger(__name__)


class Follower:
    """One plugin's place in the events."""

    def __init__(self, context: Context, plugin: OnEvent, *, deadline_s: float, count: Callable[[str], None]) -> None:
        self._context = context
        self._plugin = plugin
        self._deadline_s = deadline_s
        self._count = count
        self._file = context.data / "position"
        self._faults_file = context.data / "faults.json"
        self._faults: dict[str, int] = {}  # of events that were begun and not handled, by position, over all lives
        self._said: asyncio.Queue[pb.WatchRequest] = asyncio.Queue()

    async def run(self) -> None:
        """Follow for ever; a service that is away is looked for again.

        Raises:
            RuntimeError: the plugin raised something, or took too long over an event.

        """
        wait_s = RETRY_S_MIN
        self._faults = await asyncio.to_thread(_kept, self._faults_file)
        async with open_channel(self._context.core, self._context.core_certificate) as channel:
            while True:
                try:
                    async for response in self._watched(EventServiceStub(channel)):
                        wait_s = RETRY_S_MIN
                        await self._take(response)
                except grpc.aio.AioRpcError as error:
                    self._count(f"watch.{error.code().name.lower()}")
                    if error.code() is grpc.StatusCode.FAILED_PRECONDITION:  # it was restored to an earlier time
                        _log.error("the service does not know this position: all events come again")
                        await asyncio.to_thread(write, self._file, 0)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RETRY_S_MAX)

    async def _watched(self, stub: EventServiceStub) -> AsyncIterator[pb.WatchResponse]:
        position = await asyncio.to_thread(read, self._file)
        self._said = asyncio.Queue()
        self._said.put_nowait(pb.WatchRequest(after_position=position))
        metadata = (("authorization", f"Bearer {self._context.token()}"),)
        call = stub.Watch(self._requests(), metadata=metadata, wait_for_ready=True)
        try:
            async for response in call:
                yield response
        finally:
            call.cancel()

    async def _requests(self) -> AsyncIterator[pb.WatchRequest]:
        while True:
            yield await self._said.get()

    async def _take(self, response: pb.WatchResponse) -> None:
        if response.HasField("token_request"):
            self._said.put_nowait(pb.WatchRequest(token=sync_pb2.Token(token=self._context.token())))
        for text in response.events:
            await self._handle(event_of(text))
            self._count("event")
        if response.position:
            await asyncio.to_thread(write, self._file, response.position)

    async def _handle(self, event: Event) -> None:
        key = str(event.position)
        while (faults := self._faults.get(key, 0)) < FAULTS_MAX:
            # A fault until it is none: one that ends the process, or has the gateway end it, leaves nobody to count it.
            await self._note(key, faults + 1)
            try:
                async with asyncio.timeout(self._deadline_s):
                    await self._plugin.on_event(event)
                break
            except TryLater as later:
                await self._note(key, faults)
                self._count("later")
                _log.warning("event is tried later", position=event.position, why=str(later))
                await asyncio.sleep(min(later.delay_s, DELAY_S_MAX))
            except Exception as error:
                # Not as it is: a call that the plugin made may have failed as the watch does.
                raise RuntimeError(f"event {event.position} was not handled, {faults + 1} times") from error
        else:
            self._count("set_aside")
            _log.error("event is set aside", position=event.position, ticket=event.ticket)
            await asyncio.to_thread(write, self._file, event.position)
        del self._faults[key]  # the file says so with the next event: this one may come again, but its faults were none

    async def _note(self, key: str, faults: int) -> None:
        self._faults[key] = faults
        await asyncio.to_thread(_keep, self._faults_file, self._faults)


def event_of(text: str) -> Event:
    """Read a CloudEvent of the service's."""
    told = json.loads(text)
    type_ = told["type"].removeprefix("ticketsync.ticket.").removesuffix(".v1")
    return Event(int(told["position"]), type_, told["subject"], told["time"], told["data"])


def read(path: Path) -> int:
    """Return the position that is kept, 0 if none is."""
    try:
        return int(path.read_text())
    except FileNotFoundError:
        return 0


def write(path: Path, position: int) -> None:
    """Keep a position, whole or not at all, and through a loss of power."""
    beside = path.with_suffix(".new")
    with beside.open("w") as file:
        file.write(str(position))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _kept(path: Path) -> dict[str, int]:
    text = path.read_text() if path.exists() else ""
    return dict(json.loads(text or "{}"))


def _keep(path: Path, faults: Mapping[str, int]) -> None:
    """Whole or not at all, so that a kill loses none; after a loss of power they are counted anew."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(faults))
    beside.replace(path)

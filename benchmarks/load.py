"""The load generator: `python -m benchmarks.load`, a process of its own, started by `benchmarks.compare`.

It reads one JSON object from standard input, connects, sends, counts what arrives where, and prints one JSON object.
Every change carries a mark (`wires.MARK`), so that it is counted once a receiver however the server packed it. A closed
loop measures throughput; an open one latency, from when a change was due, so that a server that stalls is not spared.
"""

import asyncio
import json
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks import wires
from benchmarks.usage import usage
from benchmarks.wires import WIRES
from benchmarks.workloads import WORKLOADS, Workload

CONNECTING_MAX = 100  # handshakes under way at once
CONNECT_S = 30.0
SETTLE_S = 1.0  # after the last client is there, before memory is read
DRAIN_S = 20.0  # how long an open loop waits for what is still on its way
TICK_S = 0.001


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, and which process to watch. One token a document, or one for all."""

    url: str
    wire: str
    pid: int
    documents: list[str]
    tokens: list[str]


@dataclass(slots=True)
class Tally:
    """What was sent when (0: not yet), and how long each delivery took."""

    due_s: list[float]
    clients: int
    latencies_s: list[float] = field(default_factory=list)
    missing: dict[int, int] = field(default_factory=dict)  # change -> receivers who lack it
    writer_of: dict[int, "Client"] = field(default_factory=dict)
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    left: int = field(init=False)
    last_s: float = 0.0

    def __post_init__(self) -> None:
        """Begin with everything to come."""
        self.left = len(self.due_s)

    def sent(self, number: int, writer: "Client", due_s: float) -> None:
        """Note that a change goes out."""
        self.due_s[number] = due_s
        self.missing[number] = self.clients - 1
        self.writer_of[number] = writer

    def arrived(self, number: int, client: "Client") -> None:
        """Note that a client has a change; its writer may send the next when nobody lacks it."""
        left = self.missing.get(number)
        writer = self.writer_of.get(number)
        if left is None or writer is None or writer is client:
            return
        self.last_s = time.perf_counter()
        self.latencies_s.append(self.last_s - self.due_s[number])
        self.missing[number] = left - 1
        if left == 1:
            del self.missing[number], self.writer_of[number]
            self.left -= 1
            if not self.left:
                self.complete.set()
            writer.next()


class Client(WSListener):
    """One client of one document."""

    def __init__(self, target: Target, document: str, token: str) -> None:
        self._wire = WIRES[target.wire]
        self._document, self._token = document, token
        self.address = self._wire.address(document)
        self.opened = asyncio.get_running_loop().create_future()
        self.tally: Tally | None = None
        self.frames: list[tuple[int, bytes]] = []  # what is left to send, the last one first
        self.closed_loop = False
        self._transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Say hello."""
        self._transport = transport
        for frame in self._wire.hello(self._document, self._token):
            transport.send(WSMsgType.BINARY, frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Note that the server has closed."""
        del transport
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed before the document was open"))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer what must be answered, and count the changes in the frame."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        if frame.msg_type != WSMsgType.BINARY:
            return
        data = frame.get_payload_as_bytes()
        if wires.is_step1(data, len(self.address)):
            transport.send(WSMsgType.BINARY, wires.step2_of_nothing(self.address))
            return
        if not self.opened.done():
            if wires.is_step2(data, len(self.address)):
                self.opened.set_result(None)
            return
        if self.tally is not None:
            for mark in wires.MARK.finditer(data):
                self.tally.arrived(int(mark[1]), self)

    def next(self) -> None:
        """Send the next change of a closed loop."""
        if self.closed_loop and self.frames:
            self.send(time.perf_counter())

    def send(self, due_s: float) -> None:
        """Send the next change, which is due at that moment."""
        assert self.tally is not None, "a writer has been given its changes"
        assert self._transport is not None, "and is connected"
        number, frame = self.frames.pop()
        self.tally.sent(number, self, due_s)
        self._transport.send(WSMsgType.BINARY, frame)


async def connect(target: Target, workload: Workload) -> list[Client]:
    """Connect every client of every document; those of one document follow each other, its writer first."""
    gate = asyncio.Semaphore(CONNECTING_MAX)

    async def one(index: int) -> Client:
        document, token = target.documents[index], target.tokens[index % len(target.tokens)]
        client = Client(target, document, token)
        query = f"?token={token}" if target.wire == "yjs" and token else ""
        url = target.url + WIRES[target.wire].path(document) + query
        async with gate:
            await ws_connect(lambda: client, url, enable_auto_ping=False)
            await asyncio.wait_for(client.opened, CONNECT_S)
        return client

    indexes = (index for index in range(workload.documents) for _ in range(workload.clients))
    return await asyncio.gather(*(one(index) for index in indexes))


def equip(clients: list[Client], workload: Workload) -> tuple[Tally, list[Client]]:
    """Give the writers what they will send, made beforehand, and everybody the tally; return it and the writers."""
    writers = clients[:: workload.clients]
    each = workload.changes // len(writers)
    tally = Tally([0.0] * each * len(writers), workload.clients)
    for client in clients:
        client.tally = tally
    for index, writer in enumerate(writers):
        numbers = range(index * each, (index + 1) * each)
        frames = wires.changes(workload.shape, writer.address, numbers)
        writer.frames = list(zip(numbers, frames, strict=True))[::-1]
    return tally, writers


async def closed_loop(tally: Tally, writers: list[Client], workload: Workload) -> None:
    """Keep `window` changes of each writer on their way until all have arrived."""
    for writer in writers:
        writer.closed_loop = True
        for _ in range(workload.window):
            writer.next()
    await _arrived(tally, workload.timeout_s)


async def open_loop(tally: Tally, writers: list[Client], workload: Workload) -> None:
    """Send at the workload's rate, writer after writer, then wait for what is on its way."""
    start_s, sent = time.perf_counter(), 0
    while sent < len(tally.due_s):
        due = int((time.perf_counter() - start_s) * workload.per_s)
        while sent <= due and sent < len(tally.due_s):
            writers[sent % len(writers)].send(start_s + sent / workload.per_s)
            sent += 1
        await asyncio.sleep(TICK_S)
    await _arrived(tally, DRAIN_S)


async def _arrived(tally: Tally, timeout_s: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(tally.complete.wait(), timeout_s)


async def run(target: Target, workload: Workload) -> dict[str, float]:
    """Put the workload on the target, and return the figures."""
    before, began_s = usage(target.pid), time.perf_counter()
    clients = await connect(target, workload)
    connected_s = time.perf_counter() - began_s
    await asyncio.sleep(SETTLE_S)
    idle = usage(target.pid)
    tally, writers = equip(clients, workload)
    start_s = tally.last_s = time.perf_counter()
    await (closed_loop if workload.window else open_loop)(tally, writers, workload)
    after = usage(target.pid)
    latencies_ms = sorted(1000 * latency for latency in tally.latencies_s) or [0.0]
    expected, delivered = len(tally.due_s) * (workload.clients - 1), len(tally.latencies_s)
    cpu_s = after.cpu_s - idle.cpu_s
    return {
        "connections": len(clients),
        "connect_s": connected_s,
        "connect_cpu_s": idle.cpu_s - before.cpu_s,
        "kb_per_connection": (idle.rss_bytes - before.rss_bytes) / 1000 / len(clients),
        "changes_per_s": delivered / (workload.clients - 1) / max(tally.last_s - start_s, 1e-9),
        "cpu_us_per_change": 1e6 * cpu_s / len(tally.due_s),
        "cpu_us_per_delivery": 1e6 * cpu_s / max(delivered, 1),
        "p50_ms": latencies_ms[len(latencies_ms) // 2],
        "p99_ms": latencies_ms[len(latencies_ms) * 99 // 100],
        "delivered_percent": 100 * delivered / expected,
        "rss_mb": after.rss_bytes / 1e6,
    }


def main() -> None:
    """Read the target and the workload's name, run, print."""
    order = json.load(sys.stdin)
    found = uvloop.run(run(Target(**order["target"]), WORKLOADS[order["workload"]]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()

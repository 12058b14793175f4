"""What a faulty plugin costs messages: `python -m benchmarks.plugins [--rate 50] [--seconds 8]`.

Gateways without a plugin and with one take turns, each fresh, so that whatever else the machine does meets both alike;
each is posted WeChat's callbacks as in `benchmarks.gateway`. The service is a stand-in within this process that notes
when each message reached it. Plugins share the gateway's processor, as they would on a small machine, and are at fault
at every turn from the first message on.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from benchmarks.compare import LOAD_CPU, pinned
from benchmarks.gateway import START_S, Platform, Target, gateway, offered, requests
from crdt_sync.rpc.ticketsync.v1 import events_pb2, events_pb2_grpc, gateway_pb2_grpc
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2 as pb
from gateway.plugins.api import GROUP

KINDS = {
    "well": "Asked",
    "hang": "Asked",
    "raise": "Asked",
    "allocate": "Asked",
    "fill": "Asked",
    "spin": "Asked",
    "die": "Asked",
    "spin in run": "Running",
    "spin in on_event": "Following",
}
"""What each does, and its class in `benchmarks.faulty_plugins`.

Memory that may not be had (`allocate`) is refused at once; what may be had is written to (`fill`).
"""

MEMORY_MB = {"fill": 1024}
"""What a plugin may have, where it is more than usual."""

NONE = "none"
SETTLED_S = 1.0  # for the first messages to have gone
RUNS = 2  # of each
APART = 1_000_000  # the numbers of two gateways' messages
_NUMBER = re.compile(r"text (\d+)")
_COUNT = re.compile(r'(?m)^crdt_sync_gateway_\w+{\w+="plugin\.faulty\.(\S+)"} (\d+)')
_EVENT = {"position": "1", "type": "ticketsync.ticket.opened.v1", "subject": "t", "time": "T", "data": {}}

Context_ = grpc.aio.ServicerContext[Any, Any]


class Core(
    gateway_pb2_grpc.IngressServiceServicer,
    gateway_pb2_grpc.EgressServiceServicer,
    events_pb2_grpc.EventServiceServicer,
):
    """Takes everything, notes when, and tells of one event."""

    def __init__(self) -> None:
        self.came_s: dict[int, float] = {}

    async def Ingest(self, request: pb.IngestRequest, context: Context_) -> pb.IngestResponse:  # noqa: N802 (named by the proto)
        """Take these."""
        del context
        results = []
        for envelope in request.envelopes:
            found = _NUMBER.fullmatch(envelope.customer.parts[0].text)
            assert found is not None, "callbacks of this benchmark have a number"
            self.came_s.setdefault(int(found[1]), time.perf_counter())
            key = envelope.idempotency_key
            results.append(pb.IngestResult(idempotency_key=key, status=pb.INGEST_STATUS_ACCEPTED, ticket="t"))
        return pb.IngestResponse(results=results)

    async def Claim(self, request: pb.ClaimRequest, context: Context_) -> None:  # noqa: N802
        """Have nothing to send."""
        del request, context
        await asyncio.Event().wait()

    async def Watch(  # noqa: N802
        self, requests: AsyncIterator[events_pb2.WatchRequest], context: Context_
    ) -> AsyncIterator[events_pb2.WatchResponse]:
        """Tell of the one event, and of no more."""
        del requests, context
        yield events_pb2.WatchResponse(events=[json.dumps(_EVENT)], position=1)
        await asyncio.Event().wait()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve on loopback; HOST:PORT."""
        server = grpc.aio.server()
        gateway_pb2_grpc.add_IngressServiceServicer_to_server(self, server)
        gateway_pb2_grpc.add_EgressServiceServicer_to_server(self, server)
        events_pb2_grpc.add_EventServiceServicer_to_server(self, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(None)


@dataclass
class Figures:
    """Of one kind: milliseconds until the platform had its 2xx, and until the service had the message.

    `counts` are what its gateways counted of the plugin meanwhile; `off` is how many of them had turned it off.
    """

    answered: list[float] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    off: int = 0

    def row(self, kind: str, without: "Figures") -> str:
        """Spell it as a row of the table, with ratios to the gateways without a plugin that it took turns with."""
        told = ", ".join(
            f"{count} {name.removeprefix('fault.')}"
            for name, count in sorted(self.counts.items())
            if name.startswith(("fault.", "late"))
        )
        cells = [kind, str(len(self.taken)), str(self.counts["asked"]), told, str(self.off)]
        for own, other in ((self.answered, without.answered), (self.taken, without.taken)):
            for share in (50, 95, 99):
                value = _percentile(own, share)
                cells.append(f"{value:.1f} ({value / _percentile(other, share):.2f})")
        return f"| {' | '.join(cells)} |"


def _percentile(values: Sequence[float], share: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


def _counts(target: Target) -> Counter[str]:
    """What a gateway has counted of its plugin."""
    with urllib.request.urlopen(f"http://127.0.0.1:{target.port}/metrics", timeout=START_S) as page:
        return Counter({name: int(count) for name, count in _COUNT.findall(page.read().decode())})


async def measured(core: Core, target: Target, figures: Figures, sign: Path, made: Sequence[bytes], rate: int) -> None:
    """Post so many a second from the sign on, and wait until the stand-in has them."""
    platform = Platform(target.port)  # the gateway forgets connections that were silent for as long
    before = await asyncio.to_thread(_counts, target)
    first = max(core.came_s) + 1
    sign.touch()  # noqa: ASYNC240 - an empty file
    began_s = time.perf_counter()
    answered = await offered(platform, made, rate, began_s)
    async with asyncio.timeout(60):
        while not all(first + number in core.came_s for number in range(len(made))):  # noqa: ASYNC110 - as it comes
            await asyncio.sleep(0.01)
    await platform.close()
    after = await asyncio.to_thread(_counts, target)
    figures.answered += [each * 1000 for each in answered]
    figures.taken += [(core.came_s[first + number] - began_s - number / rate) * 1000 for number in range(len(made))]
    figures.counts += after - before
    figures.off += after["off"]


async def warmed(target: Target, kind: str, first: int, rate: int) -> None:
    """Return when the plugin is ready, and what the first messages load is nobody's latency any more."""
    async with asyncio.timeout(START_S):
        while kind != NONE and not (await asyncio.to_thread(_counts, target))["start"]:  # noqa: ASYNC110 - its page alone tells
            await asyncio.sleep(0.05)
    platform = Platform(target.port)
    await offered(platform, requests(first, rate), rate)
    await platform.close()
    await asyncio.sleep(SETTLED_S)


def settings(kind: str, folder: Path, sign: Path) -> dict[str, str]:
    """Return what a gateway is told to have a plugin of this kind."""
    if kind == NONE:
        return {}
    info = folder / "benchmark_plugins-1.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: benchmark-plugins\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nfaulty = benchmarks.faulty_plugins:{KINDS[kind]}\n")
    root = Path(__file__).parents[1]
    plugin: dict[str, object] = {"name": "faulty", "token": "env:BENCH_CORE_TOKEN"}
    plugin["options"] = {"kind": kind, "sign": str(sign)}
    if kind in MEMORY_MB:
        plugin["memory_mb"] = MEMORY_MB[kind]
    return {"CRDT_SYNC_GATEWAY_PLUGINS": json.dumps([plugin]), "PYTHONPATH": f"{folder}{os.pathsep}{root}"}


async def table(rate: int, seconds: int, kinds: Sequence[str] = tuple(KINDS), runs: int = RUNS) -> str:
    """Measure all kinds, each in turn with none, and return the table; figures are those of all runs together."""
    figures = {kind: (Figures(), Figures()) for kind in kinds}
    core, first = Core(), 0
    with tempfile.TemporaryDirectory(prefix="plugins-") as name:
        folder = Path(name)
        async with core.serving() as address:
            for kind in [*kinds] * runs:
                for each, into in zip((NONE, kind), figures[kind], strict=True):
                    first += APART
                    sign, data = folder / f"sign-{first}", folder / f"gateway-{first}"
                    with gateway(address, folder / "core", data, settings(each, folder, sign)) as target:
                        await warmed(target, each, first, rate)
                        await measured(core, target, into, sign, requests(first + rate, rate * seconds), rate)
                print(kind, file=sys.stderr, flush=True)
    columns = [f"{what} p{share} ms" for what in ("answered", "taken") for share in (50, 95, 99)]
    head = ["plugin", "messages", "asked", "faults", "off", *columns]
    none = Figures(
        [ms for one, _ in figures.values() for ms in one.answered],
        [ms for one, _ in figures.values() for ms in one.taken],
    )
    rows = [none.row(NONE, none), *(found.row(kind, without) for kind, (without, found) in figures.items())]
    return "\n".join([f"| {' | '.join(head)} |", f"|---|---:|---:|---|---:|{'---:|' * len(columns)}", *rows])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=50, help="messages a second")
    parser.add_argument("--seconds", type=int, default=8, help="of each run")
    parser.add_argument("--runs", type=int, default=RUNS, help="of each kind")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=tuple(KINDS), help="which plugins")
    chosen = parser.parse_args()
    with pinned(LOAD_CPU):
        print(asyncio.run(table(chosen.rate, chosen.seconds, chosen.kinds, chosen.runs)))


if __name__ == "__main__":
    main()

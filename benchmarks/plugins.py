"""What a faulty plugin costs messages: `python -m benchmarks.plugins [--rate 50] [--seconds 8]`.

One gateway after another, each with a plugin of another kind, is posted WeChat's callbacks as in `benchmarks.gateway`.
The service is a stand-in within this process that notes when each message reached it. Plugins share the gateway's
processor, as they would on a small machine, and their faults are made at every message.
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
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from benchmarks.compare import LOAD_CPU, pinned
from benchmarks.gateway import Platform, Target, gateway, offered, requests
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2_grpc
from gateway.plugins.api import API_VERSION, GROUP, Context, Message, Route

KINDS = ("none", "well", "hang", "raise", "allocate", "spin", "die")
ALLOCATED_BYTES = 500 * 1024 * 1024
WARM_S = 3.0  # for a plugin to be ready and the first messages to have gone
RUNS = 4  # of all kinds, in turn: what else the machine does changes from minute to minute
APART = 1_000_000  # the numbers of two gateways' messages
_NUMBER = re.compile(r"text (\d+)")

Context_ = grpc.aio.ServicerContext[Any, Any]


class FaultyPlugin:
    """Does with every message what its option `kind` says."""

    api_version = API_VERSION

    def __init__(self, context: Context) -> None:
        self._kind = context.options["kind"]

    async def on_message(self, message: Message) -> Route | None:
        """Be at fault, or answer at once; in peace while everything is warmed."""
        found = _NUMBER.fullmatch(message.texts[0])
        if found is None or int(found[1]) % APART > APART // 2:
            return None
        match self._kind:
            case "hang":
                await asyncio.Event().wait()
            case "raise":
                raise ValueError(len(message.texts))
            case "allocate":
                return Route(str(len(bytearray(ALLOCATED_BYTES))))
            case "die":
                os._exit(1)
            case "spin":
                while True:
                    pass
        return None


class Core(gateway_pb2_grpc.IngressServiceServicer, gateway_pb2_grpc.EgressServiceServicer):
    """Takes everything, and notes when."""

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

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve on loopback; HOST:PORT."""
        server = grpc.aio.server()
        gateway_pb2_grpc.add_IngressServiceServicer_to_server(self, server)
        gateway_pb2_grpc.add_EgressServiceServicer_to_server(self, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(None)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one kind: milliseconds until the platform had its 2xx, and until the service had the message."""

    answered: Sequence[float]
    taken: Sequence[float]

    def row(self, kind: str, without: "Figures") -> str:
        """Spell it as a row of the table, with ratios to a gateway without a plugin."""
        cells = [kind, str(len(self.taken))]
        for own, other in ((self.answered, without.answered), (self.taken, without.taken)):
            for share in (50, 95, 99):
                value = _percentile(own, share)
                cells.append(f"{value:.1f} ({value / _percentile(other, share):.2f})")
        return f"| {' | '.join(cells)} |"


def _percentile(values: Sequence[float], share: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


async def measured(core: Core, target: Target, rate: int, seconds: int, first: int) -> Figures:
    """Post so many a second for so long, and wait until the stand-in has them."""
    platform = Platform(target.port)
    await offered(platform, requests(first - rate, rate), rate)  # what the first ones load is nobody's latency
    await platform.close()
    await asyncio.sleep(WARM_S)
    platform = Platform(target.port)  # the gateway forgets connections that were silent for as long
    made = requests(first, rate * seconds)
    began_s = time.perf_counter()
    answered = await offered(platform, made, rate, began_s)
    async with asyncio.timeout(60):
        while not all(first + number in core.came_s for number in range(len(made))):  # noqa: ASYNC110 - as it comes
            await asyncio.sleep(0.01)
    await platform.close()
    taken = [(core.came_s[first + number] - began_s - number / rate) * 1000 for number in range(len(made))]
    return Figures([each * 1000 for each in answered], taken)


def settings(kind: str, folder: Path) -> dict[str, str]:
    """Return what a gateway is told to have a plugin of this kind."""
    if kind == "none":
        return {}
    info = folder / "benchmark_plugins-1.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: benchmark-plugins\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nfaulty = benchmarks.plugins:FaultyPlugin\n")
    root = Path(__file__).parents[1]
    plugin = {"name": "faulty", "options": {"kind": kind}}
    return {"CRDT_SYNC_GATEWAY_PLUGINS": json.dumps([plugin]), "PYTHONPATH": f"{folder}{os.pathsep}{root}"}


async def table(rate: int, seconds: int, kinds: Sequence[str] = KINDS, runs: int = RUNS) -> str:
    """Measure all kinds in turn, and return the table; the figures of a kind are those of all its runs together."""
    figures: dict[str, Figures] = {}
    core, first = Core(), 0
    with tempfile.TemporaryDirectory(prefix="plugins-") as name:
        folder = Path(name)
        async with core.serving() as address:
            for run in range(runs):
                for kind in kinds:
                    first += APART
                    with gateway(address, folder / "core", folder / f"{kind}-{run}", settings(kind, folder)) as target:
                        one = await measured(core, target, rate, seconds, first)
                    before = figures.get(kind, Figures((), ()))
                    figures[kind] = Figures([*before.answered, *one.answered], [*before.taken, *one.taken])
                    print(kind, file=sys.stderr, flush=True)
    columns = [f"{what} p{share} ms" for what in ("answered", "taken") for share in (50, 95, 99)]
    head = f"| plugin | messages | {' | '.join(columns)} |\n|---|---:|{'---:|' * len(columns)}"
    return "\n".join([head, *(found.row(kind, figures[kinds[0]]) for kind, found in figures.items())])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=50, help="messages a second")
    parser.add_argument("--seconds", type=int, default=8, help="of each run")
    chosen = parser.parse_args()
    with pinned(LOAD_CPU):
        print(asyncio.run(table(chosen.rate, chosen.seconds)))


if __name__ == "__main__":
    main()

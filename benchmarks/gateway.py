"""How long a chat platform waits for its 2xx, and what a message costs: `python -m benchmarks.gateway [--rates 50]`.

The load is open: callbacks are due at a rate whatever the gateway does, on as many connections as that takes, and
latency counts from when each was due. The callbacks are WeChat's in safe mode, encrypted and signed by wechatpy before
the clock runs. The service runs beside the gateway and takes what it forwards. The gateway has a processor of its own;
the service and the load share the other.
"""

import argparse
import asyncio
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.compare import LOAD_CPU, SERVER_CPU, pinned
from benchmarks.usage import usage
from crdt_sync.cli import wechat_customer
from crdt_sync.domain.access import GATEWAY
from crdt_sync.server.auth import issue
from crdt_sync.server.keys import development_key

RATES = (50, 200, 400)  # messages a second
CONVERSATIONS = 400
START_S, STOP_S = 30.0, 15.0
DRAIN_S = 120.0
TOKEN_S = 86_400
FIRST_OF = 5  # fresh gateways, of which the table has the medians
_TICK_S = 0.0005


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run showed. `forwarded_per_s` counts until the service had everything."""

    rate: int
    answered: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu_us: float
    forwarded_per_s: float

    def row(self) -> str:
        """Spell it as a row of the table."""
        times = f"{self.p50_ms:.1f} | {self.p99_ms:.1f} | {self.max_ms:.1f}"
        return f"| {self.rate} | {self.answered} | {times} | {self.cpu_us:.0f} | {self.forwarded_per_s:.0f} |"


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway that runs."""

    port: int
    pid: int
    inbox: Path

    def settled(self) -> int:
        """How many rows the service has taken."""
        with closing(sqlite3.connect(f"file:{self.inbox}?mode=ro", uri=True)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'inbox'").fetchone():
                return 0  # the port answers a moment before the file is laid out
            (count,) = connection.execute("SELECT count(*) FROM inbox WHERE state = 'forwarded'").fetchone()
            return int(count)


def requests(first: int, count: int) -> list[bytes]:
    """Return callbacks as they stand on the wire."""
    made = []
    for number in range(first, first + count):
        post = wechat_customer.callback(
            openid=f"openid-{number % CONVERSATIONS}", text=f"text {number}", message_id=number, now_s=int(time.time())
        )
        assert post.encrypted_by == "wechatpy", "the platform's side is not ours"
        body = post.body.encode()
        head = f"POST /channels/{wechat_customer.ACCOUNT}?{urlencode(post.query)} HTTP/1.1\r\nHost: gateway\r\n"
        made.append(f"{head}Content-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    return made


class Platform:
    """The connections of a platform: as many as there are callbacks under way."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, request: bytes) -> int:
        """Send one callback; return the status, once the answer is whole."""
        reader, writer = await self._connection()
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
        except BaseException:
            writer.transport.abort()
            raise
        self._idle.append((reader, writer))
        return int(head[9:12])

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The one that was used last, unless the gateway has hung up meanwhile."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.transport.abort()
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def close(self) -> None:
        """Hang up."""
        for _, writer in self._idle:
            writer.transport.abort()
        await asyncio.sleep(0)  # for the loop to let go of them


async def offered(platform: Platform, made: Sequence[bytes], rate: int, began_s: float | None = None) -> list[float]:
    """Send each when it is due, from `began_s` on; return by how many seconds each was answered too late."""
    latencies: list[float] = []
    began_s = time.perf_counter() if began_s is None else began_s

    async def one(request: bytes, due_s: float) -> None:
        status = await platform.post(request)
        assert status == 200, f"a callback was answered with {status}"
        latencies.append(time.perf_counter() - due_s)

    async with asyncio.TaskGroup() as tasks:
        for number, request in enumerate(made):
            due_s = began_s + number / rate
            while (left_s := due_s - time.perf_counter()) > 0:  # noqa: ASYNC110 - the clock alone tells
                await asyncio.sleep(max(left_s - _TICK_S, 0))
            tasks.create_task(one(request, due_s))
    return latencies


async def measured(target: Target, rate: int, seconds: int, first: int) -> Figures:
    """Offer so many a second for so long, and wait until the service has them."""
    made = requests(first, rate * seconds)
    before, before_cpu_s = target.settled(), usage(target.pid).cpu_s
    platform = Platform(target.port)
    began_s = time.perf_counter()
    latencies = sorted(await offered(platform, made, rate))
    async with asyncio.timeout(DRAIN_S):
        while (done := target.settled() - before) < len(made):  # noqa: ASYNC110 - the file alone tells
            await asyncio.sleep(0.02)
    took_s = time.perf_counter() - began_s
    await platform.close()
    at = {share: latencies[min(int(share * len(latencies)), len(latencies) - 1)] * 1000 for share in (0.5, 0.99)}
    cpu_us = (usage(target.pid).cpu_s - before_cpu_s) / len(made) * 1e6
    return Figures(rate, len(latencies), at[0.5], at[0.99], latencies[-1] * 1000, cpu_us, done / took_s)


@asynccontextmanager
async def service(data: Path) -> AsyncIterator[str]:
    """Run the service without a gateway; its gRPC address."""
    options = ("--port", "0", "--grpc-port", "0", "--data", str(data), "--no-gateway", "--log-level", "error")
    with pinned(LOAD_CPU):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "crdt_sync.cli.main", "serve", *options), stdout=asyncio.subprocess.PIPE
        )
    try:
        assert process.stdout is not None
        said = await process.stdout.readline() + await process.stdout.readline()
        found = re.search(rb"grpc://(\S+)", said)
        assert found, f"the service did not start: {said!r}"
        yield found[1].decode()
    finally:
        process.terminate()
        await process.wait()


@contextmanager
def gateway(core: str, core_data: Path, data: Path, settings: dict[str, str] | None = None) -> Iterator[Target]:
    """Run a gateway for the service at `core`; inside it listens, and perhaps is not warm yet."""
    token = issue(
        development_key(core_data).key,
        actor=GATEWAY,
        department=GATEWAY,
        roles=[GATEWAY],
        expires_at_ms=int((time.time() + TOKEN_S) * 1000),
        accounts=[wechat_customer.ACCOUNT],
    )
    data.mkdir()
    (data / "accounts.toml").write_text(
        f'[[accounts]]\naccount = "{wechat_customer.ACCOUNT}"\napp_id = "{wechat_customer.APP_ID}"\n'
        'token = "env:BENCH_TOKEN"\naes_key = "env:BENCH_AES_KEY"\n'
    )
    port = _free_port()
    with pinned(SERVER_CPU), (data / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "--core", core, "--data", str(data), "--port", str(port)],
            env={**os.environ, **_environment(token, data), **(settings or {})},
            stdout=log,
            stderr=log,
        )
    try:
        end_s = time.monotonic() + START_S
        while not _listens(port):
            if time.monotonic() > end_s or process.poll() is not None:
                raise RuntimeError(f"the gateway did not start: {(data / 'log').read_text()[-2000:]}")
            time.sleep(0.001)
        yield Target(port, process.pid, data / "inbox.db")
    finally:
        process.terminate()
        process.wait(STOP_S)


def _environment(token: str, data: Path) -> Mapping[str, str]:
    return {
        "BENCH_TOKEN": wechat_customer.TOKEN,
        "BENCH_AES_KEY": wechat_customer.AES_KEY,
        "BENCH_CORE_TOKEN": token,
        "CRDT_SYNC_GATEWAY_CORE_TOKEN": "env:BENCH_CORE_TOKEN",
        "CRDT_SYNC_GATEWAY_ACCOUNTS_FILE": str(data / "accounts.toml"),
    }


async def first_request(target: Target, request: bytes, *, warm: bool) -> tuple[float, float]:
    """Return milliseconds from the first callback to its answer, and until the service has it."""
    platform = Platform(target.port)
    while warm and await platform.post(b"GET /readyz HTTP/1.1\r\nHost: gateway\r\n\r\n") != 200:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    began_s = time.perf_counter()
    assert await platform.post(request) == 200
    answered_s = time.perf_counter()
    while not target.settled():  # noqa: ASYNC110 - the file alone tells
        await asyncio.sleep(0.0005)
    await platform.close()
    return (answered_s - began_s) * 1000, (time.perf_counter() - began_s) * 1000


async def table(rates: Iterable[int], seconds: int, first_of: int = FIRST_OF) -> str:
    """Measure, and return both tables."""
    lines = [
        "| offered a second | answered 2xx | p50 ms | p99 ms | max ms | gateway's CPU µs a message | taken a second |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory(prefix="gateway-") as name:
        folder, numbers = Path(name), 0
        async with AsyncExitStack() as stack:
            core = await stack.enter_async_context(service(folder / "core"))
            target = stack.enter_context(gateway(core, folder / "core", folder / "steady"))
            await measured(target, 50, 1, numbers)  # what the first ones load is nobody's latency
            for rate in rates:
                numbers += 1_000_000
                lines.append((await measured(target, rate, seconds, numbers)).row())
            await stack.pop_all().aclose()
        lines += ["", "| first request | answered after ms | taken by the service after ms |", "|---|---:|---:|"]
        async with service(folder / "core") as core:
            for kind in ("cold", "warm"):
                found = []
                for turn in range(first_of):
                    numbers += 1_000_000
                    with gateway(core, folder / "core", folder / f"{kind}-{turn}") as target:
                        (request,) = requests(numbers, 1)
                        found.append(await first_request(target, request, warm=kind == "warm"))
                answered, taken = (sorted(each)[len(each) // 2] for each in zip(*found, strict=True))
                lines.append(f"| {kind} | {answered:.1f} | {taken:.1f} |")
    return "\n".join(lines)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return not probe.connect_ex(("127.0.0.1", port))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, help="messages a second, one run each")
    parser.add_argument("--seconds", type=int, default=10, help="of each run")
    chosen = parser.parse_args()
    with pinned(LOAD_CPU):
        print(asyncio.run(table(chosen.rates, chosen.seconds)))


if __name__ == "__main__":
    main()

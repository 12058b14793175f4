"""The service and its peers on one machine, in turn: `python -m benchmarks.compare [WORKLOAD...]`.

Every run has a fresh server and a fresh directory. The server is pinned to one processor and the load generator to
another, so that a server's figures are those of one core. The table holds medians, and ratios to the peer that is named
first; only ratios of one run mean something on another machine. `--install` installs the peers.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from benchmarks import servers, tickets
from benchmarks.load import Target
from benchmarks.servers import SERVERS, Server
from benchmarks.workloads import WORKLOADS, Shape, Workload

SERVER_CPU, LOAD_CPU = 0, 1
START_S, STOP_S = 30.0, 15.0
PAUSE_S = 1.0  # after a server listens: it still loads code
LOAD_S = 300.0
PEER = "hocuspocus"
COLUMNS = (
    "changes_per_s",
    "cpu_us_per_change",
    "cpu_us_per_delivery",
    "p50_ms",
    "p99_ms",
    "kb_per_connection",
    "connect_cpu_s",
    "rss_mb",
    "delivered_percent",
)

Figures = Mapping[str, float]


@contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """Have what is started in here run on one processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu} & before or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def started(server: Server, workload: Workload) -> Iterator[Target]:
    """Start a server in a directory of its own and stop it; inside it listens, and has what the workload needs."""
    with tempfile.TemporaryDirectory(prefix="compare-") as folder:
        port, data = _free_port(), Path(folder)
        given = {"port": str(port), "data": folder}
        needs_tickets = server.is_ours and workload.shape is Shape.CARD
        environment = {name: value.format(**given) for name, value in server.environment.items()}
        environment |= {"CRDT_SYNC_AUTH": "jwt" if needs_tickets else "none"} if server.is_ours else {}
        with pinned(SERVER_CPU), (data / "log").open("wb") as log:
            process = subprocess.Popen(
                [part.format(**given) for part in server.command],
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
            )
        try:
            _wait(process, port, data / "log")
            if needs_tickets:
                documents, tokens = tickets.opened(port, data, workload.documents)
            else:
                documents, tokens = [f"doc-{index}" for index in range(workload.documents)], [""]
            yield Target(f"ws://127.0.0.1:{port}{server.path}", server.wire, process.pid, documents, tokens)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def measured(server: Server, workload: str) -> dict[str, float]:
    """Run one workload against one server, once."""
    with started(server, WORKLOADS[workload]) as target, pinned(LOAD_CPU):
        order = json.dumps({"target": asdict(target), "workload": workload})
        command = [sys.executable, "-m", "benchmarks.load"]
        done = subprocess.run(command, input=order, capture_output=True, text=True, timeout=LOAD_S, check=False)
    if done.returncode:
        raise RuntimeError(f"the load generator failed: {done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def table(runs: Mapping[str, Sequence[Figures]], peer: str = PEER) -> str:
    """Return the medians of each server, and its ratios to the peer, as a Markdown table."""
    medians = {
        name: {column: statistics.median(run[column] for run in found) for column in COLUMNS}
        for name, found in runs.items()
    }
    lines = ["| server | " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    for name, row in medians.items():
        lines.append(f"| {name} | " + " | ".join(f"{row[column]:,.5g}" for column in COLUMNS) + " |")
        if peer in medians and name != peer:
            ratios = [row[column] / medians[peer][column] if medians[peer][column] else 0.0 for column in COLUMNS]
            lines.append(f"| … to {peer} | " + " | ".join(f"{ratio:.2f} ×" for ratio in ratios) + " |")
    return "\n".join(lines)


def machine() -> dict[str, str]:
    """Say on what was measured."""
    model = next((line for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines() if "model name" in line), "")
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    return {
        "processor": model.partition(":")[2].strip(),
        "processors": str(os.cpu_count()),
        "system": platform.platform(),
        "python": platform.python_version(),
        "node": node.stdout.strip(),
        **{name: version(name) for name in ("crdt-sync", "pycrdt", "sqlalchemy", "uvloop", "picows")},
    }


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s and process.poll() is None:
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                time.sleep(PAUSE_S)
                return
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {log.read_text('utf-8')[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    """Run what was chosen, print the tables, keep every figure."""
    parser = argparse.ArgumentParser(description="This service beside its peers, on this machine.")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(WORKLOADS)}; default: all")
    parser.add_argument("--servers", default=",".join(SERVERS), help="a list with commas; default: %(default)s")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each; the table has medians")
    parser.add_argument("--json", type=Path, help="write every figure of every run to this file")
    parser.add_argument("--install", action="store_true", help="install the peers with npm, out of the tree")
    chosen = parser.parse_args()
    if chosen.install or not servers.installed():
        servers.install()
    kept: dict[str, object] = {"machine": machine()}
    for name in chosen.workloads or WORKLOADS:
        runs: dict[str, list[Figures]] = {server: [] for server in chosen.servers.split(",")}
        for _ in range(chosen.repeat):
            for server, found in runs.items():
                found.append(measured(SERVERS[server], name))
        kept[name] = runs
        print(f"\n## {name}: {WORKLOADS[name].summary}\n\n{table(runs)}", flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()

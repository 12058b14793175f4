"""The servers that are measured: this service on both of its WebSocket wires, and its peers, which stand elsewhere."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PEERS = Path.home() / ".cache/crdt-sync/peers"
_SOURCES = Path(__file__).parent / "peers"
_Y_WEBSOCKET = PEERS / "node_modules/@y/websocket-server"
_NATIVE = ("better-sqlite3", "classic-level", "leveldown")  # what npm must build, where it does not build by itself


@dataclass(frozen=True, slots=True)
class Server:
    """How one server is started, and how it is spoken to. `{port}` and `{data}` stand for what each run is given."""

    command: tuple[str, ...]
    wire: str
    path: str
    environment: Mapping[str, str] = field(default_factory=dict)
    is_ours: bool = False


def _ours(wire: str, path: str) -> Server:
    serve = (str(Path(sys.executable).with_name("crdt-sync")), "serve", "--no-gateway", "--grpc-port", "0")
    return Server(
        (*serve, "--port", "{port}", "--data", "{data}", "--log-level", "warning"),
        wire,
        path,
        {"CRDT_SYNC_OPEN_DOCUMENTS": "1"},
        is_ours=True,
    )


SERVERS = {
    "crdt-sync /sync": _ours("yjs", "/sync"),
    "crdt-sync /collab": _ours("collab", "/collab"),
    "hocuspocus": Server(("node", str(PEERS / "hocuspocus.mjs")), "collab", "", {"PORT": "{port}", "DATA": "{data}"}),
    "y-websocket": Server(
        ("node", str(_Y_WEBSOCKET / "src/server.js")),
        "yjs",
        "",
        {"HOST": "127.0.0.1", "PORT": "{port}", "YPERSISTENCE": "{data}"},
    ),
}


def install() -> None:
    """Install the peers with npm, under the user's cache."""
    PEERS.mkdir(parents=True, exist_ok=True)
    for source in _SOURCES.iterdir():
        shutil.copy(source, PEERS)
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--legacy-peer-deps"], cwd=PEERS, check=True)
    subprocess.run(["npm", "rebuild", *_NATIVE], cwd=PEERS, check=True)


def installed() -> bool:
    """Tell whether the peers are there."""
    return _Y_WEBSOCKET.exists()

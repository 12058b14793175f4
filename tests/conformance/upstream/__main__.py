"""Runs the test suites of others, out of tree, against the service.

    python -m tests.conformance.upstream SUITE CHECKOUT

with one of hocuspocus, hocuspocus-limits, y-websocket, pycrdt-websocket and y-partyserver.

A checkout is copied, the lines of it that name a server are pointed at ours, what it needs is installed beside the
copy, and its own runner judges. docs/conformance.md has the versions, the counts, and why what fails does.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from crdt_sync.domain.identity import Identity
from crdt_sync.errors import Unauthenticated
from crdt_sync.server import auth
from crdt_sync.server.bootstrap import Service
from crdt_sync.server.settings import load
from crdt_sync.service.connections import Connections
from crdt_sync.wire import limits
from tests.conformance import node_tools

HERE = Path(__file__).parent
TEST_S = 20
HOCUSPOCUS = ["tests/provider/*.ts", "tests/providerwebsocket/*.ts", "tests/server/sessionAwareness.ts"]
HOCUSPOCUS_LIMITS = ["tests/server/unauthenticatedQueueLimit.ts"]
SMALL = {  # as the tests of limits choose theirs; ours are more generous
    "UNAUTHENTICATED_MESSAGES_MAX": 20,
    "UNAUTHENTICATED_BYTES_MAX": 256 * limits.KIB,
    "DOCUMENTS_PER_SOCKET_MAX": 3,
    "UNAUTHENTICATED_S": 1,
}
YJS = {"yjs": "13.6.33", "lib0": "0.2.117", "y-protocols": "1.0.7", "ws": "8.23.0"}


class Run:
    """A copy of a checkout, and the service that it is pointed at."""

    def __init__(self, work: Path, port: int) -> None:
        self.work, self.port = work, port
        self.sync, self.collab = f"ws://localhost:{port}/sync", f"ws://localhost:{port}/collab"

    def change(self, path: str, *pairs: tuple[str, str]) -> None:
        """Replace what is in a file of the copy exactly as it is said here."""
        file = self.work / path
        text = file.read_text(encoding="utf-8")
        for before, after in pairs:
            assert before in text, f"{path} has no {before!r}: another version?"
            text = text.replace(before, after)
        file.write_text(text, encoding="utf-8")

    def packages(self, named: dict[str, str] | None = None) -> None:
        """Install these packages, or what the checkout asks for."""
        if named is not None:
            ava = {  # as theirs
                "extensions": {"ts": "module"},
                "nodeArguments": ["--experimental-transform-types"],
                "require": ["./tests/utils/_force-exit.ts"],
            }
            package = {"private": True, "type": "module", "ava": ava, "dependencies": named}
            (self.work / "package.json").write_text(json.dumps(package), encoding="utf-8")
        node_tools.npm(self.work, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts")

    def judge(self, *command: str, **environment: str) -> tuple[bool, str]:
        """Run it, and return whether it passed and what it said."""
        node = Path(node_tools.find().node)
        shared = {"PATH": f"{node.parent}:{os.environ['PATH']}", "NODE": str(node), "RUN": uuid.uuid4().hex[:8]}
        done = subprocess.run(
            command,
            cwd=self.work,
            env={**os.environ, **shared, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode == 0, done.stdout + done.stderr


def hocuspocus(run: Run) -> Iterable[tuple[str, bool]]:
    """What needs a server and a provider."""
    return ava(run, HOCUSPOCUS)


def hocuspocus_limits(run: Run) -> Iterable[tuple[str, bool]]:
    """Raw frames of somebody who brings no token; the close codes are ours, since theirs mean something else here."""
    run.change(HOCUSPOCUS_LIMITS[0], ("t.is(code, 4205", "t.is(code, 4413"), ("t.is(code, 4408", "t.is(code, 4401"))
    return ava(run, HOCUSPOCUS_LIMITS)


def ava(run: Run, patterns: Iterable[str]) -> Iterable[tuple[str, bool]]:
    """Each test by itself, since one that fails in a callback takes its file along."""
    shutil.copy(HERE / "hocuspocus.ts", run.work / "tests/utils/newHocuspocus.ts")
    named = """	const { name, token } = provider.configuration;
	provider.configuration.token = () => (server as any).told(token, name);
	if (name === "hocuspocus-test") provider.configuration.name = (server as any).prefix + name;
	provider.attach();"""
    run.change("tests/utils/newHocuspocusProvider.ts", ("	provider.attach();", named))
    ours = {f"@hocuspocus/{name}": "4.7.0" for name in ("provider", "common", "server")}
    run.packages({**YJS, **ours, "ava": "7.0.0", "redis": "4.7.1"})
    command = (node_tools.find().node, "node_modules/ava/entrypoints/cli.mjs", "--serial", f"--timeout={TEST_S}s")
    for path in sorted(path for pattern in patterns for path in run.work.glob(pattern)):
        file, source = str(path.relative_to(run.work)), path.read_text(encoding="utf-8")
        for title in re.findall(r"^test\(\s*([\"'`])(.*?)\1,", source, re.MULTILINE):
            passed, said = run.judge(*command, "--match", title[1].replace("\\'", "'"), file, TARGET=run.collab)
            yield f"{file}: {title[1]}", passed and "1 test passed" in said


def y_websocket(run: Run) -> Iterable[tuple[str, bool]]:
    """The one test of @y/websocket, whose URL is written into it."""
    test = "test/y-websocket.test.js"
    run.change(test, ("ws://localhost:1234", run.sync), ("import '@y/websocket-server/server'\n", ""))
    run.packages()
    yield test, run.judge(node_tools.find().node, "test/index.js")[0]


def pycrdt_websocket(run: Run) -> Iterable[tuple[str, bool]]:
    """Three Yjs clients beside a pycrdt one."""
    for index in range(3):
        room = ("'my-roomname'", "process.argv[2]")
        run.change(f"tests/yjs_client_{index}.js", ("`ws://127.0.0.1:${port}`", f"'{run.sync}'"), room)
        shutil.move(run.work / f"tests/yjs_client_{index}.js", run.work)
    shutil.move(run.work / "tests/package.json", run.work)
    run.packages()
    shutil.copy(HERE / "pycrdt_conftest.py", run.work / "tests/conftest.py")
    subprocess.run([sys.executable, "-m", "venv", "venv"], cwd=run.work, check=True)
    pip = ("venv/bin/pip", "install", "-q", "pycrdt==0.14.13", "httpx-ws==0.9.0", "pytest", "anyio")
    subprocess.run(pip, cwd=run.work, check=True)
    for index in range(3):
        test = f"tests/test_pycrdt_yjs.py::test_pycrdt_yjs_{index}"
        pytest = ("venv/bin/python", "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", ".", test)
        yield test, run.judge(*pytest, TARGET=run.sync.replace("ws:", "http:"))[0]


def y_partyserver(run: Run) -> Iterable[tuple[str, bool]]:
    """Every test of the integration file; the path of a room is the prefix that the provider allows."""
    run.work /= "packages/y-partyserver"
    shutil.rmtree(run.work.parents[1] / ".git", ignore_errors=True)
    (run.work / "src/provider/tsconfig.json").unlink()
    test = "src/tests/integration.test.ts"
    prefix = "prefix: `/sync/${process.env.RUN}/${room}`,"
    run.change(
        test,
        ("const PORT = 8799;", f"const PORT = {run.port};"),
        ('party: options.party ?? "y-basic",', prefix),
        ('party: "y-basic",', prefix),
    )
    run.packages({**YJS, "nanoid": "5.1.9", "vitest": "3.2.4", "react": "19.0.0"})
    vitest = (
        "node_modules/vitest/vitest.mjs",
        "run",
        "--config",
        os.devnull,
        f"--testTimeout={TEST_S}000",
        "--reporter=json",
    )
    said = run.judge(node_tools.find().node, *vitest, test)[1]
    for one in json.loads(said[said.index('{"numTotal') :])["testResults"][0]["assertionResults"]:
        yield one["fullName"], one["status"] == "passed"


SUITES = {
    "hocuspocus": hocuspocus,
    "hocuspocus-limits": hocuspocus_limits,
    "y-websocket": y_websocket,
    "pycrdt-websocket": pycrdt_websocket,
    "y-partyserver": y_partyserver,
}


def take_their_tokens() -> None:
    """Know the two tokens that stand for what a hook of Hocuspocus decides."""
    inner = Connections.admit

    async def authenticate(self, token, headers):
        if token == "bad":
            raise Unauthenticated("The token is wrong.", code="token_invalid")
        return Identity(replace(self.STRANGER, actor="reader" if token == "readonly" else "anonymous"), None)

    async def admit(self, document, principal):
        room, writable = await inner(self, document, principal)
        return room, writable and principal.actor != "reader"

    auth.NoAuthenticator.authenticate = authenticate
    Connections.admit = admit


async def main(suite: str, checkout: Path) -> None:
    take_their_tokens()
    if suite == "hocuspocus-limits":
        for name, value in SMALL.items():
            setattr(limits, name, value)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / suite
        shutil.copytree(checkout, copy)
        data = Path(folder) / "data"
        service = Service(load(data=data, port=0, grpc_port=0, auth="none", open_documents=True, gateway=False))
        await service.start()
        try:
            await asyncio.to_thread(report, suite, Run(copy, service.port))
        finally:
            await service.stop()


def report(suite: str, run: Run) -> None:
    passed: list[bool] = []
    for name, ok in SUITES[suite](run):
        passed.append(ok)
        print("passed" if ok else "FAILED", name, flush=True)
    print(f"{suite}: {sum(passed)} of {len(passed)} pass")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))

"""The real service as a child process: started from its command line, killed, started again on the same data and ports.

Every child leads a process group of its own. It ends with the `with` block whatever happened in it, and with this
process if that is killed.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Self

import httpx

from crdt_sync.cli import wechat_customer
from crdt_sync.server.auth import issue
from crdt_sync.server.keys import development_key

ROOT = Path(__file__).parents[2]
SERVE = (sys.executable, "-m", "crdt_sync.cli.main")
START_S = 60  # it takes two on an idle machine, and ten under strace
STOP_S = 20
TOKEN_S = 3600
FRESH = httpx.Limits(keepalive_expiry=2)  # well before the service forgets a connection, which takes no request then
GATEWAY_ACCOUNTS = [
    {
        "account": wechat_customer.ACCOUNT,
        "app_id": wechat_customer.APP_ID,
        "token": "env:TEST_WECHAT_TOKEN",
        "aes_key": "env:TEST_WECHAT_AES_KEY",
    }
]
_GUARD = ("sh", "-c", 'read -r _; kill -KILL "-$0"')  # its input ends when this process does
_PORTS = re.compile(r"http://127\.0\.0\.1:(\d+).*?grpc://127\.0\.0\.1:(\d+)", re.DOTALL)


class ServerProcess:
    """`crdt-sync serve` with a chat gateway for the account of `wechat_customer`, in a directory of its own."""

    def __init__(
        self, data: Path, *, program: Sequence[str] = SERVE, settings: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._settings = settings
        self.data = data
        self.port = self.grpc_port = 0
        self.program = program
        self._log = data / "server.log"
        self._process: subprocess.Popen[str] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def grpc(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def start(self) -> None:
        """Start it, on the ports of the last time if there was one; when this returns, both ports answer."""
        ports = ["--port", str(self.port), "--grpc-port", str(self.grpc_port)]
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [*self.program, "serve", *ports, "--data", str(self.data), "--log-level", "warning"],
                cwd=self.data,
                env={**environment(), **self._settings},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                process_group=0,
            )
        self._keep()
        said = self._first_lines()
        found = _PORTS.search(said)
        assert found, f"The service did not start. It said {said!r}, and at last:\n{self.log()[-2000:]}"
        self.port, self.grpc_port = int(found[1]), int(found[2])

    def kill(self) -> None:
        """End it at once, without a chance to finish anything (SIGKILL)."""
        self._end(signal.SIGKILL)

    def wait(self, seconds: float) -> None:
        """Wait until it ended by itself; `kill` still has to tidy up."""
        assert self._process is not None
        self._process.wait(seconds)

    def stop(self, pid: int | None = None) -> None:
        """Ask it to stop (SIGTERM), and wait until it did; `pid` where the service is a child of the program."""
        self._end(signal.SIGTERM, pid)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def token(
        self,
        department: str,
        *,
        actor: str = "",
        roles: Sequence[str] = (),
        seconds: int = TOKEN_S,
        tickets: Sequence[str] | None = None,
        accounts: Sequence[str] = (),
    ) -> str:
        """A token of the development key; by default for the actor `{department}-1` with its department's role."""
        return issue(
            development_key(self.data).key,
            actor=actor or f"{department}-1",
            department=department,
            roles=roles or [department],
            expires_at_ms=int((time.time() + seconds) * 1000),
            tickets=tickets,
            accounts=accounts,
        )

    def client(self, department: str, **options: object) -> httpx.AsyncClient:
        """A REST client; the caller closes it."""
        headers = {"authorization": f"Bearer {self.token(department)}"}
        return httpx.AsyncClient(
            base_url=self.http, headers=headers, trust_env=False, timeout=30, limits=FRESH, **options
        )

    def _first_lines(self) -> str:
        """What it prints until the second port, or until it ended; a child that hangs is killed, and so has ended."""
        assert self._process is not None
        assert self._process.stdout is not None
        overdue = threading.Timer(START_S, _signal, (self._process, signal.SIGKILL))
        overdue.start()
        said = ""
        try:
            for line in self._process.stdout:
                said += line
                if line.startswith("grpc://"):
                    break
        finally:
            overdue.cancel()
        return said

    def _end(self, number: signal.Signals, pid: int | None = None) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if pid is None:
                _signal(process, number)
            else:
                os.kill(pid, number)
            process.wait(STOP_S)
        finally:
            _signal(process, signal.SIGKILL)
            process.wait(STOP_S)
            if process.stdout is not None:
                process.stdout.close()
            self._dismiss()

    def _keep(self) -> None:
        """Have the process end with this one."""
        assert self._process is not None
        self._guard = subprocess.Popen([*_GUARD, str(self._process.pid)], stdin=subprocess.PIPE, process_group=0)

    def _dismiss(self) -> None:
        """End the guard before its charge's id can be another's."""
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.kill()
            guard.wait(STOP_S)
            assert guard.stdin is not None
            guard.stdin.close()


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Signal the whole group, strace around the service included; a group that is gone needs none."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def environment() -> Mapping[str, str]:
    """The caller's environment without settings of ours and without proxies."""
    foreign = re.compile(r"CRDT_SYNC_.*|.*_proxy", re.IGNORECASE)
    return {name: value for name, value in os.environ.items() if not foreign.fullmatch(name)} | {
        "PYTHONPATH": str(ROOT),
        "CRDT_SYNC_GATEWAY_ACCOUNTS": json.dumps(GATEWAY_ACCOUNTS),
        "TEST_WECHAT_TOKEN": wechat_customer.TOKEN,
        "TEST_WECHAT_AES_KEY": wechat_customer.AES_KEY,
    }


def verified(data: Path) -> str:
    """What `crdt-sync admin verify` finds wrong with the database in `data`, which no service has open."""
    command = [*SERVE, "admin", "verify"]
    given = {**environment(), "CRDT_SYNC_DATA": str(data)}
    done = subprocess.run(command, cwd=data, env=given, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr

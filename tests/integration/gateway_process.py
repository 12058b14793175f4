"""The real gateway as a child process beside a service that is one, killed and started again on the same data."""

import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from crdt_sync.domain.access import GATEWAY
from tests.conformance.server_process import START_S, ServerProcess, environment

PORTS = range(20_000, 32_000)  # no system of ours gives these to outgoing connections
PROGRAM = (sys.executable, "-m", "gateway")
LOOK_S = 0.01


def lasting_port() -> int:
    """A free port that stays free while nobody listens there.

    Who asks for a port again and again while its server is dead is given, in one of some ten thousand times, that very
    port as his own end: he is connected with himself then, and the server finds its port taken.
    """
    for port in random.sample(PORTS, len(PORTS)):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("No port is free.")


class GatewayProcess(ServerProcess):
    """`python -m gateway` for the service `core`, which need not run."""

    def __init__(
        self,
        data: Path,
        core: ServerProcess,
        accounts: Sequence[Mapping[str, object]],
        *,
        program: Sequence[str] = PROGRAM,
        settings: Mapping[str, str],
    ) -> None:
        super().__init__(data, program=program, settings=settings)
        self.port = lasting_port()
        self._core = core
        self.accounts = accounts

    @property
    def inbox(self) -> Path:
        """Its database."""
        return self.data / "inbox.db"

    def start(self) -> None:
        """Start it; when this returns, it listens, or has ended."""
        names = [str(one["account"]) for one in self.accounts]
        given = {
            "CORE_TOKEN": self._core.token(GATEWAY, actor=GATEWAY, accounts=names, seconds=86_400),
            "CRDT_SYNC_GATEWAY_CORE_TOKEN": "env:CORE_TOKEN",
            "CRDT_SYNC_GATEWAY_ACCOUNTS": json.dumps(self.accounts),
        }
        where = ("--core", self._core.grpc, "--data", str(self.data), "--port", str(self.port))
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [*self.program, *where],
                cwd=self.data,
                env={**environment(), **self._settings, **given},
                stdout=log,
                stderr=log,
                text=True,
                process_group=0,
            )
        self._keep()
        end_s = time.monotonic() + START_S
        while self._process.poll() is None and not self._listens():
            assert time.monotonic() < end_s, f"The gateway did not start:\n{self.log()[-2000:]}"
            time.sleep(LOOK_S)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return not probe.connect_ex(("127.0.0.1", self.port))

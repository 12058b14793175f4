"""A replica in a process of its own behind a link that can be cut: started, called, killed, started again."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Self

from crdt_sync.cli.cuttable_link import CuttableLink
from crdt_sync.errors import TicketSyncError

CALL_TIMEOUT_S = 30.0


class ReplicaProcess:
    """One department at its own machine."""

    def __init__(self, name: str, *, scheme: str, target_port: int, file: Path, token: str) -> None:
        self.name = name
        self._link = CuttableLink(target_port)
        self._scheme = scheme
        self._file = file
        self._token = token
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        """Open the link and start the process."""
        await self._link.__aenter__()
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End both."""
        await self.kill()
        await self._link.cut()

    async def start(self) -> None:
        """Start the process on the file that it had."""
        url = f"{self._scheme}://127.0.0.1:{self._link.port}"
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "crdt_sync.cli.demo_replica",
            str(self._file),
            url,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._write(self._token)

    async def kill(self) -> None:
        """End the process without a word, as a power cut would."""
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
            self._process = None

    async def cut(self) -> None:
        """Take the network away."""
        await self._link.cut()

    async def mend(self) -> None:
        """Bring the network back."""
        await self._link.mend()

    async def call(self, procedure: str, /, **arguments: object) -> Any:  # noqa: ANN401 - JSON
        """Ask the process to do something.

        Raises:
            TicketSyncError: the replica refused; the code is its own.
            TimeoutError: the process did not answer.

        """
        assert self._process is not None, "the process was started"
        assert self._process.stdout is not None, "it was started with a pipe"
        self._write(json.dumps({"call": procedure, "timeout_s": CALL_TIMEOUT_S / 2, **arguments}))
        async with asyncio.timeout(CALL_TIMEOUT_S):
            line = await self._process.stdout.readline()
        if not line:
            raise TicketSyncError(f"The replica of {self.name} ended.", code="replica_ended")
        answer = json.loads(line)
        if "error" in answer:
            raise TicketSyncError(f"{self.name}: {answer['message']}", code=answer["error"])
        return answer["ok"]

    def _write(self, line: str) -> None:
        assert self._process is not None, "the process was started"
        assert self._process.stdin is not None, "it was started with a pipe"
        self._process.stdin.write(line.encode() + b"\n")

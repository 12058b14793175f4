"""kill -9 at a chosen point of a commit: strace watches a running service and kills it as a system call begins.

Nothing in the service knows of it. Which point it really was is read from what strace wrote.
"""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.integration.marked_serve import MARKS

ATTACH_S = 20

_BEGUN = re.compile(r"(?P<thread>\d+) +(?P<name>\w+)\((?P<rest>.*)$")
_FATAL = re.compile(r"(?P<thread>\d+) .* = \?$")
_FILE = re.compile(r"\d+<(?P<path>[^>]*)>")
_WRITES = "write,writev,sendto,sendmsg"


class Phase(StrEnum):
    """Where in a commit the service was when it died."""

    READ = "after read"  # changes are read; what deciding takes is looked up, or the transaction begins
    WRITING = "before commit"  # some pages of the transaction are in the log, or all, and none is synced
    COMMITTED = "after commit, before ack"  # the transaction is on the disk, and the answer is about to leave
    CHECKPOINT = "in a checkpoint"  # pages go from the log into the database
    COMPACTION = "in compaction"  # the transaction that puts a snapshot in the place of rows is under way
    ANYWHERE = "at a random time"


@dataclass(frozen=True, slots=True)
class Aim:
    """Which system calls on which files of the data directory, any file if none is named; and how many at most."""

    calls: str
    files: Sequence[str] = ()
    calls_max: int = 40


SERVICE, INBOX = "crdt-sync.db", "gateway/inbox.db"
AIMS = {
    Phase.READ: Aim("fcntl", [f"{SERVICE}-shm"]),
    Phase.WRITING: Aim("pwrite64,fdatasync", [f"{SERVICE}-wal", f"{INBOX}-wal"]),
    Phase.COMMITTED: Aim(_WRITES),
    Phase.CHECKPOINT: Aim("pwrite64,fdatasync", [SERVICE]),
    Phase.COMPACTION: Aim("pwrite64", [MARKS], calls_max=6),
}


class Strace:
    """strace on a running process and its threads, with one injection, until the `with` block ends or the process."""

    def __init__(self, pid: int, calls: str, deed: str, trace: Path, files: Sequence[Path] = ()) -> None:
        paths = [part for file in files for part in ("-P", str(file))]
        expressions = ["-e", f"trace={calls}", "-e", f"inject={calls}:{deed}"]
        self._command = ["strace", "-f", "-y", "-s", "0", "-o", str(trace), *paths, *expressions, "-p", str(pid)]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True, process_group=0)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if "attached" in line:
                return self
            if "unable to resolve" not in line and "-P" not in line:
                break
        self._end()
        raise AssertionError(f"strace may not trace here (a container needs SYS_PTRACE): {line.strip()}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        """Ask it to let go; a process whose strace is killed would hang in the call that was stopped."""
        assert self._process is not None
        self._process.terminate()
        self._process.communicate(timeout=ATTACH_S)


def fatal_phase(trace: Path) -> Phase | None:
    """Which point the last call was, at whose begin the process died; None if it was no point that we aim at."""
    begun: dict[str, re.Match[str]] = {}
    died = None
    for line in trace.read_text().splitlines():
        if found := _BEGUN.match(line):
            begun[found["thread"]] = found
        if found := _FATAL.match(line):
            died = begun[found["thread"]]
    if died is None:
        return None
    name, rest = died["name"], died["rest"]
    file = _FILE.match(rest)
    path = file["path"] if file else ""
    if name == "fcntl":
        return None if "F_UNLCK" in rest else Phase.READ
    if path.endswith(MARKS):
        return Phase.COMPACTION
    if path.endswith("-wal"):
        return Phase.WRITING
    if path.endswith(".db"):
        return Phase.CHECKPOINT
    return Phase.COMMITTED  # to a socket, or to the loop that is about to answer; evidence says whether to answer yes

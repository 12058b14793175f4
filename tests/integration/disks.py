"""A disk that is full and one whose syncs fail, as the service meets them: real errors of real system calls.

The full disk is a small tmpfs in the service's own mount namespace, or a limit on the size of its files where nobody
may mount. The failing sync is injected by strace. Neither needs anything in the service, and both can be undone.
"""

import os
import resource
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from crdt_sync.server.keys import development_key
from tests.conformance.server_process import SERVE, ServerProcess
from tests.integration.aims import Strace

DISK_BYTES = 48 * 2**20  # the service begins with less than one, and SQLite keeps a log of sixteen (CHECKPOINT_PAGES)

_MOUNT = """
mkdir "$1.disk" && mount -t tmpfs -o size="$2" tmpfs "$1.disk" && cp -a "$1/." "$1.disk" && mount --move "$1.disk" "$1"
shift 2 && exec "$@"
"""


def may_mount() -> bool:
    """Whether this user may mount a tmpfs in a mount namespace of a process."""
    tried = subprocess.run([*_namespace(), "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return tried.returncode == 0


def on_small_disk(data: Path) -> Sequence[str]:
    """Return the program that serves with its data on a disk of its own, which is gone with it.

    The key for tokens is made before, so that it is the same on both sides.
    """
    data.mkdir(parents=True)
    development_key(data)
    return (*_namespace(), "sh", "-ec", _MOUNT, "sh", str(data), str(DISK_BYTES), *SERVE)


def seen_inside(server: ServerProcess) -> Path:
    """Return the path by which the data directory of a service on a small disk is reached from here."""
    return Path(f"/proc/{server.pid}/root{server.data}")


@contextmanager
def full(server: ServerProcess) -> Iterator[None]:
    """Leave the small disk without a free byte until the block ends."""
    ballast = seen_inside(server) / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def limited(server: ServerProcess) -> Iterator[None]:
    """Let no file of the service grow until the block ends; its log is as long as SQLite lets it become at most."""
    log = server.data / "crdt-sync.db-wal"
    usual = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (log.stat().st_size, usual[1]))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, usual)


@contextmanager
def unsyncable(server: ServerProcess, trace: Path) -> Iterator[None]:
    """Fail every fdatasync with EIO until the block ends."""
    with Strace(server.pid, "fdatasync", "error=EIO", trace):
        yield


def _namespace() -> Sequence[str]:
    return ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))

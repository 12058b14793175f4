"""What a process and its children have taken of processor and memory, read from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor seconds so far, user and system, and resident memory now."""

    cpu_s: float
    rss_bytes: int


def usage(pid: int) -> Usage:
    """Return what the process and its living descendants use."""
    cpu_ticks = rss_pages = 0
    for each in _family(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text("ascii").rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        cpu_ticks += int(fields[11]) + int(fields[12])
        rss_pages += int(fields[21])
    return Usage(cpu_ticks / _TICKS_PER_S, rss_pages * _PAGE_BYTES)


def _family(pid: int) -> list[int]:
    found = [pid]
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in tasks.read_text("ascii").split():
            found += _family(int(child))
    return found

"""Reads what strace wrote: which bytes a process read and wrote on which socket, and when a file was on the disk.

Lines are those of `strace -f -ttt -T -yy -xx -s SIZE`. Times are seconds since the epoch.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STRACE = ("strace", "-f", "--seccomp-bpf", "-qq", "-ttt", "-T", "-yy", "-xx", "-s", "4096")
CALLS = "trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,fdatasync,fsync"

_LINE = re.compile(r"(?P<thread>\d+) +(?P<time>\d+\.\d+) (?P<rest>.*)")
_WHOLE = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)(?: .*?)?<(?P<took>\d+\.\d+)>$")
_UNFINISHED = re.compile(r"(?P<name>\w+)\((?P<arguments>.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>(?P<arguments>.*)\) += (?P<result>-?\d+)(?: .*)?$")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_OURS = ("TCP", "sync", "resumed")  # the rest is mostly Python that reads its modules
_READS = frozenset({"read", "readv", "recvfrom", "recvmsg"})
_WRITES = frozenset({"write", "writev", "sendto", "sendmsg"})
_SYNCS = frozenset({"fdatasync", "fsync"})


@dataclass(frozen=True, slots=True)
class Call:
    """One system call that succeeded. `file` is the path or the two ends of the connection."""

    name: str
    file: str
    data: bytes
    began: float
    ended: float


def parse(lines: Iterable[str]) -> list[Call]:
    """Return the calls in the order of their ends."""
    calls: list[Call] = []
    begun: dict[str, tuple[float, str]] = {}
    for line in lines:
        found = _LINE.fullmatch(line.rstrip()) if any(part in line for part in _OURS) else None
        if found is None:
            continue
        thread, time, rest = found["thread"], float(found["time"]), found["rest"]
        if unfinished := _UNFINISHED.fullmatch(rest):
            begun[thread] = time, unfinished["arguments"]
        elif resumed := _RESUMED.fullmatch(rest):
            began, arguments = begun.pop(thread, (time, ""))
            calls += _call(resumed, arguments + resumed["arguments"], began, time)
        elif whole := _WHOLE.fullmatch(rest):
            calls += _call(whole, whole["arguments"], time, time + float(whole["took"]))
    return sorted(calls, key=lambda call: call.ended)


def _call(found: re.Match[str], arguments: str, began: float, ended: float) -> list[Call]:
    if int(found["result"]) < 0:
        return []
    file = re.match(r"\d+<(.*?)>(?=[,)]|$)", arguments)
    data = b"".join(bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(arguments))
    return [Call(found["name"], _unescaped(file[1]) if file else "", data, began, ended)]


def _unescaped(text: str) -> str:
    """With `-xx` paths are in hexadecimal, too."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda byte: chr(int(byte[1], 16)), text)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One change as its client saw it."""

    path: str
    port: int  # of the service
    log: str  # how the path of the file ends that must have the change
    sent: float
    acknowledged: float
    request: bytes  # a part of what the service reads; empty where it is masked and nothing else is read
    answer: bytes  # a part of what the service writes as acknowledgement, and never before


def is_synced(calls: Sequence[Call], exchange: Exchange) -> bool:
    """Whether the file was synced between the end of the read of the change and the begin of its acknowledgement."""
    during = [call for call in calls if exchange.sent <= call.began <= exchange.acknowledged]
    ours = [call for call in during if re.search(rf"127\.0\.0\.1\]?:{exchange.port}->", call.file)]
    received = [call.ended for call in ours if call.name in _READS and call.data and exchange.request in call.data]
    answered = [call.began for call in ours if call.name in _WRITES and exchange.answer in call.data]
    assert received, f"The trace shows no request of {exchange}"
    assert answered, f"The trace shows no acknowledgement of {exchange}"
    return any(
        call.name in _SYNCS
        and call.file.endswith(exchange.log)
        and received[0] <= call.began <= call.ended <= answered[0]
        for call in during
    )

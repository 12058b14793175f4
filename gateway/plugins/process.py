"""The gateway's side of one plugin: its process, the calls into it, and what becomes of it after a fault.

Owns the promise that no message waits for a plugin longer than its deadline, and none at all while it is not there, or
was late and has not shown since that it answers.
"""

import asyncio
import itertools
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from crdt_sync.errors import Malformed
from gateway.counts import Counts
from gateway.plugins import frames
from gateway.plugins.faults import Faults
from gateway.plugins.settings import PluginSettings, Start
from gateway.ports import Clock
from gateway.waiting import woken

START_S = 30.0  # to import what it needs, at a quarter of a busy processor
SILENCE_S_MAX = 30.0  # without a beat, of which five come a second
LATE_S = 0.5  # without one, and it is held back until the next: it may be spinning
RUNNING_S, HELD_S = 0.01, 0.19  # in turns then: a niceness alone has the gateway wait for a slice each time it wakes
PROOFS = 3  # calls that it has to answer in time, after one that it did not, before anybody waits for it again
LOOK_S = 0.001  # at the deadline, for an answer that came while this process itself was kept waiting
STOP_S = 1.0  # to end by itself; the gateway has ten seconds in all
CALLS_MAX = 200  # under way at once; as many answers leave at once
WAITING_BYTES_MAX = 1_048_576  # that it has not read

Reason = Literal["timeout", "raised", "memory", "died", "silent", "frame", "start", "stopped"]
"""Why a process is ended; but for the last, which the gateway wishes, each is a fault."""

_STUCK: frozenset[Reason] = frozenset({"timeout", "silent"})  # it will not end by itself
_COUNTED_MAX = 64  # names that a plugin may make up

# What a process needs to find its interpreter and its packages. The gateway's secrets are not among it.
_INHERITED = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "LC_ALL", "TZ")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Host:
    """What every plugin's process is told of the gateway."""

    core: str
    core_certificate: Path | None
    data: Path


class PluginProcess:
    """One plugin. `start` and `stop` belong to the gateway; what happens between them concerns nobody."""

    def __init__(self, settings: PluginSettings, host: Host, *, clock: Clock, counts: Counts) -> None:
        self._settings = settings
        self.accounts = settings.accounts or frozenset()
        self._host = host
        self._clock = clock
        self._counts = counts
        self._faults = Faults()
        self._numbers = itertools.count(1)
        self._calls: dict[int, asyncio.Future[Sequence[object]]] = {}
        self._hooks: frozenset[str] = frozenset()  # empty while it is not ready
        self._owed = 0  # of `PROOFS`
        self._unheeded: set[asyncio.Task[Sequence[str | None]]] = set()
        self._writer: asyncio.StreamWriter | None = None
        self._failing: asyncio.Future[Reason] | None = None
        self._own: set[str] = set()
        self._ready = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin it, in the background."""
        self._task = asyncio.create_task(self._run(), name=f"plugin {self._settings.name}")

    async def stop(self) -> None:
        """Have it end, within a second. It is not cancelled: a process that is being begun would be left behind."""
        self._stopping.set()
        self._fail("stopped")
        if self._task is not None:
            await self._task

    async def ready(self) -> None:
        """Return when it is ready, which it may never be."""
        await self._ready.wait()

    def is_asked(self, hook: str, account: str) -> bool:
        """Whether it is there, has the hook, and is shown what belongs to the account."""
        return hook in self._hooks and (not self.accounts or account in self.accounts)

    async def ask(self, hook: str, items: Sequence[Mapping[str, object]]) -> Sequence[str | None]:
        """Ask a hook about each; None where it has no wish, or none that counts, or none in time, or is not there."""
        if not self._owed:
            return await self._asked(hook, items)
        asking = asyncio.create_task(self._asked(hook, items), name="plugin proving itself")
        self._unheeded.add(asking)
        asking.add_done_callback(self._unheeded.discard)
        return [None] * len(items)

    async def _asked(self, hook: str, items: Sequence[Mapping[str, object]]) -> Sequence[str | None]:
        nothing = [None] * len(items)
        if hook not in self._hooks or self._writer is None:
            return nothing
        waiting_bytes = self._writer.transport.get_write_buffer_size()
        if len(self._calls) >= CALLS_MAX or waiting_bytes > WAITING_BYTES_MAX:
            self._count("busy", len(items))
            return nothing
        number = next(self._numbers)
        self._calls[number] = answered = asyncio.get_running_loop().create_future()
        self._writer.write(frames.encoded({"id": number, "hook": hook, "items": items}))
        self._count("asked", len(items))
        deadline_ms = self._settings.deadline_ms * (1 + (len(items) - 1) / 10)
        began_s = asyncio.get_running_loop().time()
        try:
            done, _ = await asyncio.wait((answered,), timeout=deadline_ms / 1000)
            if not done:
                done, _ = await asyncio.wait((answered,), timeout=LOOK_S)
        finally:
            del self._calls[number]
        if not done:
            self._fail("timeout")
            return nothing
        answers = answered.result()
        if len(answers) != len(items):
            return nothing
        self._owed = max(0, self._owed - 1)
        self._count(hook, len(items))
        self._count(f"{hook}_us", round((asyncio.get_running_loop().time() - began_s) * 1e6))
        return [_wish(answer) for answer in answers]

    def _fail(self, reason: Reason) -> None:
        """Have it ended; the first reason counts. Whoever waits for it goes on at once, and nobody else will."""
        self._hooks = frozenset()
        self._ready.clear()
        for call in self._calls.values():
            if not call.done():
                call.set_result(())
        if self._failing is not None and not self._failing.done():
            self._failing.set_result(reason)

    async def _run(self) -> None:
        """Boundary of a plugin: whatever goes wrong with it, the gateway goes on."""
        while not self._stopping.is_set():
            try:
                reason: Reason = await self._live()
            except Exception as error:  # noqa: BLE001 - see above
                _log.error("plugin could not be run", plugin=self._settings.name, error=repr(error))
                reason = "start"
            if self._stopping.is_set():
                return
            if reason in _STUCK:
                self._owed = PROOFS
            rest_ms = self._faults.add(self._clock.now_ms())
            self._count(f"fault.{reason}")
            self._counts.show(f"plugin.{self._settings.name}.off", int(self._faults.is_off))
            tell = _log.error if self._faults.is_off else _log.warning
            tell("plugin at fault", plugin=self._settings.name, reason=reason, rests_ms=rest_ms)
            await woken(self._stopping, self._clock, rest_ms)

    async def _live(self) -> Reason:
        """One life of the process; return why it ended."""
        self._failing = asyncio.get_running_loop().create_future()
        ours, theirs = socket.socketpair()
        with theirs:
            process = await self._spawned(theirs)
        reader, self._writer = await asyncio.open_connection(sock=ours)
        hearing = asyncio.create_task(self._hear(reader, process.pid), name="plugin hearing")
        try:
            await asyncio.wait((hearing, self._failing), return_when=asyncio.FIRST_COMPLETED)
            if not self._failing.done():
                self._fail(hearing.result())
            return self._failing.result()
        finally:
            self._fail("stopped")
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
            self._writer.close()
            await _reaped(process, at_once=self._failing.result() in _STUCK)

    async def _spawned(self, theirs: socket.socket) -> asyncio.subprocess.Process:
        data = self._host.data / self._settings.name
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        certificate = self._host.core_certificate
        told = Start(
            self._settings,
            theirs.fileno(),
            self._host.core,
            str(certificate.absolute()) if certificate is not None else None,
            str(data.absolute()),
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.plugins"),
            stdin=asyncio.subprocess.PIPE,  # ends with this process
            stdout=asyncio.subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            env=_environment(self._settings),
        )
        assert process.stdin is not None, "it was made a pipe"
        process.stdin.write(told.spelt().encode() + b"\n")
        return process

    async def _hear(self, reader: asyncio.StreamReader, pid: int) -> Reason:
        """Take what it says until it ends; return why it is to be ended."""
        while True:
            late = asyncio.create_task(self._hold_back(pid)) if self._ready.is_set() else None
            try:
                async with asyncio.timeout(SILENCE_S_MAX if late else START_S):
                    frame = await frames.read(reader, frames.ANSWER_BYTES_MAX)
            except TimeoutError:
                return "silent"
            except (EOFError, ConnectionError):
                return "died"
            except Malformed:
                return "frame"
            finally:
                if late:
                    late.cancel()
            match frame:
                case {"hooks": list(hooks)}:
                    self._hooks = frozenset(map(str, hooks))
                    self._ready.set()
                    self._count("start")
                    self._counts.show(f"plugin.{self._settings.name}.off", 0)
                case {"beat": dict(counted)}:
                    self._take_counts(counted)
                case {"id": int(number), "answers": list(answers)}:
                    call = self._calls.get(number)
                    if call is not None and not call.done():
                        call.set_result(answers)
                case {"fault": "memory"}:
                    return "memory"
                case {"fault": "raised"}:
                    return "raised"
                case _:
                    return "frame"

    async def _hold_back(self, pid: int) -> None:
        """Wait until it is late, and let it run for a twentieth of the time, until this is cancelled."""
        await asyncio.sleep(LATE_S)
        self._count("late")
        _log.warning("plugin is late and held back", plugin=self._settings.name)
        with suppress(ProcessLookupError):
            try:
                while True:
                    os.killpg(pid, signal.SIGSTOP)  # the gateway's end continues it, and ends it by SIGHUP
                    await asyncio.sleep(HELD_S)
                    os.killpg(pid, signal.SIGCONT)
                    await asyncio.sleep(RUNNING_S)
            finally:
                os.killpg(pid, signal.SIGCONT)

    def _take_counts(self, counted: Mapping[str, object]) -> None:
        for name, count in counted.items():
            if len(self._own) < _COUNTED_MAX:
                self._own.add(name)
            if name in self._own and isinstance(count, int):
                self._count(name, count)

    def _count(self, name: str, count: int = 1) -> None:
        self._counts.add(f"plugin.{self._settings.name}.{name}", count)


async def _reaped(process: asyncio.subprocess.Process, *, at_once: bool) -> None:
    """Give it a moment to end, then end it, and what it has begun; its input was held open until here."""
    try:
        async with asyncio.timeout(0 if at_once else STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        assert process.stdin is not None, "it was made a pipe"
        process.stdin.close()
        with suppress(ConnectionError):
            await process.stdin.wait_closed()


def _wish(answer: object) -> str | None:
    return answer if isinstance(answer, str) else None


def _environment(settings: PluginSettings) -> Mapping[str, str]:
    """What it may know: nothing that it is not told to look for."""
    told = (settings.token, *settings.options.values())
    referred = [each.removeprefix("env:") for each in told if isinstance(each, str) and each.startswith("env:")]
    return {name: value for name in (*_INHERITED, *referred) if (value := os.environ.get(name)) is not None}  # noqa: TID251 - as in `crdt_sync.references`

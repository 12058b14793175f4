"""What the process of one plugin does once `python -m gateway.plugins` has loaded it.

Owns the bounds of the process: its memory, and its end with the gateway's. Whatever in it is at fault ends it, with the
reason told first; to begin it anew is the gateway's business.
"""

import asyncio
import os
import resource
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

import structlog
from pydantic import TypeAdapter

from crdt_sync.errors import Malformed
from crdt_sync.references import Secret
from gateway.plugins import frames
from gateway.plugins.api import (
    API_VERSION,
    GROUP,
    Answer,
    Context,
    Factory,
    Message,
    OnAnswer,
    OnEvent,
    OnMessage,
    Plugin,
    Refusal,
    Route,
    Runs,
    TryLater,
)
from gateway.plugins.follower import Follower
from gateway.plugins.settings import Start

BEAT_S = 0.2
_SECRET: TypeAdapter[object] = TypeAdapter(Secret)
_PAGES = Path("/proc/self/statm")  # of Linux

_log = structlog.get_logger(__name__)


class Worker:
    """One plugin and its connection to the gateway."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._resident_max = _resident_bytes() + start.settings.memory_mb * 1024 * 1024
        self._counted: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Load the plugin and serve its hooks until the gateway hangs up.

        Raises:
            Exception: the plugin is at fault.

        """
        reader, self._writer = await asyncio.open_connection(sock=socket.socket(fileno=self._start.socket))
        try:
            async with asyncio.TaskGroup() as group:
                plugin = load(self._context(), self._start.settings.name)
                serving = group.create_task(self._serve(group, reader, plugin))
                beside = [group.create_task(self._beat())]
                if isinstance(plugin, OnEvent):
                    follower = Follower(
                        self._context(), plugin, deadline_s=self._start.settings.event_deadline_s, count=self._count
                    )
                    beside.append(group.create_task(follower.run()))
                if isinstance(plugin, Runs):
                    beside.append(group.create_task(_run(plugin)))
                self._say({"hooks": hooks_of(plugin)})
                await serving
                for task in (*beside, *self._tasks):
                    task.cancel()
        except* Exception as errors:
            self._say({"fault": _reason(errors)})
            await self._writer.drain()
            raise
        finally:
            self._writer.close()

    async def _serve(self, group: asyncio.TaskGroup, reader: asyncio.StreamReader, plugin: Plugin) -> None:
        with suppress(EOFError, ConnectionError):
            while True:
                call = await frames.read(reader, frames.FRAME_BYTES_MAX)
                task = group.create_task(self._answer(plugin, call))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _answer(self, plugin: Plugin, call: Mapping[str, object]) -> None:
        items = cast(Sequence[Mapping[str, object]], call["items"])
        answers = [await _asked(plugin, str(call["hook"]), item) for item in items]
        self._say({"id": call["id"], "answers": answers})

    async def _beat(self) -> None:
        """Say that the event loop turns, and what was counted; look whether memory was mapped beside what is bounded.

        A bound of addresses would have gRPC wait for ever for threads, whose stacks and heaps only reserve them.
        """
        while True:
            if _resident_bytes() > self._resident_max:
                raise MemoryError
            counted, self._counted = self._counted, Counter()
            self._say({"beat": counted})
            await asyncio.sleep(BEAT_S)

    def _say(self, frame: Mapping[str, object]) -> None:
        self._writer.write(frames.encoded(frame))

    def _count(self, name: str) -> None:
        self._counted[name] += 1

    def _context(self) -> Context:
        start, settings = self._start, self._start.settings
        return Context(
            name=settings.name,
            data=Path(start.data),
            core=start.core,
            core_certificate=Path(start.core_certificate) if start.core_certificate else None,
            options=settings.options,
            token=lambda: _secret(settings.token, "token"),
            secret=lambda name: _secret(settings.options.get(name), name),
            count=lambda name: self._count(f"own.{name}"),
        )


def load(context: Context, name: str) -> Plugin:
    """Find the entry point and make the plugin.

    Raises:
        Malformed: there is no such entry point, or it is written for another version of the interface.

    """
    found = entry_points(group=GROUP, name=name)
    if not found:
        raise Malformed(f"No package has the entry point {name} of {GROUP}.", code="plugin", advice="Install it.")
    plugin = cast(Factory, next(iter(found)).load())(context)
    version = getattr(plugin, "api_version", None)
    if version != API_VERSION:
        raise Malformed(f"The plugin {name} is of version {version}, the gateway of {API_VERSION}.", code="plugin")
    return plugin


def hooks_of(plugin: Plugin) -> list[str]:
    """Return the hooks that a message may wait for."""
    return [name for name, hook in (("message", OnMessage), ("answer", OnAnswer)) if isinstance(plugin, hook)]


async def _asked(plugin: Plugin, hook: str, item: Mapping[str, object]) -> str | None:
    """Ask one hook; None where it has no wish."""
    try:
        if hook == "message" and isinstance(plugin, OnMessage):
            told = cast(dict[str, object], {**item, "texts": tuple(item["texts"]), "media": tuple(item["media"])})  # type: ignore[arg-type]
            route = await plugin.on_message(Message(**told))  # type: ignore[arg-type]
            return route.rule if isinstance(route, Route) else None
        if hook == "answer" and isinstance(plugin, OnAnswer):
            refusal = await plugin.on_answer(Answer(**item))  # type: ignore[arg-type]
            return refusal.code if isinstance(refusal, Refusal) else None
    except TryLater:
        return None
    raise Malformed(f"The gateway asks a hook {hook!r} that the plugin has not.", code="frame")


async def _run(plugin: Runs) -> None:
    await plugin.run()
    raise Malformed("The plugin's own work has ended.", code="plugin")


def _secret(reference: object, name: str) -> str:
    if not isinstance(reference, str):
        raise Malformed(f"The plugin is given no {name}.", code="secret", advice="Name where it stands: env: or file:.")
    read = _SECRET.validate_python(reference)
    assert callable(read), "a reference becomes a function"
    return str(read())


def _reason(errors: BaseExceptionGroup[BaseException]) -> str:
    memory, _ = errors.split(MemoryError)
    return "memory" if memory is not None else "raised"


def _resident_bytes() -> int:
    """What the process holds of the machine's memory, shared or not; 0 where the system does not tell."""
    return int(_PAGES.read_text().split()[1]) * resource.getpagesize() if _PAGES.exists() else 0


def _bound(memory_mb: int) -> None:
    """Take what the process may have, before anything of the plugin runs."""
    bytes_max = memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (bytes_max, bytes_max))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with_the_gateway, daemon=True).start()


def _end_with_the_gateway() -> None:
    """The gateway writes no more and holds the other end for as long as it lives: a spinning plugin ends with it.

    So does what it has begun, in its process group.
    """
    os.read(sys.stdin.fileno(), 1)
    os.killpg(os.getpid(), signal.SIGKILL)


def main() -> int:
    """Run until the gateway hangs up; 1 if the plugin was at fault."""
    start = Start.read(sys.stdin.readline())
    _bound(start.settings.memory_mb)
    structlog.configure(
        processors=[  # no values of variables: secrets may be among them
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        asyncio.run(Worker(start).run())
    except Exception:  # noqa: BLE001 - the boundary of the process
        _log.exception("plugin at fault", plugin=start.settings.name)
        return 1
    return 0

"""Virtual time: an event loop whose clock jumps to the next timer, and processes in it that can be killed at once.

Nothing here waits, starts a thread or asks the machine for the time, so a run is a function of what it is told.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from typing import Any

TURNS_MAX = 200_000  # fifty times what a history takes


class Idle(selectors.SelectSelector):
    """A selector to which nothing ever happens: to wait for a time is to be there."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s, self.turns = 0.0, 0
        self.exhausted: Callable[[], object] = lambda: None

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "everybody waits for somebody else, and no timer is left"
        self.now_s += max(0.0, timeout)
        self.turns += 1
        if self.turns == TURNS_MAX:
            self.exhausted()
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time. What is given to an executor runs in a later turn, if its process lives then."""

    def __init__(self) -> None:
        self._idle = Idle()
        super().__init__(self._idle)
        self.set_task_factory(_task_of_a_process)

    def time(self) -> float:
        return self._idle.now_s

    def on_exhausted(self, call: Callable[[], object]) -> None:
        """Have `call` called if the run does not come to rest."""
        self._idle.exhausted = call

    def jump(self, seconds: float) -> None:
        """Let time pass as it does for a machine that sleeps: every timer that is due by then runs once."""
        self._idle.now_s += seconds

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        del executor
        process, future = CURRENT.get(), self.create_future()

        def run() -> None:
            if future.done() or (process is not None and not process.may_run(func)):
                return
            try:
                future.set_result(func(*args))
            except BaseException as error:  # noqa: BLE001 (an executor hands over whatever was raised)
                future.set_exception(error)

        self.call_soon(run)
        return future


class Process:
    """Whatever was started in it, so that all of it can end between two turns, as a process does that is killed."""

    def __init__(self, name: str) -> None:
        self.name, self.alive, self.tasks = name, True, dict[asyncio.Task[Any], None]()

    def may_run(self, job: Callable[..., Any]) -> bool:
        """Say whether a job still runs: a dead process writes nothing, but its files are closed."""
        return self.alive or getattr(job, "__name__", "") == "close"

    def run(self, call: Callable[..., Any], *args: Any) -> Any:
        """Call something as a part of this process."""

        def inside() -> Any:
            CURRENT.set(self)
            return call(*args)

        return copy_context().run(inside)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task as a part of this process."""
        task: asyncio.Task[Any] = self.run(asyncio.get_running_loop().create_task, work)
        return task

    async def kill(self) -> None:
        """End everything; `alive` is false from the beginning of it."""
        self.alive = False
        while pending := [task for task in self.tasks if not task.done()]:
            for task in pending:
                task.cancel()
            await asyncio.wait(pending)
            if left := [task for task in self.tasks if not task.done()]:
                await asyncio.wait(left, timeout=1)  # what they began to give back as they ended
        for task in self.tasks:
            if not task.cancelled():
                task.exception()  # the dead do not complain
        self.tasks.clear()


CURRENT: ContextVar[Process | None] = ContextVar("process", default=None)


def apart(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Start a task that belongs to no process, whoever asks for it."""

    def outside() -> asyncio.Task[Any]:
        CURRENT.set(None)
        return asyncio.get_running_loop().create_task(work)

    return copy_context().run(outside)


def _task_of_a_process(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **more)
    process = CURRENT.get()
    if process is not None:
        process.tasks[task] = None
        task.add_done_callback(lambda done: process.tasks.pop(done, None) if process.alive else None)
    return task

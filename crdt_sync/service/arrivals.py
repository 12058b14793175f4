"""What a connection waits for before somebody is in a room: a token judged, a document loaded. One task a key."""

import asyncio
from collections.abc import Callable, Coroutine


class Arrivals:
    """The tasks of one connection, by the key of the subscription that each is for."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def any(self) -> bool:
        """Tell whether something is under way."""
        return bool(self._tasks)

    def begin(
        self, key: str, work: Coroutine[None, None, None], *, done: Callable[[], None], failed: Callable[[], None]
    ) -> None:
        """Do the work beside everything else; then call `done`, and `failed` after a fault of ours.

        Both are kept as long as the work lasts and no longer: whom they are of holds this object.
        """

        def ended(task: asyncio.Task[None]) -> None:
            if self._tasks.get(key) is task:
                del self._tasks[key]
            done()
            if not task.cancelled() and task.exception() is not None:  # who was not judged keeps nothing
                failed()
                task.result()  # the event loop logs it

        task = self._tasks[key] = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(ended)

    def drop(self, key: str) -> None:
        """Drop what was begun for a subscription that has ended, so that a later one of its name does not get it."""
        task = self._tasks.pop(key, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def drop_all_but(self, kept: Callable[[str], bool]) -> None:
        """Drop the work of every key that is not kept."""
        for task in [task for key, task in self._tasks.items() if not kept(key)]:
            task.cancel()

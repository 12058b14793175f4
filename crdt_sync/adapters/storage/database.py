"""Transactions on a database: each is a function of a connection, done whole and in one go beside the event loop.

SQLite's driver waits where it is called, so its work has threads: one that writes and a few that read. An asynchronous
driver (PostgreSQL's) has none. Nothing else knows the difference; no row is known here.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine, exc
from sqlalchemy.util import greenlet_spawn

from crdt_sync.adapters.storage import engines
from crdt_sync.ports import StoreUnavailable

_T = TypeVar("_T")
Work: TypeAlias = Callable[[Connection], _T]


class Database:
    """The engine of one connection that writes, and one of a few that read, each with the threads that it needs.

    A cancelled caller leaves; his transaction still ends, whole, and the connection goes back in order.
    """

    def __init__(self, writer: Engine, reader: Engine) -> None:
        self.dialect = writer.dialect
        self.writer, self.reader = writer, reader
        self._threads = {
            engine: ThreadPoolExecutor(count, thread_name_prefix="database")
            for engine, count in ((writer, 1), (reader, engines.READERS_MAX))
            if not engine.dialect.is_async
        }
        self._running: set[asyncio.Future[Any]] = set()
        self._settled = False
        self._closed = False

    @classmethod
    def at(cls, url: str, synchronous: engines.Synchronous = "FULL", *, must_exist: bool = False) -> "Database":
        """Return the database at `url`, to which nothing connects yet; see `SqlStore.open`.

        Raises:
            StoreUnavailable: `url` names none, or none that there is (`must_exist`).

        """
        try:
            if must_exist and engines.is_missing(url):
                raise StoreUnavailable("there is none")
            return cls(engines.writer(url, synchronous), engines.reader(url, synchronous))
        except exc.ArgumentError as error:
            raise StoreUnavailable("its URL is none that names a database and a driver") from error
        except ImportError as error:
            raise StoreUnavailable(f"its driver {error.name!r} is not installed") from error

    async def read(self, work: Work[_T]) -> _T:
        """Do `work`, each statement of which sees what was committed when it began.

        Raises:
            StoreUnavailable: the database does not answer.

        """
        return await self._whole(self.reader, partial(_transact, self.reader, work))

    async def write(self, work: Work[_T]) -> _T:
        """Do `work` in a transaction, which is durable when this returns and gone when it raises.

        Raises:
            StoreUnavailable: the database does not answer, or is not settled.
            IntegrityError: of SQLAlchemy; a key exists already.

        """
        return await self._whole(self.writer, partial(self._write, work))

    async def close(self) -> None:
        """Wait for what runs, the transactions of cancelled callers included, then close every connection."""
        if self._closed:
            return
        self._closed = True
        if self._running:
            await asyncio.wait(self._running)
        for engine in (self.writer, self.reader):
            await self._start(engine, engine.dispose)
        for threads in self._threads.values():
            threads.shutdown()

    def _write(self, work: Work[_T]) -> _T:
        """Settle the database first; one that cannot be (a full disk) is still read from."""
        if not self._settled:
            self._settled = _transact(self.reader, engines.settle)
        if not self._settled:
            raise StoreUnavailable("another process reads the log, which is to be settled before a first write")
        return _transact(self.writer, work)

    async def _whole(self, engine: Engine, transaction: Callable[[], _T]) -> _T:
        """Wait for a transaction, which the cancellation of the caller does not reach."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        running = self._start(engine, transaction)
        self._running.add(running)
        running.add_done_callback(self._ended)
        return await asyncio.shield(running)

    def _start(self, engine: Engine, transaction: Callable[[], _T]) -> asyncio.Future[_T]:
        if engine.dialect.is_async:
            return asyncio.ensure_future(greenlet_spawn(transaction))
        return asyncio.get_running_loop().run_in_executor(self._threads[engine], transaction)

    def _ended(self, running: asyncio.Future[Any]) -> None:
        self._running.discard(running)
        if not running.cancelled():
            running.exception()  # a caller who was cancelled no longer asks, and asyncio would complain


def _transact(engine: Engine, work: Work[_T]) -> _T:
    try:
        with engine.begin() as connection:
            return work(connection)
    except exc.IntegrityError:
        raise
    except (exc.DBAPIError, exc.TimeoutError, OSError) as error:
        raise StoreUnavailable(f"the database does not answer: {error}") from error

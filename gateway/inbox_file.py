"""The gateway's SQLite file: how it is opened, written ahead and synced, and brought to the form of `gateway.tables`.

Owns the threads in which transactions run, and no row.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select, update
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError

from crdt_sync.errors import ServiceError, Unavailable
from gateway.tables import SCHEMA_VERSION, inbox, metadata, reply

WRITES = "gateway_writes"  # our own execution option: this transaction takes the write lock at its beginning
_THREADS = 2  # one writes, and one reads

_T = TypeVar("_T")


class InboxFile:
    """The file of one gateway. Work is a function of a connection, and is done whole or not at all."""

    def __init__(self, path: Path, busy_timeout_ms: int) -> None:
        self._path = path
        self._engine = engine_of(path, busy_timeout_ms)
        self._unsynced = engine_of(path, busy_timeout_ms, "NORMAL")
        self._threads = ThreadPoolExecutor(_THREADS)
        self._write_lock = asyncio.Lock()

    async def open(self) -> None:
        """Make the file, or check that it is ours.

        Raises:
            Unavailable: the file cannot be used.
            ServiceError: it was written by a newer gateway (code `schema`).
        """
        make_directory(self._path.parent)
        await self.change(prepare)

    async def close(self) -> None:
        """Let go of the file."""
        await asyncio.to_thread(self._let_go)

    async def change(self, work: Callable[[Connection], _T], *, synced: bool = True) -> _T:
        """Write in a transaction; those of this process wait for each other here and not in SQLite's busy loop.

        What is not `synced` survives this process, and the machine only once something synced follows: for what may
        be done again, so that no platform waits for it.

        Raises:
            Unavailable: nothing is written.
        """
        async with self._write_lock:
            return await self._do(self._engine if synced else self._unsynced, work, writes=True)

    async def read(self, work: Callable[[Connection], _T]) -> _T:
        """Read in a transaction; raises `Unavailable`."""
        return await self._do(self._engine, work, writes=False)

    async def _do(self, engine: Engine, work: Callable[[Connection], _T], *, writes: bool) -> _T:
        def transact() -> _T:
            with engine.execution_options(**{WRITES: writes}).begin() as connection:
                return work(connection)

        with store_errors():
            return await asyncio.get_running_loop().run_in_executor(self._threads, transact)

    def _let_go(self) -> None:
        self._threads.shutdown()
        self._unsynced.dispose()
        self._engine.dispose()
        self._threads = ThreadPoolExecutor(_THREADS)  # as the engine has a new pool: a gateway may start again


def engine_of(path: Path, busy_timeout_ms: int, synchronous: Literal["FULL", "NORMAL"] = "FULL") -> Engine:
    """Where transactions of the file are made; one with the option `WRITES` takes the write lock at its beginning."""
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, connect_args={"timeout": busy_timeout_ms / 1000})

    def settle(connection: DBAPIConnection, _record: object) -> None:
        """Rest on nothing that a log may have in the kernel's memory alone, as the service's store does not either."""
        cursor = connection.cursor()
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.close()

    def configure(connection: DBAPIConnection, _record: object) -> None:
        # The driver must not begin transactions by itself: it would read before it locks, and fail with SQLITE_BUSY.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", f"synchronous = {synchronous}", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    if synchronous == "FULL":  # the first to connect, and others are there when the next does
        event.listen(engine, "first_connect", settle)
    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", begin)
    return engine


def make_directory(path: Path) -> None:
    """Make it, readable for its owner alone; raises `Unavailable`."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)  # customers' messages wait here in the clear
    except OSError as error:
        raise Unavailable(
            f"The directory {path} cannot be made: {error.strerror}.", advice="Give the gateway another `data`."
        ) from None


def prepare(connection: Connection) -> None:
    """Make the tables that are missing; raises `ServiceError` (code `schema`) if a newer gateway made the file.

    But for two columns that came and one that went, each form so far only added tables and indexes.
    """
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if version > SCHEMA_VERSION:
        raise ServiceError(
            f"The inbox has form {version}, and this gateway knows {SCHEMA_VERSION}.",
            code="schema",
            advice="Start the gateway that wrote it, or a newer one.",
        )
    _add_ages(connection)
    _drop_addresses(connection)
    _add_specs(connection)
    metadata.create_all(connection)
    for table in metadata.sorted_tables:
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    stamp(connection)


def _add_ages(connection: Connection) -> None:
    """How a conversation is answered has an age since form 8: of what is older, that of the newest callback."""
    columns = {column[1] for column in connection.exec_driver_sql("PRAGMA table_info(reply)")}
    if columns and "heard_ms" not in columns:
        connection.exec_driver_sql("ALTER TABLE reply ADD COLUMN heard_ms BIGINT NOT NULL DEFAULT 0")
        newest = select(func.coalesce(func.max(inbox.c.received_at_ms), 0)).scalar_subquery()
        connection.execute(update(reply).values(heard_ms=newest))


def _drop_addresses(connection: Connection) -> None:
    """Until form 8 a wanted content had an address that nobody asked."""
    columns = {column[1] for column in connection.exec_driver_sql("PRAGMA table_info(media_wanted)")}
    if "url" in columns:
        connection.exec_driver_sql("ALTER TABLE media_wanted DROP COLUMN url")


def _add_specs(connection: Connection) -> None:
    """Since form 10 a row knows by which description of its channel it was read."""
    columns = {column[1] for column in connection.exec_driver_sql("PRAGMA table_info(inbox)")}
    if columns and "spec" not in columns:
        connection.exec_driver_sql("ALTER TABLE inbox ADD COLUMN spec VARCHAR")


def stamp(connection: Connection) -> None:
    """Write the form that the file has: where it has it already, the least that can be written."""
    connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


@contextmanager
def store_errors() -> Iterator[None]:
    """Whatever the store says becomes `Unavailable`."""
    try:
        yield
    except SQLAlchemyError as error:
        raise Unavailable(
            f"The inbox cannot be used now ({type(error).__name__}).", advice="See the disk and the file's permissions."
        ) from error

"""How a database is opened: what every connection is told, and how an older schema is brought up to date.

It never reads or writes a row of ours.
"""

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.ext.asyncio import create_async_engine

Synchronous: TypeAlias = Literal["FULL", "OFF"]

READERS_MAX = 4  # on SQLite each is a thread; more of them than this only wait for the interpreter lock
CHECKPOINT_PAGES = 4_000  # 16 MB of log; at 1,000, SQLite's own, commits wait for busy pages to be copied back
BUSY_TIMEOUT_MS = 5_000  # another process (a backup, `admin`) may hold the write lock for so long

PREPARED_MAX = 256  # statements that a connection to SQLite keeps: `bulk` has 32 sizes of each of some INSERTs

_SETTLE_S = 1.0  # a checkpoint takes some milliseconds
_PAUSE_S = 0.05  # before what others were in the way of is tried again

_MIGRATING = 7_290_041  # any number that nobody else locks in this database

_RESET = None  # every use is one transaction that has ended; to roll back once more costs a sixth of a small commit


def writer(url: str, synchronous: Synchronous) -> Engine:
    """Return an engine with one connection, which stays open; it takes SQLite's write lock when it begins.

    To begin with the lock, rather than to ask for it at the first write, is what keeps two processes from a deadlock
    that SQLite could only answer with an error.
    """
    engine = _engine(url, synchronous, pool_size=1)
    event.listen(engine, "rollback", _forget)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "begin", _begin_immediate)
    return engine


def reader(url: str, synchronous: Synchronous) -> Engine:
    """Return an engine for single statements, each of which sees what was committed when it began."""
    return _engine(url, synchronous, pool_size=READERS_MAX, isolation_level="AUTOCOMMIT")


def _engine(
    url: str, synchronous: Synchronous, *, pool_size: int, isolation_level: Literal["AUTOCOMMIT"] | None = None
) -> Engine:
    parts = make_url(url)
    if parts.drivername == "sqlite+aiosqlite":  # an older configuration; it is the same file
        parts = parts.set(drivername="sqlite")
    is_sqlite, is_async = parts.get_backend_name() == "sqlite", parts.get_dialect().is_async
    options = {
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_reset_on_return": _RESET,
        "isolation_level": isolation_level,
        "connect_args": {"cached_statements": PREPARED_MAX} if is_sqlite else {},
    }
    engine = create_async_engine(parts, **options).sync_engine if is_async else create_engine(parts, **options)
    if is_sqlite:
        _tell_connections(engine, synchronous)
    return engine


@dataclass(frozen=True, slots=True)
class Schema:
    """Which migration a database is at, None before the first, and which is the newest that this software has."""

    current: str | None
    newest: str | None

    @property
    def is_newest(self) -> bool:
        """Whether there is nothing to migrate."""
        return self.current == self.newest


def schema(connection: Connection) -> Schema:
    """Look which migration a database is at; change nothing."""
    newest = ScriptDirectory.from_config(_config(connection)).get_current_head()
    return Schema(MigrationContext.configure(connection).get_current_revision(), newest)


def migrate(connection: Connection) -> None:
    """Bring the schema up to date, in the transaction of `connection`; who comes meanwhile waits, and finds it so."""
    if connection.dialect.name == "postgresql":  # SQLite's transaction has begun with the lock
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
    command.upgrade(_config(connection), "head")


def is_missing(url: str) -> bool:
    """Whether `url` names a file of SQLite that is not there, and that opening it would make."""
    parts = make_url(url)
    file = parts.database
    return parts.get_backend_name() == "sqlite" and file not in {None, "", ":memory:"} and not Path(file or "").exists()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def settle(connection: Connection) -> bool:
    """Write what SQLite recovered from its log into the database, sync that and empty the log; False if others read it.

    After an fsync that failed, the kernel may show pages as written that the disk does not have. A process that is
    killed then leaves a log that reads well and is not there after the loss of power, nor is anything behind it. What
    is written anew does not rest on those pages.
    """
    if connection.dialect.name != "sqlite":
        return True
    give_up_s = time.monotonic() + _SETTLE_S
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")  # else it waits that long for readers, at each attempt
    try:
        while connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one():
            if time.monotonic() >= give_up_s:
                return False
            time.sleep(_PAUSE_S)
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    return True


def _tell_connections(engine: Engine, synchronous: Synchronous) -> None:
    pragmas = (
        f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        f"synchronous = {synchronous}",
        "foreign_keys = ON",
    )

    def tell(connection: DBAPIConnection, _record: object) -> None:
        # sqlite3 would begin transactions by itself, in front of some statements only.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        _keep_a_log(cursor)
        cursor.close()

    event.listen(engine, "connect", tell)


def _keep_a_log(cursor: DBAPICursor) -> None:
    """Write ahead: of those who open a new file at once one makes it so, and SQLite lets the others fail, not wait."""
    give_up_s = time.monotonic() + BUSY_TIMEOUT_MS / 1_000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= give_up_s:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _forget(connection: Connection) -> None:
    """Forget what the connection remembers of rows: it may have read those that are taken back."""
    if not connection.invalidated:  # one that is loses it by itself
        connection.info.clear()

"""The service's database: SQLite in memory and in this thread, which fails or kills the service at a chosen step.

A dialect of SQLAlchemy hands out connections that run each statement at once, so the real store runs on it unchanged.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from sqlalchemy import Engine, pool
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import await_only

from crdt_sync.adapters.storage import database, engines
from crdt_sync.adapters.storage.sql import SqlStore

STEPS = ("begin", "inside", "commit", "committed")  # before, in, at the end of and after the transaction of a commit
URI = "file:/world?vfs=memdb"
URL = "sqlite+inline:///file:/world?vfs=memdb&uri=true"


@dataclass
class Fault:
    """What happens when the next transaction reaches a step: the database fails, or the service dies."""

    step: str
    deadly: bool


class Database:
    """The one database of this process, in memory; it outlives every service that opens it."""

    _engines: ClassVar[tuple[Engine, ...]] = ()  # kept for what they have compiled

    def __init__(self, dice: Random, schema: sqlite3.Connection | None = None) -> None:
        self.dice = dice
        self.fault: Fault | None = None
        self.on_death: Callable[[str], None] = lambda step: None
        self.struck: Callable[[str, bool], None] = lambda step, deadly: None
        self.anchor = sqlite3.connect(URI, uri=True, isolation_level=None)  # keeps it, and shows what is committed
        self.connections: list[Session] = []
        if schema is not None:
            schema.backup(self.anchor)
        Session.database = self

    @classmethod
    async def build(cls) -> sqlite3.Connection:
        """Create a schema as the store does; every database is a copy of it."""
        database = cls(Random(0))
        store = await SqlStore.open(URL)
        await store.close()
        schema = sqlite3.connect(":memory:", check_same_thread=False)
        database.anchor.backup(schema)
        database.close()
        return schema

    def open(self) -> SqlStore:
        """Return a store on it, as `SqlStore.open` does for a schema that is up to date."""
        if not Database._engines:
            Database._engines = engines.writer(URL, "FULL"), engines.reader(URL, "FULL")
        for engine in Database._engines:
            engine.dispose(close=False)  # the connections of the run before died with it
        return SqlStore(database.Database(*Database._engines))

    def die(self) -> None:
        """End every connection; what was not committed is gone."""
        for session in self.connections:
            session.end()
        self.connections.clear()

    def close(self) -> None:
        self.die()
        self.anchor.close()

    def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Read what is committed."""
        return self.anchor.execute(query, arguments).fetchall()

    def reach(self, step: str) -> None:
        """Come to a step of a transaction: take a moment, or be struck there."""
        fault = self.fault
        if fault is not None and fault.step == step:
            self.fault = None
            self.struck(step, fault.deadly)
            if fault.deadly:
                self.on_death(step)
                await_only(asyncio.get_running_loop().create_future())
            raise sqlite3.OperationalError(f"struck at {step!r}")
        if step in {"begin", "committed"}:  # never between: a database in memory lets nobody read meanwhile
            await_only(asyncio.sleep(self.dice.choice((0, 0, 0.001, 0.02))))


class Session(sqlite3.Connection):
    """One connection of the service."""

    database: ClassVar[Database]
    dead = False
    writing = False

    def cursor(self, factory: Any = None) -> Any:
        del factory
        cursor = super().cursor(Cursor)
        cursor.session = self
        return cursor

    def commit(self) -> None:
        if self.dead:
            raise sqlite3.OperationalError("connection closed")
        if self.writing:
            try:
                self.database.reach("commit")
            except sqlite3.OperationalError:
                self.rollback()  # as SQLite itself does when the disk fails a COMMIT
                raise
            self.writing = False
            super().commit()
            self.database.reach("committed")

    def rollback(self) -> None:
        self.writing = False
        if not self.dead:
            super().rollback()

    def close(self) -> None:
        self.end()

    def end(self) -> None:
        """Close it once; what was not committed is gone."""
        if not self.dead:
            self.dead = True
            super().rollback()
            super().close()


class Cursor(sqlite3.Cursor):
    """A cursor that passes the steps of a transaction."""

    session: Session

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        self._pass(sql)
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any) -> Any:
        self._pass(sql)
        return super().executemany(sql, parameters)

    async def _async_soft_close(self) -> None:
        """Do nothing, where an asynchronous driver would."""

    def _pass(self, sql: str) -> None:
        await_only(_at_once())  # SQLAlchemy wants an asynchronous driver to wait at least once
        if sql.startswith("BEGIN IMMEDIATE"):
            self.session.database.reach("begin")
            self.session.writing = True
        elif self.session.writing and sql.startswith(("INSERT", "DELETE")):
            self.session.database.reach("inside")


class InlineDialect(SQLiteDialect_pysqlite):
    """SQLite for an asynchronous engine, without the thread that there is no need for in memory."""

    driver = "inline"
    is_async = True
    supports_statement_cache = True

    @classmethod
    def get_pool_class(cls, url: Any) -> type[pool.Pool]:
        del url
        return pool.AsyncAdaptedQueuePool

    def connect(self, *arguments: Any, **more: Any) -> Any:
        session = sqlite3.connect(*arguments, factory=Session, **more)
        session.database.connections.append(session)
        return session


async def _at_once() -> None:
    pass


registry.register("sqlite.inline", __name__, "InlineDialect")

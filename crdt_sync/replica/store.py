"""A replica's one SQLite file: an append log of updates for each document, the ticket index, lifecycles, whose it is.

What a call has written survives the loss of power when it returns (WAL, synchronous=FULL). One process has the file at
a time. It knows no document's content: what is pending or refused is derived from the documents and never stored.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from crdt_sync.domain.canonical import dumps
from crdt_sync.domain.ids import Digest, Position, TicketId
from crdt_sync.domain.tripwire import ALARMS_PER_TICKET_MAX, Alarm
from crdt_sync.errors import Conflict, Unavailable

SCHEMA_VERSION = "1"
LOCK_WAIT_S = 3.0  # another command of the same person is usually done by then

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS updates (position INTEGER PRIMARY KEY, document TEXT NOT NULL, data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS updates_by_document ON updates (document);
CREATE TABLE IF NOT EXISTS tickets (
    id TEXT PRIMARY KEY, lifecycle TEXT NOT NULL, listed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lifecycles (digest TEXT PRIMARY KEY, source TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alarms (
    ticket TEXT NOT NULL, heads TEXT NOT NULL, alarm TEXT NOT NULL, PRIMARY KEY (ticket, heads)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS edits (
    id INTEGER PRIMARY KEY, document TEXT NOT NULL, edit TEXT NOT NULL, former INTEGER NOT NULL
);
"""
_POSITION, _DEFAULT, _IDENTITY, _SCHEMA_KEY = "position", "default_lifecycle", "identity", "schema"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known:
    """A ticket in the index. It is `listed` once the service has it; until then only its opening exists, here."""

    id: TicketId
    lifecycle: Digest
    listed: bool


class ReplicaStore:
    """Access to the file, through one thread.

    After a failed write it refuses everything: memory then holds more than what is durable, and only opening the file
    again makes them one.
    """

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread
        self._broken: Unavailable | None = None

    @classmethod
    async def open(cls, path: Path) -> "ReplicaStore":
        """Open or create the file.

        Raises:
            Conflict: another process has it, or it is of another version.
            Unavailable: it cannot be opened.

        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="replica")
        try:
            connection = await asyncio.get_running_loop().run_in_executor(thread, _connect, path)
        except BaseException:
            thread.shutdown()
            raise
        return cls(connection, thread)

    async def close(self) -> None:
        """Give the file back."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()

    def check(self) -> None:
        """Raise `Unavailable` if a write has failed."""
        if self._broken is not None:
            raise self._broken

    async def append(
        self, updates: Sequence[tuple[str, bytes]], *, edits: Sequence[tuple[str, str]] = (), remade: str | None = None
    ) -> None:
        """Append updates to their documents' logs, in one transaction with the edits that they are made of.

        What was kept of a former life of the document `remade` is forgotten with it.
        """

        def write() -> None:
            self._insert(updates)
            self._keep(edits, former=False)
            if remade is not None:
                self._connection.execute("DELETE FROM edits WHERE document = ? AND former", (remade,))

        await self._write(write)

    async def replace(self, document: str, updates: Sequence[bytes], *, kept: Sequence[str] | None = None) -> None:
        """Put these updates in the place of all that a document's log holds.

        With `kept`, its former life has ended: those edits are all that is to be made again.
        """

        def write() -> None:
            self._connection.execute("DELETE FROM updates WHERE document = ?", (document,))
            self._insert([(document, data) for data in updates])
            if kept is not None:
                self._connection.execute("DELETE FROM edits WHERE document = ?", (document,))
                self._keep([(document, edit) for edit in kept], former=True)

        await self._write(write)

    async def edits(self) -> list[tuple[str, str, bool]]:
        """Return every edit that is kept, oldest first: its document, and whether it was made in a former life."""
        rows = await self._read("SELECT document, edit, former FROM edits ORDER BY id")
        return [(document, edit, bool(former)) for document, edit, former in rows]

    async def agreed(self, document: str) -> None:
        """Forget the edits of a document's present life: the service has them."""
        await self._write(
            lambda: self._connection.execute("DELETE FROM edits WHERE document = ? AND NOT former", (document,))
        )

    async def updates(self, document: str) -> list[bytes]:
        """Return a document's updates, oldest first."""
        query = "SELECT data FROM updates WHERE document = ? ORDER BY position"
        return [row[0] for row in await self._read(query, (document,))]

    async def documents(self) -> list[str]:
        """Return the names of all documents that hold anything."""
        return [row[0] for row in await self._read("SELECT DISTINCT document FROM updates ORDER BY document")]

    async def tickets(self) -> list[Known]:
        """Return the index."""
        rows = await self._read("SELECT id, lifecycle, listed FROM tickets ORDER BY id")
        return [Known(TicketId(id_), Digest(digest), bool(listed)) for id_, digest, listed in rows]

    async def open_ticket(
        self, ticket: Known, updates: Sequence[tuple[str, bytes]], *, edits: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Enter a ticket that was opened here, with its first updates."""

        def write() -> None:
            self._enter([ticket])
            self._insert(updates)
            self._keep(edits, former=False)

        await self._write(write)

    async def save_listing(self, tickets: Iterable[Known], position: Position) -> None:
        """Enter what the service listed, and up to which position that is complete."""

        def write() -> None:
            self._enter(tickets)
            self._set(_POSITION, str(position))

        await self._write(write)

    async def position(self) -> Position:
        """Return the position of the last listing; 0 if there was none."""
        return Position(int(await self._get(_POSITION) or 0))

    async def lifecycles(self) -> Mapping[Digest, str]:
        """Return the sources of the lifecycles that are kept, by digest."""
        return {Digest(digest): source for digest, source in await self._read("SELECT digest, source FROM lifecycles")}

    async def save_lifecycle(self, digest: Digest, source: str, *, default: bool = False) -> None:
        """Keep a lifecycle; the `default` one is what tickets are opened with."""

        def write() -> None:
            self._connection.execute("INSERT OR REPLACE INTO lifecycles VALUES (?, ?)", (digest, source))
            if default:
                self._set(_DEFAULT, digest)

        await self._write(write)

    async def default_lifecycle(self) -> Digest | None:
        """Return the digest of the service's default lifecycle, as far as it was ever heard."""
        digest = await self._get(_DEFAULT)
        return Digest(digest) if digest else None

    async def save_alarm(self, alarm: Alarm) -> None:
        """Keep an alarm; of a ticket the first few, of its heads the first."""
        row = (alarm.ticket, alarm.heads, dumps(asdict(alarm)))
        room = "(SELECT count(*) FROM alarms WHERE ticket = ?) < ?"

        def write() -> None:
            query = f"INSERT OR IGNORE INTO alarms SELECT ?, ?, ? WHERE {room}"
            self._connection.execute(query, (*row, alarm.ticket, ALARMS_PER_TICKET_MAX))

        await self._write(write)

    async def alarms(self) -> list[Alarm]:
        """Return what is kept of every ticket on which the service does not agree."""
        rows = await self._read("SELECT alarm FROM alarms ORDER BY ticket, heads")
        return [Alarm.from_json(json.loads(text)) for (text,) in rows]

    async def identity(self) -> str | None:
        """Return the claims of whoever owns this replica."""
        return await self._get(_IDENTITY)

    async def save_identity(self, claims: str) -> None:
        """Remember whose replica this is."""
        await self._write(lambda: self._set(_IDENTITY, claims))

    async def clear(self) -> None:
        """Forget every document, ticket, lifecycle and alarm, but not whose replica this is."""

        def write() -> None:
            for table in ("updates", "edits", "tickets", "lifecycles", "alarms"):
                self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 (a constant)
            self._connection.execute("DELETE FROM meta WHERE key IN (?, ?)", (_POSITION, _DEFAULT))

        await self._write(write)

    def _insert(self, updates: Iterable[tuple[str, bytes]]) -> None:
        self._connection.executemany("INSERT INTO updates (document, data) VALUES (?, ?)", updates)

    def _keep(self, edits: Iterable[tuple[str, str]], *, former: bool) -> None:
        rows = [(document, edit, int(former)) for document, edit in edits]
        self._connection.executemany("INSERT INTO edits (document, edit, former) VALUES (?, ?, ?)", rows)

    def _enter(self, tickets: Iterable[Known]) -> None:
        rows = [(ticket.id, ticket.lifecycle, int(ticket.listed)) for ticket in tickets]
        self._connection.executemany("INSERT OR REPLACE INTO tickets VALUES (?, ?, ?)", rows)

    def _set(self, key: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    async def _get(self, key: str) -> str | None:
        rows = await self._read("SELECT value FROM meta WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    async def _write(self, write: Callable[[], object]) -> None:
        def transact() -> None:
            try:
                with self._connection:
                    self._connection.execute("BEGIN IMMEDIATE")
                    write()
            except sqlite3.Error as error:
                self._broken = Unavailable(
                    f"The replica's file cannot be written: {error}.",
                    code="replica_store",
                    advice="Make room or mend the disk, then open the replica again.",
                )
                raise self._broken from error

        # A caller that is cancelled has changed the document in memory already, so the write goes on without it.
        await asyncio.shield(self._run(transact))

    async def _read(self, query: str, arguments: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return await self._run(lambda: self._connection.execute(query, arguments).fetchall())

    def _run(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        self.check()
        return asyncio.get_running_loop().run_in_executor(self._thread, work)


def _connect(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise _unusable(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.executescript(_SCHEMA)
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (_SCHEMA_KEY,)).fetchone()
    if found is None:
        connection.execute("INSERT INTO meta VALUES (?, ?)", (_SCHEMA_KEY, SCHEMA_VERSION))
    elif found[0] != SCHEMA_VERSION:
        raise Conflict(
            f"The replica {path} is of version {found[0]}, where this program knows {SCHEMA_VERSION}.",
            code="replica_version",
            advice="Use the program that wrote it, or another file.",
        )


def _unusable(path: Path, error: sqlite3.Error) -> Conflict | Unavailable:
    if "locked" in str(error):
        return Conflict(
            f"The replica {path} is in use by another process.", code="replica_in_use", advice="End that one first."
        )
    return Unavailable(
        f"The replica {path} cannot be opened: {error}.", code="replica_store", advice="Choose another file."
    )

"""The inbox: every callback is a committed row before its platform is told that we have it.

Owns the group commit and the keys that make a second delivery harmless. Never parses a callback and
never calls the service; the forwarder reads what waits and writes what became of it.

Group commit: a callback that finds the writer idle is committed at once; those that come while a commit runs share the
next one. So a quiet gateway answers after one fsync, and a busy one does not pay one for each callback.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy import Connection, Select, bindparam, func, insert, select, tuple_, update
from sqlalchemy.dialects import sqlite

from crdt_sync.errors import Unavailable
from gateway.inbox_file import InboxFile
from gateway.tables import WAITING, inbox, inbox_key, pull, reply

_GROUP_MAX = 200  # callbacks in one transaction: some milliseconds of work, and far below SQLite's 32,766 parameters
_BUSY_TIMEOUT_MS = 2_000  # another process may hold the file; WeChat waits 5 s in all

_log = structlog.get_logger(__name__)


class State(StrEnum):
    """What became of a row."""

    RECEIVED = "received"
    FORWARDED = "forwarded"
    DEAD = "dead"


class Kept(StrEnum):
    """What the inbox did with a callback; in both cases it is committed."""

    NEW = "new"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified callback on its way into the inbox. With a `code` it is kept as dead.

    A new one's `reply_to` becomes that of its conversation.
    """

    account: str
    conversation: str
    keys: tuple[str, ...]
    raw: bytes
    received_at_ms: int
    traceparent: str
    code: str | None = None
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class Pulled:
    """How far one source of an account was pulled: to `cursor`, the platform's own word, empty at the beginning.

    `pulled_at_ms` is when it had nothing more for us, or when we first heard of it.
    """

    account: str
    source: str
    cursor: str
    pulled_at_ms: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """The oldest row of a lane that still waits for the service."""

    id: int
    account: str
    conversation: str
    raw: bytes
    traceparent: str
    attempts: int
    next_attempt_ms: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt to forward a row came to; `received` means that it waits until `next_attempt_ms`."""

    id: int
    state: State
    code: str | None = None
    ticket: str | None = None
    message: str | None = None
    next_attempt_ms: int = 0


@dataclass(frozen=True, slots=True)
class _Pending:
    arrival: Arrival
    done: asyncio.Future[Kept]


@dataclass(slots=True)
class _Group:
    """The rows that one transaction will write, and what each waiting callback will be told."""

    next_id: int
    room: int
    owners: dict[tuple[str, str], int]
    rows: list[dict[str, object]] = field(default_factory=list)
    keys: list[dict[str, object]] = field(default_factory=list)
    duplicates: Counter[int] = field(default_factory=Counter)

    def place(self, arrival: Arrival) -> Kept | None:
        """Plan one arrival; None if there is no room for it."""
        scoped = [(arrival.account, key) for key in arrival.keys]
        first = next((self.owners[key] for key in scoped if key in self.owners), None)
        if first is not None:
            self.duplicates[first] += 1
            self._own(scoped, first)
            return Kept.DUPLICATE
        if len(self.rows) >= self.room:
            return None
        row_id = self.next_id + len(self.rows)
        self.rows.append(_row(row_id, arrival))
        self._own(scoped, row_id)
        return Kept.NEW

    def _own(self, scoped: Sequence[tuple[str, str]], row_id: int) -> None:
        for account, key in scoped:
            if (account, key) not in self.owners:
                self.owners[account, key] = row_id
                self.keys.append({"account": account, "key": key, "inbox_id": row_id})


class Inbox:
    """The rows of one gateway. `spool_rows_max` bounds how many may wait for the service."""

    def __init__(self, path: Path, *, spool_rows_max: int, busy_timeout_ms: int = _BUSY_TIMEOUT_MS) -> None:
        self.file = InboxFile(path, busy_timeout_ms)
        self._spool_rows_max = spool_rows_max
        self._pending: list[_Pending] = []
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self) -> None:
        """Make the file, or check that it is ours.

        Raises:
            Unavailable: the file cannot be used.
            ServiceError: it was written by a newer gateway (code `schema`).
        """
        await self.file.open()
        self._writer = asyncio.create_task(self._write(), name="inbox writer")

    async def close(self) -> None:
        """Commit what is pending, then let go of the file."""
        self._closing = True
        self._wake.set()
        if self._writer is not None:
            await self._writer
        await self.file.close()

    async def keep(self, arrival: Arrival) -> Kept:
        """Return after the commit that holds `arrival`, or that held it before.

        Raises:
            Unavailable: it is not committed: the store failed, the spool is full, or the gateway is stopping.
        """
        self._check_running()
        done: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._pending.append(_Pending(arrival, done))
        self._wake.set()
        return await done

    async def keep_page(self, arrivals: Sequence[Arrival], pulled: Pulled) -> list[Kept]:
        """Return after the one commit that holds the arrivals of a page, and how far the page goes.

        Raises:
            Unavailable: nothing of it is committed.
        """
        self._check_running()
        return await self.file.change(partial(self._place_page, arrivals=arrivals, pulled=pulled))

    async def hear_of(self, account: str, source: str, *, now_ms: int) -> None:
        """Return after the commit that knows the source, so that it is pulled even if this process ends now.

        Raises:
            Unavailable: it is not known.
        """
        self._check_running()
        row = {"account": account, "source": source, "cursor": "", "pulled_at_ms": now_ms}
        statement = sqlite.insert(pull).values(row).on_conflict_do_nothing()
        await self.file.change(lambda connection: connection.execute(statement))

    async def pulled(self, account: str) -> list[Pulled]:
        """How far each source of the account was pulled; raises `Unavailable`."""
        query = select(pull).where(pull.c.account == account).order_by(pull.c.source)
        return await self.file.read(lambda connection: [Pulled(*row) for row in connection.execute(query)])

    async def reply_to(self, account: str, conversation: str) -> str | None:
        """The newest `Arrival.reply_to` of a conversation; raises `Unavailable`."""
        query = select(reply.c.reply_to).where(reply.c.account == account, reply.c.conversation == conversation)
        return await self.file.read(lambda connection: connection.scalar(query))

    async def lanes(self, accounts: Sequence[str], *, limit: int) -> list[Waiting]:
        """The oldest waiting row of each conversation, the first due one first; raises `Unavailable`."""
        columns = [inbox.c[name] for name in Waiting.__slots__]
        query = select(*columns).where(inbox.c.id.in_(oldest(accounts))).order_by(inbox.c.next_attempt_ms, inbox.c.id)
        return await self.file.read(
            lambda connection: [Waiting(*row) for row in connection.execute(query.limit(limit))]
        )

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Write what attempts came to, in one transaction; raises `Unavailable`, and then nothing is written.

        A row that is settled already stays as it is.
        """
        statement = (
            update(inbox)
            .where(inbox.c.id == bindparam("new_id"), WAITING)
            .values({name: bindparam(f"new_{name}") for name in Outcome.__slots__ if name != "id"})
            .values(attempts=inbox.c.attempts + 1)
        )
        rows = [{f"new_{name}": value for name, value in asdict(outcome).items()} for outcome in outcomes]
        await self.file.change(lambda connection: connection.execute(statement, rows))

    async def states(self) -> Mapping[State, int]:
        """How many rows are in each state; raises `Unavailable`."""
        query = select(inbox.c.state, func.count()).group_by(inbox.c.state)
        return await self.file.read(
            lambda connection: {State(state): count for state, count in connection.execute(query)}
        )

    def _check_running(self) -> None:
        if self._writer is None or self._closing:
            raise Unavailable("The gateway is not running.", advice="Send the callback again.")

    async def _write(self) -> None:
        while not self._closing or self._pending:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                group = self._pending[:_GROUP_MAX]
                del self._pending[:_GROUP_MAX]
                await self._commit(group)

    async def _commit(self, pending: Sequence[_Pending]) -> None:
        """Task boundary: whatever goes wrong, each waiting callback is told, and the writer lives on."""
        try:
            results = await self._insert([one.arrival for one in pending])
        except Exception as error:  # noqa: BLE001 - a dead writer would leave every later callback without an answer
            _log.error("inbox commit failed", error=type(error).__name__, callbacks=len(pending))
            results = [None] * len(pending)
        for one, result in zip(pending, results, strict=True):
            if one.done.done():  # its HTTP request was cancelled; the row is kept all the same
                continue
            if result is None:
                one.done.set_exception(Unavailable("The inbox cannot keep the callback now.", advice="Send it again."))
            else:
                one.done.set_result(result)

    async def _insert(self, arrivals: Sequence[Arrival]) -> list[Kept | None]:
        return await self.file.change(partial(self._place, arrivals=arrivals))

    def _place(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Kept | None]:
        group = self._group(connection, arrivals)
        results = [group.place(arrival) for arrival in arrivals]
        if group.rows:
            connection.execute(insert(inbox), group.rows)
        if group.keys:
            connection.execute(insert(inbox_key), group.keys)
        for row_id, count in group.duplicates.items():
            again = update(inbox).where(inbox.c.id == row_id).values(duplicates=inbox.c.duplicates + count)
            connection.execute(again)
        replies = [
            {"account": one.account, "conversation": one.conversation, "reply_to": one.reply_to}
            for one, kept in zip(arrivals, results, strict=True)
            if kept is Kept.NEW and one.reply_to is not None
        ]
        if replies:
            connection.execute(_put_reply(), replies)
        return results

    def _place_page(self, connection: Connection, arrivals: Sequence[Arrival], pulled: Pulled) -> list[Kept]:
        kept = [one for one in self._place(connection, arrivals) if one is not None]
        if len(kept) < len(arrivals):
            raise Unavailable("The inbox has no room for the page.", advice="Pull it again later.")
        changed = {"cursor": pulled.cursor, "pulled_at_ms": pulled.pulled_at_ms}
        connection.execute(sqlite.insert(pull).values(asdict(pulled)).on_conflict_do_update(set_=changed))
        return kept

    def _group(self, connection: Connection, arrivals: Sequence[Arrival]) -> _Group:
        keys = [(arrival.account, key) for arrival in arrivals for key in arrival.keys]
        known = connection.execute(
            select(inbox_key.c.account, inbox_key.c.key, inbox_key.c.inbox_id).where(
                tuple_(inbox_key.c.account, inbox_key.c.key).in_(keys)
            )
        )
        waiting = connection.scalar(select(func.count()).select_from(inbox).where(WAITING)) or 0
        last_id = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'inbox'")
        return _Group(
            next_id=(last_id.scalar() or 0) + 1,
            room=self._spool_rows_max - waiting,
            owners={(account, key): row_id for account, key, row_id in known},
        )


def oldest(accounts: Sequence[str]) -> Select[tuple[int]]:
    """The id of each conversation's oldest waiting row."""
    lanes = (inbox.c.account, inbox.c.conversation)
    return select(func.min(inbox.c.id)).where(WAITING, inbox.c.account.in_(accounts)).group_by(*lanes)


def _row(row_id: int, arrival: Arrival) -> dict[str, object]:
    return {
        "id": row_id,
        "account": arrival.account,
        "conversation": arrival.conversation,
        "received_at_ms": arrival.received_at_ms,
        "raw": arrival.raw,
        "state": State.RECEIVED if arrival.code is None else State.DEAD,
        "code": arrival.code,
        "traceparent": arrival.traceparent,
        "next_attempt_ms": arrival.received_at_ms,  # due at once, and fair between new rows and retried ones
    }


def _put_reply() -> sqlite.Insert:
    statement = sqlite.insert(reply)
    return statement.on_conflict_do_update(set_={"reply_to": statement.excluded.reply_to})

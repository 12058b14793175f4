"""The inbox: every callback is a committed row before its platform is told that we have it.

Owns the group commit and the keys that make a second delivery harmless. Never parses a callback and
never calls the service; the forwarder reads what waits and writes what became of it.

Group commit: a callback that finds the writer idle is committed at once; those that come while a commit runs share the
next one. So a quiet gateway answers after one fsync, and a busy one does not pay one for each callback.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import sqlite

from crdt_sync.errors import Unavailable
from gateway import settled
from gateway.arrivals import Arrival, Group, Kept, State
from gateway.inbox_file import InboxFile, stamp
from gateway.media_queue import Wanted, hold, want, wanted_count
from gateway.tables import WAITING, inbox, inbox_key, pull, reply
from gateway.visitor_log import append

_GROUP_MAX = 200  # callbacks in one transaction: some milliseconds of work, and far below SQLite's 32,766 parameters
_BUSY_TIMEOUT_MS = 2_000  # another process may hold the file; WeChat waits 5 s in all

_log = structlog.get_logger(__name__)


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
    """What an attempt to forward a row came to; `received` means that it waits until `next_attempt_ms`.

    `wanted` are the contents of its message, which are fetched from then on.
    """

    id: int
    state: State
    code: str | None = None
    ticket: str | None = None
    message: str | None = None
    next_attempt_ms: int = 0
    wanted: tuple[Wanted, ...] = ()


_SETTLED = tuple(name for name in Outcome.__slots__ if name != "wanted")


@dataclass(frozen=True, slots=True)
class _Pending:
    arrival: Arrival
    done: asyncio.Future[Kept]


class Inbox:
    """The rows of one gateway. `spool_rows_max` may wait for the service, the last `reserve_rows` of them urgent.

    A content that is still to be brought counts as a row: who sends more than can be brought is told to wait.
    """

    def __init__(
        self, path: Path, *, spool_rows_max: int, reserve_rows: int = 0, busy_timeout_ms: int = _BUSY_TIMEOUT_MS
    ) -> None:
        self.file = InboxFile(path, busy_timeout_ms)
        self._spool_rows_max = spool_rows_max
        self._reserve_rows = reserve_rows
        # At most so many wait. Only ever added to, and counted anew when there seems to be no room.
        self._waiting = spool_rows_max
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

    async def check(self) -> None:
        """Return after a commit that changes nothing; raises `Unavailable`."""
        self._check_running()
        await self.file.change(stamp)

    async def has_room(self) -> bool:
        """Whether one more that is not urgent would be kept; raises `Unavailable`."""
        return await self.file.read(self._room) > self._reserve_rows

    async def lanes(self, accounts: Sequence[str], *, limit: int) -> list[tuple[int, int]]:
        """Id and time of the next attempt of the oldest waiting row of each conversation, the first due one first.

        Raises:
            Unavailable: the store cannot be read.
        """
        columns = inbox.c.id, inbox.c.next_attempt_ms
        query = select(*columns).where(inbox.c.id.in_(oldest(accounts))).order_by(inbox.c.next_attempt_ms, inbox.c.id)
        return await self.file.read(
            lambda connection: [(row[0], row[1]) for row in connection.execute(query.limit(limit))]
        )

    async def waiting(self, ids: Sequence[int]) -> list[Waiting]:
        """These rows, in this order; raises `Unavailable`."""
        query = select(*(inbox.c[name] for name in Waiting.__slots__)).where(inbox.c.id.in_(ids))
        found = await self.file.read(lambda connection: {row.id: Waiting(*row) for row in connection.execute(query)})
        return [found[id_] for id_ in ids]

    async def following(self, ids: Sequence[int]) -> list[int]:
        """The oldest waiting row of each conversation that one of these rows is of; raises `Unavailable`."""
        query = heads_of(ids)
        found = await self.file.read(lambda connection: connection.execute(query).scalars().all())
        return [id_ for id_ in found if id_ is not None]

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Write what attempts came to, in one transaction; raises `Unavailable`, and then nothing is written.

        A row that is settled already stays as it is. A machine that loses its power may lose this: then the service is
        asked again, and knows them.
        """
        statement = (
            update(inbox)
            .where(inbox.c.id == bindparam("new_id"), WAITING)
            .values({name: bindparam(f"new_{name}") for name in _SETTLED if name != "id"})
            .values(attempts=inbox.c.attempts + 1)
        )
        rows = [{f"new_{name}": getattr(outcome, name) for name in _SETTLED} for outcome in outcomes]
        if not rows:
            return
        wanted = [one for outcome in outcomes for one in outcome.wanted]

        def write(connection: Connection) -> None:
            connection.execute(statement, rows)
            want(connection, wanted)
            self._waiting += len(wanted)

        await self.file.change(write, synced=False)

    async def replace(self, row_id: int, arrivals: Sequence[Arrival]) -> list[Kept]:
        """Put what a row turned out to be into its place, in one commit; what came meanwhile is a duplicate.

        Raises:
            Unavailable: nothing is changed.
        """
        return await self.file.change(partial(self._replace, row_id=row_id, arrivals=arrivals))

    async def waiting_count(self) -> int:
        """How many rows wait for the service; raises `Unavailable`."""
        return await self.file.read(_waiting_count)

    async def dead(self, *, limit: int, code: str | None = None) -> list[settled.Dead]:
        """What is set aside, for one reason or for any, the oldest first; raises `Unavailable`."""
        return await self.file.read(partial(settled.dead, limit=limit, code=code))

    async def replay(self, ids: Sequence[int]) -> list[int]:
        """Have what is set aside forwarded again; return those of `ids` that are not; raises `Unavailable`."""
        return await self.file.change(partial(settled.replay, ids=ids))

    async def forget_bodies(self, before_ms: int) -> bool:
        """Forget what some callbacks said that came before and were forwarded; return whether there may be more.

        Raises `Unavailable`.
        """
        return await self.file.change(partial(settled.forget_bodies, before_ms=before_ms), synced=False)

    async def forget_rows(self, before_ms: int, *, after: int) -> int | None:
        """Forget some rows that came before and do not wait, with their keys, beginning behind the row `after`.

        Return up to which row, and None at the end. Raises `Unavailable`.
        """
        return await self.file.change(partial(settled.forget_rows, before_ms=before_ms, after=after), synced=False)

    async def forget_replies(self, before_ms: int) -> bool:
        """Forget how some conversations are answered that have been silent since; as `forget_bodies`."""
        return await self.file.change(partial(settled.forget_replies, before_ms=before_ms), synced=False)

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
            self._waiting += len(group.rows)
        if group.keys:
            connection.execute(insert(inbox_key), group.keys)
        for row_id, count in group.duplicates.items():
            again = update(inbox).where(inbox.c.id == row_id).values(duplicates=inbox.c.duplicates + count)
            connection.execute(again)
        replies = [
            {
                "account": one.account,
                "conversation": one.conversation,
                "reply_to": one.reply_to,
                "heard_ms": one.received_at_ms,
            }
            for one, kept in zip(arrivals, results, strict=True)
            if kept is Kept.NEW and one.reply_to is not None
        ]
        if replies:
            connection.execute(_put_reply(), replies)
        for one, kept in zip(arrivals, results, strict=True):
            if kept is Kept.NEW and one.entry is not None:
                append(connection, one.account, one.conversation, one.keys[0], one.entry)
            if kept is Kept.NEW:
                hold(connection, one.account, one.keys[0], one.contents)
        return results

    def _place_page(self, connection: Connection, arrivals: Sequence[Arrival], pulled: Pulled) -> list[Kept]:
        kept = self._placed(connection, arrivals)
        changed = {"cursor": pulled.cursor, "pulled_at_ms": pulled.pulled_at_ms}
        connection.execute(sqlite.insert(pull).values(asdict(pulled)).on_conflict_do_update(set_=changed))
        return kept

    def _replace(self, connection: Connection, row_id: int, arrivals: Sequence[Arrival]) -> list[Kept]:
        connection.execute(delete(inbox_key).where(inbox_key.c.inbox_id == row_id))
        connection.execute(delete(inbox).where(inbox.c.id == row_id))
        return self._placed(connection, arrivals)

    def _placed(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Kept]:
        kept = [one for one in self._place(connection, arrivals) if one is not None]
        if len(kept) < len(arrivals):
            raise Unavailable("The inbox has no room for all of it.", advice="Try it again later.")
        return kept

    def _group(self, connection: Connection, arrivals: Sequence[Arrival]) -> Group:
        marks: dict[str, list[str]] = {}
        for arrival in arrivals:
            marks.setdefault(arrival.account, []).extend(arrival.marks)
        owners: dict[tuple[str, str], int] = {}
        for account, keys in marks.items():
            owners |= {(account, row.key): row.inbox_id for row in connection.execute(known_keys(account, keys))}
        last_id = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'inbox'")
        return Group(
            next_id=(last_id.scalar() or 0) + 1,
            room=self._room(connection, wanted=len(arrivals)),
            reserve=self._reserve_rows,
            owners=owners,
        )

    def _room(self, connection: Connection, wanted: int = 1) -> int:
        """How many more may wait, or more exactly: whether so many may."""
        if self._waiting + wanted > self._spool_rows_max - self._reserve_rows:
            self._waiting = _waiting_count(connection) + wanted_count(connection)
        return self._spool_rows_max - self._waiting


def _waiting_count(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(inbox).where(WAITING)) or 0


def oldest(accounts: Sequence[str]) -> Select[tuple[int]]:
    """The id of each conversation's oldest waiting row."""
    lanes = (inbox.c.account, inbox.c.conversation)
    return select(func.min(inbox.c.id)).where(WAITING, inbox.c.account.in_(accounts)).group_by(*lanes)


def known_keys(account: str, keys: Sequence[str]) -> Select[tuple[str, int]]:
    """Which of the keys are known, and of which row. One account at a time: SQLite finds no pairs by an index."""
    columns = inbox_key.c.key, inbox_key.c.inbox_id
    return select(*columns).where(inbox_key.c.account == account, inbox_key.c.key.in_(keys))


def heads_of(ids: Sequence[int]) -> Select[Any]:
    """The id of the oldest waiting row of each of these rows' conversations."""
    one = inbox.alias("one")
    same = inbox.c.account == one.c.account, inbox.c.conversation == one.c.conversation
    head = select(func.min(inbox.c.id)).where(WAITING, *same).correlate(one).scalar_subquery()
    return select(head).where(one.c.id.in_(ids))


def _put_reply() -> sqlite.Insert:
    statement = sqlite.insert(reply)
    newest = {"reply_to": statement.excluded.reply_to, "heard_ms": statement.excluded.heard_ms}
    return statement.on_conflict_do_update(set_=newest)

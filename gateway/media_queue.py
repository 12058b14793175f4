"""Contents that are still to be brought to the service: rows beside the inbox, so that a restart goes on with them.

A row is written by the transaction that notes its message as forwarded, and removed once the service has the content.
One that was refused stays for a while, so that it can be tried again once the cause is mended. Bytes that came with a
callback are held beside it, from the transaction that keeps the callback on.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, insert, select, update
from sqlalchemy.dialects import sqlite

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Envelope, Media
from gateway.inbox_file import InboxFile
from gateway.tables import media_held, media_wanted

HELD_BYTES_MAX = 2**30  # of contents that wait for the service, and of refused ones as many: a thousand photographs


@dataclass(frozen=True, slots=True)
class Levels:
    """How many contents are wanted, and how many bytes of them are held; and of those that were refused."""

    wanted: int
    held_bytes: int
    refused_bytes: int

    @property
    def full(self) -> bool:
        """Whether no more is to be held."""
        return self.held_bytes >= HELD_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Wanted:
    """The content of one part of a message: the account and key of its envelope, and the part's place there."""

    account: str
    key: str
    index: int
    type: str
    platform_id: str
    since_ms: int
    attempts: int = 0
    next_attempt_ms: int = 0
    code: str = ""

    @property
    def media(self) -> Media:
        """The part as the platform told of it."""
        return Media(type=self.type, platform_id=self.platform_id)


def wanted_of(envelope: Envelope, now_ms: int) -> tuple[Wanted, ...]:
    """Return what is to be fetched of a message; no other kind of envelope has contents."""
    match envelope.WhichOneof("kind"):
        case "customer":
            parts = envelope.customer.parts
        case "agent":
            parts = envelope.agent.parts
        case _:
            return ()
    return tuple(
        Wanted(
            envelope.account,
            envelope.idempotency_key,
            index,
            part.media.type,
            part.media.platform_id,
            now_ms,
        )
        for index, part in enumerate(parts)
        if part.WhichOneof("part") == "media"
    )


def want(connection: Connection, wanted: Sequence[Wanted]) -> None:
    """Have contents fetched; a part of the transaction that notes their messages as forwarded."""
    if wanted:
        statement = sqlite.insert(media_wanted).on_conflict_do_nothing()
        connection.execute(statement, [asdict(one) for one in wanted])


def hold(connection: Connection, account: str, key: str, contents: Mapping[int, bytes]) -> None:
    """Hold bytes that came with a callback, by its parts' places; a part of the transaction that keeps it."""
    rows = [{"account": account, "key": key, "index": index, "data": data} for index, data in contents.items()]
    if rows:
        connection.execute(insert(media_held), rows)


def wanted_count(connection: Connection) -> int:
    """Return how many contents are still to be brought."""
    return connection.scalar(select(func.count()).select_from(media_wanted).where(media_wanted.c.code == "")) or 0


def levels(connection: Connection) -> Levels:
    """Count what waits, and beside it what was refused and is held for an operator."""
    held = (_held_bytes(connection, refused=refused) for refused in (False, True))
    return Levels(wanted_count(connection), *held)


def _held_bytes(connection: Connection, *, refused: bool) -> int:
    same = (media_wanted.c[name] == media_held.c[name] for name in ("account", "key", "index"))
    is_refused = exists().where(*same, media_wanted.c.code != "")
    total = select(func.coalesce(func.sum(func.length(media_held.c.data)), 0))
    return int(connection.execute(total.where(is_refused if refused else ~is_refused)).scalar_one())


class MediaQueue:
    """Every content that is wanted, of one gateway. Every method that waits raises `Unavailable`."""

    def __init__(self, file: InboxFile) -> None:
        self._file = file
        self.news = asyncio.Event()

    def notice(self) -> None:
        """Hear that more is wanted."""
        self.news.set()

    async def levels(self) -> Levels:
        """Count what waits, by an index and by the lengths of what is held."""
        return await self._file.read(levels)

    async def first(self, busy: Collection[str] = (), *, held: bool = False) -> Wanted | None:
        """The one whose next attempt is due first, of accounts that are not `busy`; or of what is `held` alone."""
        query = select(media_wanted).where(media_wanted.c.code == "", media_wanted.c.account.not_in(busy)).limit(1)
        if held:
            same = (media_wanted.c[name] == media_held.c[name] for name in ("account", "key", "index"))
            query = query.where(exists().where(*same))
        query = query.order_by(media_wanted.c.next_attempt_ms, media_wanted.c.since_ms)
        row = await self._file.read(lambda connection: connection.execute(query).first())
        return Wanted(*row) if row is not None else None

    async def held(self, wanted: Wanted) -> bytes | None:
        """The bytes that came with the callback, if they did."""
        query = select(media_held.c.data).where(*_of(media_held, wanted))
        return await self._file.read(lambda connection: connection.scalar(query))

    async def hold(self, wanted: Wanted, data: bytes) -> None:
        """Hold what was downloaded until the service has it; what is held already stays."""
        row = {"account": wanted.account, "key": wanted.key, "index": wanted.index, "data": data}
        statement = sqlite.insert(media_held).on_conflict_do_nothing()
        await self._file.change(lambda connection: connection.execute(statement, [row]), synced=False)

    async def later(self, wanted: Wanted, next_attempt_ms: int) -> Wanted:
        """Note an attempt that came to nothing; the row as it stands then."""
        after = replace(wanted, attempts=wanted.attempts + 1, next_attempt_ms=next_attempt_ms)
        values = {"attempts": after.attempts, "next_attempt_ms": after.next_attempt_ms}
        statement = update(media_wanted).where(*_of(media_wanted, wanted)).values(values)
        await self._file.change(lambda connection: connection.execute(statement), synced=False)
        return after

    async def refuse(self, wanted: Wanted, code: str) -> None:
        """Note why there is no content; the bytes that are held stay, unless what was refused has too many."""

        def note(connection: Connection) -> None:
            connection.execute(update(media_wanted).where(*_of(media_wanted, wanted)).values(code=code))
            if _held_bytes(connection, refused=True) > HELD_BYTES_MAX:
                connection.execute(delete(media_held).where(*_of(media_held, wanted)))

        await self._file.change(note, synced=False)

    async def refused(self) -> Mapping[str, int]:
        """How many were refused and are kept, by code."""
        query = select(media_wanted.c.code, func.count()).where(media_wanted.c.code != "").group_by(media_wanted.c.code)
        return await self._file.read(lambda connection: {row[0]: row[1] for row in connection.execute(query)})

    async def again(self, code: str, now_ms: int) -> int:
        """Have those tried again that were refused for this reason, as if they had come now; return how many."""
        values = {"code": "", "attempts": 0, "next_attempt_ms": 0, "since_ms": now_ms}
        statement = update(media_wanted).where(media_wanted.c.code == code, media_wanted.c.code != "").values(values)
        return await self._file.change(lambda connection: connection.execute(statement).rowcount)

    async def done(self, wanted: Wanted) -> None:
        """Forget a content that the service has."""

        def forget(connection: Connection) -> None:
            for table in (media_wanted, media_held):
                connection.execute(delete(table).where(*_of(table, wanted)))

        await self._file.change(forget, synced=False)  # to bring a content again changes nothing


def _of(table: Table, wanted: Wanted) -> tuple[ColumnElement[bool], ...]:
    return tuple(table.c[name] == getattr(wanted, name) for name in ("account", "key", "index"))

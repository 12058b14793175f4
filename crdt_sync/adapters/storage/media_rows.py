"""Contents of messages, as statements on a connection. It begins and commits nothing.

Whatever decides by what is there first touches the row of positions, which locks out every other writer.
"""

from collections.abc import Collection, Sequence
from dataclasses import astuple
from functools import partial
from typing import Any

from sqlalchemy import CompoundSelect, Connection, RowMapping, Select, and_, delete, func, select, union_all, update

from crdt_sync.adapters.storage import service_position, tables, transaction
from crdt_sync.adapters.storage.database import Database
from crdt_sync.adapters.storage.rows import checked
from crdt_sync.domain.ids import Digest, TicketId
from crdt_sync.domain.media import CONVERSATION, Audience, Media
from crdt_sync.ports.media import NewUse, Quota, StoredMedia, Taking

_pieces, _media, _uses = tables.media_pieces.c, tables.media.c, tables.media_uses.c

UPLOADS_AT_ONCE = 4  # 80 MiB of pieces at worst, that one transaction deletes


def take(connection: Connection, *, upload: str, media: Media, use: NewUse, room: Taking) -> Taking:
    """Write under the lock what there is `room` for; a use that is there needs none."""
    service_position.touch(connection)
    used = and_(_uses.ticket == use.ticket, _uses.digest == media.digest, _uses.audience == use.audience)
    is_used = connection.scalar(select(_uses.ticket).where(used)) is not None
    taking = Taking.TAKEN if is_used else room
    is_there = connection.scalar(select(_media.digest).where(_media.digest == media.digest)) is not None
    if is_there or taking is not Taking.TAKEN:
        drop(connection, upload=upload)
    if taking is not Taking.TAKEN:
        return taking
    if not is_there:
        transaction.add_rows(connection, tables.media, [(*astuple(media), upload, use.at_ms)])
    if is_used:
        connection.execute(update(tables.media_uses).where(used).values(at_ms=use.at_ms))
    else:
        new = (use.ticket, media.digest, use.audience, use.author, use.at_ms, False)
        transaction.add_rows(connection, tables.media_uses, [new])
    return taking


def room(connection: Connection, *, size: int, use: NewUse, quota: Quota) -> Taking:
    """Sum up what the ticket and the author have, in a time that grows with it."""
    sizes = select(func.coalesce(func.sum(_media.size), 0)).join(tables.media_uses, _uses.digest == _media.digest)
    if (connection.scalar(sizes.where(_uses.ticket == use.ticket)) or 0) + size > quota.ticket_bytes:
        return Taking.TICKET_FULL
    lately = sizes.where(_uses.author == use.author, _uses.at_ms >= quota.since_ms)
    if (connection.scalar(lately) or 0) + size > quota.author_bytes:
        return Taking.AUTHOR_FULL
    return Taking.TAKEN


def drop(connection: Connection, *, upload: str) -> None:
    """Delete by the primary key's first column."""
    connection.execute(delete(tables.media_pieces).where(_pieces.upload == upload))


def old(before_ms: int) -> CompoundSelect[Any]:
    """Find something that is not kept; both halves are answered by an index alone."""
    return union_all(
        select(_uses.digest).where(tables.UNKEPT, _uses.at_ms < before_ms),
        select(_pieces.upload).where(_pieces.at_ms < before_ms, _pieces.upload.not_in(select(_media.upload))),
    ).limit(1)


def prune(connection: Connection, *, before_ms: int) -> int:
    """Delete uses, and contents whose last use went; their pieces are loose then."""
    service_position.touch(connection)
    uses = delete(tables.media_uses).where(tables.UNKEPT, _uses.at_ms < before_ms)
    unused = delete(tables.media).where(_media.at_ms < before_ms, _media.digest.not_in(select(_uses.digest)))
    gone = connection.execute(uses).rowcount
    connection.execute(unused)
    return gone


def drop_loose(connection: Connection, *, uploads: Sequence[str]) -> int:
    """Delete the pieces of uploads that are no contents, still, under the lock."""
    service_position.touch(connection)
    loose = _pieces.upload.in_(uploads), _pieces.upload.not_in(select(_media.upload))
    return connection.execute(delete(tables.media_pieces).where(*loose)).rowcount


class MediaQueries:
    """What a store on a SQL database does of the above, each in a transaction of its own."""

    _database: Database

    async def put_piece(self, upload: str, index: int, data: bytes, at_ms: int) -> None:
        """Insert one row, so that other commits pass between two pieces."""
        row = (upload, index, data, at_ms)
        await self._database.write(partial(transaction.add_rows, table=tables.media_pieces, rows=[row]))

    async def drop_upload(self, upload: str) -> None:
        """Delete its rows."""
        await self._database.write(partial(drop, upload=upload))

    async def take_upload(self, upload: str, media: Media, use: NewUse, quota: Quota) -> Taking:
        """Sum up before the lock of commits, so that nobody waits for that; see the port for what it costs."""
        there = await self._database.read(partial(room, size=media.size, use=use, quota=quota))
        return await self._database.write(partial(take, upload=upload, media=media, use=use, room=there))

    async def media(
        self, ticket: TicketId, digest: Digest, audiences: Collection[Audience] = (CONVERSATION,)
    ) -> StoredMedia | None:
        """Read by two primary keys."""
        named = _uses.ticket == ticket, _uses.digest == digest
        used = select(_uses.digest).where(*named, _uses.audience.in_(audiences))
        found = await self._contents(select(tables.media).where(_media.digest.in_(used)))
        return found[0] if found else None

    async def use_media(self, ticket: TicketId, digest: Digest, at_ms: int) -> StoredMedia | None:
        """Touch the use, which pruning then passes by, and read what is used."""
        unkept = _uses.ticket == ticket, _uses.digest == digest, _uses.audience == CONVERSATION, tables.UNKEPT
        young = update(tables.media_uses).where(*unkept).values(at_ms=at_ms)
        await self._database.write(lambda connection: connection.execute(young))
        return await self.media(ticket, digest)

    async def piece(self, upload: str, index: int) -> bytes | None:
        """Read by the primary key."""
        found = select(tables.media_pieces).where(_pieces.upload == upload, _pieces.index == index)
        rows = await self._database.read(lambda connection: connection.execute(found).mappings().all())
        return bytes(checked(tables.media_pieces, rows[0])["data"]) if rows else None

    async def prune_media(self, before_ms: int) -> int:
        """Look first, and lock only where there is something: most looks find nothing."""
        found = await self._database.read(lambda connection: connection.execute(old(before_ms)).first())
        if found is None:
            return 0
        gone = await self._database.write(partial(prune, before_ms=before_ms))
        old_ones = select(_pieces.upload).where(_pieces.at_ms < before_ms)
        loose = old_ones.where(_pieces.upload.not_in(select(_media.upload))).distinct()
        uploads = await self._database.read(lambda connection: connection.scalars(loose).all())
        for start in range(0, len(uploads), UPLOADS_AT_ONCE):
            some = uploads[start : start + UPLOADS_AT_ONCE]
            gone += await self._database.write(partial(drop_loose, uploads=some))
        return gone

    async def all_media(self, *, after: Digest | None = None, limit: int = 1000) -> Sequence[StoredMedia]:
        """Walk the primary key."""
        found = select(tables.media).order_by(_media.digest).limit(limit)
        return await self._contents(found if after is None else found.where(_media.digest > after))

    async def _contents(self, found: Select[Any]) -> list[StoredMedia]:
        rows = await self._database.read(lambda connection: connection.execute(found).mappings().all())
        return [_stored(checked(tables.media, row)) for row in rows]


def _stored(row: RowMapping) -> StoredMedia:
    return StoredMedia(Media(row["digest"], row["size"], row["type"]), row["upload"])

"""Pictures that visitors send and are shown, and files that they are given, kept by their digest beside their logs.

As a port of contents: what an answer has is uploaded to ourselves, and a visitor's picture came with its callback.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import sqlite

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Media
from gateway.inbox_file import InboxFile
from gateway.media import TYPES, Content, Form, MediaFailed
from gateway.media_queue import levels
from gateway.ports import Clock
from gateway.tables import visitor_picture

BYTES_MAX = 5_242_880  # a photograph of a telephone, as its owner would send it
KEPT_BYTES_MAX = 5 * 2**30  # of one gateway; beyond so many nobody brings any until some are forgotten

_STARTS: Mapping[bytes, str] = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and its type."""

    type: str
    data: bytes


class Pictures:
    """Every picture of one gateway's pages."""

    forms: Mapping[str, Form] = {
        "image": Form(frozenset({*_STARTS.values(), "image/webp"}), BYTES_MAX),
        **dict.fromkeys(("voice", "video", "file"), Form(TYPES, BYTES_MAX)),
    }

    def __init__(self, file: InboxFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._bytes: int | None = None  # at most so many are kept; None where they are to be counted

    async def keep(self, picture: Picture) -> str:
        """Return the digest of a picture once it is committed; raises `Unavailable`."""
        digest = hashlib.sha256(picture.data).hexdigest()
        row = {"digest": digest, "type": picture.type, "data": picture.data, "at_ms": self._clock.now_ms()}
        statement = sqlite.insert(visitor_picture).values(row)
        again = statement.on_conflict_do_update(set_={"at_ms": row["at_ms"]})
        await self._file.change(lambda connection: connection.execute(again))
        if self._bytes is not None:
            self._bytes += len(picture.data)
        return digest

    async def full(self) -> bool:
        """Whether whoever brings one has to wait until some are forgotten or taken on; raises `Unavailable`."""
        if (await self._file.read(levels)).full:
            return True
        kept = self._bytes
        if kept is None:
            total = select(func.coalesce(func.sum(func.length(visitor_picture.c.data)), 0))
            kept = self._bytes = int(await self._file.read(lambda connection: connection.execute(total).scalar_one()))
        return kept >= KEPT_BYTES_MAX

    async def find(self, digest: str) -> Picture | None:
        """The picture with this digest; raises `Unavailable`."""
        query = select(visitor_picture.c.type, visitor_picture.c.data).where(visitor_picture.c.digest == digest)
        found = await self._file.read(lambda connection: connection.execute(query).one_or_none())
        return Picture(*found) if found is not None else None

    async def forget(self, before_ms: int) -> None:
        """Forget what was kept last before; no entry names it any more. Raises `Unavailable`."""
        statement = delete(visitor_picture).where(visitor_picture.c.at_ms < before_ms)
        await self._file.change(lambda connection: connection.execute(statement))
        self._bytes = None

    async def download(self, media: Media, *, bytes_max: int) -> bytes:  # noqa: ARG002 - as the port has it
        """Nothing is had from a page later; raises `MediaFailed`."""
        raise MediaFailed("media_unavailable")

    async def upload(self, kind: str, content: Content) -> str:  # noqa: ARG002 - as the port has it
        """Keep what an answer has; raises `MediaFailed` while nothing more is kept, `Unavailable`."""
        if await self.full():
            raise MediaFailed("pictures_full", again=True)
        return await self.keep(Picture(content.type, content.data))


def type_of(data: bytes) -> str | None:
    """The type of a picture by its first bytes, None for what is none that pages show."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((type_ for start, type_ in _STARTS.items() if data.startswith(start)), None)

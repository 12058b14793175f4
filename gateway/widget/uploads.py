"""Pictures on their way in, whose bytes together are bounded: a few who dribble keep nobody else out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import Request

from crdt_sync.errors import Unavailable
from gateway.http import body_of

BODY_S = 60.0  # for one picture


@dataclass(eq=False)
class _Upload:
    scope: asyncio.Timeout
    size: int = 0
    whole: bool = False
    gave_way: bool = False


class Uploads:
    """All of them that are in memory. Where no more may be, whoever began first is broken off, and comes again."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._held: dict[_Upload, None] = {}  # in the order of their beginnings

    @asynccontextmanager
    async def body(self, request: Request, bytes_max: int) -> AsyncIterator[bytes]:
        """Give the whole body, which counts until it is let go.

        Raises:
            TooLarge: it has more than `bytes_max` bytes.
            Unavailable: it took too long (`slow_body`), or others needed the room (`uploads_full`).
        """
        upload = _Upload(asyncio.timeout(BODY_S))
        self._held[upload] = None
        try:
            yield await self._read(request, bytes_max, upload)
        finally:
            del self._held[upload]
            self._bytes -= upload.size

    async def _read(self, request: Request, bytes_max: int, upload: _Upload) -> bytes:
        def take(count: int) -> None:
            upload.size += count
            self._bytes += count
            self._make_room()

        try:
            async with upload.scope:
                data = await body_of(request, bytes_max, take)
                upload.whole = True
        except TimeoutError:
            code = "uploads_full" if upload.gave_way else "slow_body"
            raise Unavailable("The picture did not arrive in time.", code=code) from None
        return data

    def _make_room(self) -> None:
        """Break off as many as is needed. What is whole stays: it is about to be written, and goes then."""
        if self._bytes <= self._bytes_max:
            return
        over = self._bytes - sum(one.size for one in self._held if one.gave_way) - self._bytes_max
        for one in self._held:
            if over > 0 and not one.whole and not one.gave_way:
                one.gave_way = True
                one.scope.reschedule(asyncio.get_running_loop().time())
                over -= one.size

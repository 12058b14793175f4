"""Pictures, recordings and files: taken in pieces, judged by their own bytes, stored by their digest, and given out.

A content is in the store, piece by piece, before anything refers to it; the commit that shows it in a conversation
keeps it. What was brought and never named is forgotten after `MEDIA_UNUSED_S`.
"""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from crdt_sync.domain import access, media, message
from crdt_sync.domain.access import Principal
from crdt_sync.domain.ids import Digest, TicketId
from crdt_sync.domain.media import CONVERSATION, Audience, Media
from crdt_sync.errors import (
    CallerError,
    Conflict,
    Forbidden,
    Malformed,
    NotFound,
    NotThereYet,
    TooLarge,
    TooMany,
)
from crdt_sync.ports import Clock, Ids, Store, StoreDamaged, StoreUnavailable
from crdt_sync.ports.media import NewUse, Quota, StoredMedia, Taking
from crdt_sync.ports.meter import Meter
from crdt_sync.service.committer import Committer
from crdt_sync.service.lifecycles import Lifecycles
from crdt_sync.service.live_ticket import no_media
from crdt_sync.service.note_contents import NotedPart, noted
from crdt_sync.service.showing import AWAITED, SaidPart, ShowUpload, said
from crdt_sync.service.tickets import Tickets
from crdt_sync.wire import limits

PRUNE_S = 3_600.0

REFUSALS = frozenset({"media_type", "media_kind", "media_size", "media_empty", "media_ticket_full"})
"""Why a content will never be taken: its bytes are of no type that is, or of another than its part says; it is too
large or empty; its ticket holds as much as it may. `media_author_full` passes with the day."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Which part of a message that a channel brought: by account and key of its envelope, and the part's index."""

    account: str
    key: str
    index: int


@dataclass(frozen=True, slots=True)
class Content:
    """A stored content, which is read piece by piece."""

    media: Media
    _stored: StoredMedia
    _store: Store

    async def pieces(self, start: int = 0) -> AsyncIterator[bytes]:
        """Yield its bytes from `start` on, at most `MEDIA_PIECE_BYTES` at a time.

        Raises:
            StoreUnavailable: it cannot be read, or not to its end.

        """
        index, skip = divmod(start, limits.MEDIA_PIECE_BYTES)
        rest = self.media.size - start
        while rest > 0:
            piece = await self._store.piece(self._stored.upload, index)
            if piece is None:
                raise StoreDamaged(f"piece {index} of {self.media.digest} is not there")
            yield piece[skip:]
            index, rest, skip = index + 1, rest - len(piece) + skip, 0


class Contents:
    """Every content of this service. What it refuses has a code, which agents see in the conversation."""

    def __init__(
        self, store: Store, tickets: Tickets, lifecycles: Lifecycles, clock: Clock, ids: Ids, meter: Meter
    ) -> None:
        self._store = store
        self._tickets = tickets
        self._lifecycles = lifecycles
        self._clock = clock
        self._ids = ids
        self._meter = meter
        self._committer: Committer | None = None
        self._under_way: Counter[str] = Counter()
        self._writing: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self, committer: Committer) -> None:
        """Begin to forget what nobody named; what conversations show is committed there."""
        self._committer = committer
        self._task = asyncio.get_running_loop().create_task(self._keep_pruning(), name="media")

    async def stop(self) -> None:
        """End; what is unused stays for the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, *self._tasks, return_exceptions=True)

    async def upload(self, principal: Principal, ticket: TicketId, pieces: AsyncIterator[bytes]) -> Media:
        """Take what somebody wants to answer the customer of a ticket with; a message names its digest, then or before.

        Raises:
            NotThereYet: no such ticket for this caller.
            Forbidden: the department does not take part in the conversation, or the caller may only read.
            CallerError: it is refused with one of `REFUSALS`, with `media_author_full` or `media_under_way`.
            Unavailable: it was not written down whose it is; it may be brought again.

        """
        row = await self._tickets.row(principal, ticket)
        denial = access.upload(principal, self._lifecycles.by_digest(row.lifecycle))
        if denial is not None:
            raise denial.error()
        taken = await self._take(pieces, row.id, principal.actor, "file")
        assert self._committer is not None, "the service was started"
        showing = ShowUpload(row.id, taken)
        self._committer.enqueue(showing)
        await showing.outcome
        return taken

    async def attach(
        self, principal: Principal, place: Place, pieces: AsyncIterator[bytes] | str, trace: str | None = None
    ) -> Media | str:
        """Take the content of a part that a gateway brought, or the code that says why there is none.

        Return what the conversation shows now: a content that is there stays, and so may be given again.

        Raises:
            Forbidden: the caller is no gateway, or the account is none of its own.
            NotFound: there is no such message (`no_message`), or none of its parts is meant (`no_media_part`).
            TooMany: the account has brought as much as it may in a day, or is bringing as many as it may at once.

        """
        denial = access.send(principal, [place.account])
        if denial is not None:
            raise denial.error()
        part = await self._part(place)
        content: Media | str
        if isinstance(pieces, str):
            content = pieces
        else:
            try:
                content = await self._take(pieces, part.ticket, f"account/{place.account}", part.type, part.audience)
            except CallerError as error:
                if error.code not in REFUSALS:
                    raise
                content = error.code
        assert self._committer is not None, "the service was started"
        showing = part.showing(content, trace)
        self._committer.enqueue(showing)
        return await showing.outcome

    async def of_ticket(self, principal: Principal, ticket: TicketId, digest: Digest) -> Content:
        """Return a content that the ticket's conversation refers to, or the notes of one of its forms.

        Raises:
            NotThereYet: no such ticket for this caller.
            NotFound: nothing of this digest for this caller, whatever the reason.

        """
        row = await self._tickets.row(principal, ticket)
        audiences = access.audiences(principal, self._lifecycles.by_digest(row.lifecycle), row.id)
        stored = await self._store.media(row.id, digest, audiences)
        if stored is None:
            raise no_media()
        return Content(stored.media, stored, self._store)

    async def of_delivery(self, principal: Principal, id_: str) -> Content:
        """Return the content of a part that is to be sent, or was.

        Raises:
            Forbidden: the caller is no gateway.
            NotThereYet: nobody has uploaded its content yet, and it is not too late (`media_awaited`).
            NotFound: no such delivery for this caller, or it has no content.

        """
        if not principal.is_gateway:
            raise Forbidden("Only a gateway sends.", code="not_a_gateway")
        row = await self._store.delivery(id_)
        if row is None or row.account not in principal.accounts:
            raise NotFound("There is no such delivery for this caller.", code="no_delivery")
        digest = media.digest_of(json.loads(row.content).get("ref", ""))
        stored = await self._store.media(row.ticket, digest) if digest is not None else None
        if stored is not None:
            return Content(stored.media, stored, self._store)
        if digest is not None and self._clock.now_ms() - row.at_ms < limits.MEDIA_AWAITED_S * 1000:
            raise NotThereYet("Nobody has uploaded this content yet.", code=AWAITED, advice="Ask again later.")
        raise no_media()

    async def prune(self) -> int:
        """Forget what nobody named in time; return how much that was. Raises `StoreUnavailable`."""
        return await self._store.prune_media(self._clock.now_ms() - limits.MEDIA_UNUSED_S * 1000)

    async def _part(self, place: Place) -> SaidPart | NotedPart:
        """Find what a gateway brings a content for."""
        origin = message.origin_id(place.account, place.key)
        found = await self._store.message(origin)
        if found is not None:
            part: SaidPart | NotedPart | None = said(found, place.index)
        else:
            part = await noted(self._store, place.account, origin, place.index)
        if part is None and found is None:
            raise NotFound("No message has this key, and no note.", code="no_message")
        if part is None:
            raise NotFound("The message has no such part, or one without a content.", code="no_media_part")
        return part

    async def _take(
        self, pieces: AsyncIterator[bytes], ticket: TicketId, author: str, part: str, audience: Audience = CONVERSATION
    ) -> Media:
        """Take an upload, of which nothing is left if it does not come to its end: no quota counts it yet."""
        if self._under_way[author] >= limits.MEDIA_UPLOADS_MAX:
            raise TooMany("Too many uploads are under way.", code="media_under_way", advice="Wait for one to end.")
        self._under_way[author] += 1
        try:
            return await self._taken(pieces, ticket, author, part, audience)
        except CallerError as error:
            self._meter.media_refused(error.code)
            raise
        finally:
            self._under_way[author] -= 1
            if not self._under_way[author]:
                del self._under_way[author]

    async def _taken(
        self, pieces: AsyncIterator[bytes], ticket: TicketId, author: str, part: str, audience: Audience
    ) -> Media:
        upload = self._ids.uuid7()
        try:
            whole = await self._write(upload, pieces, part)
        except BaseException:  # a cancellation, too: whoever breaks off his uploads fills no disk
            await asyncio.shield(self._background(self._drop(upload)))
            raise
        self._writing.pop(upload, None)
        now_ms = self._clock.now_ms()
        quota = Quota(
            limits.MEDIA_TICKET_BYTES_MAX, limits.MEDIA_AUTHOR_BYTES_MAX, now_ms - limits.MEDIA_QUOTA_S * 1000
        )
        taking = await self._store.take_upload(upload, whole, NewUse(ticket, author, now_ms, audience), quota)
        if taking is Taking.TICKET_FULL:
            raise Conflict("The ticket holds as many contents as it may.", code="media_ticket_full")
        if taking is Taking.AUTHOR_FULL:
            raise TooMany("That is more than one may bring in a day.", code="media_author_full")
        self._meter.media_taken(whole.size)
        return whole

    async def _write(self, upload: str, pieces: AsyncIterator[bytes], part: str) -> Media:
        """Write the pieces as they come, in pieces of our size, and judge them by their beginning at once."""
        digest, waiting, size, index = hashlib.sha256(), bytearray(), 0, 0
        type_ = ""
        async for piece in pieces:
            size += len(piece)
            if size > limits.MEDIA_BYTES_MAX:
                raise TooLarge(f"A content has at most {limits.MEDIA_BYTES_MAX} bytes.", code="media_size")
            digest.update(piece)
            waiting += piece
            if not type_ and len(waiting) >= media.HEAD_BYTES:
                type_ = _judged(waiting, part)
            while len(waiting) >= limits.MEDIA_PIECE_BYTES:
                await self._put(upload, index, waiting[: limits.MEDIA_PIECE_BYTES])
                del waiting[: limits.MEDIA_PIECE_BYTES]
                index += 1
        if not size:
            raise Malformed("The content is empty.", code="media_empty")
        type_ = type_ or _judged(waiting, part)
        if waiting:
            await self._put(upload, index, waiting)
        return Media(Digest(digest.hexdigest()), size, type_)

    async def _put(self, upload: str, index: int, data: bytearray) -> None:
        writing = self._background(self._store.put_piece(upload, index, bytes(data), self._clock.now_ms()))
        self._writing[upload] = writing
        await asyncio.shield(writing)

    async def _drop(self, upload: str) -> None:
        """Forget an upload once its last piece, which no cancellation reaches, is written; else pruning finds it."""
        writing = self._writing.pop(upload, None)
        try:
            if writing is not None:
                await asyncio.wait([writing])
            await self._store.drop_upload(upload)
        except StoreUnavailable as error:
            _log.warning("upload not dropped", reason=str(error))

    def _background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin something that goes on to its end, whatever becomes of its caller."""
        task = asyncio.get_running_loop().create_task(work, name="upload")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _keep_pruning(self) -> None:
        while True:
            try:
                if count := await self.prune():
                    _log.info("contents pruned", count=count)
            except StoreUnavailable as error:
                _log.warning("contents not pruned", reason=str(error))
            await asyncio.sleep(PRUNE_S)


def _judged(head: bytearray, part: str) -> str:
    type_ = media.type_of(bytes(head[: media.HEAD_BYTES]))
    if type_ is None:
        known = ", ".join(media.EXTENSIONS.values())
        raise Malformed("The content is of no type that is taken.", code="media_type", advice=f"Send one of: {known}.")
    if not media.fits(part, type_):
        raise Malformed(f"The content says that it is {type_}, which is no {part}.", code="media_kind")
    return type_

"""What a conversation shows of a part's content, and the upload that comes after the message which names it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from crdt_sync.domain import media, message
from crdt_sync.domain.delivery import DeliveryState, delivery_id
from crdt_sync.domain.ids import TicketId
from crdt_sync.domain.media import CONVERSATION, Audience, Media
from crdt_sync.domain.message import Message
from crdt_sync.errors import TicketSyncError
from crdt_sync.ports import Committed, StoredMessage
from crdt_sync.ports.outbox import StoredDelivery
from crdt_sync.protocol.room import Room
from crdt_sync.service.draft import Draft
from crdt_sync.service.live_ticket import Desk, LiveTicket

AWAITED = "media_awaited"
"""The code of a part that names a content which nobody has uploaded yet: it is sent once somebody does."""

ABSENT = "no_media"
"""The code of a part that is not sent, because nobody uploaded its content in time."""


def show(draft: Draft, live: LiveTicket, key: str, content: Media | str, trace: str | None) -> Media | str:
    """Show a content, or why there is none, and return what is shown then: a content that is there stays."""
    touched = draft.tickets.get(live.id)
    shown = (touched.media.get(key) if touched is not None else None) or live.talk.content(key)
    known = media.read(shown) if shown is not None else None
    if isinstance(known, Media) or known == content:
        return known
    draft.touch(live, trace).media[key] = media.spell(content)
    return content


@dataclass(frozen=True, slots=True)
class SaidPart:
    """A part of a message in a conversation, of which `key` is the name there."""

    audience: ClassVar[Audience] = CONVERSATION
    ticket: TicketId
    type: str
    key: str

    def showing(self, content: Media | str, trace: str | None) -> "ShowContent":
        """Return the job that shows what is known of its content."""
        return ShowContent(self.ticket, self.key, content, trace)


def said(found: StoredMessage, index: int) -> SaidPart | None:
    """Return a part of a message, None if it has no content."""
    posted = message.decode(found.record.encode())
    assert isinstance(posted, Message), "the journal holds admitted messages only"
    type_ = posted.parts[index]["type"] if index < len(posted.parts) else ""
    return SaidPart(found.ticket, type_, f"{posted.id}/{index}") if type_ in media.MEDIA_PARTS else None


@dataclass(eq=False)
class ShowContent:
    """Show in a conversation what is known of a part's content; a job. `outcome` is what it shows then."""

    room: ClassVar[None] = None
    builds_on: ClassVar[Sequence[Room]] = ()  # it writes what sessions never write
    ticket: TicketId
    key: str
    content: Media | str
    trace: str | None = None
    outcome: "asyncio.Future[Media | str]" = field(init=False)
    _live: LiveTicket = field(init=False)
    _shown: Media | str = field(init=False, default="")

    def __post_init__(self) -> None:
        """Make the promise."""
        self.outcome = asyncio.get_running_loop().create_future()

    async def prepare(self, desk: Desk, draft: Draft) -> None:
        """Load the conversation."""
        del draft
        self._live = await desk.get(self.ticket)
        await desk.with_talk(self._live)

    def decide(self, desk: Desk, draft: Draft) -> None:
        """Show it, unless a content is shown: after that nothing is news."""
        del desk
        self._shown = show(draft, self._live, self.key, self.content, self.trace)
        if isinstance(self._shown, Media):
            draft.keep_media(self._live, self._shown.digest)

    def succeed(self, committed: Committed) -> None:
        """Answer."""
        del committed
        if not self.outcome.done():
            self.outcome.set_result(self._shown)

    def fail(self, error: TicketSyncError) -> None:
        """Answer with the error."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


@dataclass(eq=False)
class ShowUpload:
    """Keep a content that was uploaded after messages which name it, and have sent what waits for it; a job."""

    room: ClassVar[None] = None
    builds_on: ClassVar[Sequence[Room]] = ()  # it writes what sessions never write
    ticket: TicketId
    content: Media
    outcome: "asyncio.Future[None]" = field(init=False)
    _live: LiveTicket = field(init=False)
    _keys: Sequence[str] = field(init=False, default=())
    _waiting: Sequence[StoredDelivery] = field(init=False, default=())

    def __post_init__(self) -> None:
        """Make the promise."""
        self.outcome = asyncio.get_running_loop().create_future()

    async def prepare(self, desk: Desk, draft: Draft) -> None:
        """Find the parts that name it, and those of them that wait for it.

        A message of this very batch is not among them. It keeps what it names, and its gateway asks at once.
        """
        self._live = await desk.get(self.ticket)
        await desk.with_talk(self._live)
        named = _naming(self._live, media.ref_of(self.content.digest))
        self._keys = [f"{posted.id}/{index}" for posted, index in named]
        ids = [delivery_id(self.ticket, posted.id, index) for posted, index in named]
        rows = [draft.delivery(id_) or await desk.store.delivery(id_) for id_ in ids]
        self._waiting = [row for row in rows if row and (row.state, row.code) == (DeliveryState.RETRY, AWAITED)]

    def decide(self, desk: Desk, draft: Draft) -> None:
        """Do all of it in one commit; nothing if no message names it yet."""
        del desk
        if self._keys:
            draft.keep_media(self._live, self.content.digest)
        for key in self._keys:
            show(draft, self._live, key, self.content, None)
        for row in self._waiting:
            draft.change_delivery(row, replace(row, due_ms=0))

    def succeed(self, committed: Committed) -> None:
        """Answer."""
        del committed
        if not self.outcome.done():
            self.outcome.set_result(None)

    def fail(self, error: TicketSyncError) -> None:
        """Answer with the error."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


def _naming(live: LiveTicket, ref: str) -> list[tuple[Message, int]]:
    """Return the parts of messages written here that name a content."""
    found = [message.decode(record.encode()) for record in live.talk.messages() if ref in record]
    written = [posted for posted in found if isinstance(posted, Message) and posted.origin is None]
    return [(each, index) for each in written for index, part in enumerate(each.parts) if part.get("ref") == ref]

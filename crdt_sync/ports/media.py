"""Pictures, recordings and files, as contracts: contents in pieces, and which ticket uses which, and for whom.

A content is written piece by piece before anything refers to it, and named by its digest once it is whole. It stays as
long as a ticket uses it. A use begins unkept; the commit of the message, or of what a conversation shows, keeps it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from crdt_sync.domain.ids import Digest, TicketId
from crdt_sync.domain.media import CONVERSATION, Audience, Media


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """A content. `upload` names its pieces."""

    media: Media
    upload: str


@dataclass(frozen=True, slots=True)
class NewUse:
    """A ticket that is to use a content, and who brought it: a person, or a channel's account as `account/NAME`."""

    ticket: TicketId
    author: str
    at_ms: int
    audience: Audience = CONVERSATION


@dataclass(frozen=True, slots=True)
class MediaUse:
    """A use of a content that is kept by the batch which holds this; one that is not there is none."""

    ticket: TicketId
    digest: Digest
    audience: Audience = CONVERSATION


@dataclass(frozen=True, slots=True)
class Quota:
    """How many bytes a ticket may use, and an author may bring from `since_ms` on."""

    ticket_bytes: int
    author_bytes: int
    since_ms: int


class Taking(StrEnum):
    """Whether a content was taken."""

    TAKEN = "taken"
    TICKET_FULL = "ticket_full"
    AUTHOR_FULL = "author_full"


class MediaStore(Protocol):
    """The part of the store that holds contents. Every method raises `StoreUnavailable`."""

    async def put_piece(self, upload: str, index: int, data: bytes, at_ms: int) -> None:
        """Write one piece durably; they count from 0."""
        ...

    async def drop_upload(self, upload: str) -> None:
        """Forget the pieces of an upload that nothing came of."""
        ...

    async def take_upload(self, upload: str, media: Media, use: NewUse, quota: Quota) -> Taking:
        """Make an upload the content `media` that the ticket uses, all of it or nothing.

        Of a content that is stored already the new pieces are dropped, and a use that is there already counts no more.
        If there is no room, the pieces are dropped. What is taken at the same moment does not count yet, so a quota
        may be passed by the uploads that are under way at once.
        """
        ...

    async def media(
        self, ticket: TicketId, digest: Digest, audiences: Collection[Audience] = (CONVERSATION,)
    ) -> StoredMedia | None:
        """Return a content that the ticket uses for one of these."""
        ...

    async def use_media(self, ticket: TicketId, digest: Digest, at_ms: int) -> StoredMedia | None:
        """Return a content of the conversation that somebody is about to name; one that is not kept is young again."""
        ...

    async def piece(self, upload: str, index: int) -> bytes | None:
        """Return one piece, None behind the last."""
        ...

    async def prune_media(self, before_ms: int) -> int:
        """Forget what came before then and is not kept: uses, contents that nobody uses, and pieces of neither.

        Return how many uses and pieces those were.
        """
        ...

    async def all_media(self, *, after: Digest | None = None, limit: int = 1000) -> Sequence[StoredMedia]:
        """Return contents in the order of their digests."""
        ...

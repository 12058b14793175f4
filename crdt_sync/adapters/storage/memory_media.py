"""Contents of messages in dictionaries: the memory store's part of `ports.media`."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from crdt_sync.adapters.storage.memory_outbox import MemoryOutbox
from crdt_sync.domain.ids import Digest, TicketId
from crdt_sync.domain.media import CONVERSATION, Audience, Media
from crdt_sync.ports.media import MediaUse, NewUse, Quota, StoredMedia, Taking


@dataclass(frozen=True, slots=True)
class _Use:
    author: str
    size: int
    at_ms: int
    kept: bool = False


class MemoryMedia(MemoryOutbox):
    """Pieces by upload and index, contents by digest, uses by ticket, digest and audience."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: dict[tuple[str, int], tuple[bytes, int]] = {}
        self._media: dict[Digest, tuple[StoredMedia, int]] = {}
        self._uses: dict[tuple[TicketId, Digest, Audience], _Use] = {}

    async def put_piece(self, upload: str, index: int, data: bytes, at_ms: int) -> None:
        """Keep it."""
        self._check_open()
        self._pieces[upload, index] = data, at_ms

    async def drop_upload(self, upload: str) -> None:
        """Look through all of them."""
        self._check_open()
        self._pieces = {key: piece for key, piece in self._pieces.items() if key[0] != upload}

    async def take_upload(self, upload: str, media: Media, use: NewUse, quota: Quota) -> Taking:
        """Sum up, then keep."""
        self._check_open()
        key = use.ticket, media.digest, use.audience
        known = self._uses.get(key)
        taking = Taking.TAKEN if known is not None else self._taking(media.size, use, quota)
        if media.digest in self._media or taking is not Taking.TAKEN:
            await self.drop_upload(upload)
        if taking is Taking.TAKEN:
            self._media.setdefault(media.digest, (StoredMedia(media, upload), use.at_ms))
            self._uses[key] = replace(known or _Use(use.author, media.size, use.at_ms), at_ms=use.at_ms)
        return taking

    async def media(
        self, ticket: TicketId, digest: Digest, audiences: Collection[Audience] = (CONVERSATION,)
    ) -> StoredMedia | None:
        """Find it, if the ticket uses it."""
        self._check_open()
        is_used = any((ticket, digest, audience) in self._uses for audience in audiences)
        return self._media[digest][0] if is_used else None

    async def use_media(self, ticket: TicketId, digest: Digest, at_ms: int) -> StoredMedia | None:
        """Make its use young."""
        known = self._uses.get((ticket, digest, CONVERSATION))
        if known is not None and not known.kept:
            self._uses[ticket, digest, CONVERSATION] = replace(known, at_ms=at_ms)
        return await self.media(ticket, digest)

    async def piece(self, upload: str, index: int) -> bytes | None:
        """Find it."""
        self._check_open()
        found = self._pieces.get((upload, index))
        return found[0] if found is not None else None

    async def prune_media(self, before_ms: int) -> int:
        """Look through everything, from the uses down."""
        self._check_open()
        uses, pieces = len(self._uses), len(self._pieces)
        self._uses = {key: use for key, use in self._uses.items() if use.kept or use.at_ms >= before_ms}
        used = {digest for _, digest, _ in self._uses}
        self._media = {
            digest: (stored, at_ms)
            for digest, (stored, at_ms) in self._media.items()
            if digest in used or at_ms >= before_ms
        }
        uploads = {stored.upload for stored, _ in self._media.values()}
        self._pieces = {
            key: (data, at_ms) for key, (data, at_ms) in self._pieces.items() if key[0] in uploads or at_ms >= before_ms
        }
        return uses - len(self._uses) + pieces - len(self._pieces)

    async def all_media(self, *, after: Digest | None = None, limit: int = 1000) -> Sequence[StoredMedia]:
        """Sort every digest."""
        self._check_open()
        return [self._media[digest][0] for digest in sorted(self._media) if after is None or digest > after][:limit]

    def _keep_media(self, uses: Iterable[MediaUse]) -> None:
        """Keep what is there."""
        for use in uses:
            key = use.ticket, use.digest, use.audience
            if key in self._uses:
                self._uses[key] = replace(self._uses[key], kept=True)

    def _taking(self, size: int, use: NewUse, quota: Quota) -> Taking:
        of_ticket = sum(known.size for (ticket, _, _), known in self._uses.items() if ticket == use.ticket)
        if of_ticket + size > quota.ticket_bytes:
            return Taking.TICKET_FULL
        lately = sum(
            known.size for known in self._uses.values() if known.author == use.author and known.at_ms >= quota.since_ms
        )
        return Taking.AUTHOR_FULL if lately + size > quota.author_bytes else Taking.TAKEN

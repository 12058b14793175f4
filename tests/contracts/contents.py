"""Contents, and the way in which a store is given them."""

import hashlib

from crdt_sync.domain.media import Media
from crdt_sync.ports.media import NewUse, Quota
from tests.contracts.batches import AT_MS, name

ROOMY = Quota(1_000, 1_000, 0)


def content(data, type_="image/png"):
    return Media(hashlib.sha256(data).hexdigest(), len(data), type_)


def use(ticket="one", author="sales-agent", at_ms=AT_MS):
    return NewUse(name(ticket), author, at_ms)


async def taken(store, upload, data, given=None, quota=ROOMY, piece_bytes=4):
    """Write a content in pieces, then take it."""
    given = given or use()
    for index, start in enumerate(range(0, len(data), piece_bytes)):
        await store.put_piece(upload, index, data[start : start + piece_bytes], given.at_ms)
    return await store.take_upload(upload, content(data), given, quota)

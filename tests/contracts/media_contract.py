"""What any store must do with contents."""

from dataclasses import replace

import pytest

from crdt_sync.ports import Batch, Store
from crdt_sync.ports.media import MediaUse, Quota, StoredMedia, Taking
from tests.contracts.batches import AT_MS, name
from tests.contracts.contents import ROOMY, content, taken, use


async def pieces(store, upload):
    found = []
    while (piece := await store.piece(upload, len(found))) is not None:
        found.append(piece)
    return found


async def kept(store, data, ticket="one"):
    await store.commit(Batch(media=[MediaUse(name(ticket), content(data).digest)]))


class MediaContract:
    @pytest.fixture
    async def store(self) -> Store:
        raise NotImplementedError

    async def test_a_content_comes_back_piece_by_piece_to_the_ticket_that_uses_it(self, store: Store):
        assert Taking.TAKEN is await taken(store, "u1", b"0123456789")

        found = await store.media(name("one"), content(b"0123456789").digest)
        assert StoredMedia(content(b"0123456789"), "u1") == found
        assert [b"0123", b"4567", b"89"] == await pieces(store, "u1")
        assert await store.media(name("two"), found.media.digest) is None
        assert await store.media(name("one"), "0" * 64) is None

    async def test_a_content_that_is_there_is_not_stored_twice(self, store: Store):
        await taken(store, "u1", b"0123456789")
        assert Taking.TAKEN is await taken(store, "u2", b"0123456789", use("two", "tech-agent"))

        assert [] == await pieces(store, "u2")
        assert "u1" == (await store.media(name("two"), content(b"0123456789").digest)).upload

    async def test_a_ticket_has_so_much_room(self, store: Store):
        quota = replace(ROOMY, ticket_bytes=15)
        assert Taking.TAKEN is await taken(store, "u1", b"0123456789", quota=quota)
        assert Taking.TAKEN is await taken(store, "u2", b"abcde", use(author="tech-agent"), quota)
        assert Taking.TICKET_FULL is await taken(store, "u3", b"x", use(author="support-agent"), quota)
        assert [] == await pieces(store, "u3")
        assert await store.media(name("one"), content(b"x").digest) is None
        assert Taking.TAKEN is await taken(store, "u4", b"abcde", use(author="support-agent"), quota), (
            "it is there already"
        )
        assert Taking.TAKEN is await taken(store, "u5", b"x", use("two"), quota), "another ticket"

    async def test_an_author_has_so_much_room_in_a_time(self, store: Store):
        quota = Quota(1_000, 10, AT_MS)
        assert Taking.TAKEN is await taken(store, "u1", b"01234567", use(at_ms=AT_MS - 1), quota), "counts no more"
        assert Taking.TAKEN is await taken(store, "u2", b"abcdefgh", use("two"), quota)
        assert Taking.AUTHOR_FULL is await taken(store, "u3", b"xyz", use("three"), quota)
        assert Taking.TAKEN is await taken(store, "u4", b"xy", use("three"), quota)
        assert Taking.TAKEN is await taken(store, "u5", b"xyz", use("three", "tech-agent"), quota)

    async def test_what_is_not_kept_is_pruned_from_the_use_to_the_pieces(self, store: Store):
        await taken(store, "u1", b"0123456789")
        await taken(store, "u2", b"abcde", use(at_ms=AT_MS + 1))
        await store.put_piece("u3", 0, b"broken off", AT_MS)
        await store.put_piece("u4", 0, b"under way", AT_MS + 1)

        assert 0 == await store.prune_media(AT_MS)
        assert 5 == await store.prune_media(AT_MS + 1)
        assert [b"abcd", b"e"] == await pieces(store, "u2")
        assert [[], [], [b"under way"]] == [await pieces(store, upload) for upload in ("u1", "u3", "u4")]
        assert [content(b"abcde")] == [stored.media for stored in await store.all_media()]

    async def test_a_use_that_a_batch_keeps_stays(self, store: Store):
        await taken(store, "u1", b"0123456789")
        await taken(store, "u2", b"0123456789", use("two"))
        await kept(store, b"0123456789")
        await kept(store, b"never uploaded")

        assert 1 == await store.prune_media(AT_MS + 1)
        assert await store.media(name("two"), content(b"0123456789").digest) is None
        assert "u1" == (await store.media(name("one"), content(b"0123456789").digest)).upload
        assert [b"0123", b"4567", b"89"] == await pieces(store, "u1")

    async def test_a_use_is_for_its_audience_and_for_no_other(self, store: Store):
        noted = replace(use(), audience="case")
        await taken(store, "u1", b"0123456789", noted)
        digest = content(b"0123456789").digest

        assert await store.media(name("one"), digest) is None, "it is not the conversation's"
        assert await store.media(name("one"), digest, ("sales", "tech")) is None
        assert await store.media(name("one"), digest, ()) is None
        assert "u1" == (await store.media(name("one"), digest, ("", "case"))).upload
        assert await store.use_media(name("one"), digest, AT_MS + 9) is None
        await taken(store, "u2", b"0123456789", use(author="tech-agent"))
        assert "u1" == (await store.media(name("one"), digest)).upload
        await store.commit(Batch(media=[MediaUse(name("one"), digest, "case")]))
        assert 1 == await store.prune_media(AT_MS + 1)
        assert await store.media(name("one"), digest) is None
        assert "u1" == (await store.media(name("one"), digest, ("case",))).upload

    async def test_what_is_brought_again_is_young_again_and_kept_as_before(self, store: Store):
        await taken(store, "u1", b"young")
        await taken(store, "u2", b"young", use(at_ms=AT_MS + 5))
        await taken(store, "u3", b"kept")
        await kept(store, b"kept")
        await taken(store, "u4", b"kept")

        assert 0 == await store.prune_media(AT_MS + 5)
        assert 3 == await store.prune_media(AT_MS + 6)
        assert [content(b"kept")] == [stored.media for stored in await store.all_media()]

    async def test_what_somebody_is_about_to_name_is_young_again(self, store: Store):
        await taken(store, "u1", b"young")
        await taken(store, "u2", b"old")
        young, old = content(b"young").digest, content(b"old").digest

        assert StoredMedia(content(b"young"), "u1") == await store.use_media(name("one"), young, AT_MS + 5)
        assert await store.use_media(name("two"), old, AT_MS + 5) is None
        await store.prune_media(AT_MS + 5)
        assert [content(b"young")] == [stored.media for stored in await store.all_media()]
        assert await store.use_media(name("one"), old, AT_MS + 5) is None

    async def test_an_upload_that_is_dropped_leaves_nothing(self, store: Store):
        await store.put_piece("u1", 0, b"one", AT_MS)
        await store.put_piece("u2", 0, b"two", AT_MS)
        await store.drop_upload("u1")

        assert [[], [b"two"]] == [await pieces(store, upload) for upload in ("u1", "u2")]

    async def test_contents_are_listed_by_their_digests(self, store: Store):
        for upload, data in (("u1", b"one"), ("u2", b"two"), ("u3", b"three")):
            await taken(store, upload, data)
        digests = sorted(content(data).digest for data in (b"one", b"two", b"three"))

        assert digests[:2] == [stored.media.digest for stored in await store.all_media(limit=2)]
        assert digests[2:] == [stored.media.digest for stored in await store.all_media(after=digests[1])]

    async def test_contents_take_no_position(self, store: Store):
        before = await store.position()
        await taken(store, "u1", b"one")
        await kept(store, b"one")
        assert before == await store.position()

import asyncio

import pytest

from crdt_sync.errors import Malformed
from gateway.plugins import frames


def reader(data):
    made = asyncio.StreamReader()
    made.feed_data(data)
    made.feed_eof()
    return made


async def test_frame_comes_back_as_it_was():
    frame = {"id": 1, "items": [{"text": "é票"}]}
    stream = reader(frames.encoded(frame) * 2)
    assert [frame, frame] == [await frames.read(stream, 100) for _ in range(2)]
    with pytest.raises(EOFError):
        await frames.read(stream, 100)


@pytest.mark.parametrize("length", [0xFFFFFFFF, 101])
async def test_frame_that_is_too_large_is_refused_unread(length):
    with pytest.raises(Malformed):
        await frames.read(reader(length.to_bytes(4, "big")), 100)


@pytest.mark.parametrize("body", [b"[]", b"{]", b"\xff\xff", b"[" * 100])
async def test_what_is_no_object_is_refused(body):
    with pytest.raises(Malformed):
        await frames.read(reader(len(body).to_bytes(4, "big") + body), 100)

"""What we rely on in picows, most of which it documents nowhere: a new version that breaks this fails here, by name."""

import asyncio
import importlib.metadata

from picows import WSListener, WSProtocolError
from picows.picows import WSProtocol

from crdt_sync.server import picows_reader
from crdt_sync.server.picows_reader import KEPT_BUFFER_BYTES_MAX, PicowsReader
from crdt_sync.wire import limits
from tests.server.fakes import masked

WHY = "picows changed: read crdt_sync/server/picows_reader.py beside its picows.pyx, then move the version"


def test_the_version_is_the_one_that_was_read():
    assert "2.3.1" == importlib.metadata.version("picows"), WHY


async def test_what_it_does_is_what_we_rely_on():
    assert picows_reader.problem() is None, WHY


def test_the_protocol_is_a_buffered_one_with_a_listener():
    assert issubclass(WSProtocol, asyncio.BufferedProtocol), WHY
    assert {"connection_made", "get_buffer", "buffer_updated"} <= set(dir(WSProtocol)), WHY
    assert {"on_ws_connected", "on_ws_frame", "on_ws_disconnected"} <= set(dir(WSListener)), WHY
    assert issubclass(WSProtocolError, Exception), WHY


async def test_it_says_and_closes_nothing_itself():
    reader = PicowsReader()
    reader.feed(masked(b"?", 9), lambda *_: None)

    assert [] == reader._outlet.said, f"{WHY}: a ping was answered"


async def test_it_says_why_it_would_close_in_a_close_frame():
    reader = PicowsReader()
    reader._listener.sink = lambda *_: None
    reader._feed(b"\x82\xff" + (limits.FRAME_BYTES_MAX + 1).to_bytes(8, "big"))

    assert b"\x03\xf1" == b"".join(reader._outlet.said)[2:4], WHY


async def test_a_read_buffer_is_two_kib_and_one_that_grew_is_not_kept():
    reader = PicowsReader()
    assert 2048 - 256 == len(reader._protocol.get_buffer(-1)), WHY
    assert not reader.spent

    reader.feed(masked(b"x" * 2 * KEPT_BUFFER_BYTES_MAX), lambda *_: None)
    assert reader.spent, WHY

"""What a connection leaves behind when it has ended: nothing that waits for a search for cycles, which comes seldom."""

import asyncio
import gc

import pytest
import pytest_asyncio

from crdt_sync.errors import TicketSyncError
from crdt_sync.server.websocket import Socket
from crdt_sync.service.connection import Connection
from crdt_sync.wire import hocuspocus, ysync
from tests.access.wires import collab_socket, sync_socket
from tests.server.conftest import run_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRONG = b"\xff" * 1_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory):
    async with run_service(tmp_path_factory.mktemp("garbage")) as running:
        yield running


def over_sync(*frames):
    async def come(running):
        async with sync_socket(running, "notes", running.token()) as socket:
            await socket.hear(ysync.Step1)
            await socket.say(*frames)

    return come


def over_collab(*frames):
    async def come(running):
        async with collab_socket(running) as socket:
            await socket.say(hocuspocus.encode_token(b"notes", running.token(), "4.7.0"), *frames)
            await socket.hear(hocuspocus.Close, ysync.Step2, hocuspocus.PermissionDenied)

    return come


CASES = {
    "sync, nothing": over_sync(),
    "sync, what is no frame": over_sync(b"\x00\x09" + WRONG),
    "sync, what is no update": over_sync(ysync.encode_update(WRONG)),
    "sync, what is no presence": over_sync(ysync.encode_awareness(WRONG)),
    "collab, nothing": over_collab(hocuspocus.encode_step1(b"notes", b"\0")),
    "collab, what is no frame": over_collab(b"\x05notes\x00\x09" + WRONG),
    "collab, what is no update": over_collab(hocuspocus.encode_update(b"notes", WRONG)),
    "collab, a token that is none": over_collab(hocuspocus.encode_token(b"other", "wrong", "4.7.0")),
}


def left():
    kinds = (Connection, Socket, TicketSyncError)
    return [one for one in gc.get_objects() if issubclass(type(one), kinds)]


@pytest.mark.parametrize("case", CASES)
async def test_what_has_ended_is_gone_without_a_search(running, case):
    await CASES[case](running)  # what the first one loads stays
    gc.collect()
    gc.disable()
    try:
        before = set(map(id, left()))
        await CASES[case](running)
        async with asyncio.timeout(5):
            while running.service._connections._connections:  # noqa: ASYNC110 (it ends when its other side is heard)
                await asyncio.sleep(0.01)
        for _ in range(10):
            await asyncio.sleep(0)
        assert [] == [one for one in left() if id(one) not in before]
    finally:
        gc.enable()

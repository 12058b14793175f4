"""A socket on which no token comes, on the real service with a clock of the test's own."""

import pytest

from crdt_sync.server import bootstrap
from crdt_sync.server.deadlines import TICK_S, Deadlines
from crdt_sync.wire import hocuspocus, limits
from tests.access.wires import collab_socket
from tests.server.conftest import run_service
from tests.server.test_http_protocol import refusals


@pytest.fixture
async def running(tmp_path, monkeypatch):
    """A service whose deadlines wait for `pass_time`."""
    now_s = [0.0]
    monkeypatch.setattr(bootstrap, "Deadlines", lambda: Deadlines(lambda: now_s[0]))
    async with run_service(tmp_path / "data") as running:

        def pass_time(seconds):
            now_s[0] += seconds
            running.service._http._sockets.deadlines.tick()

        running.pass_time = pass_time
        yield running


async def answers(socket):
    await socket.say(hocuspocus.encode_ping())
    await socket.hear(hocuspocus.Pong)


async def test_who_brings_no_token_in_time_is_closed_and_who_has_brought_one_is_not(running):
    async with collab_socket(running) as known, collab_socket(running) as silent, collab_socket(running) as late:
        await known.say(hocuspocus.encode_token(b"notes", running.token(), "4.7.0"))
        await known.hear(hocuspocus.Authenticated)
        running.pass_time(limits.UNAUTHENTICATED_S - 2 * TICK_S)
        await answers(silent)
        await late.say(hocuspocus.encode_token(b"notes", running.token(), "4.7.0"))
        await late.hear(hocuspocus.Authenticated)
        running.pass_time(3 * TICK_S)

        assert (4501, "token_late") == await silent.end()
        assert 1 == (await refusals(running))["token_late"]
        await answers(known)
        await answers(late)

"""TLS handshakes hold so many places, on either event loop; who is slowest gives way, and nobody else is kept out."""

import asyncio
import errno
import socket
import ssl
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest
import structlog
import uvloop
import websockets

from crdt_sync.server import http_protocol, http_server, tls_listener
from crdt_sync.server.tls_listener import TlsListener
from tests.replica.loopback import until
from tests.server.conftest import run_service
from tests.server.test_http_protocol import refusals

PLACES = 20


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request):
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


@pytest.fixture(autouse=True)
def few(monkeypatch):
    for module in (tls_listener, http_server):
        monkeypatch.setattr(module, "HANDSHAKES_MAX", PLACES)
    monkeypatch.setattr(tls_listener, "PATIENCE_S", 0.01)


def strangers(running, crowd, count):
    """Open connections that say nothing."""
    address = ("127.0.0.1", running.service.port)
    return [crowd.enter_context(closing(socket.create_connection(address))) for _ in range(count)]


def descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def ended(connection):
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


async def reading(running, trusting):
    """What a client reads first, and the refusals that it is shown."""
    url = running.ws(f"/sync/a?token={running.token()}").replace("ws:", "wss:")
    async with (
        websockets.connect(url, ssl=trusting) as socket,
        httpx.AsyncClient(base_url=f"https://127.0.0.1:{running.service.port}", verify=trusting) as running.http,
    ):
        return await socket.recv(), await refusals(running)


@pytest.mark.parametrize("library", ["picows", "websockets"])
def test_silent_connections_hold_no_more_than_their_places_and_keep_nobody_out(run, library, pair, trusting, tmp_path):
    async def scenario():
        async with run_service(tmp_path / "data", websockets=library, connections=10, **pair) as running:
            before = descriptors()
            with ExitStack() as crowd:
                silent = strangers(running, crowd, 5 * PLACES)
                await until(lambda: sum(map(ended, silent)) == 4 * PLACES)
                held = descriptors() - before - len(silent)
                read, refused = await reading(running, trusting)
                kept = [ended(each) for each in silent]
            return held, read, refused["tls_handshake"], kept

    held, read, refused, kept = run(scenario())

    assert held <= PLACES + 2, "and what the process opens meanwhile"
    assert b"\x00\x00\x01\x00" == read
    assert [True] * (4 * PLACES) == kept[: 4 * PLACES], "the first to come are the first to go"
    assert 4 * PLACES <= refused <= 4 * PLACES + 2


def test_a_place_that_gets_free_is_taken_at_once(run, pair, trusting, tmp_path, monkeypatch):
    monkeypatch.setattr(tls_listener, "PATIENCE_S", 60)

    async def scenario():
        async with run_service(tmp_path / "data", **pair) as running:
            listener = running.service._http._server.servers[0]
            with ExitStack() as crowd:
                silent = strangers(running, crowd, PLACES + 1)
                await until(lambda: len(listener._handshakes) == PLACES and listener._paused)
                coming = asyncio.create_task(reading(running, trusting))
                for each in silent:
                    each.close()
                async with asyncio.timeout(5):
                    return (await coming)[0]

    assert b"\x00\x00\x01\x00" == run(scenario())


def test_where_answers_over_tls_would_take_what_others_need_there_is_none(run, pair, trusting, tmp_path, monkeypatch):
    """Whoever was answered 503 and keeps the connection open has a place too."""
    monkeypatch.setattr(http_protocol, "SPARE_CONNECTIONS", 1)
    monkeypatch.setattr(http_server, "SPARE_CONNECTIONS", 1)

    def shake_hands(port, stubborn):
        connection = socket.create_connection(("127.0.0.1", port))
        try:
            stubborn.enter_context(closing(trusting.wrap_socket(connection, server_hostname="127.0.0.1")))
        except OSError:
            connection.close()
            return False
        return True

    async def scenario():
        async with run_service(tmp_path / "data", connections=1, **pair) as running:
            with ExitStack() as stubborn:
                each = (running.service.port, stubborn)
                return [await asyncio.to_thread(shake_hands, *each) for _ in range(2 * PLACES)]

    assert [True] * (2 + PLACES) + [False] * (PLACES - 2) == run(scenario())


class Crowded:
    """A listening socket of a system that has no descriptor left, once."""

    def __init__(self, listening):
        self._listening = listening
        self.refusals = [OSError(errno.EMFILE, "Too many open files")]

    def __getattr__(self, name):
        return getattr(self._listening, name)

    def accept(self):
        if self.refusals:
            raise self.refusals.pop()
        return self._listening.accept()


def test_a_system_without_descriptors_is_asked_again_later(run, monkeypatch):
    monkeypatch.setattr(tls_listener, "RETRY_S", 0.01)
    told = asyncio.Queue()

    async def scenario():
        listening = Crowded(socket.create_server(("127.0.0.1", 0)))
        listener = TlsListener(
            listening,
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
            asyncio.Protocol,
            handshake_s=1,
            full=lambda handshakes: False,
            refused=lambda *who: told.put_nowait(who),
        )
        with closing(listening), closing(listener), closing(socket.create_connection(listening.getsockname())) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            return await told.get()

    with structlog.testing.capture_logs() as lines:
        assert ("127.0.0.1", "tls_handshake") == run(scenario())
    assert [("cannot accept connections", "Too many open files")] == [(line["event"], line["reason"]) for line in lines]

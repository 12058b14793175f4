"""What HTTP on the port takes from strangers: heads in time and of a size, and so many connections."""

import asyncio
from collections import Counter

import pytest
import websockets

from crdt_sync.server import http_protocol
from crdt_sync.server.http_protocol import HEAD_BYTES_MAX
from tests.counted import refused
from tests.server.conftest import run_service

HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


async def dial(running, *pieces):
    """Send pieces, each on its own way; return the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.service.port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)
    return reader, writer


async def told(running, *pieces):
    """Return everything that the service answered until it closed."""
    reader, writer = await dial(running, *pieces)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def refusals(running):
    """Every refusal that was counted, by its code, whatever the wire."""
    text = (await running.http.get("/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith("crdt_sync_refusals_total{")]
    counted = Counter()
    for line in lines:
        counted[line.partition('code="')[2].partition('"')[0]] += float(line.rpartition(" ")[2])
    return counted


@pytest.fixture
async def hasty(tmp_path, monkeypatch):
    """A service that waits less."""
    monkeypatch.setattr(http_protocol, "HEAD_S", 0.2)
    async with run_service(tmp_path / "data") as running:
        yield running


@pytest.mark.parametrize(
    "pieces",
    [
        (),
        (b"GET /heal",),
        (HEAD,),
        (HEAD + b"\r\n", b"\r\n"),
        (HEAD + b"\r\n", b"GET /"),
        (b"GET /collab HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",),
    ],
    ids=["silence", "a line", "a head", "an answer, then less than a line", "an answer, then a line", "a handshake"],
)
async def test_who_sends_no_whole_head_in_time_is_cut_off(hasty, pieces):
    await told(hasty, *pieces)

    assert 1 == (await refusals(hasty))["slow_head"]


async def test_who_has_sent_a_head_has_time(hasty):
    reader, writer = await dial(hasty, HEAD + b"Connection: close\r\nContent-Length: 1\r\n\r\n")
    await asyncio.sleep(1)
    writer.write(b"x")

    assert b" 200 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize(
    "piece",
    [b"X: " + b"x" * 8_000 + b"\r\n", b"x" * 8_000],
    ids=["many lines", "one line"],
)
async def test_a_head_has_a_size(running, piece):
    answer = await told(running, HEAD + b"Y: ", *[piece] * (HEAD_BYTES_MAX // 8_000 + 1))

    assert b"HTTP/1.1 431 " == answer[:13]
    assert b'"code":"head_size"' in answer
    assert 1 == (await refusals(running))["head_size"]


@pytest.mark.parametrize("path", ["/collab", "/sync/notes", "/events"])
@pytest.mark.parametrize(("method", "version"), [("POST", "1.1"), ("GET", "1.0")])
async def test_a_websocket_begins_with_a_get_of_http_1_1(running, path, method, version):
    words = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = f"Sec-WebSocket-Key: {'A' * 22}==\r\n\r\n"
    async with refused(running, ("http", "handshake")):
        answer = await told(running, f"{method} {path} HTTP/{version}\r\nHost: x\r\n{words}{key}".encode())

    assert (b"HTTP/1.1 400 ", True) == (answer[:13], b'"code":"handshake"' in answer)


async def test_what_follows_a_body_has_a_size_too(running):
    begin = b"POST /api/tickets HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    answer = await told(running, begin, *[b"X: " + b"x" * 8_000 + b"\r\n"] * (HEAD_BYTES_MAX // 8_000 + 1))

    assert b'"code":"head_size"' in answer


async def test_a_body_is_no_head(running):
    size = 3 * HEAD_BYTES_MAX
    head = b"POST /api/tickets HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
    answer = await told(running, head, *[b"x" * HEAD_BYTES_MAX] * 3)

    assert b"HTTP/1.1 401 " == answer[:13]


async def test_where_there_is_no_room_a_handshake_is_told_and_requests_are_answered(tmp_path):
    async with run_service(tmp_path / "data", connections=3) as running:
        url = running.ws(f"/sync/a?token={running.token()}")
        async with websockets.connect(url), websockets.connect(url):
            assert 200 == (await running.http.get("/healthz")).status_code  # it keeps its connection, the third
            with pytest.raises(websockets.InvalidStatus) as caught:
                await websockets.connect(url)
            assert 200 == (await running.http.get("/healthz")).status_code
        answer = caught.value.response

        assert (503, "5") == (answer.status_code, answer.headers["retry-after"])
        assert "application/problem+json" == answer.headers["content-type"]
        assert b'"code":"full"' in answer.body
        assert 1 == (await refusals(running))["full"]
        async with websockets.connect(url) as again:
            assert b"\x00\x00\x01\x00" == await again.recv()


async def test_far_beyond_the_limit_a_connection_is_told_before_it_asks(tmp_path, monkeypatch):
    monkeypatch.setattr(http_protocol, "SPARE_CONNECTIONS", 1)
    async with run_service(tmp_path / "data", connections=1) as running:
        kept = await dial(running, HEAD)
        answer = await told(running)
        kept[1].close()

        assert b"HTTP/1.1 503 " == answer[:13]


async def test_what_is_no_http_is_a_refusal_with_a_code(running):
    answer = await told(running, b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n")

    assert b"HTTP/1.1 400 " == answer[:13]
    assert b'"code":"no_http"' in answer
    assert 1 == (await refusals(running))["no_http"]

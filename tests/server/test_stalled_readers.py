"""Who follows events, or asks for an answer, and reads nothing of it is cut off, whatever the wire."""

import asyncio
import socket
from contextlib import asynccontextmanager, closing

import grpc
import pytest

from crdt_sync.rpc.ticketsync.v1 import events_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import sync_pb2
from crdt_sync.service import events as hub
from crdt_sync.wire import limits
from tests.replica.loopback import until
from tests.server.test_grpc_events import Watching
from tests.server.test_grpc_sync import Talking, change, opening, update_of

UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest.fixture
def long(monkeypatch):
    """Every event is longer than what a system takes for a reader, who is waited for as long as a tick."""
    monkeypatch.setattr(hub.cloudevents, "encode", lambda **_: "x" * 8_000_000)
    monkeypatch.setattr(limits, "STALLED_S", 0.1)


def counted(running, wire):
    return running.service._audit._meter._refusals.labels(wire, "slow_reader")._value.get()


async def stalled(running, wire):
    """Let more happen until the reader is cut off; how often that was counted."""
    before = counted(running, wire)
    async with asyncio.timeout(20):
        while counted(running, wire) == before:
            await running.ticket()
    await until(lambda: not running.service._events._watchers)
    return counted(running, wire) - before


@pytest.mark.parametrize(("wire", "more"), [("http", ""), ("events", UPGRADE)], ids=["server-sent events", "WebSocket"])
async def test_who_reads_nothing_of_the_events_is_cut_off_and_counted(running, long, wire, more):
    with closing(socket.socket()) as client:
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", running.service.port))
        head = f"GET /events?after=0&token={running.token()} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n"
        await loop.sock_sendall(client, head.encode())

        assert 1 == await stalled(running, wire)


async def test_who_reads_no_answer_gains_no_time_by_asking_for_more(running, monkeypatch):
    monkeypatch.setattr(limits, "STALLED_S", 1)
    connections = running.service._http._server.server_state.connections
    with closing(socket.socket()) as client:
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", running.service.port))
        ask = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
        await loop.sock_sendall(client, ask * 400)
        await until(lambda: [each for each in connections if each.flow.write_paused])
        await loop.sock_sendall(client, ask)
        await until(lambda: not connections)

    assert 1 == counted(running, "http")


async def test_who_reads_nothing_of_a_watch_is_cut_off_and_counted(running, long, monkeypatch):
    monkeypatch.setattr(hub.cloudevents, "encode", lambda **_: "x" * 1_000_000)
    watching = Watching(running.channel, running.metadata())
    await watching.say(pb.WatchRequest(after_position=0))

    assert 1 == await stalled(running, "grpc")


@asynccontextmanager
async def unread(running, answers, size=100_000):
    """A stream whose caller asked so many times for a text and reads nothing of it: a window that does not grow."""
    options = (
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 65_536),
    )
    author = Talking(running.channel, running.metadata())
    await author.say(opening("a"), change("a", update_of("x" * size)))
    await author.hear("ack")
    author.call.cancel()
    await until(lambda: not running.service._connections._connections)
    target = f"127.0.0.1:{running.service.grpc_port}"
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        idle = Talking(channel, running.metadata())
        await idle.say(opening("a"))
        await idle.hear("opened")
        for _ in range(answers):
            await idle.say(sync_pb2.ClientFrame(document="a", step1=b"\0"))
        yield idle


@pytest.mark.parametrize("answers", [3, 30], ids=["within the queue", "beyond it"])
async def test_who_reads_nothing_of_a_stream_loses_it_and_the_place_and_is_counted_once(running, monkeypatch, answers):
    monkeypatch.setattr(limits, "STALLED_S", 0.1)
    monkeypatch.setattr(limits, "SEND_QUEUE_BYTES_MAX", 1_000_000)
    async with unread(running, answers):
        await until(lambda: counted(running, "grpc"))
        await until(lambda: not running.service._connections._connections)
        await until(lambda: not streams(running))

    assert 1 == counted(running, "grpc")


async def test_of_who_was_found_to_read_too_slowly_nothing_more_is_taken(running, monkeypatch):
    monkeypatch.setattr(limits, "STALLED_S", 0.5)
    monkeypatch.setattr(limits, "SEND_QUEUE_BYTES_MAX", 1_000_000)
    async with unread(running, 30) as idle:
        await until(lambda: counted(running, "grpc"))
        before = await running.service._store.position()
        await idle.say(change("a", update_of("late")))
        await until(lambda: not streams(running))

    assert before == await running.service._store.position()


async def test_who_does_not_read_why_a_stream_ends_loses_the_place_too(running, monkeypatch):
    monkeypatch.setattr(limits, "STALLED_S", 0.1)
    async with unread(running, 2, size=34_000) as idle:
        await idle.say(sync_pb2.ClientFrame())
        await until(lambda: not streams(running))

    assert 0 == counted(running, "grpc"), "the reason was another"


def streams(running):
    """How many places the streams of gRPC take."""
    return running.service._http._sockets._streams


async def test_who_reads_slowly_is_not(running, monkeypatch):
    monkeypatch.setattr(limits, "STALLED_S", 0.1)
    await running.ticket()
    async with running.http.stream("GET", "/events?after=0", headers=running.headers(), timeout=20) as answer:
        lines = answer.aiter_lines()
        await anext(lines)
        await running.ticket()
        while not (await anext(lines)).startswith("data"):
            pass

    assert 0 == counted(running, "http")

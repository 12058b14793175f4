"""Who follows events, or asks for an answer, and reads nothing of it is cut off, whatever the wire."""

import asyncio
import socket
from contextlib import closing

import pytest

from crdt_sync.rpc.ticketsync.v1 import events_pb2 as pb
from crdt_sync.service import events as hub
from crdt_sync.wire import limits
from tests.replica.loopback import until
from tests.server.test_grpc_events import Watching

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


async def test_who_reads_nothing_of_a_watch_is_cut_off_and_counted(running, long, monkeypatch):
    monkeypatch.setattr(hub.cloudevents, "encode", lambda **_: "x" * 1_000_000)
    watching = Watching(running.channel, running.metadata())
    await watching.say(pb.WatchRequest(after_position=0))

    assert 1 == await stalled(running, "grpc")


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

"""A client that asks and never reads: it is cut off at a bound, and nobody else notices."""

import asyncio
import socket

import grpc
import pycrdt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from crdt_sync.rpc.status import code_of
from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import sync_pb2_grpc
from crdt_sync.service.pace import ANSWER_BYTES_FREE
from crdt_sync.wire import hocuspocus, limits, ysync
from tests.access.wires import PATIENCE_S, sync_socket
from tests.server.conftest import run_service
from tests.server.fakes import masked

DOCUMENT = "notes"
ASKED = 40  # times a document of a MiB: more than the bound, and than two kernels hold beside it


@pytest.fixture(params=["picows", "websockets"])
async def running(request, tmp_path):
    async with run_service(tmp_path / "data", websockets=request.param) as running:
        await fill(running)
        yield running


async def fill(running):
    """Write a document of one MiB."""
    document = pycrdt.Doc()
    document["t"] = pycrdt.Text("x" * limits.MIB)
    async with sync_socket(running, DOCUMENT, running.token()) as writing:
        await writing.say(ysync.encode_update(document.get_update()))
        await writing.hear(ysync.Update)


async def slow(running, wire):
    """Wait until a slow reader was counted."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            text = (await running.http.get("/metrics")).text
            if f'crdt_sync_refusals_total{{code="slow_reader",wire="{wire}"}}' in text:
                return
            await asyncio.sleep(0.05)


async def still_served(running):
    """A bystander of the same document gets the next answer."""
    async with sync_socket(running, DOCUMENT, running.token()) as bystander:
        await bystander.say(ysync.encode_step1(b"\0"))
        await bystander.hear(ysync.Step2)


async def silent(running, path, *messages):
    """A WebSocket whose client sends, and reads nothing: not even the kernel takes much for it."""
    ours = socket.socket()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    ours.setblocking(False)
    await asyncio.get_running_loop().sock_connect(ours, ("127.0.0.1", running.service.port))
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    keys = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    await asyncio.get_running_loop().sock_sendall(ours, (head + keys).encode())
    assert await asyncio.get_running_loop().sock_recv(ours, 1024)
    for message in messages:
        await asyncio.get_running_loop().sock_sendall(ours, masked(message))
    return ours


async def test_on_sync_a_reader_of_nothing_is_closed(running):
    asking = await silent(running, f"/sync/{DOCUMENT}?token={running.token()}", *[ysync.encode_step1(b"\0")] * ASKED)
    await slow(running, "sync")
    await still_served(running)
    asking.close()


async def test_as_much_waits_for_a_reader_as_the_limit_says_and_no_more(running):
    """Each answer is a MiB: the last that was still waited for is the last that fits."""
    asking = await silent(running, f"/sync/{DOCUMENT}?token={running.token()}")
    (served,) = running.service._http._sockets.open
    waiting = []
    while not served._closing:
        await asyncio.get_running_loop().sock_sendall(asking, masked(ysync.encode_step1(b"\0")))
        counted = (len(waiting) + 1) * (1 + limits.MIB // ANSWER_BYTES_FREE)
        async with asyncio.timeout(PATIENCE_S):
            while not served._closing and served._connection._pace._count != counted:  # noqa: ASYNC110 (in the service)
                await asyncio.sleep(0)
        waiting.append(served._transport.get_write_buffer_size())
    *held, beyond = waiting

    assert limits.SEND_QUEUE_BYTES_MAX - limits.MIB - 1024 <= max(held) <= limits.SEND_QUEUE_BYTES_MAX < beyond
    await slow(running, "sync")
    asking.close()


async def test_on_collab_a_reader_of_nothing_is_closed(running):
    name = DOCUMENT.encode()
    token = hocuspocus.encode_token(name, running.token())
    asking = await silent(running, "/collab", token, *[hocuspocus.encode_step1(name, b"\0")] * ASKED)
    await slow(running, "collab")
    await still_served(running)
    asking.close()


async def test_who_reads_late_finds_the_code_behind_everything_that_was_sent(running):
    """No frame is left out: those before the close are whole, and then there is none."""
    url = running.ws(f"/sync/{DOCUMENT}?token={running.token()}")
    async with connect(url, max_size=None, max_queue=1) as asking:
        for _ in range(ASKED):
            await asking.send(ysync.encode_step1(b"\0"))
        await slow(running, "sync")
        answers = []
        with pytest.raises(ConnectionClosed):  # noqa: PT012 (behind what was sent before)
            while True:
                answers.append(ysync.decode(await asking.recv()))
        assert (1013, "slow_reader") == (asking.close_code, asking.close_reason.partition(":")[0])
    assert [ysync.Step1] + [ysync.Step2] * (len(answers) - 1) == [type(answer) for answer in answers]
    assert len(answers) < ASKED


async def test_on_grpc_a_reader_of_nothing_loses_its_stream(tmp_path):
    async with run_service(tmp_path / "data") as running:
        await fill(running)
        metadata = running.metadata()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{running.service.grpc_port}") as channel:
            call = sync_pb2_grpc.SyncServiceStub(channel).Sync(metadata=metadata)
            await call.write(pb.ClientFrames(frames=[pb.ClientFrame(document=DOCUMENT, open=pb.Open())]))
            for _ in range(ASKED):
                await call.write(pb.ClientFrames(frames=[pb.ClientFrame(document=DOCUMENT, step1=b"\0")]))
            await slow(running, "grpc")
            await still_served(running)
            with pytest.raises(grpc.aio.AioRpcError) as caught:  # noqa: PT012 (behind what was under way)
                while await call.read() is not grpc.aio.EOF:
                    pass
            assert (grpc.StatusCode.UNAVAILABLE, "slow_reader") == (caught.value.code(), code_of(caught.value))

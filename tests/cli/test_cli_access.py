"""`crdt-sync admin access` and `admin audit` against a running service: what is taken is gone within two seconds."""

import asyncio
import time
from contextlib import asynccontextmanager, suppress

import grpc
import pytest
from typer.testing import CliRunner
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from crdt_sync.cli.main import app
from crdt_sync.rpc.status import code_of
from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import sync_pb2_grpc, tickets_pb2, tickets_pb2_grpc
from crdt_sync.wire import hocuspocus
from tests.server.conftest import run_service

SOON_S = 2.0  # what the service promises


def admin(data, *arguments):
    return CliRunner().invoke(app, ["admin", "--data", str(data), *arguments])


@pytest.fixture
async def running(tmp_path):
    async with run_service(tmp_path / "data", open_documents=False) as running:
        yield running


async def operator(running, *arguments):
    """The command in a thread: it has an event loop of its own."""
    result = await asyncio.to_thread(admin, running.service.settings.data, *arguments)
    assert 0 == result.exit_code, result.output
    return result.output


@asynccontextmanager
async def everywhere(running, document):
    """One person on every wire, each with the document open."""
    stream = sync_pb2_grpc.SyncServiceStub(running.channel).Sync(metadata=running.metadata())
    await stream.write(pb.ClientFrames(frames=[pb.ClientFrame(document=document, open=pb.Open())]))
    token = running.token()
    async with (
        connect(running.ws(f"/sync/{document}?token={token}")) as sync,
        connect(running.ws("/collab")) as collab,
    ):
        await collab.send(hocuspocus.encode_token(document.encode(), token, "4.7.0"))
        await sync.recv()
        await collab.recv()
        await stream.read()
        yield sync, collab, stream
    stream.cancel()


async def closed(socket):
    with suppress(ConnectionClosed):
        async for _ in socket:
            pass
    return socket.close_code, socket.close_reason.partition(":")[0]


async def ended(stream):
    try:
        while await stream.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return code_of(error)
    return ""


async def test_who_is_revoked_is_out_everywhere_within_two_seconds(running):
    ticket = await running.ticket()
    async with everywhere(running, f"ticket/{ticket}/card") as (sync, collab, stream):
        await operator(running, "access", "revoke", "sales-1")
        began_s = time.monotonic()
        assert (4401, "revoked") == await closed(sync)
        assert (4401, "revoked") == await closed(collab)
        assert "revoked" == await ended(stream)
        assert SOON_S > time.monotonic() - began_s
    answer = await running.http.get("/api/tickets", headers=running.headers())
    assert (401, "revoked") == (answer.status_code, answer.json()["code"])
    call = tickets_pb2_grpc.TicketServiceStub(running.channel).Get
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(tickets_pb2.GetRequest(id=ticket), metadata=running.metadata())
    assert "revoked" == code_of(caught.value)
    assert 200 == (await running.http.get("/api/tickets", headers=running.headers("tech"))).status_code


async def test_who_is_limited_loses_the_document_and_keeps_the_connection_where_there_are_several(running):
    ticket = await running.ticket()
    document = f"ticket/{ticket}/card"
    async with everywhere(running, document) as (sync, collab, stream):
        await operator(running, "access", "limit", "sales-1", "--ticket", "b" * 51 + "a")
        assert (4403, "ticket_scope") == await closed(sync)
        while (frame := hocuspocus.decode(await collab.recv()).frame) != hocuspocus.Close(
            "ticket_scope: The token does not name this ticket."
        ):
            assert not isinstance(frame, hocuspocus.Close)
        while True:
            told = [frame.closed.code for frame in (await stream.read()).frames if frame.WhichOneof("body") == "closed"]
            if told:
                break
        assert ["ticket_scope"] == told


async def test_what_was_taken_is_shown_and_comes_back_but_void_tokens(running):
    old = running.headers(issued_at_ms=1_000)
    output = await operator(running, "access", "sign-out", "sales-1")
    assert "are void" in output
    output = await operator(running, "access", "limit", "sales-1", "--role", "sales", "--read-only")
    assert "nothing may be written; roles at most sales; tokens from before" in output
    assert output == await operator(running, "access", "show")
    assert "tokens from before" in await operator(running, "access", "restore", "sales-1")
    await running.service._leases._standing.refresh()

    assert 401 == (await running.http.get("/api/tickets", headers=old)).status_code
    later = running.headers(issued_at_ms=int(time.time() * 1000) + 1_000)
    assert 200 == (await running.http.get("/api/tickets", headers=later)).status_code


def test_a_ticket_that_can_never_be_is_refused(tmp_path):
    result = admin(tmp_path, "access", "limit", "sales-1", "--ticket", "x")

    assert "no ticket's id" in str(result.exception)


async def test_the_operator_reads_what_was_refused(running):
    await running.http.get("/api/tickets", headers={"authorization": "Bearer wrong"})
    await running.http.get("/api/tickets/" + "a" * 52, headers=running.headers())
    data = running.service.settings.data
    await running.service.stop()

    lines = (await asyncio.to_thread(admin, data, "audit")).output.splitlines()
    assert 2 == len(lines)
    assert f"1x no_ticket http 'GET /api/tickets/{'a' * 52}' 'sales-1' of 'sales' from " in lines[0]
    assert "1x token_invalid http 'GET /api/tickets' nobody known from " in lines[1]
    (line,) = (await asyncio.to_thread(admin, data, "audit", "--actor", "sales-1")).output.splitlines()
    assert lines[0] == line
    assert lines == (await asyncio.to_thread(admin, data, "audit", "--address", "127.0.0.1")).output.splitlines()
    assert "" == (await asyncio.to_thread(admin, data, "audit", "--address", "10.0.0.1")).output

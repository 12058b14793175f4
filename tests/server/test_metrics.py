"""Who reads /metrics, and that refusals of every wire are there."""

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from crdt_sync.rpc.ticketsync.v1 import sync_pb2, sync_pb2_grpc, tickets_pb2, tickets_pb2_grpc
from crdt_sync.server.metrics import Metrics
from tests.server.conftest import run_service


@pytest.fixture
def app(site):
    return site.client._transport.app


async def ask(site, host="127.0.0.1", **headers):
    return await site.client.get("/metrics", headers={"host": host} | headers)


async def test_programs_of_this_machine_read_the_numbers(site):
    answer = await ask(site)

    assert (200, "numbers") == (answer.status_code, answer.text)


@pytest.mark.parametrize(
    ("host", "headers"),
    [("desk.example", {}), ("127.0.0.1", {"x-forwarded-for": "127.0.0.1"}), ("127.0.0.1", {"forwarded": "for=x"})],
)
async def test_what_a_proxy_passes_on_does_not(site, host, headers):
    answer = await ask(site, host, **headers)

    assert (403, "metrics_local") == (answer.status_code, answer.json()["code"])
    assert {("http", "metrics_local"): 1} == site.meter.refusals


async def test_another_machine_does_not(site, app, monkeypatch):
    monkeypatch.setattr(site.client._transport, "client", ("10.0.0.7", 1))

    assert 403 == (await ask(site)).status_code


@pytest.mark.parametrize(("readers", "status"), [("all", 200), ("nobody", 404)])
async def test_an_operator_decides_otherwise(site, app, readers, status):
    app.state.metrics = Metrics(lambda: b"numbers", "text/plain", readers)

    assert status == (await ask(site, "desk.example")).status_code


async def shown(running):
    text = (await running.http.get("/metrics")).text
    families = text_string_to_metric_families(text)
    return {(s.name, *_named(s.labels)): s.value for family in families for s in family.samples}


def _named(labels):
    return (labels[name] for name in ("wire", "code", "le") if name in labels)


async def test_a_refusal_is_counted_on_whichever_wire_it_was_said(tmp_path):
    async with run_service(tmp_path / "data") as running:
        await running.http.get("/api/tickets")
        await running.http.get("/nowhere")
        for path in ("/sync/notes?token=wrong", "/sync/ticket%2Fx?token=" + running.token()):
            async with connect(running.ws(path)) as socket:
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
        async with connect(running.ws("/collab")) as socket:
            await socket.send(b"\x01a\x02\x00\x05wrong")
            assert b"token_invalid" in await socket.recv()
        tickets, sync = tickets_pb2_grpc.TicketServiceStub(running.channel), sync_pb2_grpc.SyncServiceStub
        with pytest.raises(grpc.aio.AioRpcError):
            await tickets.Get(tickets_pb2.GetRequest(id="x"), metadata=running.metadata())
        with pytest.raises(grpc.aio.AioRpcError):
            await sync(running.channel).Sync(iter([sync_pb2.ClientFrames()])).read()
        undecodable = running.channel.unary_unary("/ticketsync.v1.TicketService/Get")
        with pytest.raises(grpc.aio.AioRpcError):
            await undecodable(b"\xff", metadata=running.metadata())

        counted = {key[1:]: value for key, value in (await shown(running)).items() if "crdt_sync_refusals_total" in key}
    expected = {
        ("http", "token_missing"): 1,
        ("http", "unknown_route"): 1,
        ("sync", "token_invalid"): 1,
        ("sync", "unknown_document"): 1,
        ("collab", "token_invalid"): 1,
        ("grpc", "unknown_ticket"): 1,
        ("grpc", "token_missing"): 1,
        ("grpc", "malformed"): 1,
    }
    assert expected == counted


async def test_what_there_is_and_what_was_committed_is_shown(running):
    await running.ticket()
    async with connect(running.ws("/sync/notes?token=" + running.token())) as socket:
        await socket.recv()
        counted = await shown(running)

    assert (1, 0) == (counted["crdt_sync_connections", "sync"], counted["crdt_sync_queued_jobs",])
    assert 2 <= counted["crdt_sync_rooms",]
    assert 1 <= counted["crdt_sync_commit_seconds_count",]

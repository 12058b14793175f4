"""What the gRPC server bounds, against the real service: streams, metadata, pings, deadlines, and who never reads."""

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import grpc
import pytest
import trustme
from prometheus_client.parser import text_string_to_metric_families

from crdt_sync.rpc.ticketsync.v1 import tickets_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import tickets_pb2_grpc
from crdt_sync.server import descriptors, grpc_server
from crdt_sync.wire import limits
from gateway.bootstrap import open_channel
from gateway.settings import GatewaySettings
from tests.replica.loopback import until
from tests.server.conftest import run_service
from tests.server.test_grpc_events import Watching
from tests.server.test_grpc_sync import Talking, change, opening, update_of

UPGRADE = {
    "connection": "upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def bounded(monkeypatch, name, value):
    """Let the next server have another value of an option that it has."""
    assert name in dict(grpc_server.OPTIONS)
    monkeypatch.setattr(grpc_server, "OPTIONS", list((dict(grpc_server.OPTIONS) | {name: value}).items()))


async def listed(channel, metadata):
    await tickets_pb2_grpc.TicketServiceStub(channel).List(pb.ListRequest(), metadata=metadata, timeout=5)


async def test_with_a_certificate_calls_are_encrypted_and_nothing_else_is_answered(pair, authority, tmp_path):
    trusted = authority.cert_pem.bytes()
    stranger = trustme.CA().cert_pem.bytes()
    async with run_service(tmp_path / "data", gateway=False, **pair) as running:
        target = f"127.0.0.1:{running.service.grpc_port}"
        async with grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(trusted)) as channel:
            await listed(channel, running.metadata())
        async with grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(stranger)) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as untrusted:
                await listed(channel, running.metadata())
        with pytest.raises(grpc.aio.AioRpcError) as plain:
            await listed(running.channel, running.metadata())

    assert {grpc.StatusCode.UNAVAILABLE} == {untrusted.value.code(), plain.value.code()}
    assert f"127.0.0.1:{running.service.grpc_port}" == running.service.gateway_address, "nobody needs it in plain"


async def test_the_gateway_of_the_same_process_needs_no_certificate_and_another_trusts_one(pair, authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    async with run_service(tmp_path / "data", **pair) as running:
        within = GatewaySettings(core=running.service.gateway_address, core_token=lambda: "")
        core = f"127.0.0.1:{running.service.grpc_port}"
        beside = GatewaySettings(core=core, core_token=lambda: "", core_certificate=tmp_path / "authority.pem")
        for settings in (within, beside):
            async with open_channel(settings) as channel:
                await listed(channel, running.metadata())
        directory = Path(running.service.gateway_address.removeprefix("unix:")).parent
        assert stat.S_IRWXU == stat.S_IMODE(directory.stat().st_mode), "nobody else on this machine finds it"
    assert not directory.exists()


async def test_a_connection_has_so_many_streams_and_the_next_one_waits(tmp_path, monkeypatch):
    bounded(monkeypatch, "grpc.max_concurrent_streams", 2)
    async with run_service(tmp_path / "data") as running:
        first, second = (Talking(running.channel, running.metadata()) for _ in range(2))
        for each in (first, second):
            await _opened(each)
        waiting = asyncio.ensure_future(_opened(Talking(running.channel, running.metadata())))
        await second.say(change("a", update_of("x")))
        await second.hear("ack")
        assert not waiting.done()
        first.call.cancel()
        async with asyncio.timeout(20):
            assert "a" == (await waiting).document


async def test_streams_and_watches_take_places_among_the_connections_and_are_shown(tmp_path):
    async with run_service(tmp_path / "data", connections=2) as running:
        talking = Talking(running.channel, running.metadata())
        await _opened(talking)
        watching = await Watching.after(running, 0)
        await watching.call.read()
        shown = await levels(running)
        for more in (Talking(running.channel, running.metadata()), await Watching.after(running, 0)):
            assert (grpc.StatusCode.UNAVAILABLE, "full") == await asyncio.wait_for(more.end(), 20)
        refused = await running.http.get("/sync/notes", headers=UPGRADE)
        counted = running.service._audit._meter._refusals.labels("grpc", "full")._value.get()
        watching.call.cancel()
        talking.call.cancel()
        await until(lambda: not running.service._events._watchers)
        async with running.http.stream("GET", "/events", headers=running.headers()):
            await until(lambda: running.service._events._watchers)
            later = await levels(running)

    assert ({"grpc": 2}, {"events": 1}) == (shown, later)
    assert (503, "full", 2) == (refused.status_code, refused.json()["code"], counted)


HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # RFC 9113, 3.4: with no settings


async def connected(running, preface=HTTP2):
    """A connection of somebody without a token, and what the service says at first: nothing to who is one too many."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.service.grpc_port)
    writer.write(preface)
    try:
        return writer, reader, await reader.read(9)
    except ConnectionResetError:
        return writer, reader, b""


async def test_a_full_port_lets_no_more_connections_in_and_http_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(descriptors, "GRPC_SPARE_CONNECTIONS", 1)
    async with run_service(tmp_path / "data", connections=2, gateway=False) as running:
        made = [await connected(running) for _ in range(5)]
        probed = await running.http.get("/healthz")
        made[0][0].close()
        async with asyncio.timeout(20):
            while not made[-1][2]:
                made.append(await connected(running))
        for writer, *_ in made:
            writer.close()

    assert ([True] * 3 + [False] * 2, 200) == ([bool(said) for *_, said in made[:5]], probed.status_code)


@pytest.mark.parametrize(
    ("option", "preface"),
    [("grpc.server_handshake_timeout_ms", b""), ("grpc.max_connection_idle_ms", HTTP2)],
    ids=["says nothing", "calls nothing"],
)
async def test_who_connects_and_calls_nothing_is_let_go(tmp_path, monkeypatch, option, preface):
    bounded(monkeypatch, option, 100)
    async with run_service(tmp_path / "data", gateway=False) as running:
        writer, reader, _ = await connected(running, preface)
        async with asyncio.timeout(20):
            await reader.read()
        writer.close()


async def levels(running):
    """How many connections of each wire there are, as a scrape shows it."""
    text = (await running.http.get("/metrics")).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return {sample.labels["wire"]: sample.value for sample in families["crdt_sync_connections"].samples}


async def _opened(talking):
    await talking.say(opening("a"))
    return await talking.hear("opened")


async def test_metadata_that_no_token_needs_is_refused(running):
    more = (*running.metadata(), ("more", "x" * 40_000))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await tickets_pb2_grpc.TicketServiceStub(running.channel).List(pb.ListRequest(), metadata=more)

    assert grpc.StatusCode.RESOURCE_EXHAUSTED is refused.value.code()


async def test_a_call_whose_time_is_over_is_done_whole_or_not_at_all(running):
    """The log cannot commit until the caller has given up; the same request later has its one result."""
    ticket = await running.ticket()
    stub = tickets_pb2_grpc.TicketServiceStub(running.channel)
    shown = (await stub.Get(pb.GetRequest(id=ticket), metadata=running.metadata())).ticket
    request = pb.TransitionRequest(id=ticket, lane="sales", name="lose", seen=shown.version, request_id="once")
    with closing(sqlite3.connect(running.service.settings.data / "crdt-sync.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(grpc.aio.AioRpcError) as given_up:
            await stub.Transition(request, metadata=running.metadata(), timeout=0.5)
        other.execute("ROLLBACK")
    done = await stub.Transition(request, metadata=running.metadata(), timeout=20)
    again = await stub.Transition(request, metadata=running.metadata())
    history = (await running.http.get(f"/api/tickets/{ticket}/history", headers=running.headers())).json()["history"]

    assert grpc.StatusCode.DEADLINE_EXCEEDED is given_up.value.code()
    assert ("cancelled", done.transition) == (done.ticket.stage, again.transition)
    assert [ticket, done.transition] == [made["id"] for made in history]


async def test_a_client_that_never_reads_loses_its_stream_and_holds_no_more_than_its_queue(running, monkeypatch):
    monkeypatch.setattr(limits, "SEND_QUEUE_BYTES_MAX", 300_000)
    target = f"127.0.0.1:{running.service.grpc_port}"
    options = (  # a connection apart, since streams of one share a window, and one that does not grow
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 65_536),
    )
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        idle, author = Talking(channel, running.metadata()), Talking(running.channel, running.metadata())
        for each in (idle, author):
            await _opened(each)
        for number in range(25):
            await author.say(change("a", update_of("x" * 100_000), number.to_bytes(8, "big")))
            await author.hear("ack")

        assert (grpc.StatusCode.UNAVAILABLE, "slow_reader") == await idle.end()
        author.call.cancel()


async def test_a_client_that_pings_all_the_time_is_cut_off(tmp_path, monkeypatch):
    bounded(monkeypatch, "grpc.http2.min_ping_interval_without_data_ms", 3_600_000)
    options = (("grpc.keepalive_time_ms", 50), ("grpc.http2.max_pings_without_data", 0))
    async with (
        run_service(tmp_path / "data") as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.service.grpc_port}", options=options) as channel,
    ):
        talking = Talking(channel, running.metadata())
        await talking.say(opening("a"))
        async with asyncio.timeout(20):
            status, _ = await talking.end()

    assert grpc.StatusCode.UNAVAILABLE is status

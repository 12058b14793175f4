"""Both links against the real service on real ports: sockets that break, tokens that end, a service that restarts."""

import asyncio
import json
from contextlib import aclosing

import pytest

from crdt_sync.errors import Malformed, NotFound, Unauthenticated, Unavailable
from crdt_sync.replica import Replica
from crdt_sync.replica.grpc_link import GrpcLine, GrpcLink
from crdt_sync.replica.link import Closed, Heard, Join, Leave, Opened, StateVector, heard
from crdt_sync.replica.websocket_link import WebSocketLink, decoded
from crdt_sync.rpc.ticketsync.v1 import sync_pb2
from crdt_sync.wire import hocuspocus
from tests.replica.loopback import until
from tests.server.conftest import run_service

SYNC_S = 15.0
SCHEMES = ("ws", "grpc")


def url_of(running, scheme):
    return f"{scheme}://127.0.0.1:{running.service.port if scheme == 'ws' else running.service.grpc_port}"


def link_of(running, scheme, token):
    if scheme == "ws":
        return WebSocketLink(url_of(running, "ws"), token)
    return GrpcLink(f"127.0.0.1:{running.service.grpc_port}", token)


@pytest.fixture
async def running(tmp_path):
    async with run_service(tmp_path / "data") as running:
        yield running


@pytest.mark.parametrize(("sales_scheme", "tech_scheme"), [("ws", "grpc"), ("grpc", "ws")])
async def test_signed_meets_pending_over_both_wires(running, tmp_path, sales_scheme, tech_scheme):
    sales_url, tech_url = url_of(running, sales_scheme), url_of(running, tech_scheme)
    sales_path, tech_path = tmp_path / "sales.db", tmp_path / "tech.db"
    async with Replica.open(sales_path, url=sales_url, token=running.token()) as sales:
        ticket = await sales.open_ticket(title="Fibre")
        await ticket.do("sales", "quote", {"price": "100.00"})
        await sales.synced(SYNC_S)
    async with Replica.open(tech_path, url=tech_url, token=running.token("tech")) as tech:
        await tech.synced(SYNC_S)
    async with Replica.open(sales_path) as sales, Replica.open(tech_path) as tech:
        await (await sales.ticket(ticket.id)).do("sales", "sign", {"contract": "A-17"})
        await (await tech.ticket(ticket.id)).set_form("tech", {"port": "7/2"})

    async with (
        Replica.open(tech_path, url=tech_url, token=running.token("tech"), poll_s=0.1) as tech,
        Replica.open(sales_path, url=sales_url, token=running.token(), poll_s=0.1) as sales,
    ):
        await sales.synced(SYNC_S)
        await tech.synced(SYNC_S)
        signed, pending = await sales.ticket(ticket.id), await tech.ticket(ticket.id)
        await until(lambda: signed.state == pending.state)
        assert ("ready_to_start", {"port": "7/2"}, ()) == (pending.stage, pending.form("tech"), signed.pending)

        told = asyncio.ensure_future(anext(sales.changes()))
        await pending.do("tech", "start")
        assert ticket.id == (await told).ticket
        await until(lambda: signed.stage == "in_delivery")
        assert "connected" == (await sales.status()).connection


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_replica_comes_back_to_a_service_that_was_restarted(tmp_path, scheme):
    async with run_service(tmp_path / "data") as running:
        ports = {"port": running.service.port, "grpc_port": running.service.grpc_port}
        url, token = url_of(running, scheme), running.token()
        id_ = await running.ticket()
        context = Replica.open(tmp_path / "replica.db", url=url, token=token, poll_s=0.1)
        replica = await context.__aenter__()
        await replica.synced(SYNC_S)
    try:
        await until(lambda: replica._sync.connection == "connecting" and replica._sync.problem is not None)
        ticket = await replica.ticket(id_)
        made = await ticket.do("sales", "lose")
        async with run_service(tmp_path / "data", **ports) as running:
            assert await ticket.delivered(made, SYNC_S)
            await replica.synced(SYNC_S)
            answer = await running.http.get(f"/api/tickets/{id_}", headers=running.headers())
            assert "lost" == answer.json()["lanes"]["sales"]
    finally:
        await context.__aexit__(None, None, None)


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_an_expired_token_stops_all_attempts(running, tmp_path, scheme):
    token = running.token(seconds=-60)
    async with Replica.open(tmp_path / "replica.db", url=url_of(running, scheme), token=token) as replica:
        await until(lambda: replica._sync.connection == "stopped")
        status = await replica.status()

    assert "token_expired" == status.problem.code


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_connection_with_a_wrong_token_is_refused_for_good(running, scheme):
    link = link_of(running, scheme, "nonsense")
    line = await link.connect()
    try:
        with pytest.raises(Unauthenticated):
            await line.receive()
        with pytest.raises((Unauthenticated, Unavailable)):
            await line.send([Join("x")])
    finally:
        await line.close()
        await link.close()


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_service_that_is_not_there_is_told_and_tried_again(tmp_path, scheme):
    async with Replica.open(
        tmp_path / "replica.db", url=f"{scheme}://127.0.0.1:9", token=await _any_token(tmp_path)
    ) as replica:
        await until(lambda: replica._sync.problem is not None)
        status = await replica.status()
        with pytest.raises(Unavailable):
            await replica.refresh()

    assert ("connecting", "unreachable") == (status.connection, status.problem.code)


async def _any_token(tmp_path):
    async with run_service(tmp_path / "data") as running:
        return running.token()


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_lifecycle_that_is_not_there_is_not_found(running, scheme):
    link = link_of(running, scheme, running.token())
    try:
        assert "connect-order" in await link.lifecycle(None)
        with pytest.raises(NotFound):
            await link.lifecycle("0" * 64)
    finally:
        await link.close()


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_index_comes_in_pages_and_only_what_changed(running, scheme, monkeypatch):
    monkeypatch.setattr(f"crdt_sync.replica.{'websocket' if scheme == 'ws' else 'grpc'}_link.PAGE_TICKETS", 2)
    ids = {await running.ticket() for _ in range(5)}
    link = link_of(running, scheme, running.token())
    try:
        listing = await link.tickets(0)
        assert ids == {id_ for id_, _ in listing.tickets}
        newest = await running.ticket()
        assert [newest] == [id_ for id_, _ in (await link.tickets(listing.position)).tickets]
    finally:
        await link.close()


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_forbidden_document_is_closed_with_its_code_and_the_others_stay(running, scheme):
    id_ = await running.ticket()
    link = link_of(running, scheme, running.token("tech"))
    line = await link.connect()
    try:
        card, form = f"ticket/{id_}/card", f"ticket/{id_}/form/sales"
        await line.send([Join(form), Join(card), StateVector(card, b"\x00")])
        heard = []
        async with asyncio.timeout(SYNC_S):
            while not {Opened, Closed} <= {type(frame) for frame in heard}:  # two documents open in any order
                heard += await line.receive()
        assert ["department"] == [frame.code for frame in heard if isinstance(frame, Closed)]
        await line.send([Leave(card)])
    finally:
        await line.close()
        await link.close()


@pytest.mark.parametrize(
    "data",
    [
        hocuspocus.encode_ping(),
        hocuspocus.encode_awareness(b"d", b"\x00"),
        hocuspocus.encode_token_request(b"d"),
        hocuspocus.encode_stateless(b"d", "hello"),
    ],
)
def test_what_concerns_no_document_says_nothing_to_a_replica(data):
    assert () == decoded(data)


def test_a_document_closed_without_a_reason_has_a_code():
    assert (Closed("d", "closed", ""),) == decoded(hocuspocus.encode_close(b"d"))
    assert (Closed("d", "size", "Too much."),) == decoded(hocuspocus.encode_permission_denied(b"d", "size: Too much."))


def test_an_acknowledgement_of_what_was_not_sent_is_a_fault():
    line = GrpcLine(call=None)
    with pytest.raises(Malformed):
        list(line._decoded(sync_pb2.ServerFrame(document="d", ack=sync_pb2.Ack(batch_id=b"12345678"))))


async def test_a_problem_that_is_not_ours_still_has_a_sentence(tmp_path):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    link = WebSocketLink(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", "token")
    async with server:
        with pytest.raises(Unavailable, match="502"):
            await link.tickets(0)
        with pytest.raises(Unavailable):
            await link.connect()
    await link.close()


def test_grpc_batches_are_bounded():
    from crdt_sync.replica.grpc_link import BATCH_BYTES, BATCH_FRAMES_MAX, _batches

    frames = [sync_pb2.ClientFrame(document="d", step1=bytes(BATCH_BYTES // 2)) for _ in range(4)]
    assert [1, 1, 1, 1] == [len(batch) for batch in _batches(frames)]
    assert [4] == [len(batch) for batch in _batches([sync_pb2.ClientFrame(document="d")] * 4)]
    assert [BATCH_FRAMES_MAX, 1] == [
        len(batch) for batch in _batches([sync_pb2.ClientFrame()] * (BATCH_FRAMES_MAX + 1))
    ]
    assert [] == list(_batches([]))


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_ticket_that_was_opened_elsewhere_is_here_at_once(running, tmp_path, scheme):
    """Nothing is asked for: the replica would look again in an hour."""
    token = running.token("tech")
    async with Replica.open(tmp_path / "r.db", url=url_of(running, scheme), token=token, poll_s=3600) as replica:
        await replica.synced(SYNC_S)
        id_ = await running.ticket()
        await until(lambda: replica._index.is_listed(id_))
        await replica.synced(SYNC_S)
        ticket = await replica.ticket(id_)

    assert ("presale", "Fibre") == (ticket.stage, ticket.card["title"])


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_watch_tells_what_was_opened_and_changed_and_where_it_stands(running, scheme):
    link = link_of(running, scheme, running.token())
    async with aclosing(link.watch(0)) as told:
        first = await anext(told)
        id_ = await running.ticket()
        heard = [await anext(told) for _ in range(1 if scheme == "grpc" else 2)]
    await link.close()
    [(opened, digest)] = [found for each in heard for found in each.opened]

    assert Heard((), (), 0) == first
    assert (id_, running.service.lifecycle.digest) == (opened, digest)
    assert ({id_}, 5) == ({ticket for each in heard for ticket in each.changed}, heard[-1].position)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("after", "token", "kind", "code"),
    [(99, None, Unavailable, "position_unknown"), (0, "nonsense", Unauthenticated, "token_invalid")],
)
async def test_a_watch_that_may_not_be_says_why(running, scheme, after, token, kind, code):
    link = link_of(running, scheme, token or running.token())
    with pytest.raises(kind) as refused:
        await anext(link.watch(after))
    await link.close()

    assert code == refused.value.code


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_watch_ends_with_the_service_and_a_way_that_is_closed_hears_nothing(running, scheme):
    link = link_of(running, scheme, running.token())
    told = link.watch(0)
    await anext(told)
    stopping = asyncio.ensure_future(running.service.stop())
    with pytest.raises(Unavailable):
        [None async for _ in told]
    await stopping
    with pytest.raises(Unavailable):
        await anext(link.watch(0))
    await link.close()


def test_what_is_no_event_is_malformed_and_an_unknown_type_tells_the_ticket_alone():
    later = {"specversion": "1.0", "type": "ticketsync.ticket.later.v1", "subject": "a" * 52, "data": {}}

    assert Heard((), ("a" * 52,), 7) == heard([json.dumps(later | {"position": "6"}), '{"position":"7"}'])
    with pytest.raises(Malformed):
        heard(["{}"])

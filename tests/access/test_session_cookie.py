"""The cookie of a browser gives nothing on any wire but the routes of the session."""

import grpc
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from crdt_sync.rpc.status import code_of
from crdt_sync.rpc.ticketsync.v1 import sync_pb2_grpc, tickets_pb2, tickets_pb2_grpc
from crdt_sync.server.session_api import COOKIE
from crdt_sync.wire import hocuspocus
from tests.access.matrix import NOBODY, ROUTES
from tests.access.site import filled_site

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHERS = [row for row in ROUTES if "/api/session" not in row.key]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory):
    async with filled_site(tmp_path_factory.mktemp("cookie")) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="module")
async def cookie(site):
    """Of somebody who may do everything that sales may."""
    http = site.running.http
    answer = await http.post("/api/session", json={"development": "sales_lead"})
    assert 200 == answer.status_code
    secret = http.cookies[COOKIE]
    assert 200 == (await http.post("/api/session/token")).status_code
    http.cookies.clear()
    return {"cookie": f"{COOKIE}={secret}"}


@pytest.mark.parametrize("row", OTHERS, ids=lambda row: row.key)
async def test_a_route_answers_as_if_it_were_not_there(site, cookie, row):
    method = "GET" if row.method == "*" else row.method
    answer = await site.running.http.request(
        method,
        await site.fill_in(row.address, NOBODY),
        json=await site.fill_in(row.json, NOBODY),
        data=await site.fill_in(row.form, NOBODY),
        content=row.content,
        headers=cookie,
    )
    outcome = "ok" if answer.status_code < 400 else answer.json()["code"]

    assert row.expected[NOBODY] == outcome
    assert "wordtitle" not in answer.text


@pytest.mark.parametrize("path", ["/sync/{document}", "/events?after=0"])
async def test_no_socket_takes_it(site, cookie, path):
    address = site.running.ws(path.replace("{document}", site.name("card")))
    async with connect(address, additional_headers=cookie) as socket:
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()

    assert (4401, "token_missing") == (caught.value.rcvd.code, caught.value.rcvd.reason.partition(":")[0])


async def test_no_document_of_a_socket_takes_it(site, cookie):
    document = site.name("card").encode()
    async with connect(site.running.ws("/collab"), additional_headers=cookie) as socket:
        await socket.send(hocuspocus.encode_token(document, "", "4.7.0"))
        said = hocuspocus.decode(await socket.recv()).frame

    assert isinstance(said, hocuspocus.PermissionDenied)


async def test_no_call_takes_it(site, cookie):
    stub = tickets_pb2_grpc.TicketServiceStub(site.running.channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Get(tickets_pb2.GetRequest(id=site.ticket), metadata=tuple(cookie.items()))

    assert "token_missing" == code_of(caught.value)


async def test_no_stream_takes_it(site, cookie):
    call = sync_pb2_grpc.SyncServiceStub(site.running.channel).Sync(metadata=tuple(cookie.items()))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()

    assert "token_missing" == code_of(caught.value)

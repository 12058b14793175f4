from contextlib import asynccontextmanager

import pytest

from tests.conformance.node_client import NodeClient
from tests.conformance.offline_story import opened
from tests.conformance.server_process import ServerProcess

RETRY_MS = 1_500  # y-websocket tries again after 200 ms, 400 ms and so on


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("yjs")) as server:
        yield server


@pytest.fixture
def client(node, server):
    @asynccontextmanager
    async def connected():
        async with NodeClient(node, "y_websocket_client.mjs", server.ws) as client:
            yield client

    return connected


async def attempts(server, client, document, token):
    await client.tell("open", document=document, token=token)
    close = await client.hear("close", document=document)
    await client.tell("attempts", within_ms=RETRY_MS)
    return close["code"], (await client.hear("attempts"))["attempts"]


async def test_refused_token_is_tried_exactly_once(server, client):
    async with client() as sales, server.client("sales") as rest:
        names = await opened(rest)
        wrong = server.token("sales")[:-6] + "AAAAAA"
        assert (4401, 1) == await attempts(server, sales, names.card, wrong)


async def test_ticket_that_is_not_there_yet_is_tried_again(server, client):
    async with client() as sales:
        code, count = await attempts(server, sales, f"ticket/{'a' * 52}/log", server.token("sales"))
        assert 4504 == code
        assert 1 < count

from contextlib import asynccontextmanager

import pytest

from tests.conformance import offline_story
from tests.conformance.node_client import NodeClient
from tests.conformance.offline_story import opened, play, start_the_work, subscribe
from tests.conformance.reader import read
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


async def test_offline_edits_and_transitions_of_two_y_websocket_clients_converge_everywhere(server, client):
    async with client() as sales, client() as tech:
        names = await play(server, sales, tech, replica=server.ws)
        await start_the_work(names, sales, tech)


async def test_write_to_the_log_is_refused_and_the_connection_stays(server, client):
    async with client() as sales, client() as tech, server.client("sales") as rest:
        names = await opened(rest)
        await subscribe(server, sales, names, "sales")
        await subscribe(server, tech, names, "tech")
        await sales.tell("set", document=names.log, root="refused", fields={"forged": "yes"})
        refusal = await sales.hear("warning")
        quote, _ = offline_story.made(names, "sales", "quote")
        await sales.tell("push", document=names.submit("sales"), root="transitions", values=[quote.record])
        for held in (sales, tech):
            await held.until(lambda held: quote.id in offline_story.ids(held[names.log]["log"]))
        assert "read_only" in refusal["text"]
        assert 0 == sales.count("close")
        assert {} == tech.contents[names.log]["refused"]
        assert {} == (await read(server, names.log, "sales")).refused()


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


async def test_client_comes_back_to_a_killed_service_with_what_it_wrote_meanwhile(node, tmp_path):
    with ServerProcess(tmp_path) as server:
        async with NodeClient(node, "y_websocket_client.mjs", server.ws) as sales, server.client("sales") as rest:
            names = await opened(rest)
            await subscribe(server, sales, names, "sales")
            server.kill()
            await sales.hear("close", document=names.form("sales"))
            before = await sales.tell("write", document=names.form("sales"), root="notes", text="nobody listens\n")
            server.start()
            await sales.hear("synced", since=before, document=names.form("sales"), synced=True)
            async with server.client("sales") as again:
                await told(again, f"/api/tickets/{names.ticket}/forms/sales", "nobody listens\n")


async def told(rest, path, notes):
    """The client is synced when it has the service's state; that its own arrived is asked until it is so."""
    for _ in range(1_000):
        if notes == (await rest.get(path)).json()["notes"]:
            return
    pytest.fail(f"{path} never had the notes.")

import sqlite3
from contextlib import asynccontextmanager, closing, contextmanager

import pytest

from crdt_sync.domain import transition
from tests.conformance.node_client import NodeClient
from tests.conformance.offline_story import ids, made, opened, play, start_the_work, subscribe
from tests.conformance.reader import read
from tests.conformance.server_process import ServerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("collab")) as server:
        yield server


@pytest.fixture
def client(node, server):
    @asynccontextmanager
    async def connected():
        async with NodeClient(node, "hocuspocus_client.mjs", server.ws) as client:
            yield client

    return connected


@contextmanager
def nothing_can_commit(server):
    """Hold SQLite's write lock; the service waits for it for five seconds."""
    with closing(sqlite3.connect(server.data / "crdt-sync.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_offline_edits_and_transitions_of_two_providers_converge_everywhere(server, client):
    async with client() as sales, client() as tech:
        names = await play(server, sales, tech, replica=f"grpc://{server.grpc}")
        for held, department in ((sales, "sales"), (tech, "tech")):
            for name in names.of(department):
                await held.settle("unsynced", name, number=0)
        await start_the_work(names, sales, tech)
        for held in (sales, tech):
            granted = [one for one in held.events if one["event"] == "authenticated"]
            scopes = {one["document"].split("/")[2]: one["scope"] for one in granted}
            assert {"log": "readonly", "card": "read-write", "submit": "read-write", "form": "read-write"} == scopes


async def test_changes_count_as_synced_only_after_their_commit(server, client):
    """What sales hears of tech's presence came behind every acknowledgement that was sent before it."""
    async with client() as sales, client() as tech, server.client("sales") as rest:
        names = await opened(rest)
        await subscribe(server, sales, names, "sales")
        await subscribe(server, tech, names, "tech")
        assert 0 == sales.last("unsynced", names.card)["number"]
        with nothing_can_commit(server):
            since = await sales.tell("set", document=names.card, root="card", fields={"customer": "not yet"})
            await sales.tell("present", document=names.card, state={"name": "sales"})
            await tech.hear("presence", document=names.card, states=[{}, {"name": "sales"}])
            await tech.tell("present", document=names.card, state={"name": "tech"})
            await sales.hear("presence", document=names.card, states=[{"name": "sales"}, {"name": "tech"}])
            waiting = [one["number"] for one in sales.events[since:] if one["event"] == "unsynced"]
            relayed = tech.contents.get(names.card, {}).get("card", {})
            known = (await rest.get(f"/api/tickets/{names.ticket}")).json()["card"]
        await sales.hear("unsynced", since=since, document=names.card, number=0)
        committed = (await rest.get(f"/api/tickets/{names.ticket}")).json()["card"]
        assert [1] == waiting
        assert "customer" not in relayed
        assert "customer" not in known
        assert "not yet" == committed["customer"]


async def test_write_to_the_log_is_refused_and_the_socket_stays(server, client):
    async with client() as sales, client() as tech, server.client("sales") as rest:
        names = await opened(rest)
        await subscribe(server, sales, names, "sales")
        await subscribe(server, tech, names, "tech")
        await sales.tell("set", document=names.log, root="refused", fields={"forged": "yes"})
        quote, _ = made(names, "sales", "quote")
        await sales.tell("push", document=names.submit("sales"), root="transitions", values=[quote.record])
        for held in (sales, tech):
            await held.until(lambda held: quote.id in ids(held[names.log]["log"]))
        assert 1 == sales.last("unsynced", names.log)["number"]
        assert 0 == sales.count("close")
        assert {} == tech.contents[names.log]["refused"]
        log = await read(server, names.log, "sales")
        assert {} == log.refused()
        assert {names.ticket, quote.id} == {transition.entry_key(record.encode()) for record in log.transitions()}


async def test_wrong_token_is_answered_with_its_code_and_other_documents_go_on(server, client):
    async with client() as sales, server.client("sales") as rest:
        names = await opened(rest)
        await sales.tell("open", document=names.card, token=server.token("sales")[:-6] + "AAAAAA")
        denied = await sales.hear("denied", document=names.card)
        await sales.tell("open", document=names.log, token=server.token("sales"))
        await sales.hear("synced", document=names.log, synced=True)
        assert "token_invalid" == denied["reason"].partition(":")[0]
        assert 0 == sales.count("close")


async def test_document_of_another_department_is_denied_and_nothing_of_it_is_sent(server, client):
    async with client() as tech, server.client("sales") as rest:
        names = await opened(rest)
        await tech.tell("open", document=names.form("sales"), token=server.token("tech"))
        denied = await tech.hear("denied", document=names.form("sales"))
        assert "department" == denied["reason"].partition(":")[0]
        assert names.form("sales") not in tech.contents

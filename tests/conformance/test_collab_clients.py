import sqlite3
from contextlib import asynccontextmanager, closing, contextmanager

import pytest

from crdt_sync.wire import hocuspocus
from crdt_sync.wire.lib0 import Reader
from tests.conformance import matrix
from tests.conformance.node_client import NodeClient
from tests.conformance.offline_story import opened, subscribe
from tests.conformance.server_process import ServerProcess
from tests.wire import vectors

CLIENT_ID = Reader(bytes.fromhex("b9c6f7d50c")).var_uint()  # of the vectors


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("collab"), settings=matrix.OPEN_DOCUMENTS) as server:
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


async def test_provider_and_service_say_what_the_golden_conversation_says(server, client):
    conversation = next(row for row in vectors.load("hocuspocus_conversations") if row["name"] == "open, edit, leave")
    golden = {who: [what for one, what in conversation["steps"] if one == who] for who in ("client", "service")}
    document, token = "doc-1", server.token("sales")
    async with client() as client:
        await client.tell("trace")
        await client.tell("open", document=document, token=token, client_id=CLIENT_ID)
        await client.hear("unsynced", document=document, number=0)
        since = await client.tell("write", document=document, root="text", text="ab")
        await client.hear("heard", since=since, hex=golden["service"][-1])
        heard = [one["hex"] for one in client.events if one["event"] == "heard"]
        await client.tell("leave", document=document)
        await client.hear("said", hex=golden["client"][-1])
    said = [one["hex"] for one in client.events if one["event"] == "said"]
    presented = hocuspocus.decode(bytes.fromhex(said[0]))
    assert (document, hocuspocus.Token(token, "4.7.0")) == (presented.document, presented.frame)
    assert golden["client"][1:] == said[1:], "the first is the token"
    presence = b"\x05doc-1\x01".hex()  # is relayed at once, so its place among what waits for a commit is chance
    assert sorted(golden["service"], key=lambda frame: frame.startswith(presence)) == sorted(
        heard, key=lambda frame: frame.startswith(presence)
    )


async def test_two_providers_of_one_socket_and_one_name_have_each_their_own(server, client):
    async with client() as client, server.client("sales") as rest:
        names = await opened(rest)
        for screen in ("left", "right"):
            await client.tell("open", document=names.card, token=server.token("sales"), session=True, **{"as": screen})
            await client.hear("synced", document=screen, synced=True)
        await client.tell("set", document="left", root="card", fields={"customer": "Zoë"})
        await client.until(lambda held: "Zoë" == held["right"]["card"]["customer"])
        await client.settle("unsynced", "left", number=0)
        await client.tell("leave", document="left")
        await client.tell("set", document="right", root="card", fields={"priority": 1})
        await client.settle("unsynced", "right", number=0)
        await client.tell("attempts", within_ms=0)
        assert (0, 0, 1) == (
            client.count("denied"),
            client.count("close"),
            (await client.hear("attempts"))["attempts"],
        )

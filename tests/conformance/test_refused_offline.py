"""Five transitions made offline, of which one is refused: what is not built on it arrives, and what is says so."""

import sqlite3
from contextlib import closing

import pytest

from crdt_sync.replica import Replica
from tests.conformance.node_client import NodeClient
from tests.conformance.offline_story import ids, made, opened, subscribe
from tests.conformance.server_process import ServerProcess

SYNC_S = 40.0


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("refused")) as server:
        yield server


def journal(server, ticket):
    with closing(sqlite3.connect(server.data / "crdt-sync.db")) as connection:
        rows = connection.execute("SELECT id FROM transitions WHERE ticket = ?", (ticket,)).fetchall()
    return sorted(id_ for (id_,) in rows)


@pytest.mark.parametrize("script", ["y_websocket_client.mjs", "hocuspocus_client.mjs"])
async def test_a_javascript_client_hears_of_each_what_became_of_it(server, node, script):
    async with NodeClient(node, script, server.ws) as sales, server.client("sales") as rest:
        names = await opened(rest)
        await subscribe(server, sales, names, "sales")
        before = await sales.tell("disconnect")
        await sales.hear("close", since=before)
        quote, _ = made(names, "sales", "quote")
        inert, _ = made(names, "sales", "amend")
        child, _ = made(names, "sales", "withdraw", inert.id)
        sign, _ = made(names, "sales", "sign", quote.id)
        amend, _ = made(names, "sales", "amend", sign.id)
        for each in (quote, inert, child, sign, amend):
            await sales.tell("push", document=names.submit("sales"), root="transitions", values=[each.record])
        await sales.tell("connect")

        expected = {names.ticket, quote.id, sign.id, amend.id}
        await sales.until(lambda held: expected == ids(held[names.log]["log"]))
        await sales.until(lambda held: {inert.id: "from", child.id: "parent_refused"} == held[names.log]["refused"])
        assert sorted(expected) == journal(server, names.ticket)


@pytest.mark.parametrize("script", ["y_websocket_client.mjs", "hocuspocus_client.mjs"])
async def test_of_a_card_that_is_refused_a_javascript_client_is_offered_what_it_did(server, node, script):
    """One of the edits made offline is no card's: the service refuses the copy, and the client begins a new one."""
    async with NodeClient(node, script, server.ws) as sales, server.client("sales") as rest:
        names = await opened(rest)
        await subscribe(server, sales, names, "sales")
        before = await sales.tell("disconnect")
        await sales.hear("close", since=before)
        good, wrong = {"customer": "Bakery"}, {"no_key_of_a_card": 1}
        for values in (good, wrong):
            await sales.tell("edit", ticket=names.ticket, document=names.card, root="card", values=values)
        await sales.tell("connect")
        denied = await sales.hear("denied", document=names.card)
        late = {"document": names.card, "root": "card", "values": {"tags": "late"}}
        again = {"document": names.card, "token": server.token("sales"), "meanwhile": late}
        since = await sales.tell("give_up", ticket=names.ticket, **again)
        offered = await sales.hear("offered", since=since, document=names.card)
        await sales.tell("edit", ticket=names.ticket, document=names.card, root="card", values=good)
        await sales.settle("unsynced", names.card, number=0)

        assert "key" == denied["reason"].partition(":")[0]
        assert [good, wrong] == [edit["values"] for edit in offered["edits"]]
        assert [late["values"]] == [edit["values"] for edit in offered["kept"]]
        assert "Bakery" == (await rest.get(f"/api/tickets/{names.ticket}")).json()["card"]["customer"]


@pytest.mark.parametrize("wire", ["ws", "grpc"])
async def test_a_replica_offers_to_do_again_what_was_built_on_a_refused_move(server, tmp_path, wire):
    """A role is claimed that the service does not grant; what was made with it, and what builds on that, is refused."""
    path, url = tmp_path / "replica.db", server.ws if wire == "ws" else f"grpc://{server.grpc}"
    token = server.token("sales")
    async with server.client("sales") as rest:
        names = await opened(rest)
    async with Replica.open(path, url=url, token=token) as replica:
        await replica.refresh()
        await replica.synced(SYNC_S)
    async with Replica.open(path, token=token) as replica:
        quote = await (await replica.ticket(names.ticket)).do("sales", "quote", {"price": "99.50"})
    async with Replica.open(path, token=server.token("sales", roles=["sales", "sales_lead"])) as replica:
        lose = await (await replica.ticket(names.ticket)).do("sales", "lose", seen=[names.ticket])
    async with Replica.open(path, token=token) as replica:
        ticket = await replica.ticket(names.ticket)
        revive = await ticket.do("sales", "revive", seen=[lose])
        sign = await ticket.do("sales", "sign", {"contract": "C-17"}, seen=[quote])
        amend = await ticket.do("sales", "amend", {"contract": "C-18"}, seen=[sign])
    async with Replica.open(path, url=url, token=token) as replica:
        ticket = await replica.ticket(names.ticket)
        await replica.synced(SYNC_S)
        assert {lose: "role_not_held", revive: "parent_refused"} == ticket.refused
        assert sorted([names.ticket, quote, sign, amend]) == journal(server, names.ticket)
        assert "signed" == ticket.lanes["sales"]
        listed = [entry.id for id_, entry in (await replica.status()).undelivered if id_ == names.ticket]
        assert sorted([lose, revive]) == sorted(listed)
        withdrawn = await ticket.do("sales", "withdraw")
        again = await ticket.again(revive)
        await replica.synced(SYNC_S)
        assert sorted([names.ticket, quote, sign, amend, withdrawn, again]) == journal(server, names.ticket)
        assert "quoted" == ticket.lanes["sales"]

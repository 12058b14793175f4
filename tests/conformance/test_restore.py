"""A service restored from a backup, and everybody who worked meanwhile: unmodified providers and Python replicas."""

import asyncio
import sqlite3
import sys
from contextlib import AsyncExitStack, closing

import pytest

from crdt_sync.replica import Replica
from tests.conformance.node_client import NodeClient
from tests.conformance.offline_story import ids, made, opened, subscribe
from tests.conformance.server_process import ROOT, ServerProcess

SYNC_S = 40.0
WIRES = [
    pytest.param("y_websocket_client.mjs", "ws", id="y-websocket, replica over WebSocket"),
    pytest.param("hocuspocus_client.mjs", "grpc", id="Hocuspocus, replica over gRPC"),
]


async def admin(server, *arguments):
    command = (sys.executable, "-m", "crdt_sync.cli.main", "admin", "--data", str(server.data), *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await process.communicate()
    return process.returncode, told.decode()


def journal(server, ticket):
    with closing(sqlite3.connect(server.data / "crdt-sync.db")) as connection:
        rows = connection.execute("SELECT id FROM transitions WHERE ticket = ?", (ticket,)).fetchall()
    return sorted(id_ for (id_,) in rows)


async def submit(client, names, department, transition):
    """Submit through the client's outbox, as an application does that means to survive a restore."""
    entry = {"root": "transitions", "record": transition.record, "id": transition.id}
    await client.tell("submit", ticket=names.ticket, document=names.submit(department), **entry)


async def edit(client, names, document, root, **what):
    """Edit a card or a form through the client's outbox."""
    await client.tell("edit", ticket=names.ticket, document=document, root=root, **what)


async def acknowledged(client, names, document):
    """Wait until the service has all edits, and have the client's outbox know it."""
    await client.settle("unsynced", document, number=0)
    await client.tell("taken", ticket=names.ticket, document=document)


async def hear_of_all(client, since, documents):
    """Both providers tell of each copy, in their own ways, that it is of a former life, or synced as it is.

    Whoever recovers before he has heard of all takes what is said of a former copy for what is said of the new one.
    """

    def is_told(one):
        is_reset = one.get("code") == 4410 or str(one.get("reason", "")).startswith("reset")
        return is_reset or (one["event"] == "synced" and one["synced"])

    def unheard():
        return {*documents} - {one.get("document") for one in client.events[since:] if is_told(one)}

    await client._until(lambda: not unheard(), "of some nothing was heard")
    assert any(is_told(one) and one["event"] != "synced" for one in client.events[since:])


@pytest.mark.parametrize(("script", "wire"), WIRES)
async def test_everybody_comes_back_to_a_restored_service_with_what_it_lacks(node, tmp_path, script, wire):
    with ServerProcess(tmp_path / "data") as server:
        async with AsyncExitStack() as stack:
            sales = await stack.enter_async_context(NodeClient(node, script, server.ws))
            rest = await stack.enter_async_context(server.client("sales"))
            names = await opened(rest)
            await subscribe(server, sales, names, "sales")
            quote, _ = made(names, "sales", "quote")
            await submit(sales, names, "sales", quote)
            await sales.until(lambda held: quote.id in ids(held[names.log]["log"]))
            url = server.ws if wire == "ws" else f"grpc://{server.grpc}"
            token = server.token("tech")
            tech = await stack.enter_async_context(Replica.open(tmp_path / "tech.db", url=url, token=token))
            await tech.refresh()
            await tech.synced(SYNC_S)
            there = await tech.ticket(names.ticket)

            form = names.form("sales")
            await edit(sales, names, form, "notes", text="rang, ")
            await acknowledged(sales, names, form)

            code, told = await admin(server, "backup", str(tmp_path / "backup.db"))
            assert 0 == code, told
            sign, contract = made(names, "sales", "sign", quote.id, data={"contract": "C-17"})
            await edit(sales, names, form, "payloads", values={sign.payload: contract})
            await submit(sales, names, "sales", sign)
            await acknowledged(sales, names, form)
            await edit(sales, names, names.card, "card", values={"customer": "undone"})
            await acknowledged(sales, names, names.card)
            await sales.until(lambda held: sign.id in ids(held[names.log]["log"]))
            await _until_lane(there, "sales", "signed")
            start = await there.do("tech", "start")
            await tech.synced(SYNC_S)
            server.stop()
            deliver = await there.do("tech", "deliver")
            await there.set(priority=2)
            await edit(sales, names, names.card, "card", values={"tags": "made offline"})
            await edit(sales, names, form, "notes", text="on the stairs")
            amend, _ = made(names, "sales", "amend", sign.id)
            await submit(sales, names, "sales", amend)
            code, told = await admin(server, "restore", str(tmp_path / "backup.db"))
            assert 0 == code, told
            assert sorted([names.ticket, quote.id]) == journal(server, names.ticket)

            since = len(sales.events)
            server.start()
            await hear_of_all(sales, since, names.of("sales"))
            await sales.tell("recover", ticket=names.ticket, names=names.of("sales"), token=server.token("sales"))
            assert 5 == (await sales.hear("recovered"))["count"]
            everything = sorted([names.ticket, quote.id, sign.id, amend.id, start, deliver])
            await sales.until(lambda held: everything == sorted(ids(held[names.log]["log"])))
            await tech.synced(SYNC_S)
            await sales.until(lambda held: held[names.card]["card"].get("priority") == 2)

            assert everything == journal(server, names.ticket), "each once"
            assert contract == sales.contents[form]["payloads"][sign.payload]
            assert "customer" not in sales.contents[names.card]["card"], "the restore has undone it"
            assert "made offline" == (await rest.get(f"/api/tickets/{names.ticket}")).json()["card"]["tags"]
            notes = (await rest.get(f"/api/tickets/{names.ticket}/forms/sales")).json()["notes"]
            assert "rang, on the stairs" == notes
            assert len(everything) == len(sales.contents[names.log]["log"])
            assert {} == sales.contents[names.log]["refused"]
            await _until_lane(there, "tech", "delivered")
            assert ("signed", []) == (there.lanes["sales"], list((await tech.status()).alarms))


@pytest.mark.parametrize("script", ["y_websocket_client.mjs", "hocuspocus_client.mjs"])
async def test_an_author_submits_what_was_refused_as_somebody_elses_copy(node, tmp_path, script):
    """A colleague, whose copy has the author's entry, brings it to the restored service before the author does."""
    with ServerProcess(tmp_path / "data") as server:
        async with AsyncExitStack() as stack:
            sales = await stack.enter_async_context(NodeClient(node, script, server.ws))
            rest = await stack.enter_async_context(server.client("sales"))
            names = await opened(rest)
            await subscribe(server, sales, names, "sales")
            code, told = await admin(server, "backup", str(tmp_path / "backup.db"))
            assert 0 == code, told
            quote, _ = made(names, "sales", "quote")
            await submit(sales, names, "sales", quote)
            await sales.until(lambda held: quote.id in ids(held[names.log]["log"]))
            before = await sales.tell("disconnect")
            await sales.hear("close", since=before)
            server.stop()
            code, told = await admin(server, "restore", str(tmp_path / "backup.db"))
            assert 0 == code, told
            server.start()
            colleague = await stack.enter_async_context(NodeClient(node, script, server.ws))
            token = server.token("sales", actor="sales-2")
            for name in names.of("sales"):
                await colleague.tell("open", document=name, token=token)
                await colleague.hear("synced", document=name, synced=True)
            copied = {"root": "transitions", "values": [quote.record]}
            await colleague.tell("push", document=names.submit("sales"), **copied)
            await colleague.until(lambda held: {quote.id: "actor"} == held[names.log]["refused"])

            since = len(sales.events)
            await sales.tell("connect")
            await hear_of_all(sales, since, names.of("sales"))
            await sales.tell("recover", ticket=names.ticket, names=names.of("sales"), token=server.token("sales"))
            assert 1 == (await sales.hear("recovered"))["count"]
            await colleague.until(lambda held: quote.id in ids(held[names.log]["log"]))
            await colleague.until(lambda held: {} == held[names.log]["refused"])
            assert sorted([names.ticket, quote.id]) == journal(server, names.ticket)


@pytest.mark.parametrize("script", ["y_websocket_client.mjs", "hocuspocus_client.mjs"])
async def test_two_tabs_that_store_one_outbox_make_an_edit_again_once(node, tmp_path, script):
    """Each tab is a process; what the first one stores, the second one finds."""
    with ServerProcess(tmp_path / "data") as server:
        async with AsyncExitStack() as stack:
            first, second = [await stack.enter_async_context(NodeClient(node, script, server.ws)) for _ in range(2)]
            rest = await stack.enter_async_context(server.client("sales"))
            names = await opened(rest)
            form = names.form("sales")
            for tab in (first, second):
                await subscribe(server, tab, names, "sales")
            await edit(first, names, form, "notes", text="rang, ")
            await acknowledged(first, names, form)
            code, told = await admin(server, "backup", str(tmp_path / "backup.db"))
            assert 0 == code, told
            server.stop()
            await edit(first, names, form, "notes", text="on the stairs")
            await first.tell("outbox", ticket=names.ticket)
            stored = (await first.hear("outbox"))["outbox"]
            await second.tell("load", ticket=names.ticket, stored=stored)
            code, told = await admin(server, "restore", str(tmp_path / "backup.db"))
            assert 0 == code, told
            began = [len(tab.events) for tab in (first, second)]
            server.start()
            again = {"ticket": names.ticket, "names": names.of("sales"), "token": server.token("sales")}
            counts = []
            for tab, since in zip((first, second), began, strict=True):
                await hear_of_all(tab, since, names.of("sales"))
                await tab.tell("recover", **again, stored=stored)
                counts.append((await tab.hear("recovered"))["count"])
                await tab.settle("unsynced", form, number=0)
                asked = await tab.tell("outbox", ticket=names.ticket)
                stored = (await tab.hear("outbox", since=asked))["outbox"]

            assert [1, 0] == counts
            notes = (await rest.get(f"/api/tickets/{names.ticket}/forms/sales")).json()["notes"]
            assert "rang, on the stairs" == notes
            assert ["on the stairs"] == [edit["text"] for edit in stored["edits"]]


async def _until_lane(ticket, lane, state):
    assert await ticket.desk.wait_until(lambda: ticket.lanes.get(lane) == state, SYNC_S)

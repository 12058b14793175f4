"""A console whose service was restored from a backup: what was made in the browser comes back, under the same ids."""

import asyncio
import sys

from tests.conformance import node_tools
from tests.conformance.server_process import ROOT, ServerProcess
from tests.console.test_store import browser, created, made


async def admin(server, *arguments):
    command = (sys.executable, "-m", "crdt_sync.cli.main", "admin", "--data", str(server.data), *arguments)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    assert 0 == process.returncode, told.decode()


async def test_a_restored_service_gets_back_what_a_browser_made(tmp_path):
    with ServerProcess(tmp_path / "data") as server:
        async with browser(node_tools.find().node, server, "sales") as sales:
            ticket = await created(sales, "restored")
            await sales.all_saved()
            await sales.tell("open", ticket=ticket)
            await sales.sees(ticket, lambda view: "sales.quote" in view["enabled"])
            await made(sales, ticket=ticket, lane="sales", name="quote")
            await sales.all_saved()
            await admin(server, "backup", str(tmp_path / "backup.db"))

            await made(sales, ticket=ticket, lane="sales", name="sign", fields={"contract": "C-1"})
            await sales.tell("card", ticket=ticket, fields={"customer": "undone"})
            later = await created(sales, "opened after the backup")
            await sales.tell("open", ticket=later)
            await sales.sees(later, lambda view: view["row"]["position"] > 0)
            await sales.all_saved()
            await asyncio.to_thread(server.stop)
            await made(sales, ticket=ticket, lane="sales", name="amend", fields={"contract": "C-2"})
            await sales.tell("type", ticket=ticket, lane="sales", text="on the stairs")
            await sales.tell("card", ticket=ticket, fields={"tags": "made offline"})
            await made(sales, ticket=later, lane="sales", name="quote")
            await admin(server, "restore", str(tmp_path / "backup.db"))
            await asyncio.to_thread(server.start)

            async with server.client("sales") as rest:
                await sales.shows("connection", lambda connection: connection["status"] == "online")
                await sales.sees(ticket, lambda view: [step["delivery"] for step in view["history"]] == ["saved"] * 4)
                await sales.sees(later, lambda view: view["row"]["position"] > 0 and not view["row"]["isLocal"])
                await sales.all_saved()
                found = (await rest.get(f"/api/tickets/{ticket}")).json()
                assert ("signed", "made offline") == (found["lanes"]["sales"], found["card"]["tags"])
                assert "customer" not in found["card"], "the restore has undone it"
                assert "quoted" == (await rest.get(f"/api/tickets/{later}")).json()["lanes"]["sales"]
                notes = (await rest.get(f"/api/tickets/{ticket}/forms/sales")).json()["notes"]
                assert "on the stairs" == notes
            before = await sales.tell("dropped")
            texts = (await sales.hear("dropped", since=before))["texts"]
            assert 1 == sum("undone" in text for text in texts), "what the copies held is kept, once"

"""The consoles' data in Node against the real service: offline and back, refusals, restarts, kills and sign-ins."""

import time
from contextlib import asynccontextmanager

import pytest

from tests.conformance import node_tools
from tests.conformance.node_client import NodeClient
from tests.conformance.server_process import ServerProcess

PAGE = str(node_tools.CONSOLE / "tests" / "store" / "page.ts")


@pytest.fixture(scope="module")
def node():
    return node_tools.find().node


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One service for all stories, each of which has its own tickets."""
    with ServerProcess(tmp_path_factory.mktemp("store") / "data") as running:
        yield running


class Browser(NodeClient):
    """A browser in which consoles are opened; `document` of its contents is a tab's name and what it shows."""

    def __init__(self, node, server, department, *, actor="", roles=()):
        super().__init__(node, PAGE, server.http)
        self.server, self.department, self.actor, self.roles = server, department, actor, roles

    async def sign_in(self, **options):
        """Have the browser's cookie give a token, as the sign-in service does."""
        roles = list(self.roles or [self.department])
        actor = self.actor or f"{self.department}-1"
        text = self.server.token(self.department, actor=actor, roles=roles, **options)
        end = (time.time() + options.get("seconds", 3600)) * 1000
        token = {"token": text, "expires_at": end, "actor": actor, "department": self.department, "roles": roles}
        await self.tell("token", token=token)

    async def sign_out(self):
        await self.tell("token")

    def view(self, ticket, tab="tab"):
        return self.contents[f"{tab} {ticket}"]

    async def sees(self, ticket, holds, tab="tab"):
        """Wait until `holds` is true of what the page shows of a ticket."""
        await self.until(lambda contents: holds(contents[f"{tab} {ticket}"]))

    async def shows(self, what, holds, tab="tab"):
        """Wait until `holds` is true of the session, the connection, what is saved, or the list."""
        await self.until(lambda contents: holds(contents[f"{tab} {what}"]))

    async def all_saved(self):
        await self.shows("saved", lambda saved: saved == {"here": "saved", "waiting": 0, "refused": 0})


@asynccontextmanager
async def browser(node, server, department, **options):
    async with Browser(node, server, department, **options) as opened:
        await opened.sign_in()
        await opened.tell("start")
        await opened.shows("connection", lambda connection: connection["status"] == "online")
        yield opened


async def made(browser, **command):
    before = await browser.tell("move", **command)
    moved = [one for one in browser.events[before:] if one["event"] in {"moved", "failed"}]
    return moved[0]


async def created(browser, title):
    before = await browser.tell("create", title=title)
    return (await browser.hear("created", since=before))["id"]


async def test_two_persons_work_offline_and_come_back(node, server):
    async with browser(node, server, "sales") as sales, browser(node, server, "tech") as tech:
        ticket = await created(sales, "Lorry 光纤")
        await sales.all_saved()
        for one in (sales, tech):
            await one.shows("tickets", lambda found: ticket in [row["id"] for row in found["rows"]])
            await one.tell("open", ticket=ticket)
            await one.sees(ticket, lambda view: view["stage"] == "presale")
        await made(sales, ticket=ticket, lane="sales", name="quote", fields={"price": "99.50"})
        await tech.sees(ticket, lambda view: view["lanes"]["sales"] == "quoted")

        for one in (sales, tech):
            await one.tell("online", up=False)
        await made(sales, ticket=ticket, lane="sales", name="sign", fields={"contract": "A-1"})
        await sales.tell("say", ticket=ticket, text="You will hear from us.")
        await sales.tell("type", ticket=ticket, lane="sales", text="rang twice")
        await sales.tell("card", ticket=ticket, fields={"customer": "Lorry & Co"})
        await tech.tell("card", ticket=ticket, fields={"priority": "high"})
        await tech.tell("take", ticket=ticket, lane="tech")
        assert "from" == (await made(tech, ticket=ticket, lane="tech", name="deliver"))["code"]
        assert "ready_to_start" == sales.view(ticket)["stage"], "own moves show at once"
        await sales.shows("saved", lambda saved: saved == {"here": "saved", "waiting": 4, "refused": 0})
        assert ["here"] == [message["delivery"] for message in sales.view(ticket)["messages"]]

        for one in (sales, tech):
            await one.tell("online", up=True)
        await sales.all_saved()
        await tech.all_saved()
        await tech.sees(ticket, lambda view: view["stage"] == "ready_to_start")
        for one in (sales, tech):
            await one.sees(
                ticket,
                lambda view: (
                    {"customer": "Lorry & Co", "priority": "high", "title": "Lorry 光纤"}.items()
                    <= view["card"].items()
                ),
            )
            await one.sees(ticket, lambda view: view["holders"]["tech"][0]["actor"] == "tech-1")
            await one.sees(ticket, lambda view: ["saved"] == [message["delivery"] for message in view["messages"]])
        async with server.client("sales") as rest:
            form = (await rest.get(f"/api/tickets/{ticket}/forms/sales")).json()
            assert "rang twice" == form["notes"]


async def test_a_page_restarts_offline_and_delivers_later(node, server):
    async with browser(node, server, "sales") as sales:
        ticket = await created(sales, "here")
        await sales.all_saved()
        await sales.tell("open", ticket=ticket)
        await sales.sees(ticket, lambda view: view["status"] == "ready" and view["stage"] == "presale")
        await sales.tell("online", up=False)
        await made(sales, ticket=ticket, lane="sales", name="quote")
        second = await created(sales, "opened offline")
        await sales.tell("stop")

        await sales.tell("start")
        await sales.shows("saved", lambda saved: saved["waiting"] >= 2)
        rows = {row["id"]: (row["stage"], row["isLocal"]) for row in sales.contents["tab tickets"]["rows"]}
        assert {ticket: ("presale", False), second: ("presale", True)}.items() <= rows.items()
        await sales.tell("open", ticket=second)
        await sales.sees(second, lambda view: "sales.quote" in view["enabled"])
        await made(sales, ticket=second, lane="sales", name="lose")
        await sales.tell("online", up=True)
        await sales.all_saved()
        async with server.client("sales") as rest:
            stages = {row["id"]: row["stage"] for row in (await rest.get("/api/tickets")).json()["tickets"]}
        assert {ticket: "presale", second: "cancelled"}.items() <= stages.items()

"""The consoles' data in Node against the real service: offline and back, refusals, restarts, kills and sign-ins."""

import asyncio
import base64
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


async def disputed(sales, colleague):
    """A ticket that one has signed and the other has lost, neither having seen the other; both pages have it open."""
    ticket = await created(sales, "disputed")
    await sales.all_saved()
    await colleague.shows("tickets", lambda found: ticket in [row["id"] for row in found["rows"]])
    for one in (sales, colleague):
        await one.tell("open", ticket=ticket)
    await sales.sees(ticket, lambda view: "sales.quote" in view["enabled"])
    await made(sales, ticket=ticket, lane="sales", name="quote")
    await colleague.sees(ticket, lambda view: "sales.lose" in view["enabled"] and view["lanes"]["sales"] == "quoted")
    await sales.all_saved()
    for one in (sales, colleague):
        await one.tell("online", up=False)
    await made(sales, ticket=ticket, lane="sales", name="sign")
    await made(colleague, ticket=ticket, lane="sales", name="lose")
    for one in (sales, colleague):
        await one.tell("online", up=True)
    await sales.sees(ticket, lambda view: view["lanes"]["sales"] == "disputed")
    await sales.all_saved()
    return ticket


async def test_one_of_five_is_refused_and_what_builds_on_it_and_both_have_a_way_out(node, server):
    """A role is taken back while its holder is offline: what was done with it is refused, and nothing else."""
    async with (
        browser(node, server, "sales", actor="sales-lead", roles=["sales", "sales_lead"]) as lead,
        browser(node, server, "sales", actor="sales-2") as colleague,
    ):
        ticket = await disputed(lead, colleague)
        await lead.tell("online", up=False)
        rule = (await made(lead, ticket=ticket, lane="sales", name="rule_signed"))["id"]
        amend = (await made(lead, ticket=ticket, lane="sales", name="amend", fields={"contract": "B-2"}))["id"]
        await lead.tell("say", ticket=ticket, text="It stands.")
        await lead.tell("card", ticket=ticket, fields={"priority": 1})
        await lead.tell("note", ticket=ticket, lane="sales", text="called")
        assert "signed" == lead.view(ticket)["lanes"]["sales"]
        await lead.tell("stop")
        await lead.tell("start")
        await lead.tell("open", ticket=ticket)
        lead.roles = ["sales"]
        await lead.sign_in()
        await lead.tell("online", up=True)

        await lead.shows("saved", lambda saved: saved == {"here": "saved", "waiting": 0, "refused": 2})
        refused = {work["id"]: (work["label"], work["code"]) for work in lead.view(ticket)["refused"]}
        expected = {rule: ("sales.rule_signed", "role_not_held"), amend: ("sales.amend", "parent_refused")}
        assert expected == refused
        assert "disputed" == lead.view(ticket)["lanes"]["sales"]
        await colleague.sees(ticket, lambda view: view["card"].get("priority") == 1 and len(view["messages"]) == 1)
        before = await lead.tell("again", ticket=ticket, id=rule)
        assert "role" == (await lead.hear("failed", since=before))["code"], "the role is not held"

        await lead.tell("stop")  # a page that comes later says it, too
        lead.roles = ["sales", "sales_lead"]
        await lead.sign_in()
        await lead.tell("start")
        await lead.shows("saved", lambda saved: saved["refused"] == 2)
        await lead.shows("session", lambda session: "sales_lead" in session["person"]["roles"])
        await lead.tell("open", ticket=ticket)
        await lead.sees(ticket, lambda view: view["status"] == "ready")
        for id_ in (rule, amend):
            await lead.tell("again", ticket=ticket, id=id_)
        await lead.all_saved()
        await colleague.sees(ticket, lambda view: view["lanes"]["sales"] == "signed")
        payloads = {name: value for form in lead.view(ticket)["forms"] for name, value in form["payloads"].items()}
        assert [{"contract": "B-2"}] * 2 == list(payloads.values()), "sealed anew"


async def test_an_expired_sign_in_is_asked_for_and_loses_nothing(node, server):
    async with browser(node, server, "sales") as sales:
        ticket = await created(sales, "expires")
        await sales.all_saved()
        await sales.tell("open", ticket=ticket)
        await sales.sees(ticket, lambda view: "sales.quote" in view["enabled"])
        await sales.tell("stop")
        await sales.sign_in(seconds=4)
        await sales.tell("start")
        await sales.shows("connection", lambda connection: connection["status"] == "online")
        await sales.sign_out()
        await sales.shows("session", lambda session: session["status"] == "expired")

        await sales.tell("open", ticket=ticket)
        await sales.sees(ticket, lambda view: "sales.quote" in view["enabled"])
        await made(sales, ticket=ticket, lane="sales", name="quote")
        assert "quoted" == sales.view(ticket)["lanes"]["sales"]
        await sales.shows("saved", lambda saved: saved == {"here": "saved", "waiting": 1, "refused": 0})
        await sales.sign_in()
        await sales.tell("signed_in")
        await sales.all_saved()
        assert "signed_in" == sales.contents["tab session"]["status"]
        async with server.client("sales") as rest:
            assert "quoted" == (await rest.get(f"/api/tickets/{ticket}")).json()["lanes"]["sales"]


async def test_a_killed_service_loses_nothing(node, server):
    async with browser(node, server, "sales") as sales, browser(node, server, "tech") as tech:
        ticket = await created(sales, "killed")
        await sales.all_saved()
        await tech.shows("tickets", lambda found: ticket in [row["id"] for row in found["rows"]])
        for one in (sales, tech):
            await one.tell("open", ticket=ticket)
            await one.sees(ticket, lambda view: view["stage"] == "presale")
        await made(sales, ticket=ticket, lane="sales", name="quote")
        server.kill()
        await sales.shows("connection", lambda connection: connection["status"] != "online")
        await made(sales, ticket=ticket, lane="sales", name="sign")
        await sales.tell("say", ticket=ticket, text="Signed.")
        await tech.tell("card", ticket=ticket, fields={"tags": "van, ladder"})
        await sales.shows("saved", lambda saved: saved["waiting"] >= 2)
        await asyncio.to_thread(server.start)

        for one in (sales, tech):
            await one.all_saved()
            await one.sees(ticket, lambda view: view["stage"] == "ready_to_start" and len(view["messages"]) == 1)
            await one.sees(ticket, lambda view: view["row"]["tags"] == ["van", "ladder"])
        steps = [(step["name"], step["delivery"]) for step in sales.view(ticket)["history"]]
        assert [("open", "saved"), ("quote", "saved"), ("sign", "saved")] == steps


async def test_two_tabs_are_one_browser(node, server):
    async with browser(node, server, "sales") as sales:
        ticket = await created(sales, "two tabs")
        await sales.all_saved()
        await sales.tell("start", tab="second")
        await sales.tell("online", up=False)
        for tab in ("tab", "second"):
            await sales.tell("open", tab=tab, ticket=ticket)
            await sales.sees(ticket, lambda view: "sales.quote" in view["enabled"], tab)
        await made(sales, ticket=ticket, lane="sales", name="quote")
        await sales.tell("type", tab="second", ticket=ticket, lane="sales", text="from the second")
        await sales.sees(ticket, lambda view: view["lanes"]["sales"] == "quoted", "second")
        await sales.sees(ticket, lambda view: view["forms"][0]["notesLength"] == 15)
        another = await created(sales, "opened in the first")
        await sales.shows("tickets", lambda found: another in [row["id"] for row in found["rows"]], "second")

        await sales.tell("stop")
        await sales.tell("online", up=True)
        await sales.shows("saved", lambda saved: saved == {"here": "saved", "waiting": 0, "refused": 0}, "second")
        async with server.client("sales") as rest:
            assert "quoted" == (await rest.get(f"/api/tickets/{ticket}")).json()["lanes"]["sales"]
            assert 200 == (await rest.get(f"/api/tickets/{another}")).status_code
            notes = (await rest.get(f"/api/tickets/{ticket}/forms/sales")).json()["notes"]
        assert "from the second" == notes


async def test_a_file_waits_for_a_connection_and_one_that_is_refused_says_so(node, server):
    async with browser(node, server, "sales") as sales:
        ticket = await created(sales, "files")
        await sales.all_saved()
        await sales.tell("open", ticket=ticket)
        await sales.sees(ticket, lambda view: view["stage"] == "presale")
        await sales.tell("online", up=False)
        png = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(32)).decode()
        await sales.tell("attach", ticket=ticket, name="<b>.png", content=png, type="image/png", text="See here.")
        await sales.tell("attach", ticket=ticket, name="a.exe", content=base64.b64encode(b"MZ").decode(), type="")
        await sales.sees(ticket, lambda view: ["here", "here"] == [one["delivery"] for one in view["messages"]])
        await sales.tell("online", up=True)
        await sales.shows("saved", lambda saved: saved == {"here": "saved", "waiting": 0, "refused": 1})
        text, picture = sales.view(ticket)["messages"][0]["parts"]
        assert ("See here.", "image", "<b>.png") == (text["text"], picture["type"], picture["name"])
        assert 64 == len(picture["media"]["digest"])
        refused = sales.view(ticket)["refused"][0]
        assert ("attachment", "a.exe") == (refused["kind"], refused["label"])
        await sales.tell("dismiss", ticket=ticket, id=refused["id"])
        await sales.all_saved()


async def test_of_a_card_that_is_refused_what_was_done_is_offered(node, server):
    async with browser(node, server, "sales") as sales:
        ticket = await created(sales, "spoilt")
        await sales.all_saved()
        await sales.tell("open", ticket=ticket)
        await sales.sees(ticket, lambda view: view["stage"] == "presale")
        await sales.tell("online", up=False)
        await sales.tell("card", ticket=ticket, fields={"customer": "Bakery"})
        await sales.tell("spoil", ticket=ticket)
        await sales.tell("online", up=True)
        await sales.shows("saved", lambda saved: saved == {"here": "saved", "waiting": 0, "refused": 1})
        await sales.sees(ticket, lambda view: view["card"] == {"title": "spoilt"})
        refused = sales.view(ticket)["refused"][0]
        assert ("card", "customer", "key") == (refused["kind"], refused["label"], refused["code"])
        await sales.tell("again", ticket=ticket, id=refused["id"])
        await sales.all_saved()
        async with server.client("sales") as rest:
            card = (await rest.get(f"/api/tickets/{ticket}")).json()["card"]
        assert {"title": "spoilt", "customer": "Bakery"} == card


async def test_whoever_signs_out_on_a_shared_computer_leaves_nothing(node, server):
    async with browser(node, server, "sales", actor="sales-9") as sales:
        ticket = await created(sales, "private")
        await sales.all_saved()
        before = await sales.tell("sign_out", forget=True)
        assert [] == (await sales.hear("databases", since=before))["names"]
        sales.department = sales.actor = "tech"
        sales.roles = ["tech"]
        await sales.sign_out()
        before = await sales.tell("start")
        await sales.hear("nobody", since=before)
        await sales.sign_in()
        await sales.tell("start", tab="tech")
        await sales.shows("tickets", lambda found: found["isComplete"], "tech")
        await sales.tell("open", tab="tech", ticket=ticket)
        await sales.sees(ticket, lambda view: view["status"] == "ready" and view["stage"] == "presale", "tech")
        assert ["tech"] == [form["lane"] for form in sales.view(ticket, "tech")["forms"]]

"""What goes wrong around a console, in a real browser: the network, the sign-in, the service, and who writes to it."""

import asyncio
import os
import signal

import pycrdt
import pytest
from playwright.async_api import expect

from crdt_sync.domain import message, transition
from tests.e2e import copies

pytestmark = pytest.mark.asyncio(loop_scope="module")
IN_A_MINUTE = "() => Date.now() + 60_000"
MUCH = "光" * 170_000  # half a megabyte


async def test_network_that_goes_and_comes_is_noticed_without_waiting(site):
    await site.ticket("In the lift")
    sales, sockets = await site.desk(), []
    sales.page.on("websocket", lambda socket: sockets.append(socket.url.partition("?")[0][-7:]))
    await sales.page.clock.install()
    await sales.sign_in("sales")
    await sales.open("In the lift")
    await sales.stage("Presale")
    await sales.saved()
    assert ["/collab", "/events"] == sorted(sockets)
    await sales.offline()
    await sales.page.clock.pause_at(await sales.page.evaluate(IN_A_MINUTE))  # now nothing that is timed happens
    await sales.online()
    assert [] == sales.faults


async def test_documents_that_somebody_has_spoilt_break_no_page_and_what_is_refused_is_done_again(site):
    ticket = await site.ticket("Spoilt", tags="vip")
    sales = await site.desk()
    await sales.sign_in("sales")
    await sales.open("Spoilt")
    await sales.stage("Presale")
    await sales.saved()
    await sales.offline()
    await sales.fill("Customer", "Bakery")
    lifecycle = (await site.ask("sales", "GET", f"/api/tickets/{ticket}"))["lifecycle"]
    await copies.spoil(
        sales.page, ticket, card=wrong_card(), form_sales=long_notes(), submit_sales=forged(ticket, lifecycle)
    )

    await sales.page.reload()
    await sales.stage("Presale")
    for label, shown in {"Customer": "Bakery", "Tags": "vip", "Priority": ""}.items():
        await expect(sales.page.get_by_label(label, exact=True)).to_have_value(shown)
    notes = sales.page.get_by_label("Internal notes: Sales")
    await expect(notes).to_have_js_property("textLength", len(MUCH))
    await expect(sales.page.get_by_role("log")).to_contain_text("from the future")
    await expect(sales.page.locator(".composer")).to_be_visible()
    await sales.move("Quote", price="9.00")
    await sales.lane("Sales", "Quoted")

    await sales.online()
    await sales.saved("1 refused")
    refused = sales.page.get_by_role("region", name="Needs attention")
    await expect(refused).to_contain_text("Card: customer")
    await expect(sales.page.get_by_label("Customer", exact=True)).to_have_value("")
    await refused.get_by_role("button", name="Do it again").click()
    await expect(sales.page.get_by_label("Customer", exact=True)).to_have_value("Bakery")
    await expect(refused).to_have_count(0)
    await sales.saved()
    told = await site.ask("sales", "GET", f"/api/tickets/{ticket}")
    assert {"title": "Spoilt", "tags": "vip", "customer": "Bakery"} == told["card"]
    assert ("quoted", "pending") == (told["lanes"]["sales"], told["lanes"]["tech"])
    assert MUCH == (await site.ask("sales", "GET", f"/api/tickets/{ticket}/forms/sales"))["notes"]
    assert [] == sales.faults


def wrong_card():
    doc = pycrdt.Doc()
    card = doc.get("card", type=pycrdt.Map)
    card["priority"] = pycrdt.Map({"<b>": pycrdt.Array([1, 2])})
    card["assignee.sales"] = {"nested": [None, True]}
    card["hold.sales.sales"] = MUCH
    return doc


def long_notes():
    doc = pycrdt.Doc()
    doc.get("notes", type=pycrdt.Text).insert(0, MUCH)
    return doc


def forged(ticket, lifecycle):
    """A step of another department under another's name that follows what is not there, and an answer of no date."""
    doc = pycrdt.Doc()
    made = transition.make(
        ticket=ticket,
        lane="tech",
        name="start",
        actor="mallory",
        roles=["tech"],
        after=["b" * 51 + "a"],
        lifecycle=lifecycle,
        at=1,
    )
    doc.get("transitions", type=pycrdt.Array).append(made.record)
    part = {"type": "text", "text": "from the future"}
    said = message.make(ticket=ticket, kind="agent", author="sales", at=2**53 - 1, parts=[part], salt="0" * 32)
    doc.get("messages", type=pycrdt.Array).append(said.record)
    return doc


async def test_sign_in_that_ends_while_work_waits_is_asked_for_and_loses_nothing(site):
    ticket = await site.ticket("Overnight")
    sales = await site.desk()
    await sales.sign_in("sales")
    await sales.open("Overnight")
    await sales.stage("Presale")
    await sales.saved()
    await sales.offline()
    await sales.move("Quote", price="99.00")
    await sales.page.get_by_label("Internal notes: Sales").fill("Ring twice.")
    await sales.saved("on the way to the server")
    await sales.context.clear_cookies()
    await sales.page.reload()
    await sales.lane("Sales", "Quoted")

    await sales.context.set_offline(False)
    await sales.page.get_by_text("Your sign-in has ended.").wait_for()
    await sales.say("While nobody is signed in")
    await sales.saved("on the way to the server")
    await sales.page.get_by_role("button", name="Sign in again").click()
    await sales.enter("sales")
    await sales.saved()
    await expect(sales.page.get_by_text("Your sign-in has ended.")).to_have_count(0)
    assert "quoted" == (await site.ask("sales", "GET", f"/api/tickets/{ticket}"))["lanes"]["sales"]
    assert "Ring twice." == (await site.ask("sales", "GET", f"/api/tickets/{ticket}/forms/sales"))["notes"]
    messages = (await site.ask("sales", "GET", f"/api/tickets/{ticket}/messages"))["messages"]
    assert ["While nobody is signed in"] == [message["parts"][0]["text"] for message in messages]
    assert [] == sales.faults


async def test_step_that_is_refused_comes_back_with_the_reason_and_is_done_again(site):
    ticket = await site.ticket("Roles")
    lead = await site.desk()
    await lead.sign_in("sales_lead")
    await lead.open("Roles")
    await lead.stage("Presale")
    await lead.saved()
    await asyncio.to_thread(site.service.kill)
    await site.admin("access", "limit", "sales_lead", "--role", "sales_lead")
    await lead.move("Quote", price="7.00")
    await lead.lane("Sales", "Quoted")
    await asyncio.to_thread(site.service.start)
    refused = lead.page.get_by_role("region", name="Needs attention")
    await expect(refused).to_contain_text("Move: Quote You do not hold the role for it now.")
    await lead.lane("Sales", "Lead")
    await lead.saved("1 refused")

    await asyncio.to_thread(site.service.kill)
    await site.admin("access", "restore", "sales_lead")
    await asyncio.to_thread(site.service.start)
    await lead.page.reload()
    await refused.get_by_role("button", name="Do it again").click()
    await lead.lane("Sales", "Quoted")
    await lead.saved()
    await expect(refused).to_have_count(0)
    await expect(lead.page.locator(".form")).to_contain_text("7.00")
    assert "quoted" == (await site.ask("sales", "GET", f"/api/tickets/{ticket}"))["lanes"]["sales"]
    assert [] == lead.faults


async def test_two_tabs_of_one_person_are_one_and_either_delivers_for_both(site):
    ticket = await site.ticket("Two tabs")
    first = await site.desk()
    await first.sign_in("sales")
    await first.open("Two tabs")
    await first.stage("Presale")
    second = await first.another_tab()
    await second.stage("Presale")
    await second.saved()
    await first.offline()
    await second.offline()
    await first.move("Quote", price="12.00")
    await second.lane("Sales", "Quoted")
    await second.page.get_by_label("Internal notes: Sales").fill("from the second")
    await expect(first.page.get_by_label("Internal notes: Sales")).to_have_value("from the second")
    await second.move("Sign", contract="C-1")
    await first.stage("Ready to start")
    await first.page.close()

    await second.online()
    await second.saved()
    assert "signed" == (await site.ask("sales", "GET", f"/api/tickets/{ticket}"))["lanes"]["sales"]
    form = await site.ask("sales", "GET", f"/api/tickets/{ticket}/forms/sales")
    assert "from the second" == form["notes"]
    assert [] == first.faults + second.faults


async def test_service_that_is_restored_gets_back_what_the_browser_has(site, tmp_path):
    ticket = await site.ticket("Restored")
    sales = await site.desk()
    await sales.sign_in("sales")
    await sales.open("Restored")
    await sales.move("Quote", price="12.00")
    await sales.saved()
    await site.admin("backup", str(tmp_path / "backup.db"))
    await sales.move("Sign", contract="C-1")
    await sales.fill("Customer", "after the backup")
    await sales.saved()
    await asyncio.to_thread(site.service.stop)
    await sales.page.get_by_label("Internal notes: Sales").fill("on the stairs")
    await sales.fill("Tags", "made offline")
    await sales.move("Withdraw", ends=True)
    await sales.stage("Cancelled")
    await site.admin("restore", str(tmp_path / "backup.db"))
    await asyncio.to_thread(site.service.start)

    await expect(sales.page.get_by_label("Customer", exact=True)).to_have_value("")
    await sales.saved()
    await sales.stage("Cancelled")
    await expect(sales.page.locator(".history")).not_to_contain_text("saved here")
    told = await site.ask("sales", "GET", f"/api/tickets/{ticket}")
    assert ("withdrawn", {"title": "Restored", "tags": "made offline"}) == (told["lanes"]["sales"], told["card"])
    assert "on the stairs" == (await site.ask("sales", "GET", f"/api/tickets/{ticket}/forms/sales"))["notes"]
    await sales.page.get_by_label("Menu of sales").click()
    async with sales.page.expect_download() as saving:
        await sales.page.get_by_role("button", name="Save what a restore of the server left out").click()
    assert "after the backup" in (await (await saving.value).path()).read_text("utf-8")
    assert [] == sales.faults


async def test_work_is_told_as_saved_also_where_one_connection_takes_the_place_of_another(site):
    """Who signs in again within half a second has two attempts to connect under way: the second ends the first one."""
    await site.ticket("Twice")
    sales = await site.desk()
    await sales.page.clock.install()
    await sales.sign_in("sales")
    await sales.open("Twice")
    await sales.stage("Presale")
    await sales.saved()
    await sales.offline()
    await sales.context.clear_cookies()
    await sales.page.clock.pause_at(await sales.page.evaluate("() => Date.now() + 86_400_000"))  # its token has ended
    await sales.context.set_offline(False)
    await sales.page.get_by_role("button", name="Sign in again").click()
    await sales.page.clock.run_for(100)  # the dialog asks how to sign in
    await sales.enter("sales")
    await expect(sales.page.locator("footer .lamp.online")).to_be_visible()
    os.kill(site.service.pid, signal.SIGSTOP)
    try:
        await sales.page.get_by_label("Internal notes: Sales").fill("on the first")
        await sales.page.clock.run_for(5_000)  # the second begins, unless the first was there before its turn came
    finally:
        os.kill(site.service.pid, signal.SIGCONT)
    await sales.page.clock.resume()
    await sales.saved()
    assert [] == sales.faults

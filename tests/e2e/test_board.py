"""The operations board in a real browser: its figures follow, and survive a reload and a restart of the service."""

import asyncio
import csv
import io
import re

import pytest
from playwright.async_api import expect

from tests.e2e.browser import PATIENCE_MS, violations

pytestmark = pytest.mark.asyncio(loop_scope="module")
HEAVY = ("serious", "critical")
KEPT = """async (patience_ms) => {  // until the figures are in the browser's database
    const done = (request) => new Promise((resolve) => { request.onsuccess = () => resolve(request.result); });
    const { name } = (await indexedDB.databases()).find(({ name }) => !name.includes(" ticket/"));
    const database = await done(indexedDB.open(name));
    const end = Date.now() + patience_ms;
    while (await done(database.transaction("meta").objectStore("meta").get("board")) === undefined) {
        if (Date.now() > end) throw new Error("The figures are not kept.");
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    database.close();
}"""


async def board(site, department="sales", **options):
    """The board of somebody who has just signed in."""
    desk = await site.desk(**options)
    await desk.sign_in(department)
    await desk.page.get_by_role("link", name="Board").click()
    await desk.page.locator("dl.totals").wait_for()
    return desk


def total(desk, name):
    return desk.page.locator("dl.totals > div").filter(has_text=name).locator("dd")


async def open_return(site):
    """Open a ticket in which sales and tech have no part."""
    listed = (await site.ask("service_desk", "GET", "/api/lifecycles"))["lifecycles"]
    digest = next(one["digest"] for one in listed if one["lifecycle"] == "return-of-goods")
    await site.ask("service_desk", "POST", "/api/tickets", {"title": "Not for sales", "lifecycle": digest})


async def test_figures_follow_events_and_survive_a_reload_and_a_restart(site):
    await open_return(site)
    ticket = await site.ticket("Fibre for the corner shop")
    desk = await board(site)
    await expect(total(desk, "Open tickets")).to_have_text("1")
    await site.move(ticket, "sales", "quote", price="10.00")
    await site.move(ticket, "sales", "sign")
    await expect(desk.page.get_by_role("list", name="Tickets by stage")).to_contain_text("Ready to start")
    await site.move(ticket, "tech", "start")
    await site.move(ticket, "sales", "withdraw")
    await expect(desk.page.get_by_role("list", name="Obligations by age")).to_contain_text("Field engineering")

    await desk.page.evaluate(KEPT, PATIENCE_MS)
    sockets = []
    desk.page.on("websocket", lambda socket: sockets.append(socket.url))
    await desk.page.reload()
    await expect(total(desk, "Open tickets")).to_have_text("1")
    await site.ticket("Opened after the reload")
    await expect(total(desk, "Open tickets")).to_have_text("2")
    assert [] == [url for url in sockets if "/events?after=0&" in url], "it goes on from where it was"
    await asyncio.to_thread(site.service.kill)
    await expect(desk.page.get_by_text("these are the figures of the last connection")).to_be_visible()
    await asyncio.to_thread(site.service.start)
    await site.ticket("Opened after the restart")
    await expect(total(desk, "Open tickets")).to_have_text("3")
    flow = desk.page.get_by_role("region", name="Flow by day")
    await expect(flow.locator(".legend li")).to_have_text(["Opened", "Ended", "Reopened"])
    table = await figures(desk, "Flow by day")
    assert (3, 0) == (sum(int(row["Opened"]) for row in table), sum(int(row["Ended"]) for row in table))
    assert [] == desk.faults


async def figures(desk, title):
    """What the file of a part says."""
    async with desk.page.expect_download() as saving:
        await desk.page.get_by_role("button", name=f"CSV of {title}").click()
    path = await (await saving.value).path()
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))


@pytest.mark.parametrize(
    ("locale", "scheme", "name"), [("en-GB", "light", "Operations board"), ("zh-CN", "dark", "运营看板")]
)
async def test_axe_finds_nothing_serious(site, locale, scheme, name):
    await site.ticket("Something to count")
    desk = await site.desk(color_scheme=scheme, locale=locale)
    await desk.sign_in("sales")
    await desk.page.goto(f"{desk.url}/board")
    await desk.page.get_by_role("heading", name=name).wait_for()
    await desk.page.locator("dl.totals").wait_for()
    for summary in await desk.page.locator(".panel summary").all():
        await summary.click()

    assert [] == await violations(desk.page, *HEAVY)
    assert [] == desk.faults


async def test_boards_leave_when_their_person_signs_out_and_forgets(site):
    await site.ticket("Not for the next one")
    desk = await board(site)
    other = await desk.context.new_page()
    await other.goto(f"{desk.url}/board")
    await other.locator("dl.totals").wait_for()
    await desk.remove_data()

    for page in (desk.page, other):
        await page.get_by_role("heading", name="Sign in").wait_for()
        await expect(page.locator("dl.totals")).to_have_count(0)
    kept = await other.evaluate("indexedDB.databases().then((all) => all.map((one) => one.name))")
    assert ([], []) == (kept, desk.faults)


async def test_page_of_an_older_build_whose_board_has_gone_says_so_and_loads_anew(site):
    await site.ticket("Before the update")
    desk = await site.desk()
    page = desk.page
    async with page.expect_response("**/assets/build.json"):  # which would say else that nothing is newer
        await desk.sign_in("sales")
    await desk.open("Before the update")
    await page.get_by_label("Answer the customer").fill("half a sente")
    gone = re.compile("/assets/board-")
    await desk.context.route(gone, lambda route: route.fulfill(status=404))
    await desk.context.route("**/assets/build.json", lambda route: route.fulfill(json={"build": "another"}))
    await page.evaluate("caches.keys().then((names) => Promise.all(names.map((name) => caches.delete(name))))")
    await page.get_by_role("link", name="Board").click()
    await expect(page.get_by_text("A newer version is here.")).to_be_visible()

    await desk.context.unroute(gone)
    await desk.context.unroute("**/assets/build.json")
    await page.get_by_role("main").get_by_role("button", name="Reload").click()
    await page.locator("dl.totals").wait_for()
    await page.get_by_role("link", name="Tickets").click()
    await desk.open("Before the update")
    await expect(page.get_by_label("Answer the customer")).to_have_value("half a sente")
    assert [] == desk.faults

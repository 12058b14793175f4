"""Notices on the desktop: whoever looks elsewhere hears of a customer's first word, and a click leads to it."""

import pytest
from playwright.async_api import expect

from tests.e2e.browser import PATIENCE_MS
from tests.e2e.console_site import WITH_A_WIDGET

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = WITH_A_WIDGET
LOOKS_ELSEWHERE = """() => {  // on a telephone, where no page shows a notice itself
    const { permission } = Notification;
    window.Notification = class { static permission = permission; constructor() { throw new TypeError(); } };
    Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
}"""
TOLD = """async ([patience_ms, expected]) => {  // until these are shown and no others
    const worker = await navigator.serviceWorker.ready;
    const end = Date.now() + patience_ms;
    for (;;) {
        const shown = (await worker.getNotifications()).map(({ title, body }) => [title, body]).sort();
        if (JSON.stringify(shown) === JSON.stringify(expected)) return;
        if (Date.now() > end) throw new Error(JSON.stringify(shown));
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}"""
CLICK = """async () => {  // as a browser does it: a script can make the event, but cannot prolong it or raise a window
    const [notification] = await registration.getNotifications();
    const event = new NotificationEvent("notificationclick", { notification });
    const [works, opened] = [[], []];
    event.waitUntil = (work) => works.push(work);
    WindowClient.prototype.focus = async function () { opened.push("focus"); };
    clients.openWindow = async (path) => { opened.push(path); };
    dispatchEvent(event);
    await Promise.all(works);
    return opened;
}"""


async def test_first_message_of_a_customer_is_told_and_a_click_opens_its_ticket(site):
    desk = await site.desk()
    page, log = desk.page, desk.page.get_by_role("log")
    await desk.context.grant_permissions(["notifications"])
    await desk.sign_in("sales")
    await expect(page.locator(".empty")).to_have_text("No tickets yet.")
    await page.evaluate(LOOKS_ELSEWHERE)
    customer = await site.customer()
    await customer.write("Is anybody there?")
    await page.evaluate(TOLD, [PATIENCE_MS, [["Without a title", "1 unread"]]])
    await customer.write("Hello?")
    await expect(page).to_have_title("(2) Tickets")
    await page.evaluate(TOLD, [PATIENCE_MS, [["Without a title", "2 unread"]]])
    [worker] = desk.context.service_workers
    assert ["focus"] == await worker.evaluate(CLICK)
    await expect(log).to_contain_text("Is anybody there?")
    await page.evaluate(TOLD, [PATIENCE_MS, []])

    await customer.write("Is this the right number?")
    await page.evaluate(TOLD, [PATIENCE_MS, [["Without a title", "3 unread"]]])
    ticket = page.url
    await page.goto(f"{desk.url}/widget/demo")
    assert [ticket.removeprefix(desk.url)] == await worker.evaluate(CLICK), "no console is open"
    await page.goto(ticket)
    await expect(log).to_contain_text("Is this the right number?")
    await expect(page).to_have_title("Without a title")

    await page.evaluate(LOOKS_ELSEWHERE)
    await customer.write("One more thing")
    await page.evaluate(TOLD, [PATIENCE_MS, [["Without a title", "1 unread"]]])
    await page.get_by_label("Menu of sales").click()
    await page.get_by_role("button", name="Sign out", exact=True).click()
    await page.get_by_role("heading", name="Sign in").wait_for()
    await page.evaluate(TOLD, [PATIENCE_MS, []])
    assert [] == desk.faults


async def test_work_that_becomes_ours_is_told_but_not_what_was_there_nor_what_one_did_oneself(site):
    there = await disputed(site, "There before")
    desk = await site.desk()
    await desk.context.grant_permissions(["notifications"])
    await desk.sign_in("sales")
    await desk.page.evaluate(LOOKS_ELSEWHERE)
    other = await desk.another_tab()
    await other.page.evaluate(LOOKS_ELSEWHERE)  # of this person's own doing it would tell, if it did not know better
    own = await site.ticket("My own doing")
    await other.open("My own doing")
    await other.page.locator(".lane.own").get_by_role("button", name="Take it").click()
    await other.move("Quote", price="1.00")
    await other.saved()

    await disputed(site, "To be ruled")
    await desk.page.evaluate(TOLD, [PATIENCE_MS, [["To be ruled", "To be done by us"]]])
    given = await site.ticket("For you")
    await site.ask("support", "PATCH", f"/api/tickets/{given}/card", {"assignee.sales": "sales"})
    await site.move(given, "sales", "quote", by="sales", price="1.00")  # by the way the list hears of the card
    await desk.page.evaluate(TOLD, [PATIENCE_MS, [["For you", "Assigned to me"], ["To be ruled", "To be done by us"]]])
    await expect(desk.page).to_have_title("Tickets")
    assert {there, own, given} <= {one["id"] for one in (await site.ask("sales", "GET", "/api/tickets"))["tickets"]}
    assert [] == desk.faults + other.faults


async def disputed(site, title):
    """A ticket on which somebody of sales has to rule."""
    ticket = await site.ticket(title)
    await site.move(ticket, "sales", "quote", price="1.00")
    seen = (await site.ask("sales", "GET", f"/api/tickets/{ticket}"))["version"]
    await site.move(ticket, "sales", "lose", seen=seen)
    await site.move(ticket, "sales", "sign", seen=seen, contract="C-1")
    return ticket

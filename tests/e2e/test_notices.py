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
        const shown = (await worker.getNotifications()).map(({ title, body }) => [title, body]);
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
    await expect(page).to_have_title("Tickets")

    await page.evaluate(LOOKS_ELSEWHERE)
    await customer.write("One more thing")
    await page.evaluate(TOLD, [PATIENCE_MS, [["Without a title", "1 unread"]]])
    await page.get_by_label("Menu of sales").click()
    await page.get_by_role("button", name="Sign out", exact=True).click()
    await page.get_by_role("heading", name="Sign in").wait_for()
    await page.evaluate(TOLD, [PATIENCE_MS, []])
    assert [] == desk.faults

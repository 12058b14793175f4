"""Notices on the desktop: whoever looks elsewhere hears of a customer's first word, and a click leads to it."""

import pytest
from playwright.async_api import expect

from tests.e2e.console_site import WITH_A_WIDGET

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = WITH_A_WIDGET
LOOKS_ELSEWHERE = """() => {
    window.notices = [];
    window.Notification = class {
        static permission = "granted";
        constructor(title, { body }) {
            if (window.isTelephone) throw new TypeError("Illegal constructor");
            window.notices.push(this);
            this.body = body;
        }
        close() { this.isClosed = true; }
    };
    Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
}"""
TOLD = "(count) => window.notices.length === count"


async def test_first_message_of_a_customer_is_told_and_a_click_opens_its_ticket(site):
    desk = await site.desk()
    page = desk.page
    await desk.sign_in("sales")
    await expect(page.locator(".empty")).to_have_text("No tickets yet.")
    await page.evaluate(LOOKS_ELSEWHERE)
    customer = await site.customer()
    await customer.write("Is anybody there?")
    await page.wait_for_function(TOLD, arg=1)
    assert "1 unread" == await page.evaluate("window.notices[0].body")
    await page.evaluate("window.isTelephone = true")
    await customer.write("Hello?")
    await expect(page.locator(".row .badge")).to_have_text("2 unread")
    await expect(page).to_have_title("(2) Tickets")
    await page.evaluate("window.notices[0].onclick()")
    await expect(page.get_by_role("log")).to_contain_text("Is anybody there?")
    assert await page.evaluate("window.notices[0].isClosed")
    assert [] == desk.faults

"""One matter in two tickets, in a real browser: somebody marks one as a duplicate, and takes it back."""

import pytest
from playwright.async_api import expect

from tests.e2e.browser import violations
from tests.e2e.console_site import WITH_A_WIDGET

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = WITH_A_WIDGET


async def named(site, desk, chat, text, title):
    """What a customer has written becomes a ticket with a title."""
    await chat.write(text)
    link = desk.page.get_by_role("link", name="Without a title")
    await link.wait_for()
    ticket = (await link.get_attribute("href")).rpartition("/")[2]
    await site.ask("sales", "PATCH", f"/api/tickets/{ticket}/card", {"title": title})
    await link.wait_for(state="detached")
    return ticket


async def test_a_customers_words_go_on_in_the_other_ticket_until_the_mark_is_taken_back(site):
    one, other = await site.customer(), await site.customer()
    sales = await site.desk()
    page = sales.page
    await sales.sign_in("sales")
    duplicate = await named(site, sales, one, "My line is dead.", "Dead line, by the page")
    await named(site, sales, other, "It is me again.", "Dead line, by phone")
    await sales.open("Dead line, by the page")
    await page.get_by_role("button", name="Mark as a duplicate").click()
    dialog = page.get_by_role("dialog", name="Mark as a duplicate")
    await dialog.get_by_role("searchbox").fill("phone")
    await dialog.get_by_role("radio", name="Dead line, by phone").check()
    assert [] == await violations(page, "serious", "critical")
    await dialog.get_by_role("button", name="Mark as a duplicate").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("different customers")
    await dialog.get_by_role("button", name="It is the same customer").click()
    await dialog.wait_for(state="detached")
    told = page.get_by_role("region", name="Duplicate")
    await expect(told).to_contain_text("Its work goes on in Dead line, by phone")
    await expect(page.locator(".composer")).to_have_count(0)

    await told.get_by_role("link", name="Dead line, by phone").click()
    log = page.get_by_role("log")
    await expect(log.locator(".message", has_text="My line is dead.")).to_contain_text("from the duplicate")
    await one.write("Still dead.")
    await expect(log.locator(".message", has_text="Still dead.")).not_to_contain_text("from the duplicate")
    await sales.say("We are on it.")
    await one.shows("We are on it.")
    recipient = page.locator(".recipient")
    whom = await recipient.inner_text()
    await other.write("Thank you.")
    await expect(log).to_contain_text("Thank you.")
    await expect(recipient).not_to_have_text(whom)

    await page.get_by_role("link", name="Back to the list").click()
    await expect(page.get_by_role("link", name="Dead line, by phone")).to_be_visible()
    await expect(page.get_by_role("link", name="Dead line, by the page")).to_have_count(0)
    await page.get_by_role("searchbox").fill("by the page")
    await sales.open("Dead line, by the page")
    await page.get_by_role("button", name="It is no duplicate").click()
    await expect(page.get_by_role("region", name="Duplicate")).to_have_count(0)
    await one.write("Here again.")
    await expect(page.get_by_role("log")).to_contain_text("Here again.")
    assert (await site.ask("sales", "GET", f"/api/tickets/{duplicate}"))["duplicate_of"] is None
    assert [] == sales.faults

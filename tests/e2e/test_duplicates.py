"""Tickets and people, chosen and never typed: duplicates, another one of the customer, and who is handed a lane."""

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


async def test_ticket_of_the_same_customer_is_found_by_its_title(site):
    one, other = await site.customer(), await site.customer()
    sales = await site.desk()
    page = sales.page
    await sales.sign_in("sales")
    await named(site, sales, one, "Is it you?", "First call")
    second = await named(site, sales, other, "It is me.", "Second call")
    await sales.open("First call")
    await page.get_by_text("The customer's other tickets").click()
    await page.get_by_role("button", name="Same customer as…").click()
    dialog = page.get_by_role("dialog", name="Same customer as…")
    await page.keyboard.insert_text("second")
    await expect(dialog.get_by_role("radio")).to_have_count(1)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await page.keyboard.press("Enter")
    await dialog.wait_for(state="detached")
    past = page.locator(".past").get_by_role("link", name="Second call")
    await expect(past).to_have_attribute("href", f"/console/sales/{second}")

    recipient, log = page.locator(".recipient"), page.get_by_role("log")
    whom = await recipient.inner_text()
    await site.ask("sales", "POST", f"/api/tickets/{second}/duplicate", {"of": page.url.rpartition("/")[2]})
    await expect(log.locator(".message", has_text="It is me.")).to_contain_text("from the duplicate")
    await expect(recipient).to_have_text(whom)
    await sales.say("Answered where the work goes on.")
    await one.shows("Answered where the work goes on.")
    await other.write("And here I am again.")
    await expect(log).to_contain_text("And here I am again.")
    await expect(recipient).not_to_have_text(whom)
    await sales.say("Answered where you wrote last.")
    await other.shows("Answered where you wrote last.")
    assert "Answered where the work goes on." not in await other.page.content()
    assert "Answered where you wrote last." not in await one.page.content()
    assert [] == sales.faults


async def test_lane_is_handed_to_somebody_who_is_there(site):
    ticket = await site.ticket("Yours now")
    sales = await site.desk()
    page = sales.page
    await sales.sign_in("sales")
    await sales.open("Yours now")
    await page.locator(".lane.own").get_by_role("button", name="Hand over").click()
    dialog = page.get_by_role("dialog", name="Hand Sales over to")
    choices = dialog.get_by_role("combobox").get_by_role("option")
    await expect(choices).to_have_text(["Choose…", "Ms Sun (sales)", "Ms Li (sales-1)", "nobody: Sales decides"])
    await dialog.get_by_role("combobox").select_option("Ms Li (sales-1)")
    assert [] == await violations(page, "serious", "critical")
    await dialog.get_by_role("button", name="Hand over").click()
    await expect(page.locator(".lane.own .holder")).to_have_text("sales-1")

    tech = page.locator(".lane").filter(has=page.get_by_role("heading", name="Field engineering"))
    await tech.get_by_role("button", name="Hand over").click()
    dialog = page.get_by_role("dialog", name="Hand Field engineering over to")
    choices = dialog.get_by_role("combobox").get_by_role("option")
    await expect(choices).to_have_text(["Choose…", "nobody: Field engineering decides"])
    await sales.saved()
    assert "sales-1" == (await site.ask("sales", "GET", f"/api/tickets/{ticket}"))["card"]["assignee.sales"]

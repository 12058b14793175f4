"""The list as people leave it, find it again and read it on a narrow screen."""

import re

import pytest
from playwright.async_api import expect

from tests.e2e.browser import violations

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONG = "customer-faa7bbbb0e5c4f6f8d2a9b3c1e7d5f40"
IS_CUT = "(element) => element.scrollWidth > element.clientWidth"


async def test_search_stands_in_the_address_and_is_there_after_reload_and_on_the_way_back(site):
    for title in ("Fibre, Mill Lane", "Fibre, High Street", "A router"):
        await site.ticket(title)
    desk = await site.desk()
    page = desk.page
    await desk.sign_in("sales")
    rows, search = page.locator(".row"), page.get_by_role("searchbox")
    await page.get_by_role("button", name="All").click()
    await search.fill("fibre, ")
    await expect(rows).to_have_count(2)
    await expect(page).to_have_url(re.compile(r"/console/sales\?view=all&q=fibre%2C\+$"))
    await page.reload()
    await expect(search).to_have_value("fibre, ")
    await expect(rows).to_have_count(2)

    async def is_back() -> None:
        await expect(search).to_have_value("fibre, ")
        await expect(rows).to_have_count(2)
        await expect(page.get_by_role("button", name="All")).to_have_attribute("aria-pressed", "true")

    await desk.open("Fibre, Mill Lane")
    await page.get_by_role("link", name="Back to the list").click()
    await is_back()
    await page.go_back()
    await page.get_by_role("heading", name="Fibre, Mill Lane", level=1).wait_for()
    await page.go_back()
    await is_back()
    await page.go_forward()
    await page.get_by_role("heading", name="Fibre, Mill Lane", level=1).wait_for()
    await page.reload()
    await page.get_by_role("heading", name="Fibre, Mill Lane", level=1).wait_for()
    await page.go_back()
    await is_back()
    second = await desk.another_tab()
    await expect(second.page.get_by_role("searchbox")).to_have_value("fibre, ")
    await page.get_by_label("Menu of sales").click()
    await page.get_by_role("button", name="Sign out", exact=True).click()
    await second.page.get_by_role("heading", name="Sign in").wait_for()
    await expect(second.page).to_have_url(f"{desk.url}/console/sales")
    assert [] == desk.faults


async def test_row_has_priority_owed_and_customer_also_on_a_narrow_screen_and_long_names_are_cut(site):
    urgent = await site.ticket("Line is dead", customer=LONG, priority="urgent")
    await site.move(urgent, "sales", "quote", price="1.00")
    seen = (await site.ask("sales", "GET", f"/api/tickets/{urgent}"))["version"]
    await site.move(urgent, "sales", "lose", seen=seen)
    await site.move(urgent, "sales", "sign", seen=seen, contract="C-1")
    await site.ticket("As ever", customer="Mr Osei", priority="normal")
    desk = await site.desk(viewport={"width": 420, "height": 800}, locale="zh-CN")
    page = desk.page
    await desk.sign_in("sales")
    row, other = (page.locator(".row").filter(has_text=title) for title in ("Line is dead", "As ever"))
    await expect(row.locator(".priority")).to_have_text("紧急")
    await expect(other.locator(".priority")).to_have_count(0)
    await expect(row.locator(".owed")).to_be_visible()
    await expect(row.locator(".owed")).to_contain_text("销售：")
    customer = row.locator(".customer")
    await expect(customer).to_be_visible()
    await expect(customer).to_have_attribute("title", LONG)
    assert await customer.evaluate(IS_CUT)
    title, owed = [await row.locator(each).bounding_box() for each in (".title", ".owed")]
    assert title["y"] + title["height"] <= owed["y"], "two lines"
    whole = await row.bounding_box()
    assert owed["y"] + owed["height"] <= whole["y"] + whole["height"]
    assert [] == await violations(page, "serious", "critical")
    await page.set_viewport_size({"width": 1280, "height": 800})
    await expect(customer).to_be_visible()
    assert await customer.evaluate(IS_CUT)
    await desk.open("Line is dead")
    head = page.locator(".ticket-head .customer")
    await expect(head).to_have_attribute("title", LONG)
    assert await head.evaluate(IS_CUT)
    assert [] == desk.faults


LINES = "(element) => Math.round(element.clientHeight / parseFloat(getComputedStyle(element).lineHeight))"
FITS = "(elements) => elements.every((element) => element.scrollWidth <= element.clientWidth)"
AGO = "(time) => { time.textContent = '27 min ago'; return time.scrollWidth <= time.clientWidth; }"


async def test_nothing_lies_on_anything_else_on_the_screen_of_a_telephone(site):
    ticket = await site.ticket("Seen in the street", customer=LONG)
    await site.move(ticket, "sales", "quote", price="1.00")
    desk = await site.desk(viewport={"width": 390, "height": 800})
    page = desk.page
    await desk.sign_in("sales_lead")
    assert await page.locator(".row").filter(has_text="Seen in the street").locator("time").evaluate(AGO)
    await desk.open("Seen in the street")
    await desk.move("Quote", price="2.00")
    done = page.locator(".history li")
    await expect(done.first.locator(".who")).to_have_text("sales_lead")
    assert await done.locator("> *").evaluate_all(FITS)
    assert [1, 1] == [await page.locator(each).evaluate(LINES) for each in (".head .brand", ".menu summary")]
    customer = page.locator(".ticket-head .customer")
    assert await customer.evaluate(IS_CUT)
    assert 1 == await customer.evaluate(LINES)
    assert 390 == await page.evaluate("document.documentElement.scrollWidth")
    assert [] == await violations(page, "serious", "critical")
    assert [] == desk.faults

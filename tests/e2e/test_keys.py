"""A day's work by keys alone: what each of them does, and what none of them does by accident."""

import pytest
from playwright.async_api import expect

from tests.e2e.browser import violations

pytestmark = pytest.mark.asyncio(loop_scope="module")
COMPOSED_ENTER = """(input) => input.dispatchEvent(
    new KeyboardEvent("keydown", { key: "Enter", keyCode: 229, bubbles: true, cancelable: true }))"""


async def test_palette_does_nothing_that_was_not_chosen(site):
    await site.ticket("Not lost by accident")
    desk = await site.desk()
    await desk.sign_in("sales")
    await desk.open("Not lost by accident")
    await desk.page.locator(".lane.own .moves").wait_for()
    before = await desk.lanes()
    await desk.page.keyboard.press("Control+k")
    lost = desk.page.get_by_role("option", name="Mark as lost")
    await expect(lost).to_be_visible()
    await expect(desk.page.locator(".palette [aria-selected=true]")).to_have_count(0)
    await desk.page.keyboard.press("Enter")
    await desk.page.keyboard.insert_text("lost mark")
    await expect(lost).to_have_attribute("aria-selected", "true")
    await desk.page.locator(".palette input").evaluate(COMPOSED_ENTER)
    await expect(lost).to_be_visible()
    assert before == await desk.lanes()
    await desk.page.keyboard.press("Enter")
    asked = desk.page.get_by_role("dialog", name="Mark as lost")
    await expect(asked).to_contain_text("This ends the ticket for all departments: its stage becomes “Cancelled”")
    await expect(asked.get_by_role("button", name="Cancel")).to_be_focused()
    assert [] == await violations(desk.page, "serious", "critical")
    await desk.page.keyboard.press("Enter")
    await asked.wait_for(state="detached")
    assert before == await desk.lanes()
    await desk.page.locator(".moves").get_by_role("button", name="Mark as lost").click()
    await desk.page.keyboard.press("Tab")
    await desk.page.keyboard.press("Enter")
    await desk.lane("Sales", "Lost")


async def test_palette_offers_what_the_page_of_a_ticket_does(site):
    await site.ticket("By keys alone")
    desk = await site.desk()
    page = desk.page
    await desk.sign_in("sales")
    await desk.open("By keys alone")
    await page.locator(".lane.own .moves").wait_for()

    async def choose(text: str, name: str) -> None:
        await page.keyboard.press("Control+k")
        await page.keyboard.insert_text(text)
        await expect(page.get_by_role("option", name=name, exact=True)).to_have_attribute("aria-selected", "true")
        await page.keyboard.press("Enter")

    async def leave(name: str) -> None:
        dialog = page.get_by_role("dialog", name=name)
        await expect(dialog).to_be_visible()
        await page.keyboard.press("Escape")
        await dialog.wait_for(state="detached")

    await choose("take", "Take it: Sales")
    await expect(page.locator(".lane.own .holder")).to_have_text("sales")
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("option", name="Hand over: Sales")).to_be_visible()
    await expect(page.get_by_role("option", name="Take it: Sales")).to_have_count(0)
    await leave("Commands")
    await choose("over: sales", "Hand over: Sales")
    await leave("Hand Sales over to")
    await choose("duplic", "Mark as a duplicate…")
    await leave("Mark as a duplicate")
    await choose("quote", "Quote…")
    quote = page.get_by_role("dialog", name="Quote")
    await quote.get_by_label("Price").fill("9.00")
    await page.keyboard.press("Enter")
    await quote.wait_for(state="detached")
    await desk.lane("Sales", "Quoted")
    await choose("answer", "Answer the customer")
    await expect(page.get_by_label("Answer the customer")).to_be_focused()
    await choose("new", "New ticket")
    await page.get_by_role("dialog", name="New ticket").get_by_label("Title").fill("Kept open")
    assert [] == desk.faults


async def test_list_keeps_the_ticket_one_stands_on(site):
    titles = [f"Row {number:02d}" for number in range(40)]
    for title in titles:
        await site.ticket(title)
    desk = await site.desk(viewport={"width": 1280, "height": 600})
    page = desk.page
    await desk.sign_in("sales")
    await page.get_by_role("link", name="Row 39").wait_for()
    current, focused = page.locator(".row.current .title"), page.locator(".row a:focus .title")
    await page.get_by_role("button", name="To be done by us").focus()
    for _ in range(25):
        await page.keyboard.press("j")
    await expect(focused).to_have_text("Row 14")
    scrolled = await page.locator(".windowed").evaluate("(list) => list.scrollTop")
    assert scrolled > 0

    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Row 14", level=1).wait_for()
    await page.get_by_label("Answer the customer").press("Escape")
    await expect(focused).to_have_text("Row 14")
    assert scrolled == await page.locator(".windowed").evaluate("(list) => list.scrollTop")
    count = int((await page.locator(".count").inner_text()).split()[-1])
    await site.ticket("Came meanwhile")
    await expect(page.locator(".count")).to_have_text(f"Tickets: {count + 1}")
    await expect(current).to_have_text("Row 14")

    await page.get_by_role("link", name="Row 16").focus()
    await page.keyboard.press("j")
    await expect(current).to_have_text("Row 15")
    await expect(focused).to_have_text("Row 15")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Row 15", level=1).wait_for()


async def test_escape_leaves_the_search_and_what_it_had_left_out_is_back(site):
    for title in ("Found", "Left out"):
        await site.ticket(title)
    desk = await site.desk()
    await desk.sign_in("sales")
    left_out = desk.page.get_by_role("link", name="Left out")
    await left_out.wait_for()
    await desk.page.keyboard.press("/")
    await desk.page.keyboard.insert_text("Found")
    await expect(left_out).to_have_count(0)
    await desk.page.keyboard.press("Escape")
    await expect(desk.page.get_by_role("searchbox")).to_have_value("")
    await expect(left_out).to_be_visible()


async def test_page_that_one_comes_to_has_the_focus_and_gives_the_tab_its_title(site):
    hostile = "</title><img src=x onerror=alert(1)>"
    ticket = await site.ticket(hostile)
    desk = await site.desk()
    page = desk.page
    await desk.sign_in("sales")

    async def arrived(name: str, title: str = "") -> None:
        await expect(page.get_by_role("heading", name=name, level=1, exact=True)).to_be_focused()
        await expect(page).to_have_title(title or name)

    await arrived("Tickets")
    await page.get_by_role("link", name=hostile).click()
    await arrived(hostile)
    await desk.fill("Title", "Renamed")
    await expect(page).to_have_title("Renamed")
    await page.get_by_role("link", name="Board").click()
    await arrived("Operations board", "Board")
    await page.go_back()
    await arrived("Renamed")
    await page.keyboard.press("Escape")
    await expect(page.locator(".row.current a")).to_be_focused()  # where one was, which says more
    await expect(page).to_have_title("Tickets")
    await page.goto(f"{desk.url}/console/sales/{ticket}")
    await arrived("Renamed")
    await page.get_by_label("Menu of sales").click()
    await page.get_by_role("button", name="Sign out", exact=True).click()
    await page.get_by_role("heading", name="Sign in", level=1).wait_for()
    await expect(page).to_have_title("Tickets")
    assert [] == desk.faults


async def test_menu_closes_by_escape_and_by_a_press_elsewhere(site):
    ticket = await site.ticket("Under the menu")
    desk = await site.desk()
    await desk.sign_in("sales")
    await desk.open("Under the menu")
    menu = desk.page.locator(".menu-body")
    for close in (lambda: desk.page.keyboard.press("Escape"), desk.page.get_by_role("heading", level=1).click):
        await desk.page.get_by_label("Menu of sales").click()
        await expect(menu).to_be_visible()
        await close()
        await expect(menu).to_be_hidden()
        assert desk.page.url.endswith(ticket)

"""A day's work by keys alone: what each of them does, and what none of them does by accident."""

import pytest
from playwright.async_api import expect

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
    await desk.page.keyboard.insert_text("lost")
    await expect(lost).to_have_attribute("aria-selected", "true")
    await desk.page.locator(".palette input").evaluate(COMPOSED_ENTER)
    await expect(lost).to_be_visible()
    assert before == await desk.lanes()
    await desk.page.keyboard.press("Enter")
    await desk.lane("Sales", "Lost")

"""What somebody presses twice is done once, and what is typed in one tab is the same in another."""

import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUBMIT_TWICE = "(form) => { form.requestSubmit(); form.requestSubmit(); }"

WRITE_TWICE = """async (input) => {
    for (const value of ["first", "last"]) {
        input.focus();
        input.value = value;
        input.dispatchEvent(new InputEvent("input", { bubbles: true }));
        await new Promise(queueMicrotask);  // it is drawn, and nothing is saved yet
        input.blur();
    }
}"""


async def test_new_ticket_that_is_asked_for_twice_at_once_is_made_once(site):
    sales = await site.desk()
    page = sales.page
    await sales.sign_in("sales")
    await page.keyboard.press("c")
    dialog = page.get_by_role("dialog", name="New ticket")
    await dialog.get_by_label("Title").fill("Wanted once")
    await dialog.locator("form").evaluate(SUBMIT_TWICE)
    await page.get_by_role("heading", name="Wanted once", level=1).wait_for()
    await sales.saved()
    await page.get_by_role("link", name="Back to the list").click()
    await expect(page.get_by_role("link", name="Wanted once")).to_have_count(1)
    assert [] == sales.faults


async def test_field_that_is_written_again_while_it_is_saved_keeps_what_was_written_last(site):
    await site.ticket("Written twice")
    sales = await site.desk()
    await sales.sign_in("sales")
    await sales.open("Written twice")
    await sales.page.get_by_label("Customer", exact=True).evaluate(WRITE_TWICE)
    await expect(sales.page.locator(".ticket-head .customer")).to_have_text("last")


async def test_answer_that_is_written_in_two_tabs_is_one_and_goes_out_once(site):
    await site.ticket("Two tabs")
    sales = await site.desk()
    await sales.sign_in("sales")
    await sales.open("Two tabs")
    other = await sales.another_tab()
    here, there = (desk.page.get_by_label("Answer the customer") for desk in (sales, other))
    await here.fill("We come")
    await expect(there).to_have_value("We come")
    await there.press("End")
    await there.press_sequentially(" at nine")
    await expect(here).to_have_value("We come at nine")
    await here.press("Enter")
    await expect(there).to_have_value("")
    await there.press("Enter")
    await there.fill("And call before.")
    await there.press("Enter")
    for desk in (sales, other):
        said = desk.page.get_by_role("log").locator(".text")
        await expect(said.filter(has_text="And call before.")).to_have_count(1)
        assert ["And call before.", "We come at nine"] == sorted(await said.all_text_contents())
    assert [] == sales.faults + other.faults


async def test_double_click_on_a_move_leaves_its_question_open_and_a_click_beside_it_closes_it(site):
    await site.ticket("Clicked twice")
    sales = await site.desk()
    await sales.sign_in("sales")
    await sales.open("Clicked twice")
    await sales.page.locator(".lane.own .moves").get_by_role("button", name="Quote").dblclick()
    asked = sales.page.get_by_role("dialog", name="Quote")
    await expect(asked).to_be_visible()
    await asked.get_by_label("Price").fill("9.00")
    await sales.page.mouse.click(5, 5)
    await expect(asked).to_have_count(0)

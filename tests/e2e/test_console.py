"""What people of departments do in their consoles, in a real browser."""

import asyncio

import pytest
from playwright.async_api import expect

from tests.e2e.browser import violations

pytestmark = pytest.mark.asyncio(loop_scope="module")
HEAVY = ("serious", "critical")


@pytest.mark.parametrize(
    ("locale", "shown"),
    [
        (
            "en-GB",
            [
                "Back office",
                "Sales",
                "Sales: Sales lead",
                "Field engineering",
                "Field engineering: Engineering lead",
                "Support",
            ],
        ),
        ("zh-CN", ["后台", "销售", "销售：销售主管", "技术", "技术：技术主管", "客服"]),
    ],
)
async def test_people_of_development_are_shown_by_department_and_role(site, locale, shown):
    desk = await site.desk(locale=locale)
    await desk.page.goto(site.service.http)
    await expect(desk.page.locator(".developers button")).to_have_text(shown)
    await desk.enter("tech_lead")
    await expect(desk.page.locator(".shell .department")).to_have_text(shown[3])
    assert [] == desk.faults


async def test_what_sales_does_tech_sees_and_goes_on_with(site):
    sales, tech = await site.desk(), await site.desk()
    await sales.sign_in("sales")
    await tech.sign_in("tech")
    await sales.page.keyboard.press("c")
    await sales.page.get_by_label("Title").fill("Fibre for the corner shop")
    await sales.page.keyboard.press("Enter")
    await sales.stage("Presale")
    await sales.move("Quote", price="120.00")
    await sales.move("Sign", contract="C-17")
    await sales.stage("Ready to start")

    await tech.open("Fibre for the corner shop")
    await tech.stage("Ready to start")
    await expect(sales.page.get_by_text("Also here: tech (Field engineering)")).to_be_visible()
    await tech.move("Start")
    await tech.stage("In delivery")
    await sales.stage("In delivery")
    await expect(sales.page.locator(".why")).to_contain_text("Start by tech")
    await sales.saved("Saved on the server")
    assert [] == sales.faults + tech.faults


async def test_move_that_is_not_possible_says_why(site):
    await site.ticket("Nothing signed yet")
    tech = await site.desk()
    await tech.sign_in("tech")
    await tech.open("Nothing signed yet")
    lane = tech.page.locator(".lane.own")
    await expect(lane.get_by_text("Nothing can be done here now.")).to_be_visible()
    await lane.get_by_text("Why not").click()
    await expect(lane.get_by_role("listitem").filter(has_text="Start:")).to_contain_text("Sales")


async def test_work_goes_on_without_the_service_and_through_a_restart_of_the_page_and_arrives(site):
    ticket = await site.ticket("In the lift")
    sales = await site.desk()
    await sales.sign_in("sales")
    await sales.open("In the lift")
    await sales.stage("Presale")
    await asyncio.to_thread(site.service.kill)
    await sales.saved("Offline")
    await sales.move("Quote", price="99.00")
    await sales.page.get_by_label("Internal notes: Sales").fill("Ring twice.")
    await sales.saved("on the way to the server")

    await sales.page.reload()
    await sales.page.get_by_role("heading", name="In the lift", level=1).wait_for()
    await expect(sales.page.locator(".lane.own .value")).to_have_text("Quoted")
    await expect(sales.page.get_by_label("Internal notes: Sales")).to_have_value("Ring twice.")
    await asyncio.to_thread(site.service.start)
    await sales.saved("Saved on the server")
    assert "quoted" == (await site.ask("sales", "GET", f"/api/tickets/{ticket}"))["lanes"]["sales"]
    assert "Ring twice." == (await site.ask("sales", "GET", f"/api/tickets/{ticket}/forms/sales"))["notes"]


async def test_notes_are_written_by_two_at_once(site):
    await site.ticket("Two pens")
    one, other = await site.desk(), await site.desk()
    for desk in (one, other):
        await desk.sign_in("sales")
        await desk.open("Two pens")
    first, second = (desk.page.get_by_label("Internal notes: Sales") for desk in (one, other))
    await first.fill("begin end")
    await expect(second).to_have_value("begin end")
    await second.press("End")
    await second.press_sequentially("!")
    await expect(first).to_have_value("begin end!")
    await first.press("Home")
    await first.press_sequentially("> ")
    await expect(second).to_have_value("> begin end!")
    await second.press_sequentially("?")
    await expect(first).to_have_value("> begin end!?")


async def test_answer_is_sent_with_enter_and_a_draft_outlives_the_page(site):
    await site.ticket("A question", "support")
    support = await site.desk()
    await support.sign_in("support")
    await support.open("A question")
    answer = support.page.get_by_label("Answer the customer")
    await answer.fill("One line")
    await answer.press("Shift+Enter")
    await answer.press_sequentially("and another")
    await support.page.reload()
    await expect(answer).to_have_value("One line\nand another")
    await answer.press("Enter")
    await expect(support.page.get_by_role("log")).to_contain_text("and another")
    await expect(support.page.get_by_role("log")).to_contain_text("on the server")
    await expect(answer).to_have_value("")


@pytest.mark.parametrize(
    "options",
    [{"locale": "en-GB"}, {"locale": "zh-CN", "color_scheme": "dark", "viewport": {"width": 420, "height": 800}}],
    ids=["light", "dark, narrow and Chinese"],
)
async def test_pages_can_be_used_by_everybody(site, options):
    await site.ticket("For everybody", customer="王芳")
    desk = await site.desk(**options)
    await desk.page.goto(site.service.http)
    await desk.page.locator(".developers").wait_for()
    found = await violations(desk.page, *HEAVY)
    await desk.sign_in("sales")
    await desk.page.get_by_role("link", name="For everybody").first.wait_for()
    found += await violations(desk.page, *HEAVY)
    await desk.page.keyboard.press("Control+k")
    await desk.page.locator(".palette [role=option]").first.wait_for()
    found += await violations(desk.page, *HEAVY)
    await desk.page.keyboard.press("Escape")
    await desk.page.get_by_role("link", name="For everybody").first.click()
    await desk.page.locator(".lane.own").wait_for()
    found += await violations(desk.page, *HEAVY)
    assert [] == found
    cut = "(pictures) => pictures.filter((one) => one.scrollWidth > one.clientWidth).length"
    assert 0 == await desk.page.locator(".lane-picture").evaluate_all(cut), "every lane is seen whole"


async def test_list_is_gone_through_by_keys_and_searched_in_chinese(site):
    await site.ticket("路由器坏了", customer="李雷")
    desk = await site.desk()
    await desk.sign_in("sales")
    await desk.page.get_by_role("link", name="路由器坏了").wait_for()
    await desk.page.keyboard.press("/")
    await desk.page.keyboard.insert_text("由器")
    await expect(desk.page.locator(".row")).to_have_count(1)
    await desk.page.keyboard.press("Escape")
    await expect(desk.page.locator(".row.current")).to_contain_text("路由器坏了")
    await desk.page.keyboard.press("Enter")
    await desk.page.get_by_role("heading", name="路由器坏了", level=1).wait_for()
    await desk.page.keyboard.press("Escape")
    await desk.page.locator(".row").first.wait_for()
    await desk.page.keyboard.press("Control+k")
    await desk.page.keyboard.insert_text("李雷")
    await expect(desk.page.get_by_role("option", name="路由器坏了")).to_be_visible()
    await desk.page.keyboard.press("Enter")
    await desk.page.get_by_role("heading", name="路由器坏了", level=1).wait_for()


async def test_page_of_an_older_build_says_so_and_loses_nothing(site):
    await site.ticket("While we update")
    sales = await site.desk()
    page = sales.page
    async with page.expect_response("**/assets/build.json") as asked:
        await sales.sign_in("sales")
    await (await asked.value).finished()
    await page.keyboard.press("c")
    await page.get_by_label("Title").fill("A title, and no more ye")
    await page.keyboard.press("Escape")
    await sales.open("While we update")
    await page.get_by_label("Answer the customer").fill("half a sente")
    await page.locator("input[type=file]").set_input_files(
        {"name": "plan.png", "mimeType": "image/png", "buffer": b"x"}
    )
    await page.get_by_text("Add a field").click()
    await page.get_by_label("Field", exact=True).fill("router")
    await sales.move("Quote")
    await page.get_by_role("dialog", name="Quote").get_by_label("Price").fill("12")
    await page.keyboard.press("Escape")
    await page.get_by_label("Tags").fill("left by the click that reloads")
    assert 0 == await page.get_by_text("A newer version is here").count()
    await sales.context.route("**/assets/build.json", lambda route: route.fulfill(json={"build": "another"}))
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.get_by_text("Send what you chose first, a reload lets go of it: plan.png.")).to_be_visible()
    await page.get_by_role("button", name="Reload").click()
    await page.wait_for_event("load")

    await expect(page.get_by_label("Answer the customer")).to_have_value("half a sente")
    await expect(page.get_by_label("Tags")).to_have_value("left by the click that reloads")
    await expect(page.get_by_label("Field", exact=True)).to_have_value("router")
    await sales.move("Quote")
    quote = page.get_by_role("dialog", name="Quote")
    await expect(quote.get_by_label("Price")).to_have_value("12")
    await quote.get_by_role("button", name="Cancel").click()
    await page.get_by_role("link", name="Back to the list").click()
    await page.get_by_role("button", name="New ticket").click()
    new = page.get_by_role("dialog", name="New ticket")
    await expect(new.get_by_label("Title")).to_have_value("A title, and no more ye")


async def test_departments_that_are_not_ones_own_are_not_shown(site):
    sales = await site.desk()
    await sales.sign_in("sales")
    await sales.page.goto(f"{site.service.http}/console/tech")
    await expect(sales.page.get_by_text("You are signed in as sales of sales.")).to_be_visible()
    await sales.page.get_by_role("link", name="Go to your console").click()
    await sales.page.locator(".shell").wait_for()


async def test_two_at_one_computer_never_see_each_others_forms_and_drafts(site):
    ticket = await site.ticket("One computer")
    await site.ask("sales", "PATCH", f"/api/tickets/{ticket}/forms/sales", {"note": "Margin is 40 %."})
    desk = await site.desk()
    await desk.sign_in("sales")
    await desk.open("One computer")
    await expect(desk.page.get_by_label("Internal notes: Sales")).to_have_value("Margin is 40 %.\n")
    await desk.page.get_by_label("Answer the customer").fill("A draft of sales")
    await desk.page.get_by_label("Menu of sales").click()
    await desk.page.get_by_role("button", name="Sign out", exact=True).click()

    await desk.sign_in("tech")
    await desk.open("One computer")
    await expect(desk.page.get_by_label("Internal notes: Field engineering")).to_have_value("")
    await expect(desk.page.get_by_label("Answer the customer")).to_have_value("")
    assert "Margin" not in await desk.page.content()


async def test_identity_providers_are_offered_by_name_and_a_refusal_is_told(site):
    desk = await site.desk()
    provider = {"name": "firm", "label": {"en": "The Firm"}, "url": "/api/session/providers/firm"}
    told = {"session": None, "ways": {"password": False, "development": [], "providers": [provider]}}
    await desk.context.route("**/api/session", lambda route: route.fulfill(json=told))
    await desk.page.goto(f"{site.service.http}/console/sales?refused=provider_denied")
    link = desk.page.get_by_role("link", name="Sign in with The Firm")
    await expect(link).to_have_attribute("href", "/api/session/providers/firm?next=%2Fconsole%2Fsales")
    await expect(desk.page.get_by_role("alert")).to_contain_text("The provider did not sign you in.")

    await desk.page.goto(f"{site.service.http}/console/sales?refused=Call+the+help+desk")
    await expect(link).to_be_visible()
    await expect(desk.page.get_by_role("alert")).to_have_count(0)


async def test_who_signs_out_and_forgets_leaves_nothing_behind(site):
    await site.ticket("Not for the next one")
    sales = await site.desk()
    await sales.sign_in("sales")
    await sales.open("Not for the next one")
    answer = sales.page.get_by_label("Answer the customer")
    await answer.fill("half a sente")
    await sales.saved()
    await sales.remove_data(is_sure=False)
    await expect(answer).to_have_value("half a sente")
    await sales.remove_data()
    await sales.page.get_by_role("heading", name="Sign in").wait_for()
    kept = await sales.page.evaluate("indexedDB.databases().then((all) => all.map((one) => one.name))")
    assert ([], None) == (kept, await sales.page.evaluate("localStorage.getItem('crdt-sync person')"))


async def test_who_signs_out_while_the_service_is_away_is_out_in_every_tab_and_stays_so(site):
    desk = await site.desk()
    await desk.sign_in("sales")
    second = await desk.context.new_page()
    await second.goto(desk.url)
    await second.locator(".shell").wait_for()
    await desk.context.route("**/api/session", lambda route: route.abort())
    await desk.page.get_by_label("Menu of sales").click()
    await desk.page.get_by_role("button", name="Sign out", exact=True).click()
    for page in (desk.page, second):
        await page.get_by_role("heading", name="Sign in").wait_for()

    await desk.context.unroute("**/api/session")
    await desk.page.reload()
    await expect(desk.page.get_by_role("heading", name="Development: enter as")).to_be_visible()
    await expect(desk.page.locator(".shell")).to_have_count(0)


async def test_page_of_one_person_becomes_that_of_whoever_has_signed_in_since(site):
    desk = await site.desk()
    await desk.sign_in("sales")
    answer = await desk.context.request.post(f"{desk.url}/api/session", data={"development": "tech"})
    assert answer.ok
    await desk.page.reload()
    await expect(desk.page.get_by_text("You are signed in as tech of tech.")).to_be_visible()


async def test_refusal_of_a_provider_is_told_where_somebody_is_remembered(site):
    desk = await site.desk()
    await desk.sign_in("sales")
    await desk.context.clear_cookies()
    await desk.page.goto(f"{desk.url}/?refused=provider_unreachable")
    await expect(desk.page.get_by_role("alert")).to_contain_text("The provider cannot be reached now.")

"""What a visitor of a web page does, in a real browser, and what becomes of it."""

import base64
import re

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.e2e.widget_site import Chat, running_site
from tests.samples import PDF

PICTURE = base64.b64decode(  # two by two pixels
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAE0lEQVR4nGMQUDAAIgaHgAQgAgAN/gKhIjWbcwAAAABJRU5ErkJggg=="
)
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    async with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site


async def test_visitor_writes_is_answered_by_name_and_finds_it_again_after_a_reload(site):
    chat = await site.page(await site.profile())
    await chat.open()
    await chat.shows("Hello! How can we help you?")
    await chat.write("Where is <b>my</b> order?")
    await chat.kept()
    ticket = await site.ticket("Where is <b>my</b> order?")
    await site.answer(ticket, "On its way.")
    await chat.shows("On its way.")
    assert "Ms Li" in await chat.page.get_by_role("log").inner_text()

    await chat.page.reload()
    await chat.open()
    await chat.shows("On its way.")
    assert ["Hello! How can we help you?", "Where is <b>my</b> order?", "On its way."] == await chat.said()
    assert [] == chat.faults


async def test_agent_sees_that_an_answer_has_arrived_and_that_it_was_read(site):
    chat = await site.page(await site.profile())
    await chat.open()
    await chat.write("Is anybody there?")
    ticket = await site.ticket("Is anybody there?")
    await chat.page.keyboard.press("Escape")
    await site.answer(ticket, "Yes, I am.")
    message = (await site.messages(ticket))[-1]["id"]
    await site.hear("delivery", message=message, state="delivered")
    await chat.page.get_by_role("button", name="1 unread").click()
    await site.hear("delivery", message=message, state="read")
    await chat.page.reload()
    await chat.page.get_by_role("button", name=re.compile("^Chat with us$")).wait_for()


async def test_conversation_that_has_ended_is_rated_once_and_the_agent_sees_it(site):
    chat = await site.page(await site.profile())
    await chat.open()
    await chat.write("I have no question.")
    ticket = await site.ticket("I have no question.")
    for department, lane, name in (
        ("sales", "sales", "quote"),
        ("sales", "sales", "lose"),
        ("backoffice", "case", "close"),
    ):
        await site.move(ticket, department, lane, name)
    await chat.page.get_by_text("This conversation has ended.").wait_for()
    await chat.page.get_by_role("radio", name="4").check()
    await chat.page.get_by_role("textbox", name="A comment").fill("Quick!")
    assert [] == await chat.violations()
    await site.gateway.kill()
    await chat.page.get_by_text("Connecting…").wait_for()
    await chat.page.get_by_role("button", name="Rate").click()
    await site.gateway.start()
    await chat.page.get_by_text("Thank you for rating this conversation: 4/5").wait_for()
    assert 0 == await chat.page.get_by_role("radio").count()
    await chat.page.reload()
    await chat.open()
    await chat.page.get_by_text("Thank you for rating this conversation: 4/5").wait_for()
    assert 0 == await chat.page.get_by_role("radio").count()
    await site.hear("message", kind="system")
    rated = (await site.messages(ticket))[-1]
    assert ["rated 4 of 5", "Quick!"] == [part.get("event") or part["text"] for part in rated["parts"]]


async def test_what_is_written_while_the_line_is_cut_arrives_once_and_nothing_is_missed(site):
    context = await site.profile()
    chat = await site.page(context)
    await chat.open()
    await chat.write("first, before the cut")
    ticket = await site.ticket("first, before the cut")
    await site.answer(ticket, "answered before")
    await chat.shows("answered before")
    await site.gateway.kill()
    await chat.page.get_by_text("Connecting…").wait_for()
    await chat.write("second, with no line")
    await chat.write("third, with no line")
    await site.answer(ticket, "answered meanwhile")
    await site.gateway.start()
    await chat.kept()
    await chat.shows("answered meanwhile")
    await chat.shows("answered before")
    await site.ticket("third, with no line")
    told = [message["parts"][0]["text"] for message in await site.messages(ticket)]
    mine = [text for text in told if "line" in text or "cut" in text]
    assert ["first, before the cut", "second, with no line", "third, with no line"] == mine


async def test_what_was_written_offline_survives_the_page(site):
    context = await site.profile()
    chat = await site.page(context)
    await chat.open()
    await chat.write("before the tunnel")
    await chat.kept()
    await site.gateway.kill()
    await chat.write("in the tunnel")
    await chat.page.close()
    await site.gateway.start()
    chat = await site.page(context)
    await chat.open()
    await chat.kept()
    await chat.shows("in the tunnel")
    await site.ticket("in the tunnel")


async def test_pictures_go_both_ways_and_are_there_after_a_reload(site):
    chat = await site.page(await site.profile())
    await chat.open()
    await chat.write("It looks like this:")
    ticket = await site.ticket("It looks like this:")
    await chat.choose("photo.png", "image/png", PICTURE)
    await chat.pictures(1)
    assert PICTURE == await site.picture(ticket)
    await site.answer_with_picture(ticket, PICTURE)
    await chat.pictures(2)
    assert [] == await chat.violations()
    await chat.page.reload()
    await chat.open()
    await chat.pictures(2)
    assert [] == chat.faults


async def test_file_of_an_answer_is_downloaded_by_a_click(site):
    chat = await site.page(await site.profile())
    await chat.open()
    await chat.write("Send me the offer")
    await site.answer_with(await site.ticket("Send me the offer"), PDF, "file", "offer.pdf")
    async with chat.page.expect_download() as downloading:
        await chat.page.get_by_role("button", name="offer.pdf").click()
    download = await downloading.value
    assert ("offer.pdf", PDF) == (download.suggested_filename, (await download.path()).read_bytes())
    assert ([], []) == (await chat.violations(), chat.faults)


async def test_picture_whose_answer_was_lost_is_chosen_again_and_kept_once(site, tmp_path):
    photo = tmp_path / "photo.png"
    photo.write_bytes(PICTURE)
    chat = await site.page(await site.profile())
    chooser, asked = chat.page.locator("input[type=file]"), []
    chat.page.on("request", lambda request: asked.append(request.url) if "?cid=" in request.url else None)
    await chooser.set_input_files(photo)
    await chat.page.get_by_text("The picture could not be sent.").wait_for(state="attached")
    assert [] == asked, "nobody is known yet"
    await chat.open()
    await chat.shows("Hello! How can we help you?")

    async def lose(route):
        await route.fetch()
        await route.abort()

    await chat.page.route("**/pictures?cid=*", lose, times=1)
    await chooser.set_input_files(photo)
    await chat.page.get_by_text("The picture could not be sent.").wait_for()
    await chat.pictures(1)
    await chooser.set_input_files(photo)
    await chat.page.get_by_text("The picture could not be sent.").wait_for(state="hidden")
    assert (2, 1) == (len(asked), len(set(asked))), "the same id, which the gateway keeps once"
    await chat.pictures(1)


async def test_what_is_no_picture_is_not_sent(site):
    chat = await site.page(await site.profile())
    await chat.open()
    await chat.write("hello")
    await chat.kept()
    await chat.choose("page.html", "text/html", b"<script>alert(1)</script>")
    await chat.page.get_by_text("Choose a PNG, JPEG, GIF or WebP picture").wait_for()
    await chat.choose("lie.png", "image/png", b"<script>alert(1)</script>")
    await chat.page.get_by_text("The picture could not be sent.").wait_for()
    await chat.pictures(0)


async def test_page_is_told_to_begin_anew_where_the_gateway_has_lost_what_it_shows(site):
    chat = await site.page(await site.profile())
    await chat.open()
    for text in ("one", "two"):
        await chat.write(text)
        await chat.kept()
    await site.gateway.kill()
    await chat.write("three")
    site.gateway.forget()
    await site.gateway.start()
    await chat.kept()
    assert ["Hello! How can we help you?", "three"] == await chat.said()


async def test_page_that_nobody_looked_at_comes_back_with_somebody(site):
    page, sockets = await (await site.profile()).new_page(), []

    def pass_on(socket):
        sockets.append(socket)
        socket.connect_to_server()

    await page.route_web_socket(re.compile("/widget/site"), pass_on)
    await page.clock.install()
    chat = Chat(page)
    await page.goto(f"{site.gateway.url}/widget/demo?lang=en")
    await chat.open()
    await chat.shows("Hello! How can we help you?")
    await sockets[0].close(code=4408, reason="idle")
    await page.get_by_text("Connecting").wait_for()
    await page.clock.run_for(60_000)
    await page.evaluate("1")  # behind what the timers of the page did
    assert 1 == len(sockets), "it does not come again by itself"
    await page.keyboard.press("Shift")
    await expect(page.get_by_text("Connecting")).to_have_count(0)
    assert 2 == len(sockets)


async def test_two_tabs_show_the_same(site):
    context = await site.profile()
    first, second = await site.page(context), await site.page(context)
    for chat in (first, second):
        await chat.open()
    await first.write("from the first tab")
    await second.shows("from the first tab")
    await second.write("from the second tab")
    await first.shows("from the second tab")
    ticket = await site.ticket("from the second tab")
    await site.answer(ticket, "to both tabs")
    for chat in (first, second):
        await chat.shows("to both tabs")
    assert await first.said() == await second.said()


async def test_widget_speaks_chinese_where_the_page_says_so_or_else_the_browser(site):
    chat = await site.page(await site.profile(), lang="zh")
    await chat.open("在线客服")
    await chat.shows("您好！请问有什么可以帮您？")
    await chat.write("我的订单在哪里？")
    await chat.kept()
    await site.ticket("我的订单在哪里？")

    page = await (await site.profile(locale="zh-CN")).new_page()
    await page.goto(site.shop)
    await page.get_by_role("button", name="在线客服").click()
    await page.get_by_role("textbox", name="请输入消息").wait_for()


async def test_keyboard_alone_is_enough(site):
    page = (await site.page(await site.profile())).page
    focused = "() => document.activeElement.shadowRoot?.activeElement?.textContent"
    for _ in range(5):
        await page.keyboard.press("Tab")
        if await page.evaluate(focused) == "Chat with us":
            break
    await page.keyboard.press("Enter")
    await page.get_by_role("dialog", name="Chat with us").wait_for()
    await page.keyboard.type("typed")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("on two lines")
    await page.keyboard.press("Enter")
    await site.ticket("typed\\non two lines")
    inside = "() => !!document.activeElement.shadowRoot"
    for key in (*["Tab"] * 8, *["Shift+Tab"] * 8):
        await page.keyboard.press(key)
        assert await page.evaluate(inside), "the focus has left the dialog"
    await page.keyboard.press("Escape")
    assert "Chat with us" == await page.evaluate(focused)


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_axe_finds_nothing(site, lang):
    chat = await site.page(await site.profile(reduced_motion="reduce"), lang)
    assert [] == await chat.violations()
    await chat.open("Chat with us" if lang == "en" else "在线客服")
    await chat.write(f"hello in {lang}")
    await site.answer(await site.ticket(f"hello in {lang}"), "hello")
    await chat.page.get_by_text("Ms Li").wait_for()
    assert [] == await chat.violations()


async def test_page_of_another_host_may_carry_it_if_the_account_says_so_and_no_other(site):
    context = await site.profile()
    for origin, outcome in ((site.shop, ""), (site.foreign, "Chat is not available here.")):
        page = await context.new_page()
        await page.goto(origin)
        await page.get_by_role("button", name="Chat with us").click()
        text = "hello from another host"
        await page.get_by_role("textbox", name="Your message").fill(text)
        await page.keyboard.press("Enter")
        if outcome:
            await page.get_by_text(outcome).wait_for()
            assert 1 == await page.locator(".note").count()
        else:
            await site.ticket(text)
            await Chat(page).choose("photo.png", "image/png", PICTURE)
            await Chat(page).pictures(1)


async def test_forged_token_is_another_visitors_to_nobody(site):
    """A page that shows another visitor's name under its own signature is a stranger to the gateway."""
    victim = await site.page(await site.profile())
    await victim.open()
    await victim.write("the secret of the victim")
    await victim.kept()
    read = "() => Object.entries(localStorage).find(([name]) => name.endsWith(':token'))"
    name, token = await victim.page.evaluate(read)
    thief = await site.page(await site.profile())
    await thief.open()
    await thief.write("hello")
    await thief.kept()
    _, own = await thief.page.evaluate(read)
    forged = ".".join([own.split(".")[0], token.split(".")[1], own.split(".")[2]])
    await thief.page.evaluate("([name, token]) => localStorage.setItem(name, token)", [name, forged])
    await thief.page.reload()
    await thief.open()
    await thief.write("and now?")
    await thief.kept()
    assert "the secret of the victim" not in str(await thief.said())
    _, fresh = await thief.page.evaluate(read)
    assert fresh not in {own, token, forged}

"""The ticket's page in a real browser: its words, and what people write to each other there."""

import pytest
from playwright.async_api import expect

from tests.e2e.browser import violations
from tests.e2e.console_site import WITH_A_WIDGET

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = WITH_A_WIDGET


async def test_fields_and_roles_are_named_in_the_words_of_the_lifecycle(site):
    ticket = await site.ticket("角色和字段")
    sales = await site.desk(locale="zh-CN")
    await sales.sign_in("sales")
    await sales.open("角色和字段")
    await sales.page.locator(".lane.own .moves").get_by_role("button", name="报价").click()
    dialog = sales.page.get_by_role("dialog", name="报价")
    await expect(dialog.get_by_label("价格")).to_be_visible()
    await dialog.get_by_role("button", name="取消").click()
    await site.move(ticket, "sales", "quote", price="120.00")
    await expect(sales.page.locator(".form .payload")).to_have_text("价格 120.00")

    seen = (await site.ask("sales", "GET", f"/api/tickets/{ticket}"))["version"]
    await site.move(ticket, "sales", "sign", seen=seen, contract="C-17")
    await site.move(ticket, "sales", "lose", seen=seen)
    await expect(sales.page.locator(".questions")).to_contain_text("销售主管")
    await expect(sales.page.locator(".why")).to_contain_text("由 销售主管 执行")
    await sales.page.locator(".lane.own").get_by_text("个操作为何不可用").click()
    await expect(
        sales.page.locator(".lane.own").get_by_role("listitem").filter(has_text="裁定为已签约")
    ).to_contain_text("销售主管")
    assert [] == sales.faults


NO_LINKS = (
    "javascript:alert(1)//https://evil.example",
    "data:text/html,<script>alert(1)</script>",
    "https://bank.example@evil.example/",
    "https://\u0430pple.example/",
    "https://xn--80ak6aa92e.com/",
    "https://ex\u200bample.com/",
)


async def test_addresses_in_messages_can_be_followed_and_nothing_else_can(site):
    sales, customer = await site.desk(), await site.customer()
    await sales.sign_in("sales")
    text = "\n".join(("见https://shop.example/a?b=1，谢谢", *NO_LINKS))
    await customer.write(text)
    await sales.open("Without a title")
    said = sales.page.get_by_role("log").locator(".text")
    await expect(said).to_have_text(text)
    link = said.get_by_role("link")
    await expect(link).to_have_text("https://shop.example/a?b=1")
    told = "(link) => ['href', 'target', 'rel'].map((name) => link.getAttribute(name))"
    expected = ["https://shop.example/a?b=1", "_blank", "noopener noreferrer nofollow"]
    assert expected == await link.evaluate(told)
    await sales.context.route("https://shop.example/**", lambda route: route.fulfill(body="the shop"))
    async with sales.context.expect_page() as opening:
        await link.click()
    shop = await opening.value
    await expect(shop.get_by_text("the shop")).to_be_visible()
    assert [None, ""] == await shop.evaluate("[window.opener, document.referrer]")
    assert [] == await violations(sales.page, "serious", "critical")
    assert [] == sales.faults

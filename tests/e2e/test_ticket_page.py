"""The ticket's page in a real browser: words of the lifecycle in the reader's language."""

import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_fields_and_roles_are_named_in_the_words_of_the_lifecycle(site):
    ticket = await site.ticket("角色和字段")
    sales = await site.desk(locale="zh-CN")
    await sales.sign_in("sales")
    await sales.open("角色和字段")
    await sales.page.locator(".lane.own .moves").get_by_role("button", name="报价").click()
    dialog = sales.page.get_by_role("dialog", name="报价")
    await dialog.get_by_label("价格").fill("120.00")
    await dialog.get_by_role("button", name="报价").click()
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

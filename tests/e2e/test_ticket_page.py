"""The ticket's page in a real browser: its words, and what people write to each other there."""

import base64
from datetime import UTC, datetime

import grpc
import pytest
from playwright.async_api import expect

from crdt_sync.rpc.ticketsync.v1 import gateway_pb2, gateway_pb2_grpc
from tests.e2e.browser import violations
from tests.e2e.console_site import WITH_A_WIDGET
from tests.e2e.test_widget import PICTURE

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = WITH_A_WIDGET
PASTE = """(area, [name, content]) => {  // as a browser tells it; true: it is left to the browser, which inserts text
    const clipboardData = new DataTransfer();
    if (name === null) clipboardData.setData("text/plain", content);
    else {
        const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
        clipboardData.items.add(new File([bytes], name, { type: "image/png" }));
    }
    return area.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
}"""


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


async def test_picture_is_pasted_into_an_answer_and_text_is_left_to_the_browser(site):
    ticket = await heard(site, "who asks", [datetime(2026, 11, 24, 15, tzinfo=UTC)])
    sales = await site.desk()
    await sales.sign_in("sales")
    await sales.page.goto(f"{sales.url}/console/sales/{ticket}")
    log = sales.page.get_by_role("log")
    await expect(log).to_contain_text("24 15")
    answer = sales.page.get_by_label("Answer the customer")
    assert await answer.evaluate(PASTE, [None, "Here:"])
    attached = sales.page.get_by_text("Attached: ")
    await expect(attached).to_have_count(0)
    for name in ("other.png", "door.png"):  # the one that was pasted last is sent
        assert not await answer.evaluate(PASTE, [name, base64.b64encode(PICTURE).decode()])
        await expect(attached).to_contain_text(f"Attached: {name}")
    await answer.fill("Here:")
    await answer.press("Enter")
    await expect(attached).to_have_count(0)
    await expect(log.locator(".text").last).to_have_text("Here:")
    picture = log.get_by_role("img", name="door.png")
    await expect(picture).to_have_js_property("complete", True)
    assert await picture.evaluate("(picture) => picture.naturalWidth > 0"), "it is drawn without being asked for"
    async with sales.page.expect_download() as downloading:
        await log.get_by_role("button", name="Download door.png").click()
    assert PICTURE == (await (await downloading.value).path()).read_bytes()
    await sales.attach("cat.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "As my telephone takes it:")
    await expect(log).to_contain_text("No browser draws this kind of picture: save it to look at it.")
    assert [] == sales.faults


@pytest.mark.parametrize(
    ("locale", "zone", "days"),
    [
        ("en-GB", "Europe/London", ["Tue, 24 Nov 2026", "Wed, 25 Nov 2026"]),
        ("zh-CN", "Asia/Shanghai", ["2026年11月24日周二", "2026年11月25日周三", "2026年11月26日周四"]),
    ],
)
async def test_days_of_a_conversation_stand_between_its_messages_as_they_are_where_one_reads(site, locale, zone, days):
    said = [
        (24, 15),
        (24, 16),
        (24, 17),
        (25, 16),
    ]  # the day and the hour in UTC; at 16 the next one begins in Shanghai
    ticket = await heard(site, zone, [datetime(2026, 11, day, hour, tzinfo=UTC) for day, hour in said])
    sales = await site.desk(locale=locale, timezone_id=zone)
    await sales.sign_in("sales")
    await sales.page.goto(f"{sales.url}/console/sales/{ticket}")
    log = sales.page.get_by_role("log")
    await expect(log.locator("article .text")).to_have_text(["24 15", "24 16", "24 17", "25 16"])
    await expect(log.locator(".day")).to_have_text(days)
    followed = "(days) => days.map((day) => day.nextElementSibling.querySelector('.text').textContent)"
    firsts = ["24 15", "25 16"] if zone == "Europe/London" else ["24 15", "24 16", "25 16"]
    assert firsts == await log.locator(".day").evaluate_all(followed)
    assert [] == sales.faults


async def heard(site, conversation, times):
    """Bring what a customer wrote at these times; return the ticket."""
    envelopes = [
        gateway_pb2.Envelope(
            idempotency_key=f"{conversation} {time}",
            channel="wechat",
            account="shop",
            conversation=conversation,
            sent_at=int(time.timestamp() * 1000),
            customer=gateway_pb2.CustomerMessage(
                sender="openid-1", display_name="王芳", parts=[gateway_pb2.Part(text=f"{time.day} {time.hour}")]
            ),
        )
        for time in times
    ]
    token = site.service.token("gateway", roles=["gateway"], accounts=["shop"])
    async with grpc.aio.insecure_channel(site.service.grpc) as channel:
        answer = await gateway_pb2_grpc.IngressServiceStub(channel).Ingest(
            gateway_pb2.IngestRequest(envelopes=envelopes), metadata=[("authorization", f"Bearer {token}")]
        )
    return answer.results[0].ticket

"""A customer at the widget and a department at its console: what is written, sent, shown and kept as text."""

import grpc
import pytest
from playwright.async_api import expect

from crdt_sync.rpc.ticketsync.v1 import gateway_pb2, gateway_pb2_grpc
from tests.e2e.console_site import WITH_A_WIDGET
from tests.e2e.test_widget import PICTURE
from tests.samples import PDF

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = WITH_A_WIDGET
SCRIPTS = (
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    '"><svg onload=window.hit=1>',
    "javascript:window.hit=1",
    "{{constructor.constructor('window.hit=1')()}}",
    "</title><iframe srcdoc='<script>parent.hit=1</script>'>",
    "</textarea><details open ontoggle=window.hit=1>",
    "<a href='javascript:window.hit=1' autofocus onfocus=window.hit=1>",
    "<style>@import 'javascript:window.hit=1';*{display:none}</style>",
    "${window.hit=1}`'\"\\u003cscript\\u003ewindow.hit=1\\u003c/script\\u003e\u202e",
)
RAN = """() => [window.hit ?? null, document.scripts.length,
    document.querySelectorAll("iframe, svg[onload], a[href^=java], details[ontoggle]").length]"""


async def test_script_in_whatever_people_write_stays_text(site):
    text = "\n".join(SCRIPTS)
    sales, customer = await site.desk(), await site.customer()
    await sales.sign_in("sales")
    await customer.write(text)
    await customer.choose(f"{SCRIPTS[1]}.png", "image/png", PICTURE)
    await sales.open("Without a title")
    log = sales.page.get_by_role("log")
    await expect(log.locator(".text")).to_have_text(text)
    await expect(log.get_by_role("img", name="Picture")).to_be_visible()
    for label, script in zip(("Customer", "Priority", "Tags", "Title"), SCRIPTS, strict=False):
        await sales.fill(label, script)
        await expect(sales.page.get_by_label(label, exact=True)).to_have_value(script)
    await sales.page.get_by_label("Internal notes: Sales").fill(text)
    await sales.page.get_by_text("Add a field").click()
    await sales.page.get_by_label("Field", exact=True).fill("colour")
    await sales.page.get_by_label("Value", exact=True).fill(SCRIPTS[6])
    await sales.page.locator(".add-field").get_by_role("button", name="Save").click()
    await expect(sales.page.get_by_label("colour")).to_have_value(SCRIPTS[6])
    answer = f"{text}\nand an answer"  # what the customer wrote is shown there, too
    await sales.attach(f"{SCRIPTS[2]}.pdf", PDF, answer)
    await expect(log.get_by_role("button", name=SCRIPTS[2])).to_be_visible()
    await customer.shows(answer)
    await sales.move("Quote", price="9.00")
    await sales.move("Sign", contract=SCRIPTS[5])
    await expect(sales.page.locator(".form")).to_contain_text(SCRIPTS[5])
    await sales.saved()

    await sales.page.reload()
    await sales.page.get_by_role("heading", name=SCRIPTS[3], level=1).wait_for()
    await expect(sales.page.get_by_label("Internal notes: Sales")).to_have_value(text)
    await expect(log.get_by_role("img", name="Picture")).to_be_visible()
    assert [None, 1, 0] == await sales.page.evaluate(RAN)
    await sales.page.get_by_role("link", name="Back to the list").click()
    await expect(sales.page.get_by_role("link", name=SCRIPTS[3])).to_contain_text(SCRIPTS[0])
    assert [None, 1, 0] == await sales.page.evaluate(RAN)
    assert None is await customer.page.evaluate("window.hit ?? null")
    assert [] == sales.faults + customer.faults


async def test_script_that_a_chat_platform_brings_stays_text(site):
    """A name, a file's name, a place and an event, as a gateway tells them of a platform that checks nothing."""
    parts = [
        gateway_pb2.Part(text=SCRIPTS[0]),
        gateway_pb2.Part(media=gateway_pb2.Media(type="file", platform_id="media-1", name=SCRIPTS[1])),
        gateway_pb2.Part(location=gateway_pb2.Location(latitude=31.2, longitude=121.4, label=SCRIPTS[2])),
    ]
    said = gateway_pb2.CustomerMessage(sender="openid-1", display_name=SCRIPTS[5], parts=parts)
    told = gateway_pb2.SystemNotice(event=SCRIPTS[6], parts=[gateway_pb2.Part(text=SCRIPTS[7])])
    keys = {"channel": "wechat", "account": "shop", "conversation": "openid-1", "sent_at": 1}
    envelopes = [
        gateway_pb2.Envelope(idempotency_key="k1", customer=said, **keys),
        gateway_pb2.Envelope(idempotency_key="k2", system=told, **keys),
    ]
    token = site.service.token("gateway", roles=["gateway"], accounts=["shop"])
    async with grpc.aio.insecure_channel(site.service.grpc) as channel:
        answer = await gateway_pb2_grpc.IngressServiceStub(channel).Ingest(
            gateway_pb2.IngestRequest(envelopes=envelopes), metadata=[("authorization", f"Bearer {token}")]
        )
    ticket = answer.results[0].ticket
    sales = await site.desk()
    await sales.sign_in("sales")
    await sales.page.goto(f"{sales.url}/console/sales/{ticket}")
    log = sales.page.get_by_role("log")
    for script in (*SCRIPTS[:3], *SCRIPTS[6:8]):
        await expect(log).to_contain_text(script)
    await sales.move("Quote", price="9.00")
    await sales.lane("Sales", "Quoted")
    assert [None, 1, 0] == await sales.page.evaluate(RAN)
    assert [] == sales.faults


async def test_customer_is_noticed_answered_with_what_is_ready_and_sent_a_file(site):
    sales, customer = await site.desk(), await site.customer()
    await sales.sign_in("sales")
    await expect(sales.page).to_have_title("Tickets")
    await customer.write("Is there fibre in Mill Lane?")
    await expect(sales.page).to_have_title("(1) Tickets")
    await sales.page.get_by_role("link", name="1 unread").click()
    await expect(sales.page).to_have_title("Without a title")
    await sales.fill("Customer", "Ms Novak")
    await sales.page.get_by_role("button", name="Ready replies").click()
    await sales.page.get_by_role("dialog").get_by_role("button", name="Greeting").click()
    answer = sales.page.get_by_label("Answer the customer")
    await expect(answer).to_have_value("Hello Ms Novak, this is Ms Sun.")
    await answer.press("Enter")
    await customer.shows("Hello Ms Novak, this is Ms Sun.")

    await sales.offline()
    await sales.attach("offer.pdf", PDF, "Our offer")
    await sales.attach("tool.exe", b"MZ", "")
    log = sales.page.get_by_role("log")
    await expect(log.get_by_text("The content is on its way.")).to_have_count(2)
    await sales.saved("Saved here, 2 on the way to the server")  # before that a page that ends may take it along
    await sales.page.reload()
    await expect(log).to_contain_text("Our offer")
    await sales.online()
    await expect(sales.page.get_by_role("region", name="Needs attention")).to_contain_text("Attachment: tool.exe")
    await sales.page.get_by_role("button", name="Let it go").click()
    await expect(sales.page.get_by_role("region", name="Needs attention")).to_have_count(0)
    async with sales.page.expect_download() as downloading:
        await log.get_by_role("button", name="offer.pdf").click()
    assert PDF == (await (await downloading.value).path()).read_bytes()
    async with customer.page.expect_download() as downloading:
        await customer.page.get_by_role("button", name="offer.pdf").click()
    assert PDF == (await (await downloading.value).path()).read_bytes()
    await sales.saved()
    assert [] == sales.faults + customer.faults


async def test_what_somebody_was_shown_is_not_to_be_had_by_whoever_uses_the_browser_next(site):
    await site.ticket("An offer")
    sales = await site.desk()
    await sales.sign_in("sales")
    asked = []
    sales.page.on("request", lambda one: asked.append(one.url) if one.method == "GET" else None)
    await sales.open("An offer")
    await sales.attach("offer.pdf", PDF, "Our offer")
    await sales.saved()
    async with sales.page.expect_download():
        await sales.page.get_by_role("log").get_by_role("button", name="offer.pdf").click()
    await sales.remove_data()
    await sales.page.get_by_role("heading", name="Sign in").wait_for()

    urls = [url for url in asked if "/api/tickets" in url]
    assert any("/media/" in url for url in urls)
    fetched = "(urls) => Promise.all(urls.map((url) => fetch(url, {cache: 'force-cache'}).then((told) => told.status)))"
    assert {401} == set(await sales.page.evaluate(fetched, urls))


async def test_chosen_file_is_taken_back_and_a_picture_comes_once_there_is_a_network_again(site):
    sales, customer = await site.desk(), await site.customer()
    await sales.sign_in("sales")
    await customer.write("This is the door")
    await customer.choose("door.png", "image/png", PICTURE)
    await sales.page.get_by_role("link", name="unread").first.click()
    picture = sales.page.get_by_role("log").get_by_role("img", name="Picture")
    await expect(picture).to_be_visible()
    attached = sales.page.get_by_text("Attached: offer.pdf")
    chooser = sales.page.locator(".composer input[type=file]")
    for _ in range(2):
        await chooser.set_input_files({"name": "offer.pdf", "mimeType": "application/pdf", "buffer": PDF})
        await expect(attached).to_be_visible()
        assert "" == await chooser.input_value(), "the same file may be chosen again"
        await sales.page.get_by_role("button", name="Remove offer.pdf").click()
        await expect(attached).to_have_count(0)

    await sales.offline()
    await sales.page.reload()
    await expect(sales.page.get_by_role("log").get_by_role("alert")).to_be_visible()
    await sales.online()
    await expect(picture).to_be_visible()
    await expect(sales.page.get_by_role("log").get_by_role("alert")).to_have_count(0)

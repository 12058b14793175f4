"""`python -m tests.e2e.screens` takes the pictures of docs/screens anew: the consoles, with a small scene."""

import asyncio
import tempfile
from pathlib import Path

from tests.e2e.console_site import Consoles, Desk, running_consoles

SCREENS = Path(__file__).parents[2] / "docs" / "screens"
WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 400, "height": 800}
DISPUTED = "企业专线 Leased line for the bakery"
TICKETS = (
    ("光纤到户 Fibre, third floor", "李雷"),
    ("Second line for the hotel", "Ms Novak"),
    ("路由器更换 A new router", "韩梅梅"),
    ("Fibre for the corner shop", "Mr Osei"),
    ("专线迁移 Moving a line", "王芳"),
)


async def scene(site: Consoles) -> None:
    """Tickets in several stages, one of them disputed between two who had not seen each other."""
    for number, (title, customer) in enumerate(TICKETS):
        ticket = await site.ticket(title, customer=customer)
        for name, payload in SALES_STEPS[: number % 3]:
            await site.move(ticket, "sales", name, **payload)
        if number % 3 == 2:
            await site.move(ticket, "tech", "start")
    ticket = await site.ticket(DISPUTED, customer="王芳", priority="high", tags="vip")
    await site.move(ticket, "sales", "quote", price="120.00")
    seen = (await site.ask("sales", "GET", f"/api/tickets/{ticket}"))["version"]
    await site.move(ticket, "sales", "lose", seen=seen)
    await site.move(ticket, "sales", "sign", seen=seen, contract="C-17")
    answer = {"text": "您好，我们正在核实合同，稍后回复您。\nWe are looking into the contract."}
    await site.ask("support", "POST", f"/api/tickets/{ticket}/messages", answer)
    await site.ask("sales", "POST", f"/api/tickets/{ticket}/take", {"lane": "sales"})
    await site.ask("sales", "PATCH", f"/api/tickets/{ticket}/forms/sales", {"note": "The owner calls back on Monday."})


SALES_STEPS = (("quote", {"price": "90.00"}), ("sign", {"contract": "C-16"}))


async def shot(desk: Desk, name: str) -> None:
    """Take a picture once nothing moves."""
    await desk.saved("")
    await desk.page.mouse.move(0, 0)
    await desk.page.evaluate("() => new Promise((done) => requestIdleCallback(done))")
    await desk.page.screenshot(path=SCREENS / f"{name}.png")


async def offline(desk: Desk) -> None:
    """A deal that is disputed, and the decision on it made in a lift."""
    await desk.page.goto(desk.url)
    await desk.open(DISPUTED)
    await desk.page.locator(".lane.own .moves").wait_for()
    await desk.offline()
    await desk.page.get_by_label("Internal notes: Sales").fill("Decided in the lift: the contract is signed.")
    await desk.move("Rule that it is signed")
    await desk.lane("Sales", "Signed")
    await desk.saved("on the way to the server")
    await shot(desk, "offline")
    await desk.online()
    await desk.saved()


async def take(site: Consoles) -> None:
    """Take every picture."""
    light, dark = await site.desk(viewport=WIDE), await site.desk(viewport=NARROW, color_scheme="dark", locale="zh-CN")
    await light.page.goto(light.url)
    await light.page.locator(".developers").wait_for()
    await light.page.screenshot(path=SCREENS / "sign-in.png")
    for desk, kind in ((light, ""), (dark, "-narrow-dark-zh")):
        await desk.sign_in("sales_lead")
        await desk.page.get_by_role("link", name=DISPUTED).wait_for()
        await shot(desk, f"list{kind}")
        await desk.open(DISPUTED)
        await desk.page.locator(".lane.own .moves").wait_for()
        await shot(desk, f"ticket{kind}")
        await desk.page.goto(f"{desk.url}/board")
        await desk.page.locator(".bars").first.wait_for()
        await shot(desk, f"board{kind}")
        await desk.page.go_back()
    await offline(light)
    await light.page.keyboard.press("Control+k")
    await light.page.locator(".palette [role=option]").first.wait_for()
    await shot(light, "commands")


async def main() -> None:
    """Start everything, and take the pictures."""
    SCREENS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        async with running_consoles(Path(data)) as site:
            await scene(site)
            await take(site)


if __name__ == "__main__":
    asyncio.run(main())

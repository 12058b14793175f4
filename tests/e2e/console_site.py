"""The consoles in a real browser: the service as a process of its own, and a page for each person."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import httpx
from playwright.async_api import BrowserContext, Page, expect
from typer.testing import CliRunner

from crdt_sync.cli.main import app
from tests.conformance.server_process import ServerProcess
from tests.e2e.browser import PATIENCE_MS, Browsing, faults_of, running_browser
from tests.e2e.widget_site import DESK, Chat

expect.set_options(timeout=PATIENCE_MS)
STARTED = "() => navigator.serviceWorker.ready.then(() => undefined)"
SAVED = re.compile("Saved on the server|已保存到服务器")
REMOVES = "This removes all that this browser keeps of you, also what you typed and did not send. Continue?"
WITH_A_WIDGET = {
    "CRDT_SYNC_GATEWAY": "true",
    "CRDT_SYNC_GATEWAY_ACCOUNTS": '[{"channel": "web", "account": "site", "secret": "env:SITE_SECRET", "demo": true}]',
    "SITE_SECRET": "a secret of thirty-two bytes, or more",
    "CRDT_SYNC_DESK": str(DESK),
}
"""Settings of a service with a gateway of its own, whose page for customers has the widget."""

LANES = """() => Object.fromEntries([...document.querySelectorAll(".lane h3")].map((head) =>
    [head.firstChild.textContent, head.querySelector(".value").textContent]))"""


@dataclass(eq=False)
class Desk:
    """A person at a console."""

    context: BrowserContext
    page: Page
    url: str
    faults: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.faults = faults_of(self.page)

    async def sign_in(self, name: str) -> None:
        """Enter as one of the people of development, and wait for the whole list: what comes later is unread."""
        await self.page.goto(self.url)
        await self.enter(name)
        await self.page.locator(".list-page main[aria-busy=false]").wait_for()
        await self.page.evaluate(STARTED)

    async def enter(self, name: str) -> None:
        """Choose one of the people of development, in whichever language they are shown."""
        await self.page.locator(f'.developers [value="{name}"]').click()

    async def another_tab(self) -> "Desk":
        """A second page of the same person, with the same ticket or list."""
        desk = Desk(self.context, await self.context.new_page(), self.url)
        await desk.page.goto(self.page.url)
        await desk.page.locator(".shell").wait_for()
        return desk

    async def open(self, title: str) -> None:
        """Open a ticket from the list."""
        await self.page.get_by_role("link", name=title).click()
        await self.page.get_by_role("heading", name=title, level=1).wait_for()

    async def move(self, name: str, *, ends: bool = False, **payload: str) -> None:
        """Make a move, with what it carries; the page asks before one with which the ticket `ends`."""
        picture = self.page.locator(".lane.own .moves")
        await picture.get_by_role("button", name=name).click()
        if payload or ends:
            dialog = self.page.get_by_role("dialog", name=name)
            for label, value in payload.items():
                await dialog.get_by_label(label).fill(value)
            await dialog.get_by_role("button", name=name).click()
            await dialog.wait_for(state="detached")

    async def fill(self, label: str, value: str) -> None:
        """Write into a field of the card or of a form."""
        box = self.page.get_by_label(label, exact=True)
        await box.fill(value)
        await box.press("Enter")

    async def say(self, text: str) -> None:
        """Answer the customer."""
        box = self.page.locator(".composer textarea")
        await box.fill(text)
        await box.press("Enter")

    async def attach(self, name: str, content: bytes, text: str) -> None:
        """Answer the customer with a file."""
        await self.page.locator(".composer input[type=file]").set_input_files(
            {"name": name, "mimeType": "application/octet-stream", "buffer": content}
        )
        await self.page.locator(".composer textarea").fill(text)
        await self.page.locator(".composer [type=submit]").click()

    async def remove_data(self, *, is_sure: bool = True) -> None:
        """Ask to sign out and leave nothing behind, and answer the question that comes first."""
        self.page.once("dialog", lambda asked: asked.accept() if is_sure else asked.dismiss())
        menu = self.page.locator(".menu-body")
        if not await menu.is_visible():
            await self.page.locator(".menu summary").click()
        await menu.get_by_role("button", name="remove my data").click()
        self.faults.remove(REMOVES)  # a question is a fault elsewhere

    async def stage(self, text: str) -> None:
        """Return once the open ticket is in this stage."""
        await expect(self.page.locator(".stage-badge")).to_have_text(text)

    async def lane(self, name: str, state: str) -> None:
        """Return once a lane of the open ticket shows this state."""
        lane = self.page.locator(".lane").filter(has=self.page.get_by_role("heading", name=name))
        await expect(lane.locator(".value")).to_have_text(state)

    async def lanes(self) -> dict[str, str]:
        """What each lane of the open ticket shows."""
        return await self.page.evaluate(LANES)

    async def saved(self, text: str | re.Pattern[str] = SAVED) -> None:
        """Return once the line at the foot says so."""
        await expect(self.page.locator("footer .status-line")).to_contain_text(text)

    async def offline(self) -> None:
        """Lose the network, and return once the page knows."""
        await self.context.set_offline(True)
        await expect(self.page.locator("footer .lamp.offline")).to_be_visible()

    async def online(self) -> None:
        """Get the network back, and return once the page is connected."""
        await self.context.set_offline(False)
        await expect(self.page.locator("footer .lamp.online")).to_be_visible()


@dataclass
class Consoles(Browsing):
    """The running service and its browser."""

    service: ServerProcess
    stack: AsyncExitStack
    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict, init=False)

    async def desk(self, **options: object) -> Desk:
        """A person who has never been here."""
        context = await self.profile(**options)
        return Desk(context, await context.new_page(), self.service.http)

    async def customer(self) -> Chat:
        """Somebody who has never written, with the widget open; takes a site `WITH_A_WIDGET`."""
        page = await (await self.profile()).new_page()
        await page.goto(f"{self.service.http}/widget/demo?lang=en")
        chat = Chat(page)
        await chat.open()
        return chat

    async def ticket(self, title: str, department: str = "sales", **card: str) -> str:
        """Open a ticket without a browser."""
        return (await self.ask(department, "POST", "/api/tickets", {"title": title, "card": card}))["id"]

    async def move(self, ticket: str, lane: str, name: str, *, by: str = "", seen: object = None, **payload: str):
        """Make a move without a browser, in what is shown now or in what was `seen`; `by` the lane's department."""
        by = by or lane
        seen = seen or (await self.ask(by, "GET", f"/api/tickets/{ticket}"))["version"]
        body = {"lane": lane, "name": name, "seen": seen, "payload": payload or None}
        await self.ask(by, "POST", f"/api/tickets/{ticket}/transitions", body)

    async def ask(self, department: str, method: str, path: str, body: object = None) -> dict:
        """Ask the service as a department."""
        if department not in self.clients:
            self.clients[department] = await self.stack.enter_async_context(self.service.client(department))
        answer = await self.clients[department].request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def admin(self, *arguments: str) -> None:
        """Do what an operator does."""
        command = ["admin", "--data", str(self.service.data), *arguments]
        done = await asyncio.to_thread(CliRunner().invoke, app, command)
        assert 0 == done.exit_code, done.output


@asynccontextmanager
async def running_consoles(data: Path, settings: Mapping[str, str] = MappingProxyType({})):
    """The service and the browser."""
    async with AsyncExitStack() as stack:
        service = stack.enter_context(ServerProcess(data, settings={"CRDT_SYNC_GATEWAY": "false", **settings}))
        yield Consoles(await stack.enter_async_context(running_browser()), service, stack)

"""The consoles in a real browser: the service as a process of its own, and a page for each person."""

from collections.abc import Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import httpx
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.conformance.server_process import ServerProcess
from tests.e2e.browser import PATIENCE_MS, running_browser

expect.set_options(timeout=PATIENCE_MS)
STARTED = "() => navigator.serviceWorker.ready.then(() => undefined)"


@dataclass
class Desk:
    """A person at a console."""

    context: BrowserContext
    page: Page
    url: str
    faults: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Write down whatever goes wrong in the page."""
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda told: self.faults.append(told.text) if "Security" in told.text else None)
        self.page.on("dialog", lambda dialog: self.faults.append(dialog.message))

    async def sign_in(self, name: str) -> None:
        """Enter as one of the people of development, and wait for the list."""
        await self.page.goto(self.url)
        await self.page.get_by_role("button", name=name, exact=True).click()
        await self.page.locator(".shell").wait_for()
        await self.page.evaluate(STARTED)

    async def open(self, title: str) -> None:
        """Open a ticket from the list."""
        await self.page.get_by_role("link", name=title).click()
        await self.page.get_by_role("heading", name=title, level=1).wait_for()

    async def move(self, name: str, **payload: str) -> None:
        """Make a move, with what it carries."""
        picture = self.page.locator(".lane.own .moves")
        await picture.get_by_role("button", name=name).click()
        if payload:
            dialog = self.page.get_by_role("dialog", name=name)
            for label, value in payload.items():
                await dialog.get_by_label(label).fill(value)
            await dialog.get_by_role("button", name=name).click()
            await dialog.wait_for(state="detached")

    async def stage(self, text: str) -> None:
        """Return once the open ticket is in this stage."""
        await expect(self.page.locator(".stage-badge")).to_have_text(text)

    async def saved(self, text: str) -> None:
        """Return once the line at the foot says so."""
        await expect(self.page.locator("footer .status-line")).to_contain_text(text)


@dataclass
class Consoles:
    """The running service and its browser."""

    service: ServerProcess
    browser: Browser
    clients: Mapping[str, httpx.AsyncClient]
    contexts: list[BrowserContext] = field(default_factory=list)

    async def desk(self, **options: object) -> Desk:
        """A browser without a past."""
        context = await self.browser.new_context(**({"locale": "en-GB"} | options))
        context.set_default_timeout(PATIENCE_MS)
        self.contexts.append(context)
        desk = Desk(context, await context.new_page(), self.service.http)
        desk.watch()
        return desk

    async def ticket(self, title: str, department: str = "sales", **card: str) -> str:
        """Open a ticket without a browser."""
        answer = await self.clients[department].post("/api/tickets", json={"title": title, "card": card})
        assert answer.is_success, answer.text
        return answer.json()["id"]

    async def ask(self, department: str, method: str, path: str, body: object = None) -> dict:
        """Ask the service as a department."""
        answer = await self.clients[department].request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json()


@asynccontextmanager
async def running_consoles(
    data: Path, *, departments: tuple[str, ...], settings: Mapping[str, str] = MappingProxyType({})
):
    """The service, the browser, and a client for each department."""
    async with AsyncExitStack() as stack:
        service = stack.enter_context(ServerProcess(data, settings={"CRDT_SYNC_GATEWAY": "false", **settings}))
        clients = {name: await stack.enter_async_context(service.client(name)) for name in departments}
        browser = await stack.enter_async_context(running_browser())
        yield Consoles(service, browser, clients)

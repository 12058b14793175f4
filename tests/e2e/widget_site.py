"""The widget in a real browser: the service and its gateway as processes of their own, and Chromium."""

import asyncio
import json
import os
import re
import shutil
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.async_api import BrowserContext, Page, expect
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route
from websockets.asyncio.client import connect

from crdt_sync.server.auth import issue
from crdt_sync.server.keys import development_key
from tests.conformance.server_process import ROOT, ServerProcess
from tests.e2e.browser import PATIENCE_MS, Browsing, faults_of, running_browser, violations
from tests.gateway.rig import free_port, serving

DESK = Path(__file__).parent / "desk.toml"


class GatewayProcess:
    """`python -m gateway` against a service, always on the same port and data."""

    def __init__(self, service: ServerProcess, data: Path, origins: list[str]) -> None:
        self.port = free_port()
        self._service, self._data = service, data
        site = {"channel": "web", "account": "site", "secret": "env:SITE_SECRET", "origins": origins, "demo": True}
        self._accounts = json.dumps([site])
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Return once it listens."""
        token = issue(
            development_key(self._service.data).key,
            actor="gateway-1",
            department="gateway",
            roles=["gateway"],
            expires_at_ms=4_000_000_000_000,
            accounts=["site"],
        )
        given = {
            "CRDT_SYNC_GATEWAY_CORE_TOKEN": "env:CORE_TOKEN",
            "CORE_TOKEN": token,
            "CRDT_SYNC_GATEWAY_ACCOUNTS": self._accounts,
            "SITE_SECRET": "a secret of thirty-two bytes, or more",
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
        }
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "--core", self._service.grpc),
            *("--data", str(self._data), "--port", str(self.port)),
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | given,
            cwd=ROOT,
        )
        async with asyncio.timeout(60):
            while b"gateway listening" not in (line := await self._process.stdout.readline()):
                assert line, "the gateway ended before it listened"

    def forget(self) -> None:
        """Lose everything that it has kept."""
        shutil.rmtree(self._data)

    async def kill(self) -> None:
        """End it without a warning."""
        if self._process is not None:
            self._process.kill()
            await self._process.communicate()
            self._process = None


@dataclass
class Site(Browsing):
    """The running site, and what its agents do."""

    gateway: GatewayProcess
    service: ServerProcess
    agent: httpx.AsyncClient
    shop: str  # a page of another host that may carry the widget
    foreign: str  # one that may not

    async def page(self, context: BrowserContext, lang: str = "en") -> "Chat":
        page = await context.new_page()
        chat = Chat(page)
        await page.goto(f"{self.gateway.url}/widget/demo?lang={lang}")
        return chat

    async def ticket(self, text: str) -> str:
        """The ticket of the conversation in which a visitor wrote this, once it is there."""
        async with asyncio.timeout(PATIENCE_MS / 1000):
            while True:
                for shown in (await self.agent.get("/api/tickets")).json()["tickets"]:
                    if any(text in str(message["parts"]) for message in await self.messages(shown["id"])):
                        return shown["id"]
                await asyncio.sleep(0.05)

    async def messages(self, ticket: str) -> list[dict]:
        return (await self.agent.get(f"/api/tickets/{ticket}/messages")).json()["messages"]

    async def hear(self, type_: str, **data: str) -> None:
        """Return once there was an event of this type with this in its data."""
        url = f"{self.service.ws}/events?after=0&token={self.service.token('sales')}"
        async with asyncio.timeout(PATIENCE_MS / 1000), connect(url, proxy=None) as socket:
            async for told in socket:
                event = json.loads(told)
                if f":{type_}:" in event.get("dataschema", "") and data.items() <= event["data"].items():
                    return

    async def move(self, ticket: str, department: str, lane: str, name: str) -> None:
        """Have somebody take a step."""
        async with self.service.client(department) as client:
            seen = (await client.get(f"/api/tickets/{ticket}")).json()["version"]
            body = {"lane": lane, "name": name, "seen": seen}
            moved = await client.post(f"/api/tickets/{ticket}/transitions", json=body)
            assert moved.is_success, moved.text

    async def picture(self, ticket: str) -> bytes:
        """The first picture that an agent is shown in a conversation, once it is there."""
        async with asyncio.timeout(PATIENCE_MS / 1000):
            while True:
                parts = [part for message in await self.messages(ticket) for part in message["parts"]]
                if digest := next((part["media"]["digest"] for part in parts if "media" in part), None):
                    answer = await self.agent.get(f"/api/tickets/{ticket}/media/{digest}")
                    assert answer.is_success, answer.text
                    return answer.content
                await asyncio.sleep(0.05)

    async def answer_with_picture(self, ticket: str, data: bytes) -> None:
        await self.answer_with(ticket, data, "image", "photo.png")

    async def answer_with(self, ticket: str, data: bytes, kind: str, name: str) -> None:
        uploaded = await self.agent.post(f"/api/tickets/{ticket}/media", content=data)
        assert uploaded.is_success, uploaded.text
        content = {"type": kind, "digest": uploaded.json()["digest"], "name": name}
        answered = await self.agent.post(f"/api/tickets/{ticket}/messages", json={"text": "", "contents": [content]})
        assert answered.is_success, answered.text

    async def answer(self, ticket: str, text: str) -> None:
        answered = await self.agent.post(f"/api/tickets/{ticket}/messages", json={"text": text})
        assert answered.is_success, answered.text


class Chat:
    """The widget on one page, as its visitor sees it. Playwright looks into open shadow roots by itself."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults = faults_of(page)

    async def open(self, name: str = "Chat with us") -> None:
        await self.page.get_by_role("button", name=name).click()

    async def write(self, text: str) -> None:
        await self.page.get_by_role("textbox", name=re.compile("Your message|请输入消息")).fill(text)
        await self.page.keyboard.press("Enter")

    async def shows(self, text: str) -> None:
        """Return once it stands there, once."""
        await self.page.locator(".said", has_text=text).wait_for()
        assert 1 == await self.page.locator(".said", has_text=text).count()

    async def kept(self) -> None:
        """Return once nothing that was written waits."""
        await expect(self.page.locator(".note")).to_have_count(0, timeout=PATIENCE_MS)

    async def choose(self, name: str, type_: str, data: bytes) -> None:
        """Choose a file, as a person does behind the button."""
        async with self.page.expect_file_chooser() as chooser:
            await self.page.get_by_role("button", name="Send a picture").click()
        await (await chooser.value).set_files({"name": name, "mimeType": type_, "buffer": data})

    async def pictures(self, count: int) -> None:
        """Return once so many pictures are drawn."""
        images = self.page.get_by_role("log").get_by_role("img")
        await expect(images).to_have_count(count, timeout=PATIENCE_MS)
        for number in range(count):
            await expect(images.nth(number)).to_have_js_property("naturalWidth", 2, timeout=PATIENCE_MS)

    async def violations(self) -> list[str]:
        """What axe-core finds wrong with the page as it stands."""
        return await violations(self.page)

    async def said(self) -> list[str]:
        return await self.page.locator(".said").all_inner_texts()


@asynccontextmanager
async def running_site(data: Path):
    """Everything: two pages of other hosts, the service, its gateway, the browser."""
    page = '<!doctype html><html lang="en"><title>Shop</title><script src="%s/widget.js" data-site="site"></script>'
    places: dict[str, str] = {}

    async def elsewhere(_request):
        return HTMLResponse(page.replace("<script", "<body><script") % places["gateway"])

    async with AsyncExitStack() as stack:
        settings = {"CRDT_SYNC_GATEWAY": "false", "CRDT_SYNC_DESK": str(DESK)}
        app = Starlette(routes=[Route("/", elsewhere)])
        shop = await stack.enter_async_context(serving(app))
        foreign = await stack.enter_async_context(serving(app))
        service = stack.enter_context(ServerProcess(data / "service", settings=settings))
        gateway = GatewayProcess(service, data / "gateway", [shop])
        places["gateway"] = gateway.url
        await gateway.start()
        stack.push_async_callback(gateway.kill)
        agent = await stack.enter_async_context(service.client("sales"))
        browser = await stack.enter_async_context(running_browser())
        yield Site(browser, gateway, service, agent, shop, foreign)

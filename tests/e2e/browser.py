"""What the tests of pages share: the browser, the profiles that a test opens in it, and the judge of accessibility."""

from dataclasses import dataclass, field

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page

from benchmarks import chromium
from tests.conformance.node_tools import PACKAGES

PATIENCE_MS = 15_000
AXE = PACKAGES / "node_modules" / "axe-core" / "axe.min.js"
NETWORK = ("Failed to load resource", "WebSocket connection to")  # what a browser says of a service that is away


@dataclass
class Browsing:
    """A browser, and the profiles that a test has opened in it."""

    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list, init=False)

    async def profile(self, **options: object) -> BrowserContext:
        """A profile without a past."""
        context = await self.browser.new_context(**({"locale": "en-GB"} | options))
        context.set_default_timeout(PATIENCE_MS)
        self.contexts.append(context)
        return context

    async def forget(self) -> None:
        """Close what the test has opened."""
        for context in self.contexts:
            await context.close()
        self.contexts.clear()


def running_browser():
    """A browser without a past; a test that needs one is skipped where none is installed, which CI does not allow."""
    if chromium.program() is None:
        pytest.skip(chromium.ABSENT)
    return chromium.running_browser()


def faults_of(page: Page) -> list[str]:
    """Whatever goes wrong in a page from now on: errors, dialogs, and what its policy forbids."""
    faults: list[str] = []

    def heard(told: ConsoleMessage) -> None:
        if told.type == "error" and not told.text.startswith(NETWORK):
            faults.append(told.text)

    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", heard)
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    return faults


async def violations(page: Page, *impacts: str) -> list[str]:
    """What axe-core finds wrong with a page as it stands; with `impacts` only what weighs so."""
    await page.evaluate(AXE.read_text("utf-8"))
    run = "async () => (await axe.run()).violations.map((one) => [one.impact, `${one.id}: ${one.nodes[0].html}`])"
    return [told for impact, told in await page.evaluate(run) if not impacts or impact in impacts]

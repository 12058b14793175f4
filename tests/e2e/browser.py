"""Chromium as the tests start it, and the judge of accessibility."""

import shutil
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import async_playwright

from tests.conformance.node_tools import PACKAGES

PATIENCE_MS = 15_000
AXE = PACKAGES / "node_modules" / "axe-core" / "axe.min.js"
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@asynccontextmanager
async def running_browser():
    """A browser without a past; a test that needs one is skipped where none is installed, which CI does not allow."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("No Chromium is installed; on Debian: apt-get install chromium.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


async def violations(page, *impacts):
    """What axe-core finds wrong with a page as it stands; with `impacts` only what weighs so."""
    await page.evaluate(AXE.read_text("utf-8"))
    run = "async () => (await axe.run()).violations.map((one) => [one.impact, `${one.id}: ${one.nodes[0].html}`])"
    return [told for impact, told in await page.evaluate(run) if not impacts or impact in impacts]

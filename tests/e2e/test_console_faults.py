"""What goes wrong around a console, in a real browser: the network, the sign-in, the service, and who writes to it."""

import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.asyncio(loop_scope="module")
IN_A_MINUTE = "() => Date.now() + 60_000"


async def test_network_that_goes_and_comes_is_noticed_without_waiting(site):
    sales = await site.desk()
    await sales.page.clock.install()
    await sales.sign_in("sales")
    await expect(sales.page.locator("footer .lamp.online")).to_be_visible()
    await sales.offline()
    await sales.page.clock.pause_at(await sales.page.evaluate(IN_A_MINUTE))  # now nothing that is timed happens
    await sales.online()
    assert [] == sales.faults

"""One site for each module that asks for one: its service and its browser. `SETTINGS` of a module are its service's."""

import asyncio

import pytest_asyncio

from tests.e2e.console_site import running_consoles


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(request, tmp_path_factory):
    async with running_consoles(tmp_path_factory.mktemp("site"), getattr(request.module, "SETTINGS", {})) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="module")
async def site(shared):
    yield shared
    await shared.forget()
    if not shared.service.is_running:  # a test that failed half-way is no reason for the next one to fail
        await asyncio.to_thread(shared.service.start)

"""Rows of the conformance matrix in which the service stops, is killed and comes back.

That takes seconds, so each is done once, for all kinds of client at the same time; the cells tell how each fared.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.conformance import matrix
from tests.conformance.matrix import Site, saved
from tests.conformance.node_client import NodeClient
from tests.conformance.server_process import ServerProcess

Story = Callable[[Site, "Together"], Awaitable[None]]


class Together:
    """Several stories that wait for each other, so that one of them does something for all."""

    def __init__(self, stories: int) -> None:
        self._barrier = asyncio.Barrier(stories)

    async def once(self, act: Callable[[], None]) -> None:
        """Do it when all stories are here, and go on when it is done."""
        try:
            if await self._barrier.wait() == 0:
                await asyncio.to_thread(act)
        finally:
            await self._barrier.wait()


def lines(count: int) -> list[str]:
    return [f"line {index}\n" for index in range(count)]


async def write(client: NodeClient, document: str, some: list[str]) -> None:
    for line in some:
        await client.tell("write", document=document, root="text", text=line)


async def text_of(site: Site, document: str) -> str:
    """What a client that comes fresh is given."""
    async with site.client() as fresh:
        await site.open(fresh, document)
        return fresh.contents[document]["text"]


async def restart_in_mid_edit(site: Site, together: Together) -> None:
    document, written = f"restart {site.kind.name}", lines(30)
    async with site.client() as author, site.client() as other:
        for client in (author, other):
            await site.open(client, document)
        await write(author, document, written[:10])
        await asyncio.gather(together.once(site.server.stop), write(author, document, written[10:20]))
        await write(author, document, written[20:])
        await together.once(site.server.start)
        await other.until(lambda held: "".join(written) == held[document]["text"])
        await saved(author, document)
    assert "".join(written) == await text_of(site, document)


async def kill_9_after_ack(site: Site, together: Together) -> None:
    document, written = f"kill {site.kind.name}", lines(20)
    async with site.client() as author:
        await site.open(author, document)
        await write(author, document, written)
        await saved(author, document)
        await together.once(site.server.kill)
    await together.once(site.server.start)
    assert "".join(written) == await text_of(site, document)


async def told(sites: list[Site], story: Story) -> dict[str, BaseException | None]:
    """What became of each kind."""
    together = Together(len(sites))
    ends = await asyncio.gather(*(story(site, together) for site in sites), return_exceptions=True)
    return dict(zip((site.kind.name for site in sites), ends, strict=True))


@pytest.fixture(scope="module")
def ends(node, tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("restarts"), settings=matrix.OPEN_DOCUMENTS) as server:
        sites = [Site(node, server, kind) for kind in matrix.KINDS]
        return {story: asyncio.run(told(sites, story)) for story in (restart_in_mid_edit, kill_9_after_ack)}


def check(end: BaseException | None) -> None:
    if end is not None:
        raise end


@matrix.kinds
def test_restart_in_mid_edit(ends, kind):
    """The service stops while somebody writes and comes back: every line is there once, and in order."""
    check(ends[restart_in_mid_edit][kind.name])


@matrix.kinds
def test_kill_9_after_ack(ends, kind):
    """What is acknowledged survives the service and its author."""
    check(ends[kill_9_after_ack][kind.name])

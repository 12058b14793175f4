"""The columns of the conformance matrix, and what a scenario needs of any of them.

A row is a test of `test_matrix.py` or `test_matrix_restarts.py`; `table.py` makes the table of docs/conformance.md.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.conformance.node_client import NodeClient
from tests.conformance.server_process import ServerProcess

OPEN_DOCUMENTS = {"CRDT_SYNC_OPEN_DOCUMENTS": "1"}


@dataclass(frozen=True)
class Kind:
    """One kind of unmodified client: a script, and the package whose version stands in the table."""

    name: str
    script: str
    package: str

    def arguments(self, server: ServerProcess) -> tuple[str, ...]:
        match self.script:
            case "grpc_client.mjs":
                return (server.grpc,)
            case "hocuspocus_client.mjs":
                return (server.ws, self.package)
            case _:
                return (server.ws,)


Y_WEBSOCKET = Kind("y-websocket", "y_websocket_client.mjs", "y-websocket")
PROVIDER_2 = Kind("provider 2", "hocuspocus_client.mjs", "hocuspocus-provider-2")
PROVIDER_3 = Kind("provider 3", "hocuspocus_client.mjs", "hocuspocus-provider-3")
PROVIDER_4 = Kind("provider 4", "hocuspocus_client.mjs", "@hocuspocus/provider")
GRPC = Kind("gRPC", "grpc_client.mjs", "@grpc/grpc-js")
KINDS = (Y_WEBSOCKET, PROVIDER_2, PROVIDER_3, PROVIDER_4, GRPC)

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@dataclass(frozen=True)
class Site:
    """A service and one kind of client."""

    node: str
    server: ServerProcess
    kind: Kind

    @asynccontextmanager
    async def client(self) -> AsyncIterator[NodeClient]:
        async with NodeClient(self.node, self.kind.script, *self.kind.arguments(self.server)) as client:
            yield client

    async def open(self, client: NodeClient, *documents: str, department: str = "sales", **more: object) -> None:
        """Open documents, and wait until each has what the service has."""
        token = self.server.token(department)
        for document in documents:
            since = await client.tell("open", document=document, token=token, **more)
            await client.hear("synced", since=since, synced=True)


async def saved(client: NodeClient, *documents: str) -> None:
    """Wait until everything that the client wrote is acknowledged, by what its wire calls so."""
    for document in documents:
        await client.settle("unsynced", document, number=0)


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

    async def give_up(self) -> None:
        """Let nobody wait for a story that has failed."""
        await self._barrier.abort()


Story = Callable[[Site, Together], Awaitable[None]]


async def ends_of(story: Story, node: str, server: ServerProcess) -> dict[str, Exception | None]:
    """What became of each kind of client in a story that all play at the same time; None is a good end."""
    together = Together(len(KINDS))

    async def end(kind: Kind) -> Exception | None:
        try:
            await story(Site(node, server, kind), together)
        except Exception as error:  # noqa: BLE001 (the cell's test raises it)
            await together.give_up()
            return error
        return None

    ends = await asyncio.gather(*map(end, KINDS))
    return dict(zip((kind.name for kind in KINDS), ends, strict=True))


def check(end: Exception | None) -> None:
    """Raise what a story ended with, if it ended badly."""
    if end is not None:
        raise end

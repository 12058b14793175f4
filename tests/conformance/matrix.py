"""The columns of the conformance matrix, and what a scenario needs of any of them.

A row is a test of `test_matrix.py` or `test_matrix_restarts.py`; `table.py` makes the table of docs/conformance.md.
"""

from collections.abc import AsyncIterator
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

"""A client of our own that only reads one document over `/sync`: what the service gives to someone who comes fresh."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Self

from websockets.asyncio.client import ClientConnection, connect

from crdt_sync.documents.document import Document, Outcome
from crdt_sync.documents.kinds import new_document
from crdt_sync.domain.ids import DocumentName
from crdt_sync.wire import ysync
from tests.conformance.server_process import ServerProcess

CLIENT_ID = 7  # it never writes, so nobody sees this
WAIT_S = 30
NUMBERS = itertools.count(1)


class Reader:
    """One document, followed from nothing. `document` is what was read so far."""

    def __init__(self, server: ServerProcess, name: str, department: str) -> None:
        token = server.token(department, actor=f"reader-{next(NUMBERS)}")  # one person may not come this often
        self._url = f"{server.ws}/sync/{name}?token={token}"
        self._socket: ClientConnection | None = None
        self._synced = False
        self._early: list[bytes] = []
        self.document: Document = new_document(DocumentName.parse(name).kind, CLIENT_ID)

    async def __aenter__(self) -> Self:
        self._socket = await connect(self._url, compression=None, max_size=None, proxy=None)
        await self._socket.send(ysync.encode_step1(self.document.state_vector()))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._socket is not None
        await self._socket.close()

    async def until(self, holds: Callable[[Document], bool] = lambda _: True) -> Document:
        """The document once the service has answered and `holds` is true of it."""
        assert self._socket is not None
        async with asyncio.timeout(WAIT_S):
            while not (self._synced and holds(self.document)):
                self._take(await self._socket.recv())
        return self.document

    async def follow(self) -> None:
        """Take what is relayed until the connection is gone, which it raises."""
        assert self._socket is not None
        while True:
            self._take(await self._socket.recv())

    def _take(self, data: str | bytes) -> None:
        assert isinstance(data, bytes)
        match ysync.decode(data):
            case ysync.Step2(update):
                self._synced = True
                self._apply(update)
                for earlier in self._early:
                    self._apply(earlier)
            case ysync.Update(update) if self._synced:
                self._apply(update)
            case ysync.Update(update):  # relayed while the answer to step 1 waits for the room to settle
                self._early.append(update)

    def _apply(self, update: bytes) -> None:
        assert self.document.apply_committed(update) is not Outcome.GAP


async def read(server: ServerProcess, name: str, department: str) -> Document:
    """What a fresh client is given of a document."""
    async with Reader(server, name, department) as reader:
        return await reader.until()

"""Clients that write as fast as they are acknowledged, on each of the five paths into the service.

A writer ends when its connection is gone. After a restart it comes back like a client that cannot know what arrived:
it sends again what was never acknowledged, and some that was.
"""

import asyncio
import itertools
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import grpc
import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from crdt_sync.cli import wechat_customer
from crdt_sync.documents.updates import decode
from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.rpc.ticketsync.v1.sync_pb2_grpc import SyncServiceStub
from crdt_sync.wire import hocuspocus, ysync
from tests.conformance.server_process import ServerProcess
from tests.integration.sources import DEPARTMENT, NOTHING, Mark, Source

IN_FLIGHT = 5  # updates of one document that are not acknowledged yet
WAIT_S = 30
RETRY_S = 0.2  # of a caller that is told to come again
CHAT = "chat/"  # begins the places that are no document
GONE = (ConnectionClosed, grpc.aio.AioRpcError, httpx.TransportError, OSError)

Ref = tuple[str, int]  # a document, and the number of an update in it
Brought = tuple[str, int, int]  # inserted or deleted, client, clock
Said = TypeVar("Said")


@dataclass
class Tally:
    """What was sent and what was acknowledged on one path, over all rounds."""

    path: str
    on_ack: Callable[[], None]
    sent: set[Mark] = field(default_factory=set)
    acked: set[Mark] = field(default_factory=set)

    def ack(self, mark: Mark) -> None:
        assert mark in self.sent, f"{self.path} acknowledged {mark}, which it was never sent"
        self.acked.add(mark)
        self.on_ack()


class Writer(ABC):
    """One client of one path. A `patient` one is refused without a fault, and ends when told to `finish`."""

    patient = False
    _finishing = False

    def finish(self) -> None:
        """Write nothing new from now on, and end when all is acknowledged, if this is a patient writer."""
        self._finishing = True

    @abstractmethod
    async def write(self) -> None:
        """Write until the connection is gone."""

    @abstractmethod
    async def come_back(self) -> None:
        """Connect again, and bring the service to where this client is."""


class Link(ABC):
    """How updates travel on one wire, and how it says that one is committed.

    A refusal is a fault unless the link is `patient`: then it is kept in `refused`. `asked` are the documents of which
    the service wants what it lacks.
    """

    def __init__(self) -> None:
        self.patient = False
        self.refused: list[Ref] = []
        self.asked: list[str] = []

    @staticmethod
    def taken(said: list[Said]) -> list[Said]:
        """Return what is in one of these lists, and empty it."""
        taken = said[:]
        said.clear()
        return taken

    @abstractmethod
    async def open(self, server: ServerProcess, stack: AsyncExitStack, documents: Sequence[str]) -> None: ...

    @abstractmethod
    async def send(self, ref: Ref, update: bytes) -> None: ...

    @abstractmethod
    async def acknowledged(self) -> Sequence[Ref]:
        """Wait for frames; return the updates that they acknowledge."""


class ReplicaWriter(Writer):
    """A client with copies of documents."""

    def __init__(self, server: ServerProcess, link: type[Link], sources: Sequence[Source], tally: Tally) -> None:
        self._server = server
        self._link = link
        self._sources = {source.name: source for source in sources}
        self._tally = tally
        self._numbers = itertools.count(1)
        self._marks: dict[Ref, Mark] = {}

    async def write(self) -> None:
        """What was acknowledged before the end counts, also where only the end is noticed first."""
        with suppress(*GONE):
            async with AsyncExitStack() as stack:
                link = await self._opened(stack)
                for source in list(self._sources.values()) * IN_FLIGHT:
                    await self._send(link, source)
                while True:
                    for ref in await link.acknowledged():
                        self._tally.ack(self._marks.pop(ref))
                        with suppress(*GONE):
                            await self._send(link, self._sources[ref[0]])

    async def come_back(self) -> None:
        """The acknowledgement of one more change is that of all that was sent before it."""
        async with asyncio.timeout(WAIT_S), AsyncExitStack() as stack:
            link = await self._opened(stack)
            waiting = set()
            for source in self._sources.values():
                await link.send((source.name, next(self._numbers)), source.everything())
                waiting.add(await self._send(link, source))
            while waiting:
                waiting -= set(await link.acknowledged())
            self._marks.clear()

    async def _opened(self, stack: AsyncExitStack) -> Link:
        link = self._link()
        await link.open(self._server, stack, list(self._sources))
        return link

    async def _send(self, link: Link, source: Source) -> Ref:
        mark, update = source.next()
        ref = source.name, next(self._numbers)
        self._marks[ref] = mark
        self._tally.sent.add(mark)
        await link.send(ref, update)
        return ref


def brought(update: bytes) -> set[Brought]:
    """What an update brings, element by element: updates that follow each other may be echoed as one."""
    decoded = decode(update)
    inserted = {("+", item.client, clock) for item in decoded.structs for clock in range(item.clock, item.end)}
    return inserted | {("-", one.client, clock) for one in decoded.deletes for clock in range(one.clock, one.end)}


class SyncLink(Link):
    """y-websocket: one socket a document, and the echo of what an update brought is its acknowledgement."""

    def __init__(self) -> None:
        super().__init__()
        self._sockets: dict[str, ClientConnection] = {}
        self._unheard: dict[Ref, set[Brought]] = {}
        self._heard: asyncio.Queue[tuple[str, bytes | None]] = asyncio.Queue()
        self._listening = 0

    async def open(self, server: ServerProcess, stack: AsyncExitStack, documents: Sequence[str]) -> None:
        token = server.token(DEPARTMENT)
        group = await stack.enter_async_context(Listening(self._heard))
        for document in documents:
            url = f"{server.ws}/sync/{document}?token={token}"
            socket = self._sockets[document] = await stack.enter_async_context(_websocket(url))
            await socket.send(ysync.encode_step1(NOTHING))
            group.listen(document, socket)
            self._listening += 1

    async def send(self, ref: Ref, update: bytes) -> None:
        self._unheard[ref] = brought(update)
        await self._sockets[ref[0]].send(ysync.encode_update(update))

    async def acknowledged(self) -> Sequence[Ref]:
        document, data = await self._heard.get()
        if data is None:
            self._listening -= 1
            if not self._listening:
                raise ConnectionResetError
            return []
        frame = ysync.decode(data)
        assert not isinstance(frame, ysync.Denied), frame
        if isinstance(frame, ysync.Step1):
            self.asked.append(document)
        if not isinstance(frame, ysync.Update):
            return []
        echoed = brought(frame.update)
        refs = [ref for ref, sent in self._unheard.items() if ref[0] == document and sent <= echoed]
        for ref in refs:
            del self._unheard[ref]
        return refs


class Listening:
    """Tasks that put what sockets say into one queue, and None for each that is gone."""

    def __init__(self, heard: asyncio.Queue[tuple[str, bytes | None]]) -> None:
        self._heard = heard
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def listen(self, document: str, socket: ClientConnection) -> None:
        self._tasks.append(asyncio.create_task(self._listen(document, socket)))

    async def _listen(self, document: str, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for data in socket:
                assert isinstance(data, bytes)
                self._heard.put_nowait((document, data))
        self._heard.put_nowait((document, None))


class CollabLink(Link):
    """Hocuspocus: one socket for all documents, and one SyncStatus an update, in order."""

    def __init__(self) -> None:
        super().__init__()
        self._socket: ClientConnection | None = None
        self._refs: dict[str, deque[Ref]] = {}

    async def open(self, server: ServerProcess, stack: AsyncExitStack, documents: Sequence[str]) -> None:
        self._socket = await stack.enter_async_context(_websocket(f"{server.ws}/collab"))
        self._refs = {document: deque() for document in documents}
        for document in documents:
            await self._socket.send(hocuspocus.encode_token(document.encode(), server.token(DEPARTMENT)))

    async def send(self, ref: Ref, update: bytes) -> None:
        assert self._socket is not None
        self._refs[ref[0]].append(ref)
        await self._socket.send(hocuspocus.encode_update(ref[0].encode(), update))

    async def acknowledged(self) -> Sequence[Ref]:
        assert self._socket is not None
        data = await self._socket.recv()
        assert isinstance(data, bytes)
        said = hocuspocus.decode(data)
        if not isinstance(said, hocuspocus.Addressed):
            return []
        frame = said.frame
        assert not isinstance(frame, hocuspocus.PermissionDenied | hocuspocus.Close), frame
        if isinstance(frame, ysync.Step1):
            self.asked.append(said.document)
        if not isinstance(frame, hocuspocus.SyncStatus):
            return []
        ref = self._refs[said.document].popleft()
        if frame.accepted:
            return [ref]
        assert self.patient, f"{ref} was refused"
        self.refused.append(ref)
        return []


class GrpcLink(Link):
    """SyncService.Sync: one stream for all documents, and an Ack that names the update."""

    def __init__(self) -> None:
        super().__init__()
        self._stream: Any = None

    async def open(self, server: ServerProcess, stack: AsyncExitStack, documents: Sequence[str]) -> None:
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(server.grpc))
        metadata = (("authorization", f"Bearer {server.token(DEPARTMENT)}"),)
        self._stream = SyncServiceStub(channel).Sync(metadata=metadata)
        stack.callback(self._stream.cancel)
        await self._write(pb.ClientFrame(document=document, open=pb.Open()) for document in documents)

    async def send(self, ref: Ref, update: bytes) -> None:
        document, number = ref
        body = pb.Update(data=update, batch_id=number.to_bytes(8, "big"))
        await self._write([pb.ClientFrame(document=document, update=body)])

    async def acknowledged(self) -> Sequence[Ref]:
        batch = await self._stream.read()
        if batch is grpc.aio.EOF:
            raise ConnectionResetError
        self.asked += [frame.document for frame in batch.frames if frame.WhichOneof("body") == "step1"]
        acks = [(frame.document, frame.ack) for frame in batch.frames if frame.WhichOneof("body") == "ack"]
        refused = [_ref(*ack) for ack in acks if ack[1].status != pb.ACK_STATUS_OK]
        assert self.patient or not refused, acks
        self.refused += refused
        return [_ref(*ack) for ack in acks if ack[1].status == pb.ACK_STATUS_OK]

    async def _write(self, frames: Any) -> None:
        if self._stream.done():
            raise ConnectionResetError
        try:
            await self._stream.write(pb.ClientFrames(frames=frames))
        except asyncio.InvalidStateError as error:  # how grpc.aio says that the call has ended
            raise ConnectionResetError from error


def _ref(document: str, ack: pb.Ack) -> Ref:
    return document, int.from_bytes(ack.batch_id, "big")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, to be sent again as it is."""

    method: str
    url: str
    body: Any = None
    content: str | None = None
    query: Any = None
    headers: Any = None

    @property
    def unique(self) -> str:
        """A part of the request's first line or headers that no other request has."""
        return (self.headers or {}).get("idempotency-key") or self.query["msg_signature"]

    async def send(self, client: httpx.AsyncClient, *, patient: bool = False) -> httpx.Response:
        """Send it, and if `patient` again and again while the service is unavailable."""
        while True:
            answer = await client.request(
                self.method, self.url, json=self.body, content=self.content, params=self.query, headers=self.headers
            )
            if not (patient and answer.status_code == httpx.codes.SERVICE_UNAVAILABLE):
                break
            await asyncio.sleep(RETRY_S)
        assert answer.is_success, f"{self.url}: {answer.status_code} {answer.text}"
        return answer


class RequestWriter(Writer):
    """A caller with one request under way at a time."""

    def __init__(self, server: ServerProcess, tally: Tally) -> None:
        self._server = server
        self._tally = tally
        self._open: tuple[Request, Mark | None] | None = None
        self._last: tuple[Request, Mark | None, str] | None = None

    async def write(self) -> None:
        with suppress(*GONE):
            async with self._server.client(DEPARTMENT) as client:
                while not self._finishing:
                    await self.once(client)

    async def once(self, client: httpx.AsyncClient) -> Request:
        """Send one request and hear its answer."""
        request, mark = self._open = self._next()
        if mark is not None:
            self._tally.sent.add(mark)
        self._acked(request, mark, await request.send(client, patient=self.patient))
        return request

    async def come_back(self) -> None:
        """What was acknowledged is sent again first, and its answer has not changed; then what was not."""
        async with asyncio.timeout(WAIT_S), self._server.client(DEPARTMENT) as client:
            if self._last is not None:
                request, _, told = self._last
                assert told == self._told(await request.send(client)), f"{request} is answered in another way now"
            if self._open is not None:
                request, mark = self._open
                self._acked(request, mark, await request.send(client))

    def _acked(self, request: Request, mark: Mark | None, answer: httpx.Response) -> None:
        told = self._told(answer)
        mark = mark or self._mark(told)
        self._tally.sent.add(mark)
        self._tally.ack(mark)
        self._open, self._last = None, (request, mark, told)

    @abstractmethod
    def _next(self) -> tuple[Request, Mark | None]:
        """The next request, and its mark unless the answer names it."""

    @abstractmethod
    def _told(self, answer: httpx.Response) -> str:
        """What the answer says that must be said again when the request is repeated."""

    def _mark(self, told: str) -> Mark:
        raise AssertionError(f"{told} marks nothing")


class RestWriter(RequestWriter):
    """Messages, transitions and card fields of one ticket, in turn."""

    def __init__(self, server: ServerProcess, tally: Tally, ticket: str, version: str) -> None:
        super().__init__(server, tally)
        self._ticket = ticket
        self._seen = version
        self._numbers = itertools.count(1)

    def _next(self) -> tuple[Request, Mark | None]:
        number = next(self._numbers)
        path, place = f"/api/tickets/{self._ticket}", f"ticket/{self._ticket}"
        headers = {"idempotency-key": f"{self._ticket}-{number}"}
        match number % 3:
            case 0:
                body = {"lane": "sales", "name": "quote", "seen": self._seen}
                return Request("POST", f"{path}/transitions", body, headers=headers), None
            case 1:
                text = f"answer {number}"
                return Request("POST", f"{path}/messages", {"text": text}, headers=headers), Mark(f"{place}/talk", text)
            case _:
                count = number // 3 + 1
                card = Mark(f"{place}/card", str(count))
                return Request("PATCH", f"{path}/card", {"priority": count}, headers=headers), card

    def _told(self, answer: httpx.Response) -> str:
        said = answer.json()
        if "transition" in said:
            self._seen = said["ticket"]["version"]
            return str(said["transition"])
        return str(said.get("message", "card"))

    def _mark(self, told: str) -> Mark:
        return Mark(f"ticket/{self._ticket}/log", told)


class WeChatWriter(RequestWriter):
    """One customer, whose texts the platform brings as encrypted callbacks."""

    def __init__(self, server: ServerProcess, tally: Tally, customer: int) -> None:
        super().__init__(server, tally)
        self._customer = customer
        self._numbers = itertools.count(1)

    def _next(self) -> tuple[Request, Mark | None]:
        number = next(self._numbers)
        openid, text = f"openid-{self._customer}", f"customer {self._customer} text {number}"
        post = wechat_customer.callback(
            openid=openid, text=text, message_id=self._customer * 1_000_000 + number, now_s=int(time.time())
        )
        url = f"/channels/{wechat_customer.ACCOUNT}"
        return Request("POST", url, content=post.body, query=post.query), Mark(chat_of(self._customer), text)

    def _told(self, answer: httpx.Response) -> str:
        return answer.text


def chat_of(customer: int) -> str:
    """Where a customer's messages are looked for: which ticket they opened, the talk says itself."""
    return f"{CHAT}{customer}"


def _websocket(url: str) -> connect:
    return connect(url, compression=None, max_size=None, proxy=None)

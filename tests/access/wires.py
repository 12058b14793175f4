"""A client's end of each wire, for tests against the real server: what was heard is kept to its last byte."""

import asyncio
import json
import uuid
from contextlib import asynccontextmanager, suppress

import grpc
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close

from crdt_sync.rpc.ticketsync.v1 import events_pb2, events_pb2_grpc, sync_pb2_grpc
from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.wire import hocuspocus, ysync
from tests.grpc_ends import Ending
from tests.replica.loopback import until as wait_until

PATIENCE_S = 20  # of a test that waits for an answer; a good one takes milliseconds
BATCH = b"batch--1"


class Ended(Exception):
    """The other side closed. `status` is the close code of a WebSocket or the status of a stream."""

    def __init__(self, status, code):
        super().__init__(status, code)
        self.status, self.code = status, code


class Socket:
    """A WebSocket with either protocol."""

    def __init__(self, websocket, decode):
        self.websocket, self._decode, self.heard = websocket, decode, []

    async def say(self, *frames):
        for frame in frames:
            await self.websocket.send(frame)

    async def hear(self, *kinds, where=lambda frame: True):
        """Return the next frame of one of these kinds.

        Raises:
            Ended: the service closed the socket.

        """
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    data = await self.websocket.recv()
                except ConnectionClosed as closed:
                    frame = closed.rcvd or Close(1006, "")  # gone without a word
                    self.heard.append(frame.reason.encode())
                    raise Ended(frame.code, frame.reason.partition(":")[0]) from None
                self.heard.append(data)
                frame = self._decode(data)
                body = frame.frame if isinstance(frame, hocuspocus.Addressed) else frame
                if isinstance(body, kinds) and where(body):
                    return body

    async def end(self):
        """Return the close code and our code, once the service has closed."""
        try:
            await self.hear()
        except Ended as ended:
            return ended.status, ended.code


class Stream:
    """A gRPC stream of SyncService."""

    def __init__(self, call):
        self.call, self.heard, self._frames = call, [], []
        self._ending = Ending(call)

    async def say(self, *frames):
        with suppress(grpc.aio.AioRpcError):  # whoever hears next is told
            await self.call.write(pb.ClientFrames(frames=frames))

    async def hear(self, *bodies, where=lambda frame: True):
        """Return the next frame with one of these bodies.

        Raises:
            Ended: the service ended the stream.

        """
        async with asyncio.timeout(PATIENCE_S):
            while True:
                while not self._frames:
                    await self._batch()
                frame = self._frames.pop(0)
                if frame.WhichOneof("body") in bodies and where(frame):
                    return frame

    async def end(self):
        """Return the status and our code, once the service has ended the stream."""
        try:
            await self.hear()
        except Ended as ended:
            return ended.status, ended.code

    async def _batch(self):
        try:
            batch = await self.call.read()
        except grpc.aio.AioRpcError:
            self.heard.append(bytes_of(self._ending.error))
            raise Ended(*self._ending.told) from None
        assert batch is not grpc.aio.EOF, "a stream ends with a reason"
        self.heard.append(batch.SerializeToString())
        self._frames = list(batch.frames)


@asynccontextmanager
async def sync_socket(running, document, token, *, query=""):
    """A y-websocket client's connection."""
    async with _dial(running.ws(f"/sync/{document}{query}"), token) as websocket:
        yield Socket(websocket, ysync.decode)


@asynccontextmanager
async def collab_socket(running):
    """A Hocuspocus provider's connection; tokens come in-band."""
    async with _dial(running.ws("/collab"), None) as websocket:
        yield Socket(websocket, hocuspocus.decode)


@asynccontextmanager
async def grpc_stream(running, token):
    """A stream of SyncService."""
    call = sync_pb2_grpc.SyncServiceStub(running.channel).Sync(metadata=metadata_of(token))
    try:
        yield Stream(call)
    finally:
        call.cancel()


def _dial(uri, token):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return connect(uri, additional_headers=headers, max_size=None, close_timeout=2)


def metadata_of(token):
    return (("authorization", f"Bearer {token}"),) if token else ()


def bytes_of(error):
    """Everything that a failed call told its caller."""
    told = [(error.details() or "").encode()]
    told += [value if isinstance(value, bytes) else value.encode() for _, value in error.trailing_metadata() or ()]
    return b"\n".join(told)


def open_frame(document):
    return pb.ClientFrame(document=document, open=pb.Open())


def update_frame(document, data, batch_id=BATCH):
    return pb.ClientFrame(document=document, update=pb.Update(data=data, batch_id=batch_id))


async def over_sync(running, document, token, edit, heard):
    """Open, read everything, write; return "write", "read", or the code of the refusal."""
    async with sync_socket(running, document, token) as socket:
        try:
            await socket.hear(ysync.Step1)
            await socket.say(ysync.encode_step1(b"\x00"), ysync.encode_query_awareness(), ysync.encode_update(edit))
            await socket.hear(ysync.Step2)
            answer = await socket.hear(ysync.Denied, ysync.Update, where=lambda frame: _concerns(frame, edit))
            return "write" if isinstance(answer, ysync.Update) else _read_only(answer.reason.partition(":")[0])
        except Ended as ended:
            return ended.code
        finally:
            heard += socket.heard


async def over_collab(running, document, token, edit, heard):
    """The same with a Hocuspocus provider."""
    address = document.encode()
    async with collab_socket(running) as socket:
        try:
            await socket.say(hocuspocus.encode_token(address, token or ""))
            opened = await socket.hear(hocuspocus.Authenticated, hocuspocus.PermissionDenied)
            if isinstance(opened, hocuspocus.PermissionDenied):
                return opened.reason.partition(":")[0]
            await socket.say(
                hocuspocus.encode_step1(address, b"\x00"),
                hocuspocus.encode_query_awareness(address),
                hocuspocus.encode_update(address, edit),
            )
            await socket.hear(ysync.Step2)
            accepted = (await socket.hear(hocuspocus.SyncStatus)).accepted
            assert accepted is not opened.read_only, "what was said at the opening is done"
        except Ended as ended:
            return ended.code
        else:
            return "write" if accepted else "read"
        finally:
            heard += socket.heard


async def over_grpc(running, document, token, edit, heard):
    """The same over a gRPC stream."""
    async with grpc_stream(running, token) as stream:
        try:
            await stream.say(open_frame(document))
            opened = await stream.hear("opened", "closed")
            if opened.WhichOneof("body") == "closed":
                return opened.closed.code
            await stream.say(pb.ClientFrame(document=document, step1=b"\x00"), update_frame(document, edit))
            await stream.hear("step2")
            ack = (await stream.hear("ack")).ack
            assert opened.opened.read_only is (ack.status != pb.ACK_STATUS_OK)
            return _read_only(ack.code) if ack.code else "write"
        except Ended as ended:
            return ended.code or str(ended.status)  # a status without our code says who else ended it
        finally:
            heard += stream.heard


async def hear_socket(running, token, until, heard):
    """Hear every event there is up to a position, over a WebSocket; or return the code of the refusal."""
    events = []
    async with _dial(running.ws("/events?after=0"), token) as websocket:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not events or int(events[-1]["position"]) < until:
                    text = await websocket.recv()
                    heard.append(text.encode())
                    events.append(json.loads(text))
        except ConnectionClosed as closed:
            heard.append(closed.rcvd.reason.encode())
            return closed.rcvd.reason.partition(":")[0]
    return [event for event in events if "specversion" in event]


async def hear_stream(running, token, until, heard):
    """The same as server-sent events."""
    events, position, headers = [], 0, {"authorization": f"Bearer {token}"} if token else {}
    async with running.http.stream("GET", "/events?after=0", headers=headers, timeout=PATIENCE_S) as answer:
        if answer.is_error:
            heard.append(await answer.aread())
            return answer.json()["code"]
        async for line in answer.aiter_lines():
            heard.append(line.encode())
            name, _, value = line.partition(": ")
            if name == "id":
                position = int(value)
            elif name == "data":
                events.append(json.loads(value))
            elif not line and position >= until:
                break
    return events


async def hear_watch(running, token, until, heard):
    """The same over gRPC. A page that ends at the last event says so in its position."""
    call, events = events_pb2_grpc.EventServiceStub(running.channel).Watch(metadata=metadata_of(token)), []
    ending = Ending(call)
    try:
        await call.write(events_pb2.WatchRequest(after_position=0))
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = await call.read()
                heard.append(answer.SerializeToString())
                events += [json.loads(text) for text in answer.events]
                if answer.position >= until:
                    return events
    except grpc.aio.AioRpcError:
        heard.append(bytes_of(ending.error))
        return ending.told[1]
    finally:
        call.cancel()


async def hear_webhook(running, token, until, heard):
    """The same as a receiver that somebody subscribes."""
    path, headers = f"/{uuid.uuid4()}", {"authorization": f"Bearer {token}"} if token else {}
    body = {"url": running.receiver.origin + path, "after": "0"}
    answer = await running.http.post("/api/webhooks", json=body, headers=headers)
    heard.append(answer.content)
    if answer.status_code != 201:
        return answer.json()["code"]
    id_ = answer.json()["id"]
    await wait_until(lambda: _has_sent(running.service._couriers, id_, until), PATIENCE_S)
    await running.http.delete(f"/api/webhooks/{id_}", headers=headers)
    received = running.receiver.at(path)
    heard += [request.body for request in received]
    return sorted((json.loads(request.body) for request in received), key=lambda event: int(event["position"]))


def _has_sent(couriers, id_, until):
    if id_ not in couriers._running:
        return False
    courier = couriers._running[id_].courier
    return courier._watch is not None and courier._watch.position >= until and not courier._unsent


WATCHES = {"events": hear_socket, "stream": hear_stream, "watch": hear_watch, "webhook": hear_webhook}
WIRES = {"sync": over_sync, "collab": over_collab, "grpc": over_grpc}


def _concerns(frame, edit):
    return isinstance(frame, ysync.Denied) or frame.update == edit


def _read_only(code):
    return "read" if code == "read_only" else code

"""A receiver of webhooks on loopback, which keeps what it was sent and answers as a test says."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Received:
    path: str
    headers: dict
    body: bytes


@dataclass
class Receiver:
    """`status` is what a request is answered with, None for nothing at all; `received` is all that came."""

    port: int = 0
    received: list = field(default_factory=list)
    status: object = field(default=lambda request: 204)
    connections: dict = field(default_factory=dict)  # its writer and its task

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.port}"

    def at(self, path):
        return [request for request in self.received if request.path == path]

    async def serve(self, reader, writer):
        self.connections[writer] = asyncio.current_task()
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                body = await reader.readexactly(int(headers["content-length"]))
                request = Received(first.split()[1], headers, body)
                self.received.append(request)
                status = self.status(request)
                if status is None:
                    await reader.read()
                    return
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the sender has gone
        finally:
            writer.close()
            del self.connections[writer]


@asynccontextmanager
async def receiving():
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver
        connections = dict(receiver.connections)
        for writer in connections:
            writer.transport.abort()
        await asyncio.gather(*connections.values())

"""A whole gateway for tests: real HTTP on loopback, real SQLite, real gRPC to a fake service."""

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn

from gateway.accounts import WeChatAccount
from gateway.bootstrap import Gateway
from gateway.settings import GatewaySettings
from gateway.widget.transport import VisitorTransport
from tests.gateway.fakes import FixedChance, HeldClock, SteppingClock
from tests.gateway.platform import T5, T5_NOW_S, Post

TOKEN = "the gateway's own token"
NO_SERVICE = 1  # a port of loopback on which nobody listens


def account(**changes: object) -> WeChatAccount:
    given = {
        "account": "shop",
        "app_id": T5["app_id"],
        "token": lambda: T5["token"],
        "aes_key": lambda: T5["aes_key"],
    }
    return WeChatAccount(**(given | changes))


def settings(data: Path, core_port: int, **changes: object) -> GatewaySettings:
    given = {
        "core": f"127.0.0.1:{core_port}",
        "core_token": lambda: TOKEN,
        "data": data,
        "accounts": (account(),),
        "call_timeout_ms": 100 if core_port == NO_SERVICE else 10_000,
    }
    return GatewaySettings(**(given | changes))


@dataclass
class Rig:
    gateway: Gateway
    client: httpx.AsyncClient
    clock: SteppingClock | HeldClock
    data: Path

    async def post(self, post: Post, name: str = "shop") -> httpx.Response:
        return await self.client.post(f"/channels/{name}", params=post.query, content=post.body, headers=post.headers)

    async def forwarded(self) -> None:
        async with asyncio.timeout(20):
            await self.gateway.forwarder.idle()

    @property
    def url(self) -> str:
        return str(self.client.base_url)

    def rows(self, columns: str) -> list[tuple[object, ...]]:
        return rows(self.data, columns)


def rows(data: Path, columns: str) -> list[tuple[object, ...]]:
    """What stands in the inbox, read past the gateway."""
    with closing(sqlite3.connect(data / "inbox.db")) as connection:
        return connection.execute(f"SELECT {columns} FROM inbox ORDER BY id").fetchall()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class _PromptServer(uvicorn.Server):
    """uvicorn's looks every tenth of a second whether it is to end, and whether it has."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready, self.over = asyncio.Event(), asyncio.Event()

    def capture_signals(self) -> AbstractContextManager[None]:
        """Leave them to pytest."""
        return nullcontext()

    async def main_loop(self) -> None:
        await self.on_tick(0)  # which makes the headers of every answer
        self.ready.set()
        await self.over.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in [*self.servers, *(sockets or ())]:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - neither has an event
            await asyncio.sleep(0.001)
        for server in self.servers:
            await server.wait_closed()


@asynccontextmanager
async def serving(app: object) -> AsyncIterator[str]:
    """An application behind a real uvicorn; its address."""
    config = uvicorn.Config(app, access_log=False, log_level="warning", lifespan="off", ws=VisitorTransport)
    server = _PromptServer(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as uvloop has it, which the gateway runs on
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await server.ready.wait()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.over.set()
            await task


@asynccontextmanager
async def http(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway's app behind a real uvicorn."""
    async with serving(gateway.app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        yield client


@asynccontextmanager
async def running(
    data: Path, core_port: int, *, clock: SteppingClock | HeldClock | None = None, **changes: object
) -> AsyncIterator[Rig]:
    clock = clock or SteppingClock(T5_NOW_S)
    gateway = Gateway(settings(data, core_port, **changes), clock=clock, chance=FixedChance())
    async with http(gateway) as client:
        await gateway.start()
        try:
            yield Rig(gateway, client, clock, data)
        finally:
            await gateway.stop()

"""A visitor's page without a browser: the widget's protocol, spoken by websockets."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gateway.accounts import WebAccount
from gateway.channels.web import Web
from tests.gateway.platform import T5_NOW_S

SECRET = "a secret of thirty-two bytes, or more"
PAGE = "https://shop.example"
VISITOR = "0" * 31 + "1"
SUBPROTOCOL = "crdt-sync-widget.v1"


def web_account(**changes: object) -> WebAccount:
    given = {"channel": "web", "account": "site", "secret": lambda: SECRET, "origins": (PAGE,)}
    return WebAccount(**(given | changes))


def visitor_token(
    issued_s: int = T5_NOW_S, *, visitor: str = VISITOR, account: str = "site", secret: str = SECRET
) -> str:
    return Web(account, (secret,)).issue(visitor, now_ms=issued_s * 1000)


@dataclass
class Answer:
    """What a frame came to, as an HTTP status would say it."""

    status_code: int
    content: str = ""


@dataclass
class Page:
    """One socket."""

    socket: ClientConnection
    heard: list[str] = field(default_factory=list)

    async def say(self, frame: dict | str) -> None:
        await self.socket.send(frame if isinstance(frame, str) else json.dumps(frame))

    async def hello(self, token: str = "", last_seq: int = 0) -> dict:
        await self.say({"t": "hello", "token": token, "last_seq": last_seq})
        return await self.hear("welcome")

    async def hear(self, *kinds: str) -> dict:
        """The next frame of one of these kinds, all others passed over."""
        async with asyncio.timeout(20):
            while True:
                self.heard.append(await self.socket.recv())
                frame = json.loads(self.heard[-1])
                if frame["t"] in kinds:
                    return frame

    async def closed(self) -> tuple[int, str]:
        """The code and the reason of the end."""
        try:
            async with asyncio.timeout(20):
                while True:
                    self.heard.append(await self.socket.recv())
        except ConnectionClosed as end:
            return end.rcvd.code, end.rcvd.reason

    async def delivered(self, frame: str) -> Answer:
        """Say it after the hello, and hear what becomes of it."""
        try:
            await self.say(frame)
            heard = await self.hear("ack", "refused", "busy")
        except ConnectionClosed as end:
            return Answer({4401: 401, 4413: 413, 1009: 413}.get(end.rcvd.code, 500), end.rcvd.reason)
        return Answer(503 if heard["t"] == "busy" else 200)


@asynccontextmanager
async def page(
    url: str, *, origin: str | None = PAGE, token: str | None = None, last_seq: int = 0, site: str = "site", **options
):
    """A page; with a token (or an empty one, for somebody new) it has said its hello."""
    address = f"{url.replace('http', 'ws', 1)}/widget/{site}"
    given = {"subprotocols": [SUBPROTOCOL], "proxy": None, "max_size": None} | options
    async with connect(address, origin=origin, **given) as socket:
        found = Page(socket)
        if token is not None:
            with suppress(ConnectionClosed):  # refused for more than its token; `closed` says so
                await found.say({"t": "hello", "token": token, "last_seq": last_seq})
        yield found

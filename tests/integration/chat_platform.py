"""Two chat platforms with their customers: what they send, when they send it again, and what they believe was taken.

WeChat posts each message, waits five seconds for `success`, and tries three times; WeCom posts a hint in the same
manner and keeps the messages until they are pulled. wechatpy encrypts and signs; nothing of the gateway's code makes a
callback. A customer writes once a second, whatever becomes of what he wrote before, so a message whose attempts take
long is overtaken as it would be in life.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.gateway import Platform
from crdt_sync.cli import wechat_customer
from tests.gateway import wecom_server
from tests.gateway.rig import serving

TRIES = 3
PATIENCE_S = 5.0
WECHAT, WECOM, SOURCE = wechat_customer.ACCOUNT, "kf", "kf1"
SETTINGS = {
    "TEST_WECHAT_TOKEN": wechat_customer.TOKEN,
    "TEST_WECHAT_AES_KEY": wechat_customer.AES_KEY,
    "TEST_WECOM_TOKEN": wecom_server.TOKEN,
    "TEST_WECOM_AES_KEY": wecom_server.AES_KEY,
    "TEST_SECRET": wecom_server.SECRET,
}


@dataclass(slots=True)
class Written:
    """One message of a customer, as its platform sees it. Times are of a monotonic clock; None is never."""

    conversation: str
    text: str
    sent_s: float
    acked_s: float | None = None


@dataclass
class ChatPlatform:
    """Both platforms. `patience_s` is how long an attempt may take; the real one is the default."""

    port: int
    customers: Mapping[str, int]  # how many write to each account
    patience_s: float = PATIENCE_S
    written: list[Written] = field(default_factory=list)
    shown: Counter[str] = field(default_factory=Counter)  # each answer's text, as often as its customer saw it
    attempts: int = 0

    def __post_init__(self) -> None:
        self.url = ""
        self._began_s = int(time.time())
        self._sent_ids: set[str] = set()
        self._kept: list[dict[str, object]] = []
        self._numbers = itertools.count(1)
        self._stopping = False
        self._posts = Platform(self.port)

    def accounts(self) -> list[Mapping[str, object]]:
        """What the gateway is told of its accounts."""
        secrets = {"token": "env:TEST_WECHAT_TOKEN", "aes_key": "env:TEST_WECHAT_AES_KEY"}
        kf = {"token": "env:TEST_WECOM_TOKEN", "aes_key": "env:TEST_WECOM_AES_KEY", "secret": "env:TEST_SECRET"}
        return [
            {"account": WECHAT, "app_id": wechat_customer.APP_ID, "app_secret": "env:TEST_SECRET", "api": self.url}
            | secrets,
            {"account": WECOM, "channel": "wecom", "corp_id": wecom_server.CORP_ID, "api": self.url} | kf,
        ]

    @property
    def kept(self) -> int:
        """How many messages WeCom has for whoever pulls."""
        return len(self._kept)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Run what the gateway calls."""
        routes = [
            Route("/cgi-bin/stable_token", self._token, methods=["POST"]),
            Route("/cgi-bin/gettoken", self._token),
            Route("/cgi-bin/message/custom/send", self._send, methods=["POST"]),
            Route("/cgi-bin/kf/send_msg", self._send, methods=["POST"]),
            Route("/cgi-bin/kf/sync_msg", self._sync, methods=["POST"]),
        ]
        async with serving(Starlette(routes=routes)) as self.url:
            try:
                yield
            finally:
                await self._posts.close()

    async def write(self) -> None:
        """Let every customer write until `stop`, and return when each message was taken or given up."""
        async with asyncio.TaskGroup() as tasks:
            for account, count in self.customers.items():
                for number in range(count):
                    tasks.create_task(self._customer(tasks, account, number, number / count))

    def stop(self) -> None:
        """Let nobody write any more."""
        self._stopping = True

    async def remind(self) -> None:
        """Send WeCom's hint once more, as it would with the next message."""
        await self._hint()

    async def _customer(self, tasks: asyncio.TaskGroup, account: str, customer: int, offset_s: float) -> None:
        due_s = time.monotonic() + offset_s
        for number in itertools.count(1):
            await asyncio.sleep(due_s - time.monotonic())
            due_s += 1
            if self._stopping:
                return
            openid = f"{account}-{customer}"
            written = Written(openid, f"customer {openid} text {number}", time.monotonic())
            self.written.append(written)
            platform = self._wechat if account == WECHAT else self._wecom
            # The platform's times have seconds, so they are of the schedule: two of a customer are never the same.
            tasks.create_task(platform(written, self._began_s + number))

    async def _wechat(self, written: Written, now_s: int) -> None:
        post = wechat_customer.callback(
            openid=written.conversation, text=written.text, message_id=next(self._numbers), now_s=now_s
        )
        if await self._tried(wire(WECHAT, post.query, post.body.encode())):
            written.acked_s = time.monotonic()

    async def _wecom(self, written: Written, now_s: int) -> None:
        """It is WeCom's from here on, and is given to whoever pulls: nothing else is needed."""
        said = {"text": {"content": written.text}, "send_time": now_s, "open_kfid": SOURCE}
        self._kept.append(wecom_server.message(next(self._numbers), written.conversation, **said))
        written.acked_s = time.monotonic()
        await self._hint()

    async def _hint(self) -> None:
        post = wecom_server.hint(SOURCE, now_s=int(time.time()), nonce=f"n{next(self._numbers)}")
        await self._tried(wire(WECOM, post.query, post.body))

    async def _tried(self, request: bytes) -> bool:
        """Whether one of the attempts was answered in time, and with a 200."""
        for _ in range(TRIES):
            self.attempts += 1
            until_s = time.monotonic() + self.patience_s
            try:
                async with asyncio.timeout(self.patience_s):
                    if await self._posts.post(request) == 200:
                        return True
            except (OSError, EOFError, TimeoutError):
                pass
            await asyncio.sleep(until_s - time.monotonic())
        return False

    async def _token(self, _request: Request) -> JSONResponse:
        return JSONResponse({"errcode": 0, "access_token": "token", "expires_in": 7200})

    async def _send(self, request: Request) -> JSONResponse:
        body = await request.json()
        id_ = body.get("msgid", "")
        if id_ not in self._sent_ids:  # WeCom shows what has one id once; WeChat knows no such id
            self.shown[body["text"]["content"]] += 1
        self._sent_ids |= {id_} - {""}
        return JSONResponse({"errcode": 0, "msgid": id_})

    async def _sync(self, request: Request) -> JSONResponse:
        body = await request.json()
        taken = int(body.get("cursor") or 0)
        until = min(taken + 100, len(self._kept))
        page = {"next_cursor": str(until), "has_more": int(until < len(self._kept))}
        return JSONResponse({"errcode": 0, "msg_list": self._kept[taken:until]} | page)


def wire(account: str, query: Mapping[str, str], body: bytes) -> bytes:
    """A POST as it stands on the wire."""
    head = f"POST /channels/{account}?{urlencode(query)} HTTP/1.1\r\nHost: gateway\r\n"
    return f"{head}Content-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

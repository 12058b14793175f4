"""DingTalk's side: signed POSTs, a stream that it opens for whoever asks, and its calls to answer, over real HTTP."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.accounts import DingTalkAccount
from tests.gateway.media_shelf import MediaShelf
from tests.gateway.platform import T5_NOW_S, Post
from tests.gateway.rig import serving

KEY, SECRET, ROBOT, CORP = "dingkey", "this is secret", "dingrobot", "dingcorp"
TOPIC = "/v1.0/im/bot/messages/get"


def dingtalk_account(api: str = "http://127.0.0.1:1", **changes: object) -> DingTalkAccount:
    given = {"channel": "dingtalk", "account": "robot", "client_id": KEY, "client_secret": lambda: SECRET}
    given |= {
        "robot_code": ROBOT,
        "corp_id": CORP,
        "api": api,
        "webhook_origins": [api],
        "media_origins": [api],
        "old_api": api,
    }
    return DingTalkAccount(**(given | changes))


def said(number: int, **changes: object) -> dict[str, object]:
    """A message as DingTalk tells it."""
    given = {
        "conversationId": "cid1==",
        "conversationType": "1",
        "chatbotCorpId": CORP,
        "robotCode": ROBOT,
        "msgId": f"msg{number}",
        "createAt": T5_NOW_S * 1000,
        "senderId": "$:LWCP_v1:$one",
        "senderStaffId": "staff1",
        "senderNick": "张三",
        "msgtype": "text",
        "text": {"content": f"text {number}"},
    }
    return {name: value for name, value in (given | changes).items() if value is not None}


def signed(body: bytes, *, now_s: float = T5_NOW_S, secret: str = SECRET) -> Post:
    """A POST as the published rule signs it; written apart from the code that verifies it."""
    timestamp = str(round(now_s * 1000))
    mac = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256)
    return Post({}, body, {"timestamp": timestamp, "sign": base64.b64encode(mac.digest()).decode()})


class DingTalkServer:
    """Opens streams and takes sends. `answers` are whole responses, used up one a send."""

    def __init__(self) -> None:
        self.url = ""
        self.streams: asyncio.Queue[WebSocket] = asyncio.Queue()
        self.acks: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self.opened: list[dict[str, object]] = []
        self.refuse_opening = 0
        self.tokens = 0
        self.sends: list[tuple[str, dict[str, object]]] = []
        self.answers: deque[Response] = deque()
        self.shelf = MediaShelf()
        self.download_url: str | None = None  # what a code is exchanged for, if not for an address here

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        routes = [
            Route("/v1.0/gateway/connections/open", self._open, methods=["POST"]),
            Route("/v1.0/oauth2/accessToken", self._token, methods=["POST"]),
            Route("/v1.0/robot/oToMessages/batchSend", self._send, methods=["POST"]),
            Route("/v1.0/robot/groupMessages/send", self._send, methods=["POST"]),
            Route("/robot/sendBySession", self._webhook, methods=["POST"]),
            Route("/v1.0/robot/messageFiles/download", self._address, methods=["POST"]),
            Route("/files/{name}", self._file),
            Route("/media/upload", self._upload, methods=["POST"]),
            WebSocketRoute("/connect", self._stream),
        ]
        async with serving(Starlette(routes=routes)) as self.url:
            yield self.url

    async def push(self, frame: dict[str, object], stream: WebSocket) -> dict[str, object]:
        """Send one frame; the answer to it."""
        await stream.send_text(json.dumps(frame))
        async with asyncio.timeout(20):
            return await self.acks.get()

    async def stream(self) -> WebSocket:
        """The next stream that somebody opened."""
        async with asyncio.timeout(20):
            return await self.streams.get()

    async def _open(self, request: Request) -> Response:
        body = await request.json()
        assert (KEY, SECRET) == (body["clientId"], body["clientSecret"])
        self.opened.append(body)
        if self.refuse_opening:
            self.refuse_opening -= 1
            return JSONResponse({"code": "ServiceUnavailable"}, 500)
        return JSONResponse({"endpoint": self.url.replace("http", "ws") + "/connect", "ticket": "a ticket/+"})

    async def _stream(self, socket: WebSocket) -> None:
        assert "a ticket/+" == socket.query_params["ticket"]
        await socket.accept()
        await self.streams.put(socket)
        try:
            while True:
                await self.acks.put(json.loads(await socket.receive_text()))
        except WebSocketDisconnect:
            return

    async def _token(self, request: Request) -> Response:
        assert {"appKey": KEY, "appSecret": SECRET} == await request.json()
        self.tokens += 1
        return JSONResponse({"accessToken": f"token-{self.tokens}", "expireIn": 7200})

    async def _send(self, request: Request) -> Response:
        if request.headers["x-acs-dingtalk-access-token"] != f"token-{self.tokens}":
            return JSONResponse({"code": "InvalidAuthentication", "message": "scripted"}, 401)
        return await self._taken(request, JSONResponse({"processQueryKey": "key1"}))

    async def _address(self, request: Request) -> Response:
        body = await request.json()
        assert ROBOT == body["robotCode"]
        if request.headers["x-acs-dingtalk-access-token"] != f"token-{self.tokens}":
            return JSONResponse({"code": "InvalidAuthentication", "message": "scripted"}, 401)
        here = f"{self.url}/files/{body['downloadCode']}?Expires=1"
        return JSONResponse({"downloadUrl": here if self.download_url is None else self.download_url})

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        return await self.shelf.give(name) if name in self.shelf.kept else Response(status_code=404)

    async def _upload(self, request: Request) -> Response:
        if request.query_params["access_token"] != f"token-{self.tokens}":
            return JSONResponse({"errcode": 40014, "errmsg": "invalid access_token"})
        return await self.shelf.take(request)

    async def _webhook(self, request: Request) -> Response:
        return await self._taken(request, JSONResponse({"errcode": 0, "errmsg": "ok"}))

    async def _taken(self, request: Request, answer: Response) -> Response:
        self.sends.append((request.url.path, await request.json()))
        return self.answers.popleft() if self.answers else answer


def frame(data: object, *, number: int = 1, kind: str = "CALLBACK", topic: str = TOPIC) -> dict[str, object]:
    headers = {"appId": "app", "connectionId": "c", "contentType": "application/json", "messageId": f"frame{number}"}
    headers |= {"time": str(T5_NOW_S * 1000), "topic": topic}
    return {"specVersion": "1.0", "type": kind, "headers": headers, "data": data}


def call(number: int, **changes: object) -> dict[str, object]:
    """The frame of a message."""
    return frame(json.dumps(said(number, **changes)), number=number)

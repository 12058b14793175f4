"""Three platforms' group robots over real HTTP: each checks what its documents say, by code of its own."""

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
from starlette.routing import Route

from gateway.accounts import DingTalkGroupAccount, FeishuGroupAccount, WeComGroupAccount
from tests.gateway.rig import serving

TOKEN, KEY, HOOK, SECRET = "a token/+", "a-key", "a hook", "this is secret"


def dingtalk_group(api: str = "http://127.0.0.1:1", **changes: object) -> DingTalkGroupAccount:
    given = {"channel": "dingtalk-group", "account": "ding-office", "api": api}
    given |= {"access_token": lambda: TOKEN, "secret": lambda: SECRET}
    return DingTalkGroupAccount(**(given | changes))


def wecom_group(api: str = "http://127.0.0.1:1", **changes: object) -> WeComGroupAccount:
    given = {"channel": "wecom-group", "account": "wecom-office", "api": api, "key": lambda: KEY}
    return WeComGroupAccount(**(given | changes))


def feishu_group(api: str = "http://127.0.0.1:1", **changes: object) -> FeishuGroupAccount:
    given = {"channel": "feishu-group", "account": "feishu-office", "api": api}
    given |= {"hook": lambda: HOOK, "secret": lambda: SECRET}
    return FeishuGroupAccount(**(given | changes))


class GroupServer:
    """Shows what its robots said. `answers` are whole responses, used up one a message, which is not shown then."""

    def __init__(self) -> None:
        self.url = ""
        self.shown: list[tuple[str, str]] = []
        self.answers: deque[Response] = deque()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        routes = [
            Route("/robot/send", self._dingtalk, methods=["POST"]),
            Route("/cgi-bin/webhook/send", self._wecom, methods=["POST"]),
            Route("/open-apis/bot/v2/hook/{hook}", self._feishu, methods=["POST"]),
        ]
        async with serving(Starlette(routes=routes)) as self.url:
            yield self.url

    def texts(self, channel: str) -> list[str]:
        return [text for shown, text in self.shown if shown == channel]

    async def _dingtalk(self, request: Request) -> Response:
        query = request.query_params
        mac = hmac.new(SECRET.encode(), f"{query['timestamp']}\n{SECRET}".encode(), hashlib.sha256)
        if query["access_token"] != TOKEN or query["sign"] != base64.b64encode(mac.digest()).decode():
            return JSONResponse({"errcode": 310000, "errmsg": "sign not match"})
        body = await _json(request)
        assert "text" == body["msgtype"]
        return self._show("dingtalk-group", body["text"]["content"], {"errcode": 0, "errmsg": "ok"})

    async def _wecom(self, request: Request) -> Response:
        if dict(request.query_params) != {"key": KEY}:
            return JSONResponse({"errcode": 93000, "errmsg": "invalid webhook url"})
        body = await _json(request)
        assert "text" == body["msgtype"]
        assert 2_048 >= len(body["text"]["content"].encode())
        return self._show("wecom-group", body["text"]["content"], {"errcode": 0, "errmsg": "ok"})

    async def _feishu(self, request: Request) -> Response:
        body = await _json(request)
        mac = hmac.new(f"{body['timestamp']}\n{SECRET}".encode(), digestmod=hashlib.sha256)
        if request.path_params["hook"] != HOOK or body["sign"] != base64.b64encode(mac.digest()).decode():
            return JSONResponse({"code": 19021, "msg": "sign match fail or timestamp is not within one hour"}, 400)
        assert "text" == body["msg_type"]
        return self._show("feishu-group", body["content"]["text"], {"code": 0, "msg": "success", "data": {}})

    def _show(self, channel: str, text: str, answer: dict[str, object]) -> Response:
        if self.answers:
            return self.answers.popleft()
        self.shown.append((channel, text))
        return JSONResponse(answer)


async def _json(request: Request) -> dict[str, object]:
    body = json.loads(await request.body())
    assert isinstance(body, dict)
    return body

"""WeChat's side of an answer: tokens, and `custom/send` with its errors, over real HTTP."""

import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.gateway.media_shelf import MediaShelf
from tests.gateway.platform import T5
from tests.gateway.rig import serving

SECRET = "the secret of the app"


class WeChatServer:
    """Takes each send. `answers` are error codes or whole responses, used up one a send.

    As `stable_token` does, it grants the same token until somebody takes it back.
    """

    def __init__(self) -> None:
        self.answers: deque[int | Response] = deque()
        self.live = 1
        self.asked_for_token = 0
        self.no_token = False
        self.sends: list[dict[str, object]] = []
        self.bodies: list[bytes] = []
        self.shelf = MediaShelf()
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        routes = [
            Route("/cgi-bin/stable_token", self._stable_token, methods=["POST"]),
            Route("/cgi-bin/message/custom/send", self._send, methods=["POST"]),
            Route("/cgi-bin/media/get", self._media_get),
            Route("/cgi-bin/media/upload", self._media_upload, methods=["POST"]),
            Route("/vweixinp.tc.qq.com/{name}", self._video),
        ]
        async with serving(Starlette(routes=routes)) as self.url:
            yield self.url

    async def _stable_token(self, request: Request) -> Response:
        expected = {"grant_type": "client_credential", "appid": T5["app_id"], "secret": SECRET}
        assert expected == await request.json()
        self.asked_for_token += 1
        if self.no_token:
            return JSONResponse({"errcode": 40164, "errmsg": "invalid ip"})
        return JSONResponse({"access_token": f"token-{self.live}", "expires_in": 7200})

    async def _media_get(self, request: Request) -> Response:
        if request.query_params["access_token"] != f"token-{self.live}":
            return JSONResponse({"errcode": 40001, "errmsg": "invalid credential"})
        name = request.query_params["media_id"]
        if name.startswith("video-") and name in self.shelf.kept:
            return JSONResponse({"video_url": f"{self.url}/vweixinp.tc.qq.com/{name}?vkey=1"})
        return await self.shelf.give(name)

    async def _video(self, request: Request) -> Response:
        return await self.shelf.give(request.path_params["name"])

    async def _media_upload(self, request: Request) -> Response:
        if request.query_params["access_token"] != f"token-{self.live}":
            return JSONResponse({"errcode": 40001, "errmsg": "invalid credential"})
        return await self.shelf.take(request)

    async def _send(self, request: Request) -> Response:
        if request.query_params["access_token"] != f"token-{self.live}":
            return JSONResponse({"errcode": 40001, "errmsg": "invalid credential"})
        body = await request.body()
        self.bodies.append(body)
        self.sends.append(json.loads(body))
        answer = self.answers.popleft() if self.answers else 0
        return answer if isinstance(answer, Response) else JSONResponse({"errcode": answer, "errmsg": "scripted"})

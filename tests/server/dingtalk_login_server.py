"""DingTalk's side of a sign-in over real HTTP, as its documents say, written apart from what is tested."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.gateway.rig import serving

KEY, SECRET, CORP = "dingdesk", "this is secret", "dingcorp"


class DingTalkLoginServer:
    """One person who signs in: `person` is what the directory knows, `corp` the organisation that was chosen."""

    def __init__(self) -> None:
        self.corp = CORP
        self.person = {"userid": "manager4220", "contact_type": 0, "dept_id_list": [1, 4711], "name": "王小毛"}
        self.strange = False
        self._codes: set[str] = set()
        self._given = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        routes = [
            Route("/oauth2/auth", self._authorize),
            Route("/v1.0/oauth2/userAccessToken", self._user_token, methods=["POST"]),
            Route("/v1.0/oauth2/accessToken", self._app_token, methods=["POST"]),
            Route("/v1.0/contact/users/me", self._me),
            Route("/topapi/user/getbyunionid", self._by_union_id, methods=["POST"]),
            Route("/topapi/v2/user/get", self._get, methods=["POST"]),
        ]
        async with serving(Starlette(routes=routes)) as url:
            yield url

    async def _authorize(self, request: Request) -> Response:
        asked = request.query_params
        assert ("code", KEY, "openid corpid", "consent") == tuple(
            asked[name] for name in ("response_type", "client_id", "scope", "prompt")
        )
        self._given += 1
        self._codes.add(f"auth-{self._given}")
        return RedirectResponse(f"{asked['redirect_uri']}?authCode=auth-{self._given}&state={asked['state']}", 302)

    async def _user_token(self, request: Request) -> Response:
        body = await request.json()
        assert (KEY, SECRET, "authorization_code") == (body["clientId"], body["clientSecret"], body["grantType"])
        if body["code"] not in self._codes:
            return JSONResponse({"code": "invalidParameter.authCode.notFound", "message": "scripted"}, 400)
        self._codes.remove(body["code"])
        return JSONResponse({"accessToken": "of-user", "refreshToken": "r", "expireIn": 7200, "corpId": self.corp})

    async def _me(self, request: Request) -> Response:
        assert "of-user" == request.headers["x-acs-dingtalk-access-token"]
        return JSONResponse({"nick": "小毛", "unionId": "z21HjQliSzpw0Yxxxx", "openId": "123"})

    async def _app_token(self, request: Request) -> Response:
        assert {"appKey": KEY, "appSecret": SECRET} == await request.json()
        return JSONResponse({"accessToken": "of-app", "expireIn": 7200})

    async def _by_union_id(self, request: Request) -> Response:
        assert "of-app" == request.query_params["access_token"]
        assert {"unionid": "z21HjQliSzpw0Yxxxx"} == await request.json()
        if self.strange:
            return JSONResponse({"errcode": 60121, "errmsg": "找不到该用户"})
        return self._told("contact_type", "userid")

    async def _get(self, request: Request) -> Response:
        assert "of-app" == request.query_params["access_token"]
        assert {"userid": self.person["userid"]} == await request.json()
        return self._told("userid", "dept_id_list", "name")

    def _told(self, *names: str) -> Response:
        return JSONResponse({"errcode": 0, "errmsg": "ok", "result": {name: self.person[name] for name in names}})

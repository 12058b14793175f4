"""WeCom's side: signed and sealed hints, made by wechatpy, and a server that keeps messages until they are pulled."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from wechatpy.enterprise.crypto import WeChatCrypto

from gateway.accounts import WeComAccount
from tests.gateway.media_shelf import MediaShelf
from tests.gateway.platform import T5_NOW_S, Post
from tests.gateway.rig import serving

TOKEN, CORP_ID, SECRET = "QDG6eK", "wx5823bf96d3bd56c7", "the secret of the customer service"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"


def wecom_account(api: str = "http://127.0.0.1:1", **changes: object) -> WeComAccount:
    given = {"channel": "wecom", "account": "kf", "corp_id": CORP_ID, "api": api}
    given |= {"token": lambda: TOKEN, "aes_key": lambda: AES_KEY, "secret": lambda: SECRET}
    return WeComAccount(**(given | changes))


def sealed(content: str, *, now_s: int = T5_NOW_S, corp_id: str = CORP_ID, nonce: str = "nonce") -> Post:
    """The POST of a content, encrypted and signed by wechatpy."""
    body = WeChatCrypto(TOKEN, AES_KEY, corp_id).encrypt_message(content, nonce, str(now_s))
    signature = re.search(r"<MsgSignature><!\[CDATA\[(\w+)", body)[1]
    return Post({"msg_signature": signature, "timestamp": str(now_s), "nonce": nonce}, body.encode())


def hint(source: str = "kf1", *, token: str = "hint token", **changes: object) -> Post:
    return sealed(
        f"<xml><ToUserName><![CDATA[{CORP_ID}]]></ToUserName><CreateTime>{T5_NOW_S}</CreateTime>"
        "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[kf_msg_or_event]]></Event>"
        f"<Token><![CDATA[{token}]]></Token><OpenKfId><![CDATA[{source}]]></OpenKfId></xml>",
        **changes,
    )


def message(number: int, customer: str = "wm-1", **changes: object) -> dict[str, object]:
    """One element of `msg_list`: a customer's text."""
    given = {"msgid": f"m{number}", "open_kfid": "kf1", "external_userid": customer, "send_time": T5_NOW_S, "origin": 3}
    return given | {"msgtype": "text", "text": {"content": f"text {number}"}} | changes


class WeComServer:
    """Keeps the messages of each customer service; a cursor is how many of them were taken.

    `errors` are error codes, used up one a call of `sync_msg` or `send_msg`; `lives_s` is said of each token.
    """

    def __init__(self) -> None:
        self.messages: dict[str, list[object]] = {}
        self.page_max = 1_000
        self.errors: deque[int] = deque()
        self.lives_s = 7_200
        self.tokens = 0
        self.pulls: list[dict[str, object]] = []
        self.sent: dict[str, dict[str, object]] = {}
        self.attempts = 0
        self.shelf = MediaShelf()
        self.states: dict[str, int] = {}  # of customers' sessions; one may write in 0 and 1
        self.transfers: list[dict[str, object]] = []
        self.answers_states = asyncio.Event()  # cleared, it is silent when it is asked for one
        self.answers_states.set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Its address."""
        routes = [
            Route("/cgi-bin/gettoken", self._gettoken),
            Route("/cgi-bin/kf/sync_msg", self._sync_msg, methods=["POST"]),
            Route("/cgi-bin/kf/send_msg", self._send_msg, methods=["POST"]),
            Route("/cgi-bin/kf/service_state/get", self._get_state, methods=["POST"]),
            Route("/cgi-bin/kf/service_state/trans", self._trans_state, methods=["POST"]),
            Route("/cgi-bin/media/get", self._media_get),
            Route("/cgi-bin/media/upload", self._media_upload, methods=["POST"]),
        ]
        async with serving(Starlette(routes=routes)) as url:
            yield url

    async def _gettoken(self, request: Request) -> JSONResponse:
        assert (CORP_ID, SECRET) == (request.query_params["corpid"], request.query_params["corpsecret"])
        self.tokens += 1
        return JSONResponse(
            {"errcode": 0, "errmsg": "ok", "access_token": f"token-{self.tokens}", "expires_in": self.lives_s}
        )

    def _refusal(self, request: Request) -> JSONResponse | None:
        if request.query_params.get("access_token") != f"token-{self.tokens}":
            return JSONResponse({"errcode": 40014, "errmsg": "invalid access_token"})
        if self.errors and (code := self.errors.popleft()):
            return JSONResponse({"errcode": code, "errmsg": "scripted"})
        return None

    async def _sync_msg(self, request: Request) -> JSONResponse:
        body = await request.json()
        self.pulls.append(body)
        if refusal := self._refusal(request):
            return refusal
        kept = self.messages.get(body["open_kfid"], [])
        taken = int(body.get("cursor") or 0)
        until = min(taken + min(self.page_max, body["limit"]), len(kept))
        page = {"next_cursor": str(until), "has_more": int(until < len(kept)), "msg_list": kept[taken:until]}
        return JSONResponse({"errcode": 0, "errmsg": "ok"} | page)

    async def _media_get(self, request: Request) -> Response:
        return self._refusal(request) or await self.shelf.give(request.query_params["media_id"])

    async def _media_upload(self, request: Request) -> Response:
        return self._refusal(request) or await self.shelf.take(request)

    async def _send_msg(self, request: Request) -> JSONResponse:
        body = await request.json()
        self.attempts += 1
        if refusal := self._refusal(request):
            return refusal
        if self.states.get(body["touser"], 0) > 1:
            return JSONResponse({"errcode": 95018, "errmsg": "invalid service state"})
        self.sent.setdefault(body["msgid"], body)
        return JSONResponse({"errcode": 0, "errmsg": "ok", "msgid": body["msgid"]})

    async def _get_state(self, request: Request) -> JSONResponse:
        body = await request.json()
        await self.answers_states.wait()
        told = {"errcode": 0, "errmsg": "ok", "service_state": self.states.get(body["external_userid"], 0)}
        return self._refusal(request) or JSONResponse(told)

    async def _trans_state(self, request: Request) -> JSONResponse:
        body = await request.json()
        self.transfers.append(body)
        if refusal := self._refusal(request):
            return refusal
        self.states[body["external_userid"]] = body["service_state"]
        return JSONResponse({"errcode": 0, "errmsg": "ok"})

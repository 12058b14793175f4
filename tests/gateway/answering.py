"""A platform that takes answers over real HTTP, and a sender for it that knows nothing of the gateway's own."""

import asyncio
from collections import deque
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.outbound import Dead, Limits, Outcome, RetryLater, Sent, Unknown, WindowClosed
from tests.gateway.rig import serving

IMPATIENCE_S = 0.2


class Platform:
    """Shows each text to its customer. `script` are statuses, or `None` for no answer, used up one a request.

    While `gate` is closed, it has shown what it was sent and does not answer yet.
    """

    def __init__(self) -> None:
        self.shown: list[tuple[str, str]] = []
        self.asked: list[str] = []
        self.script: deque[int | None] = deque()
        self.retry_after_ms = 1
        self.gate = asyncio.Event()
        self.gate.set()

    @asynccontextmanager
    async def serving(self):
        async with serving(Starlette(routes=[Route("/send", self._send, methods=["POST"])])) as url:
            yield url

    async def _send(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body["text"])
        status = self.script.popleft() if self.script else 200
        if status == 200 or status is None:
            self.shown.append((body["to"], body["text"]))
        if status is None:
            await asyncio.sleep(IMPATIENCE_S * 3)
            return Response(status_code=504)
        await self.gate.wait()
        return JSONResponse({"id": f"p{len(self.shown)}", "retry_after_ms": self.retry_after_ms}, status)


class HttpSender:
    """The sending side of one account on it."""

    account = "shop"

    def __init__(self, url: str, *, has_idempotency: bool = False, limits: Limits | None = None) -> None:
        self.has_idempotency = has_idempotency
        self.limits = limits or Limits()
        self.at_once: set[str] = set()  # conversations that are being answered
        self.patience_s = 20.0
        self._client = httpx.AsyncClient(base_url=url, trust_env=False)

    async def send(self, delivery) -> Outcome:
        assert delivery.conversation not in self.at_once, "one of a conversation at a time"
        self.at_once.add(delivery.conversation)
        try:
            body = {"to": delivery.conversation, "text": delivery.part.text}
            answer = await self._client.post("/send", json=body, timeout=httpx.Timeout(20, read=self.patience_s))
        except httpx.ConnectError:
            return RetryLater("connect", 1)
        except httpx.HTTPError:
            return Unknown("no_answer")
        finally:
            self.at_once.discard(delivery.conversation)
        match answer.status_code:
            case 200:
                return Sent(answer.json()["id"])
            case 429 | 503:
                return RetryLater("busy", answer.json()["retry_after_ms"])
            case 410:
                return WindowClosed("window")
            case _:
                return Dead("refused")

    async def close(self) -> None:
        await self._client.aclose()

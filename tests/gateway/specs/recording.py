"""A platform that writes down what it is asked, over real HTTP, and answers as it was told to."""

from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.gateway.rig import serving


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Recording:
    """`answers` are used up one a request: status, headers and body; then it answers with `always`."""

    always: tuple[int, dict[str, str], bytes] = (200, {}, b"{}")
    answers: deque[tuple[int, dict[str, str], bytes]] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)

    @asynccontextmanager
    async def serving(self):
        async with serving(
            Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST", "PUT"])])
        ) as url:
            yield url

    async def _answer(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode() + (f"?{request.url.query}" if request.url.query else "")
        self.asked.append(Asked(request.method, path, dict(request.headers), await request.body()))
        status, headers, body = self.answers.popleft() if self.answers else self.always
        return Response(body, status, headers)

"""`/healthz` and `/readyz` of a gateway in a process of its own. In the service's process they are the service's."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crdt_sync.errors import Unavailable
from gateway.http import problem

_CHECK_LIFETIME_S = 1.0  # a flood of probes makes one commit a second


class Health:
    """Asks `check` at most once a second, whoever asks how often."""

    def __init__(self, check: Callable[[], Awaitable[None]]) -> None:
        self._check = check
        self._asking = asyncio.Lock()
        self._checked_at_s: float | None = None
        self._failure: Unavailable | None = None

    def routes(self) -> list[Route]:
        """Where to ask."""
        return [Route("/healthz", self._alive), Route("/readyz", self._ready)]

    async def _alive(self, _request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def _ready(self, _request: Request) -> Response:
        async with self._asking:
            now_s = asyncio.get_running_loop().time()
            if self._checked_at_s is None or now_s - self._checked_at_s >= _CHECK_LIFETIME_S:
                try:
                    await self._check()
                    self._failure = None
                except Unavailable as error:
                    self._failure = error.with_traceback(None)
                self._checked_at_s = asyncio.get_running_loop().time()
        return JSONResponse({"status": "ready"}) if self._failure is None else problem(self._failure)

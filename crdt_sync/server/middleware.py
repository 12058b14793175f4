"""What every HTTP request passes: a limit on its body, headers for browsers, a line in the access log."""

import asyncio
import re
import time

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crdt_sync.errors import CallerError, TooLarge
from crdt_sync.server.problems import problem

BODY_BYTES_MAX = 256 * 1024  # a record is at most 64 KiB; a form with its notes fits four times
UPLOADS = re.compile(r"/api/tickets/[^/]+/media|/widget/[^/]+/pictures")
BODY_TIMEOUT_S = 30.0  # for the whole body: a caller that dribbles holds nothing for longer

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_access = structlog.get_logger("crdt_sync.access")


class BodyLimit:
    """Reads the body before the application does, up to a size and a time, and refuses the rest unread.

    An upload is left to its route, which knows who brings it and holds one piece of it at a time.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body at hand."""
        if scope["type"] != "http" or (scope["method"] == "POST" and UPLOADS.fullmatch(scope["path"])):
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await _read(scope, receive)
        except CallerError as error:
            await problem(error)(scope, receive, send)
            return
        except TimeoutError:
            await problem(CallerError("The body did not arrive in time.", code="slow_body"))(scope, receive, send)
            return
        if body is None:
            return  # the caller went away
        await self._app(scope, _replay(body, receive), send)


async def _read(scope: Scope, receive: Receive) -> bytes | None:
    declared = dict(scope["headers"]).get(b"content-length", b"")
    if declared.isdigit() and int(declared[:20]) > BODY_BYTES_MAX:
        raise _too_large()
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            raise _too_large()
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay


def _too_large() -> TooLarge:
    return TooLarge(f"The body is larger than {BODY_BYTES_MAX} bytes.", advice="Send less at once.")


class SafeHeaders:
    """Adds the headers that keep a browser from guessing, framing and keeping; an answer's own come first."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete its answer."""

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, complete if scope["type"] == "http" else send)


class AccessLog:
    """One line a request: what was asked, how it was answered, how long it took. Never a query, never a token."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and log its end; a request that raises is logged as 500."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observe)
        finally:
            _access.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                duration_ms=round((time.perf_counter() - started) * 1000, 1),
                client=(scope.get("client") or ("",))[0],
            )

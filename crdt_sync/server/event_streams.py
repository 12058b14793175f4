"""`/events`: a caller's view of the domain events, over a WebSocket or as server-sent events. Knows no event.

Both give the same texts and resume from a position: a WebSocket from `after`, an EventSource by itself from
`Last-Event-ID`. Source: the HTML standard, 9.2 "Server-sent events"; the Fetch standard for pages of other hosts.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from crdt_sync.domain.canonical import dumps
from crdt_sync.domain.ids import Position
from crdt_sync.errors import CallerError, Malformed, TicketSyncError
from crdt_sync.server.auth import Authenticator, bearer, shown_token
from crdt_sync.server.handshake_rate import HandshakeRate, TooOften
from crdt_sync.server.problems import as_ours, log_failure, problem
from crdt_sync.server.requests import check_origin, source_of
from crdt_sync.service.audit import Asked, Audit
from crdt_sync.service.events import Events, Page, Watch
from crdt_sync.wire import cloudevents
from crdt_sync.wire.status import status_of
from crdt_sync.wire.websocket import shortened

RETRY_MS = 1_000  # what an EventSource waits before it comes back
PREFLIGHT_S = 7200  # how long a browser remembers what another host's page may send: the most that Chromium allows

_POSITION = re.compile(r"[0-9]{1,18}")  # below 2**63, where a database's whole numbers end


class EventStreams:
    """The two forms of `/events`."""

    def __init__(
        self,
        events: Events,
        authenticator: Authenticator,
        audit: Audit,
        rate: HandshakeRate,
        origins: tuple[str, ...],
    ) -> None:
        self._events = events
        self._rate = rate
        self._audit = audit
        self._authenticator = authenticator
        self._origins = origins

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            WebSocketRoute("/events", self.socket, name="events_socket"),
            Route("/events", self.stream, methods=["GET"], name="events"),
            Route("/events", self.preflight, methods=["OPTIONS"], name="events_preflight"),
        ]

    async def socket(self, websocket: WebSocket) -> None:
        """Give each event and heartbeat as a text message.

        Who comes too often is answered in HTTP; whatever else is refused is accepted first, then closed with why.
        """
        session, asked = None, Asked("events", "/events", source_of(websocket))
        try:
            self._arrive(websocket)
        except TooOften as too_often:
            await websocket.send_denial_response(problem(too_often))
            return
        try:
            await websocket.accept()
            session = await self._begin(websocket, websocket.query_params.get("after"))
            async with _heard(session.watch, partial(_hear_nothing, websocket)):
                await _send_texts(websocket, session.watch)
        except WebSocketDisconnect:
            return  # the client has gone while something was being told
        except Exception as raised:  # noqa: BLE001 (the task boundary of a connection: nobody else is disturbed)
            error = self._noted(raised, asked if session is None else session.asked)
            with suppress(WebSocketDisconnect):  # it may have gone before it was told
                await websocket.close(status_of(error).close, shortened(f"{error.code}: {error.message}"))
        finally:
            if session is not None:
                session.watch.close()

    async def stream(self, request: Request) -> Response:
        """Give events as server-sent events; a refusal is a problem document."""
        check_origin(request, self._origins)
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        self._arrive(request)
        after = request.headers.get("last-event-id") or request.query_params.get("after")
        return ServerSentEvents(partial(self._begin, request, after), self._blocks, _cors(request))

    async def preflight(self, request: Request) -> Response:
        """Let a browser ask what another host's page may send, if it is one of those that may connect."""
        check_origin(request, self._origins)
        headers = {
            "Access-Control-Allow-Methods": "GET",
            "Access-Control-Allow-Headers": "authorization, last-event-id",
            "Access-Control-Max-Age": str(PREFLIGHT_S),
        }
        return Response(status_code=204, headers=_cors(request) | headers)

    def _arrive(self, connection: HTTPConnection) -> None:
        self._rate.arrive(source_of(connection), _shown(connection))

    async def _begin(self, connection: HTTPConnection, after: str | None) -> "Session":
        check_origin(connection, self._origins)
        token = bearer(connection.headers.get("authorization")) or connection.query_params.get("token")
        judging = self._authenticator.authenticate(token, connection.headers)
        identity = await self._rate.judged(judging, _shown(connection))
        watch = await self._events.watch(identity, _position(after), wire="events")
        return Session(watch, Asked("events", "/events", source_of(connection), identity.principal))

    async def _blocks(self, session: "Session") -> AsyncIterator[str]:
        yield f"retry: {RETRY_MS}\n\n"
        try:
            async for page in session.watch:
                yield _block(page)
        except Exception as raised:  # noqa: BLE001 (as above)
            error = self._noted(raised, session.asked)
            told = dumps({"code": error.code, "detail": error.message, "advice": error.advice})
            yield f"event: error\ndata: {told}\n\n"

    def _noted(self, raised: Exception, asked: Asked) -> TicketSyncError:
        error = as_ours(raised)
        if isinstance(error, CallerError):
            self._audit.refused(asked, error.code)
        elif error is not raised:
            log_failure("watch failed", raised)
        return error


@dataclass(frozen=True, slots=True)
class Session:
    """A watch, and what it is called in the record of refusals."""

    watch: Watch
    asked: Asked


class ServerSentEvents(Response):
    """The answer that goes on. Its last words, if there is a reason to end, are an event named `error`.

    It begins the watch itself, so that nothing lies between that and what ends it.
    """

    def __init__(
        self,
        begin: Callable[[], Awaitable[Session]],
        blocks: Callable[[Session], AsyncIterator[str]],
        headers: dict[str, str],
    ) -> None:
        super().__init__(media_type="text/event-stream", headers=headers | {"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._begin = begin
        self._blocks = blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI)
        """Send until one side is done."""
        session = await self._begin()
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async with _heard(session.watch, partial(_until_gone, receive)):
                async for block in self._blocks(session):
                    await send({"type": "http.response.body", "body": block.encode(), "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            session.watch.close()


def _shown(connection: HTTPConnection) -> str | None:
    return shown_token(connection.headers.get("authorization"), connection.query_params.get("token"))


def _block(page: Page) -> str:
    """Write a page: each event with its id, and at last the id alone, which an EventSource keeps and tells nobody."""
    events = "".join(f"id: {told.position}\ndata: {told.text}\n\n" for told in page.events)
    return f"{events}id: {page.position}\n\n"


async def _send_texts(websocket: WebSocket, watch: Watch) -> None:
    async for page in watch:
        for told in page.events:
            await websocket.send_text(told.text)
        if not page.events or page.events[-1].position < page.position:
            await websocket.send_text(cloudevents.encode_heartbeat(page.position))


async def _hear_nothing(websocket: WebSocket) -> None:
    if (await websocket.receive())["type"] != "websocket.disconnect":
        raise Malformed("Nothing is said on this socket.")


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@asynccontextmanager
async def _heard(watch: Watch, hearing: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Hear the client meanwhile, and end the watch when it has gone or said what it may not."""

    async def hear() -> None:
        try:
            await hearing()
        except Exception as raised:  # noqa: BLE001 (as above)
            watch.fail(as_ours(raised))
        else:
            watch.end()

    task = asyncio.ensure_future(hear())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _position(text: str | None) -> Position | None:
    if not text:
        return None
    if not _POSITION.fullmatch(text):
        raise Malformed("A position is a whole number.", code="after", advice="Give the position of the last event.")
    return Position(int(text))


def _cors(request: Request) -> dict[str, str]:
    """Return what lets a page of another host read the answer; `check_origin` has said that it may."""
    origin = request.headers.get("origin")
    return {} if origin is None else {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}

"""`/channels/{account}` over HTTP: the platform's GET handshake and its POSTed callbacks.

Owns the order of a callback: size, verification, inbox commit, and only then the 200. Never calls the service, and
never tells a sender why its callback was refused.
"""

from collections.abc import Callable, Mapping

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crdt_sync.errors import Malformed, NotFound, TicketSyncError, TooLarge, TooMany, Unauthenticated, Unavailable
from gateway.channels.base import Channel, Received, Unverified
from gateway.channels.base import Request as PlatformRequest
from gateway.counts import Counts
from gateway.keeper import Keeper
from gateway.ports import Clock
from gateway.pull import Puller

# The most specific first; the platform retries whatever is not a 2xx.
_STATUS: tuple[tuple[type[TicketSyncError], int, str], ...] = (
    (Unauthenticated, 401, "Unauthorized"),
    (NotFound, 404, "Not Found"),
    (TooLarge, 413, "Content Too Large"),
    (TooMany, 429, "Too Many Requests"),
    (Malformed, 400, "Bad Request"),
    (Unavailable, 503, "Service Unavailable"),
)
_RETRY_AFTER_S = "2"

_log = structlog.get_logger(__name__)


class Intake:
    """What stands between the network and the inbox. `channel_of` is asked for each request, and not before.

    An account without a channel that `is_awaited` is answered 503, so that its platform comes again, and any other 404.
    """

    def __init__(
        self,
        channel_of: Callable[[str], Channel | None],
        keeper: Keeper,
        pullers: Mapping[str, Puller],
        *,
        is_awaited: Callable[[str], bool],
        body_bytes_max: int,
        clock: Clock,
        counts: Counts,
    ) -> None:
        self._channel_of = channel_of
        self._keeper = keeper
        self._pullers = pullers
        self._is_awaited = is_awaited
        self._body_bytes_max = body_bytes_max
        self._clock = clock
        self._counts = counts

    def routes(self) -> list[Route]:
        """The one route."""
        return [Route("/channels/{account}", self.answer, methods=["GET", "POST"])]

    async def answer(self, request: Request) -> Response:
        """Any request to `/channels/{account}`."""
        try:
            channel = self._channel(request.path_params["account"])
            received = await (self._callback if request.method == "POST" else self._handshake)(channel, request)
        except (Unauthenticated, NotFound, TooLarge, Malformed, Unavailable) as error:
            reason = error.reason if isinstance(error, Unverified) else error.code
            self._counts.add(f"callback.refused.{reason}")
            _log.info("callback refused", reason=reason)
            return problem(error)
        except ClientDisconnect:
            self._counts.add("callback.refused.disconnected")
            return Response(status_code=400)  # nobody reads it
        headers = {"X-Content-Type-Options": "nosniff"}
        return Response(received.answer, media_type=received.media_type, headers=headers)

    def _channel(self, account: str) -> Channel:
        channel = self._channel_of(account)
        if channel is None and self._is_awaited(account):
            raise Unavailable("The account waits for its channel's spec.", code="spec")
        if channel is None:
            raise NotFound("There is no such account here.")
        return channel

    async def _handshake(self, channel: Channel, request: Request) -> Received:
        asked = PlatformRequest(request.query_params, request.headers)
        return Received(channel.handshake(asked, now_ms=self._clock.now_ms()))

    async def _callback(self, channel: Channel, request: Request) -> Received:
        body = await body_of(request, self._body_bytes_max)
        told = PlatformRequest(request.query_params, request.headers, body)
        received = channel.receive(told, now_ms=self._clock.now_ms())
        if received.ignored:
            self._counts.add("callback.ignored", received.ignored)
        for callback in received.callbacks:
            await self._keeper.keep(channel.account, callback)
        if received.hint is not None:
            await self._pullers[channel.account].hint(received.hint)
            self._counts.add("callback.hint")
        return received


async def body_of(request: Request, bytes_max: int, take: Callable[[int], None] | None = None) -> bytes:
    """The raw body; one that is too large is refused before it is read to its end. `take` hears how much more came.

    Raises:
        TooLarge: it is larger.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > bytes_max:
        raise TooLarge("The body is too large.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if take is not None:
            take(len(chunk))
        if len(body) > bytes_max:
            raise TooLarge("The body is too large.")
    return bytes(body)


def problem(error: TicketSyncError) -> Response:
    """RFC 9457. A refused callback and a forged one look alike: type and code only, no detail."""
    status, title = next((status, title) for kind, status, title in _STATUS if isinstance(error, kind))
    headers = {"Retry-After": _RETRY_AFTER_S} if isinstance(error, Unavailable) else None
    body = {"type": "about:blank", "title": title, "status": status, "code": error.code}
    return JSONResponse(body, status, headers, media_type="application/problem+json")

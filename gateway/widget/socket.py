"""One socket of a visitor: its hello, what he says, and what he is shown. Owns no state beyond its own life.

Whatever is kept is acknowledged after its commit. What is shown is read from the visitor's log, from where the hello
says that the page is.
"""

import asyncio
import json
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from crdt_sync.errors import Malformed, ServiceError, TicketSyncError, TooLarge, TooMany, Unauthenticated, Unavailable
from gateway.accounts import WebAccount
from gateway.arrivals import Kept
from gateway.channels.base import Callback, Request, Unverified
from gateway.channels.web import COMMENT_CHARS_MAX, FRAME_BYTES_MAX, STARS, TOKEN_MS, Visitor, Web, frame_fields
from gateway.rates import Bucket
from gateway.registry import Surroundings
from gateway.widget.entries import frame_of
from gateway.widget.visitors import source_of

SUBPROTOCOL = "crdt-sync-widget.v1"
_HELLO_S = 10.0  # from the handshake to the hello
_SEND_S = 10.0  # for one frame; who reads so little comes back later
_STORE_RETRY_MS = 2_000  # when a message cannot be kept now, because the disk fails or too many wait for the service
_FAULT = 1011  # the protocol's own code for one of ours


class Idle(Unavailable):
    """Nobody seems to be there: a page that was left open holds the room of others."""


_CLOSE_CODES: tuple[tuple[type[TicketSyncError], int], ...] = (
    (Idle, 4408),
    (Unverified, 4401),
    (Unauthenticated, 4401),
    (TooLarge, 4413),
    (TooMany, 4429),
    (Malformed, 4422),
    (Unavailable, 1013),
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Site:
    """One account, and what reads and keeps what its visitors say."""

    settings: WebAccount
    channel: Web
    around: Surroundings


class VisitorSocket:
    """One open page."""

    def __init__(self, site: Site, websocket: WebSocket) -> None:
        self._site, self._around = site, site.around
        self._websocket = websocket
        self._account = site.channel.account
        self._source = source_of(websocket.client.host if websocket.client is not None else "")
        self._frames = Bucket(site.around.visitors.limits.frames.rate)
        self._active_ms = 0  # when something was said or shown last
        self._token = ""
        self._visitor = Visitor("", 0)
        self._seq = 0  # what was shown up to here

    async def serve(self) -> None:
        """Carry it to its end."""
        try:
            await self._open()
        except TicketSyncError as error:
            await self._refuse(error)
        except WebSocketDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - the boundary of one page: it is told, and comes again
            _log.error("visitor's socket failed", account=self._account, error=type(error).__name__)
            self._around.counts.add("widget.failed")
            await self._close(_FAULT, ServiceError.default_code)

    async def _open(self) -> None:
        site, around, offered = self._site, self._around, self._websocket.scope.get("subprotocols", ())
        await self._websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        site.channel.check_origin(self._websocket.headers)
        if SUBPROTOCOL not in offered:
            raise Malformed("Another version is spoken here.", code="subprotocol")
        if not around.visitors.admits(around.visitors.handshakes, self._source):
            raise TooMany("Too many came from here.", code="too_many_handshakes")
        with around.visitors.arrive(self._source):
            hello = await self._hello()
            with around.visitors.enter((self._account, self._visitor.id)) as woken:
                around.counts.add("widget.opened")
                await self._welcome(hello)
                await _first_to_end(self._show(woken), self._listen(), self._idle())

    async def _hello(self) -> Mapping[str, Any]:
        """The first frame, which says who comes: a token, or none for somebody new."""
        try:
            async with asyncio.timeout(_HELLO_S):
                hello = frame_fields(await self._receive())
        except TimeoutError:
            raise Unavailable("No hello came in time.", code="late") from None
        if hello.get("t") != "hello":
            raise Malformed("A socket begins with its hello.", code="hello")
        now_ms, token = self._around.clock.now_ms(), hello.get("token")
        if isinstance(token, str) and token:
            self._visitor, self._token = self._site.channel.visitor(token, now_ms=now_ms), token
            if self._visitor.expires_at_ms - now_ms > TOKEN_MS // 2:
                return hello
            visitor = self._visitor.id
        elif not self._around.visitors.admits(self._around.visitors.newcomers, self._source):
            raise TooMany("Too many that nobody knows came from here.", code="too_many_newcomers")
        else:
            visitor = self._around.chance.octets(16).hex()
        self._token = self._site.channel.issue(visitor, now_ms=now_ms)
        self._visitor = self._site.channel.visitor(self._token, now_ms=now_ms)
        return hello

    async def _welcome(self, hello: Mapping[str, Any]) -> None:
        """Say how things stand, and from where what was said is shown: all that is retained, if less is not enough."""
        extent = await self._around.log.extent(self._account, self._visitor.id)
        given = hello.get("last_seq")
        seq = given if isinstance(given, int) and given > 0 else 0
        settings = self._site.settings
        welcome = {"t": "welcome", "token": self._token, "last_seq": extent.last}
        await self._send({**welcome, "title": settings.title.model_dump(), "greeting": settings.greeting.model_dump()})
        if seq and not extent.first - 1 <= seq <= extent.last:
            await self._send({"t": "reset"})
            seq = 0
        self._seq = seq

    async def _show(self, woken: asyncio.Event) -> None:
        while True:
            woken.clear()
            while entries := await self._around.log.after(self._account, self._visitor.id, self._seq):
                for entry in entries:
                    await self._send(frame_of(entry))
                    self._seq = entry.seq
            if self._around.visitors.stopping:
                raise Unavailable("The gateway is stopping.", code="stopping")
            await woken.wait()

    async def _idle(self) -> None:
        """End when nothing was said or shown for long."""
        while (
            rest_ms := self._active_ms + self._around.visitors.limits.idle_s * 1000 - self._around.clock.now_ms()
        ) > 0:
            await self._around.clock.sleep(rest_ms / 1000)
        raise Idle("Nothing was said for long.", code="idle")

    async def _listen(self) -> None:
        while True:
            frame = await self._receive()
            now_ms = self._active_ms = self._around.clock.now_ms()
            if self._frames.wait_ms(now_ms):
                raise TooMany("Too many frames came.", code="too_fast")
            self._frames.take(now_ms)
            await self._take(frame, now_ms)

    async def _take(self, frame: bytes, now_ms: int) -> None:
        if now_ms >= self._visitor.expires_at_ms:
            raise Unverified("timestamp")
        try:
            fields = frame_fields(frame)
        except Malformed:
            fields = {}
        if fields.get("t") == "seen":
            await self._seen(fields, now_ms)
        elif fields.get("t") == "rate":
            await self._rate(fields, now_ms)
        elif wait_ms := self._around.visitors.message_wait_ms(self._visitor.id, self._source):
            self._around.counts.add("widget.busy")
            await self._send({"t": "busy", "cid": _cid(fields), "retry_ms": wait_ms})
        else:
            shown = {**self._websocket.headers, "authorization": f"Bearer {self._token}"}
            received = self._site.channel.receive(Request({}, shown, frame), now_ms=now_ms)
            await self._keep(fields, *received.callbacks)

    async def _keep(self, fields: Mapping[str, Any], callback: Callback) -> None:
        """Answer once it is committed; of what cannot be read nothing is kept, as nobody would say it again."""
        if callback.code is not None:
            self._around.counts.add(f"widget.refused.{callback.code}")
            await self._send({"t": "refused", "cid": _cid(fields), "code": callback.code})
            return
        try:
            kept = await self._around.keeper.keep(self._account, callback)
        except Unavailable:
            await self._send({"t": "busy", "cid": _cid(fields), "retry_ms": _STORE_RETRY_MS})
            return
        if callback.entry is None:
            await self._send({"t": "refused", "cid": _cid(fields), "code": "unknown"})
            return
        seq = await self._around.log.seq_of(self._account, callback.keys[0])
        await self._send({"t": "ack", "cid": _cid(fields), "seq": seq, "dup": kept is Kept.DUPLICATE})
        self._around.visitors.wake((self._account, self._visitor.id))

    async def _seen(self, fields: Mapping[str, Any], now_ms: int) -> None:
        """Tell the service which answers have arrived, or were read."""
        seq, state = fields.get("seq"), fields.get("state")
        if type(seq) is not int or seq < 0 or state not in ("delivered", "read"):
            raise Malformed("This is no receipt.", code="seen")
        shown = min(seq, self._seq)
        entries = await self._around.log.unseen(self._account, self._visitor.id, shown, state)
        notices = (self._site.channel.notice(self._visitor.id, one.key, state, now_ms=now_ms) for one in entries)
        await asyncio.gather(*(self._around.keeper.keep(self._account, notice) for notice in notices))
        if entries:
            await self._around.log.mark(self._account, self._visitor.id, entries, state)

    async def _rate(self, fields: Mapping[str, Any], now_ms: int) -> None:
        """Keep what the visitor thinks of a conversation that has ended, once; it is shown by the log."""
        stars, comment = fields.get("stars"), fields.get("comment", "")
        if type(stars) is not int or stars not in STARS:
            raise Malformed("A rating has 1 to 5 stars.", code="rate")
        if not isinstance(comment, str) or len(comment) > COMMENT_CHARS_MAX:
            raise Malformed("A comment has at most 1,000 characters.", code="rate")
        ended = await self._around.log.ended(self._account, self._visitor.id)
        if ended is None:
            await self._send({"t": "refused", "cid": _cid(fields), "code": "not_ended"})
            return
        rating = self._site.channel.rating(self._visitor.id, ended.key, stars, comment, now_ms=now_ms)
        await self._keep(fields, rating)

    async def _receive(self) -> bytes:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1006))
        frame: bytes = message.get("bytes") or (message.get("text") or "").encode()
        if len(frame) > FRAME_BYTES_MAX:
            raise TooLarge("A frame has at most 16 KiB.")
        return frame

    async def _send(self, frame: Mapping[str, Any]) -> None:
        self._active_ms = self._around.clock.now_ms()
        try:
            async with asyncio.timeout(_SEND_S):
                await self._websocket.send_text(json.dumps(frame, ensure_ascii=False, separators=(",", ":")))
        except TimeoutError:
            raise Unavailable("The page reads too slowly.", code="slow_reader") from None

    async def _refuse(self, error: TicketSyncError) -> None:
        """Close with what went wrong. The reason of a refused token is ours to count, and not the visitor's to know."""
        self._around.counts.add(f"widget.refused.{error.reason if isinstance(error, Unverified) else error.code}")
        code = next(code for kind, code in _CLOSE_CODES if isinstance(error, kind))
        if isinstance(error, Unverified) and error.reason == "origin":
            code = 4403
        await self._close(code, error.code)

    async def _close(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(_SEND_S):
                await self._websocket.close(code, reason)
        except (WebSocketDisconnect, TimeoutError):
            _log.debug("nobody heard the end", code=code)


async def _first_to_end(*works: Coroutine[Any, Any, None]) -> None:
    """Do all of them until one ends, which it does by an error; raise that."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    raise next(one for one in ended if isinstance(one, Exception))


def _cid(fields: Mapping[str, Any]) -> str:
    cid = fields.get("cid")
    return cid if isinstance(cid, str) and len(cid) <= 64 else ""

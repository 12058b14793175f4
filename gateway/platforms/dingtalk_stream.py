"""DingTalk's Stream mode: a WebSocket that we open and on which DingTalk brings what it would else POST.

Owns the connection and its frames. A message is acknowledged after the commit that holds it; whatever is not, DingTalk
sends again after about a minute, and the inbox knows it then.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from crdt_sync.errors import Malformed, Unavailable
from gateway.channels.base import Unverified
from gateway.channels.dingtalk import DingTalk
from gateway.counts import Counts
from gateway.keeper import Keeper
from gateway.platforms.dingtalk import DingTalkApi
from gateway.platforms.http import CallFailed
from gateway.ports import Chance, Clock
from gateway.waiting import ended, grown_ms

ROBOT_TOPIC = "/v1.0/im/bot/messages/get"
_OPEN_TIMEOUT_S = 10
_PENDING_MAX = 100  # messages whose commit is awaited; beyond it the socket is not read
_RETRY_MS_MIN, _RETRY_MS_MAX = 1_000, 60_000
_ACCEPTED, _MALFORMED, _NO_SUCH_TOPIC, _FAILED = 200, 400, 404, 500

_log = structlog.get_logger(__name__)


class DingTalkStream:
    """The stream of one robot; opened again whenever it ends, later and later while it fails."""

    def __init__(
        self,
        channel: DingTalk,
        api: DingTalkApi,
        keeper: Keeper,
        *,
        frame_bytes_max: int,
        clock: Clock,
        chance: Chance,
        counts: Counts,
    ) -> None:
        self._channel = channel
        self._api = api
        self._keeper = keeper
        self._frame_bytes_max = frame_bytes_max
        self._clock = clock
        self._chance = chance
        self._counts = counts
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.create_task(self._run(), name=f"stream of {self._channel.account}")

    async def stop(self) -> None:
        """Hang up. What was not acknowledged yet comes again, to the next gateway."""
        await ended(self._task)

    async def _run(self) -> None:
        """Task boundary: whatever ends a session, there is another."""
        while True:
            try:
                await self._session()
                continue
            except (OSError, TimeoutError, WebSocketException):
                code = "broken_off"
            except (CallFailed, Malformed) as error:  # the second: the secret is not where it was at the start
                code = error.code
            except Exception as error:  # noqa: BLE001 - a dead stream would bring nothing more until somebody looks
                _log.error("stream failed", account=self._channel.account, error=type(error).__name__)
                code = "bug"
            self._counts.add(f"stream.failed.{code}")
            _log.warning("stream ended", account=self._channel.account, code=code)
            await self._clock.sleep(grown_ms(self._failures, _RETRY_MS_MIN, _RETRY_MS_MAX, self._chance) / 1000)
            self._failures += 1

    async def _session(self) -> None:
        """One connection, until DingTalk asks for another; an end that it did not announce is an error."""
        endpoint, ticket = await self._api.open_stream(ROBOT_TOPIC)
        address = f"{endpoint}?ticket={quote(ticket, safe='')}"
        opened = connect(address, max_size=self._frame_bytes_max, open_timeout=_OPEN_TIMEOUT_S, proxy=None)
        async with opened as socket, asyncio.TaskGroup() as answers:
            self._counts.add("stream.opened")
            announced = await self._read(socket, answers)
        if not announced:
            raise ConnectionError("the stream broke off")

    async def _read(self, socket: ClientConnection, answers: asyncio.TaskGroup) -> bool:
        """Whether the connection ended as DingTalk said it would; what came until then is answered if it still can."""
        room = asyncio.Semaphore(_PENDING_MAX)
        try:
            while True:
                frame = _frame(await socket.recv())
                self._failures = 0  # only now it is known to work
                if frame.get("type") == "SYSTEM" and _header(frame, "topic") == "disconnect":
                    return True
                await room.acquire()
                answers.create_task(self._answer(socket, frame)).add_done_callback(lambda _: room.release())
        except ConnectionClosed:
            return False

    async def _answer(self, socket: ClientConnection, frame: Mapping[str, Any]) -> None:
        code, data = await self._take(frame)
        headers = {"messageId": _header(frame, "messageId"), "contentType": "application/json"}
        answer = {"code": code, "headers": headers, "message": "OK" if code == _ACCEPTED else "failed", "data": data}
        try:
            await socket.send(json.dumps(answer))
        except ConnectionClosed:
            self._counts.add("stream.unacknowledged")

    async def _take(self, frame: Mapping[str, Any]) -> tuple[int, str]:
        """What to answer to a frame, once what it brought is committed. Tasks begin in order, and so do commits."""
        kind, topic, data = frame.get("type"), _header(frame, "topic"), frame.get("data")
        if kind == "SYSTEM" and topic == "ping":
            return _ACCEPTED, data if isinstance(data, str) else "{}"
        if kind != "CALLBACK" or topic != ROBOT_TOPIC:
            self._counts.add("stream.unknown_topic")
            return _NO_SUCH_TOPIC, "{}"
        if not isinstance(data, str):
            self._counts.add("callback.refused.body")
            return _MALFORMED, "{}"
        frame_id = _header(frame, "messageId")
        try:
            callback = self._channel.callback(
                data.encode(errors="replace"), *([f"frame:{frame_id}"] if frame_id else [])
            )
            await self._keeper.keep(self._channel.account, callback)
        except Unverified as error:
            self._counts.add(f"callback.refused.{error.reason}")
            return _MALFORMED, "{}"
        except Unavailable as error:
            self._counts.add(f"callback.refused.{error.code}")
            return _FAILED, "{}"
        except Exception as error:  # noqa: BLE001 - one message that finds a bug must not end the stream of all others
            _log.error("frame not read", account=self._channel.account, error=type(error).__name__)
            self._counts.add("callback.refused.bug")
            return _FAILED, "{}"
        return _ACCEPTED, '{"response":"OK"}'


def _frame(data: str | bytes) -> Mapping[str, Any]:
    """A frame's fields; what is no object is one without any, and answered as such."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = {}
    return found if isinstance(found, dict) else {}


def _header(frame: Mapping[str, Any], name: str) -> str:
    headers = frame.get("headers")
    value = headers.get(name) if isinstance(headers, dict) else None
    return value if isinstance(value, str) else ""

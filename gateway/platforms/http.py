"""Calls of a platform's HTTP interface: JSON over POST, bounded in time and size, and never to where a redirect points.

Owns the one distinction that decides whether a call may be made again: nothing was sent, or nobody knows. Its errors
and logs hold no address, because some platforms want their tokens there.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

_CALL_TIMEOUT_S = 10  # a sender is given seconds; a platform that needs more is counted as silent
_CONNECT_TIMEOUT_S = 3
_ANSWER_BYTES_MAX = 8_388_608  # a page of 1,000 of the longest texts is below 4 MiB
_RETRY_AFTER_S_MAX = 3_600

logging.getLogger("httpx").setLevel(logging.WARNING)  # below it, each call's address is written, token and all


class CallFailed(Exception):
    """A call without a result. `code` is a constant name in lowercase."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NotSent(CallFailed):
    """Nothing of the request was written."""


class NoAnswer(CallFailed):
    """The request was written, at least in part, and what became of it is unknown."""


class Refused(CallFailed):
    """The platform answered that it will not do it: surely not done. `retry_ms` is set where it may be asked again."""

    def __init__(self, code: str, *, retry_ms: int | None = None) -> None:
        super().__init__(code)
        self.retry_ms = retry_ms


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform answered: an HTTP status and an object, empty where the body is none."""

    status: int
    fields: Mapping[str, object]
    retry_after_ms: int | None = None

    def number(self, name: str) -> int:
        """A field that is a number, 0 if it is none."""
        value = self.fields.get(name)
        return value if isinstance(value, int) else 0

    def text(self, name: str) -> str:
        """A field that is a text, empty if it is none."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""


class PlatformHttp:
    """Connections to the platforms. A proxy of the environment is not used: where calls go is a setting."""

    def __init__(self, *, call_timeout_s: float = _CALL_TIMEOUT_S) -> None:
        self._call_timeout_s = call_timeout_s
        self._client = _client()

    async def get(self, url: str, query: Mapping[str, str]) -> Answer:
        """GET; raises as `post`."""
        return await self._exchange(self._client.build_request("GET", url, params=query))

    async def post(
        self,
        url: str,
        body: Mapping[str, object],
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST `body` as JSON in UTF-8, which WeChat shows as it stands, escapes and all.

        Raises:
            NotSent: nothing of it was written.
            NoAnswer: it was written, and no readable answer came in time; a proxy's 5xx says no more than that.
            Refused: the platform is too busy to look at it (429, 503).
        """
        content = json.dumps(body, ensure_ascii=False).encode(errors="replace")
        sent = {"content-type": "application/json; charset=utf-8", **(headers or {})}
        request = self._client.build_request("POST", url, content=content, params=query, headers=sent)
        return await self._exchange(request)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()
        self._client = _client()  # a gateway may start again

    async def _exchange(self, request: httpx.Request) -> Answer:
        try:
            async with asyncio.timeout(self._call_timeout_s):
                answer = await self._answer(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol):
            raise NotSent("unreachable") from None
        except httpx.HTTPError:
            raise NoAnswer("broken_off") from None
        except TimeoutError:
            raise NoAnswer("timeout") from None
        if answer.status in {429, 503}:
            raise Refused("busy", retry_ms=answer.retry_after_ms or 0)
        if answer.status >= 500:
            raise NoAnswer("server_error")
        return answer

    async def _answer(self, request: httpx.Request) -> Answer:
        response = await self._client.send(request, stream=True)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _ANSWER_BYTES_MAX:
                    raise NoAnswer("answer_size")
        finally:
            await response.aclose()
        return Answer(response.status_code, _fields(bytes(body), response), _retry_after_ms(response))


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(
        timeout=httpx.Timeout(None, connect=_CONNECT_TIMEOUT_S, pool=_CONNECT_TIMEOUT_S),
        # A connection that was idle may be closed at the other end; a request on it would be of unknown fate.
        limits=httpx.Limits(max_connections=100, max_keepalive_connections=0),
        follow_redirects=False,
        trust_env=False,
    )


def _fields(body: bytes, response: httpx.Response) -> Mapping[str, object]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    if isinstance(fields, dict):
        return fields
    if response.is_success:
        raise NoAnswer("answer_form")
    return {}


def _retry_after_ms(response: httpx.Response) -> int | None:
    given = response.headers.get("retry-after", "")
    return min(int(given[:10]), _RETRY_AFTER_S_MAX) * 1000 if given.isascii() and given.isdigit() else None

"""Calls of a platform's HTTP interface: JSON over POST, bounded in time and size, and never to where a redirect points.

Owns the one distinction that decides whether a call may be made again: nothing was sent, or nobody knows. Its errors
and logs hold no address, because some platforms want their tokens there.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

_CALL_TIMEOUT_S = 10  # a sender is given seconds; a platform that needs more is counted as silent
_CONNECT_TIMEOUT_S = 3
_MEDIA_TIMEOUT_S = 25  # 20 MiB at 7 Mbit/s; a part that is to be sent is leased for half a minute
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
    """What the platform answered: an HTTP status and an object, empty where the body is none.

    `content` is what was downloaded, objects included; `headers` are there where any answer will do.
    """

    status: int
    fields: Mapping[str, object]
    retry_after_ms: int | None = None
    content: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

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

    async def download(
        self,
        url: str,
        *,
        bytes_max: int,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        server_name: str | None = None,
    ) -> Answer:
        """GET a content; a platform may say by a status or by an object what is wrong with it.

        `server_name` is whose certificate is expected, where `url` names an address.

        Raises:
            NotSent, NoAnswer: as `post`; it may always be asked for again.
            Refused: the content is larger than `bytes_max` (`media_size`), or compressed though nobody asked for that
                (`media_encoding`), or the platform is too busy.
        """
        extensions = _named(server_name)
        request = self._client.build_request("GET", url, params=query, headers=headers, extensions=extensions)
        response, body = await self._read(request, _MEDIA_TIMEOUT_S, bytes_max, Refused, "media")
        answer = Answer(response.status_code, _object(body) or {}, _retry_after_ms(response), body)
        _check_status(answer)
        return answer

    async def upload(self, url: str, *, query: Mapping[str, str], name: str, type_: str, data: bytes) -> Answer:
        """POST a content as the field `media` of a form; raises as `post`."""
        request = self._client.build_request("POST", url, params=query, files={"media": (name, data, type_)})
        return await self._exchange(request, _MEDIA_TIMEOUT_S)

    async def exchange(
        self,
        method: str,
        url: str,
        *,
        json_: object = None,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        server_name: str | None = None,
    ) -> Answer:
        """Call, with JSON or a form as the body if there is one; any answer will do, whatever its status and its form.

        Raises:
            NotSent, NoAnswer: as `post`.
        """
        content, sent = None, dict(headers or {})
        if json_ is not None:
            content = json.dumps(json_, ensure_ascii=False).encode(errors="replace")
            sent = {"content-type": "application/json; charset=utf-8", **sent}
        request = self._client.build_request(
            method, url, content=content, data=form, params=query or None, headers=sent, extensions=_named(server_name)
        )
        response, body = await self._read(request, self._call_timeout_s, _ANSWER_BYTES_MAX)
        return Answer(response.status_code, {}, _retry_after_ms(response), body, dict(response.headers))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()
        self._client = _client()  # a gateway may start again

    async def _exchange(self, request: httpx.Request, timeout_s: float | None = None) -> Answer:
        timeout_s = self._call_timeout_s if timeout_s is None else timeout_s
        response, body = await self._read(request, timeout_s, _ANSWER_BYTES_MAX)
        fields = _object(body)
        if fields is None and response.is_success:
            raise NoAnswer("answer_form")
        answer = Answer(response.status_code, fields or {}, _retry_after_ms(response))
        _check_status(answer)
        return answer

    async def _read(
        self,
        request: httpx.Request,
        timeout_s: float,
        bytes_max: int,
        failed: type[CallFailed] = NoAnswer,
        what: str = "answer",
    ) -> tuple[httpx.Response, bytes]:
        """Return the head and the body; one that will not do is `failed`, as `{what}_size` or `{what}_encoding`."""
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._client.send(request, stream=True)
                try:
                    body = await _body(response, bytes_max, failed, what)
                finally:
                    await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol):
            raise NotSent("unreachable") from None
        except httpx.HTTPError:
            raise NoAnswer("broken_off") from None
        except TimeoutError:
            raise NoAnswer("timeout") from None
        return response, body


async def _body(response: httpx.Response, bytes_max: int, failed: type[CallFailed], what: str) -> bytes:
    """Read bytes as they come: what is compressed may be a thousand times as large before anybody has counted it."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        if response.is_success:
            raise failed(f"{what}_encoding")
        return b""  # of a refusal the status says enough
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > bytes_max:
            raise failed(f"{what}_size")
    return bytes(body)


def _named(server_name: str | None) -> dict[str, str]:
    return {"sni_hostname": server_name} if server_name is not None else {}


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(
        headers={"accept-encoding": "identity"},
        timeout=httpx.Timeout(None, connect=_CONNECT_TIMEOUT_S, pool=_CONNECT_TIMEOUT_S),
        # A connection that was idle may be closed at the other end; a request on it would be of unknown fate.
        limits=httpx.Limits(max_connections=100, max_keepalive_connections=0),
        follow_redirects=False,
        trust_env=False,
    )


def _object(body: bytes) -> Mapping[str, object] | None:
    """The JSON object that a body is, None if it is none."""
    if body[:1] != b"{" and body[:1].strip():
        return None
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _check_status(answer: Answer) -> None:
    if answer.status in {429, 503}:
        raise Refused("busy", retry_ms=answer.retry_after_ms or 0)
    if answer.status >= 500:
        raise NoAnswer("server_error")


def _retry_after_ms(response: httpx.Response) -> int | None:
    given = response.headers.get("retry-after", "")
    return min(int(given[:10]), _RETRY_AFTER_S_MAX) * 1000 if given.isascii() and given.isdigit() else None

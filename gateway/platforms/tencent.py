"""Calls of WeChat's and WeCom's interfaces, which are alike: the token in the query, and `errcode` in every answer."""

from collections.abc import Awaitable, Callable, Mapping

from crdt_sync.errors import Malformed
from gateway.platforms.http import Answer, CallFailed, NotSent, PlatformHttp, Refused
from gateway.platforms.tokens import AccessToken, Grant
from gateway.ports import Clock

_TOKEN_REFUSED = {40001, 40014, 42001}
_BUSY = {-1, 45009, 45011, 45033}  # the platform's own trouble, and its limits of calls
_BUSY_DELAY_MS = 10_000


class TencentApi:
    """The calls of one app at `origin`. `ask_for_token` makes the call that grants a token."""

    def __init__(
        self, http: PlatformHttp, origin: str, ask_for_token: Callable[[PlatformHttp], Awaitable[Answer]], clock: Clock
    ) -> None:
        self._http = http
        self._origin = origin
        self._ask_for_token = ask_for_token
        self.token = AccessToken(self._grant, clock)

    async def call(self, path: str, body: Mapping[str, object]) -> Answer:
        """The answer of a call that was made, whose `errcode` is 0.

        Raises:
            NotSent: it was not made, or there is no token to make it with.
            NoAnswer: nobody knows whether it was made.
            Refused: the platform says no (code `errcode_<number>`), or that it is too busy (`busy`).
        """
        return await self._attempt(
            lambda token: self._http.post(f"{self._origin}{path}", body, query={"access_token": token})
        )

    async def download(self, path: str, query: Mapping[str, str], *, bytes_max: int) -> Answer:
        """An answer with a content; raises as `call`, and `Refused` (`media_size`) where it is larger."""
        url = f"{self._origin}{path}"
        return await self._attempt(
            lambda token: self._http.download(url, bytes_max=bytes_max, query={"access_token": token, **query})
        )

    async def upload(self, path: str, query: Mapping[str, str], *, name: str, type_: str, data: bytes) -> Answer:
        """The answer to a content that was taken; raises as `call`."""
        url = f"{self._origin}{path}"
        return await self._attempt(
            lambda token: self._http.upload(
                url, query={"access_token": token, **query}, name=name, type_=type_, data=data
            )
        )

    async def _attempt(self, make: Callable[[str], Awaitable[Answer]]) -> Answer:
        for _ in range(2):
            token = await self.token.get()
            answer = await make(token)
            if answer.number("errcode") not in _TOKEN_REFUSED:
                break
            self.token.refused(token)
        else:
            raise NotSent("token")
        errcode = answer.number("errcode")
        if errcode in _BUSY:
            raise Refused("busy", retry_ms=_BUSY_DELAY_MS)
        if errcode or answer.status >= 300:
            raise Refused(f"errcode_{errcode}" if errcode else f"http_{answer.status}")
        return answer

    async def _grant(self) -> Grant:
        try:
            answer = await self._ask_for_token(self._http)
        except (CallFailed, Malformed):  # the second: the secret is not where it was at the start
            raise NotSent("token") from None
        if not answer.text("access_token"):
            raise NotSent("token")
        return Grant(answer.text("access_token"), answer.number("expires_in"))

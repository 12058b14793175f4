"""Contents of DingTalk's robots: a code is exchanged for an address that is good for a while, and files are uploaded.

The address comes out of DingTalk's answer, which is encrypted and authenticated, and still it is an address that we are
told: it is called only where `media_origins` allows, if none of its addresses is a private one, and to the address that
was looked at; a redirect is not followed. Sources [K]: open.dingtalk.com, "Download the file content of messages that
robots receive" and "Upload media files".
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping
from ipaddress import ip_address

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Media
from gateway.media import Content, Form, MediaFailed
from gateway.platforms.dingtalk import DingTalkApi
from gateway.platforms.http import Answer, CallFailed, NotSent, PlatformHttp, Refused
from gateway.platforms.outcomes import media_failed

_MIB = 1_048_576
_TOKEN_REFUSED = {40001, 40014, 42001}
_GONE = {"http_400": "media_expired", "http_403": "media_expired", "http_404": "media_expired"}
# Nothing but a plain host may stand before the path, so that no reader of addresses sees another one there.
_ADDRESS = re.compile(r"(https?)://([A-Za-z0-9.-]+)(:[0-9]+)?(/[!-~]{0,4000})")

Resolve = Callable[[str], Awaitable[list[str]]]

FORMS: Mapping[str, Form] = {
    "image": Form(frozenset({"image/jpeg", "image/png", "image/gif"}), 20 * _MIB),
    "file": Form(frozenset({"application/pdf", "application/zip"}), 20 * _MIB),
}
"""A recording wants its duration and a video a second picture, which nobody here knows."""


async def resolved(host: str) -> list[str]:
    """Return every address of a host; raises `NotSent` if it has none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except OSError:
        raise NotSent("unreachable") from None
    return [str(each[4][0]) for each in found]


class DingTalkMedia:
    """The contents of one robot. `uploads` is the origin of the older interface, which alone takes files."""

    def __init__(
        self,
        api: DingTalkApi,
        http: PlatformHttp,
        robot_code: str,
        *,
        uploads: str,
        origins: Collection[str],
        resolve: Resolve = resolved,
    ) -> None:
        self.forms = FORMS
        self._api = api
        self._http = http
        self._robot_code = robot_code
        self._uploads = uploads
        self._origins = origins
        self._resolve = resolve

    async def download(self, media: Media, *, bytes_max: int) -> bytes:
        """Ask for the address, then for what is there."""
        body = {"downloadCode": media.platform_id, "robotCode": self._robot_code}
        try:
            answer = await self._api.call("/v1.0/robot/messageFiles/download", body)
            answer = await self._from(answer.text("downloadUrl"), bytes_max)
        except CallFailed as error:
            raise media_failed(error, _GONE) from None
        if answer.status >= 300:
            raise MediaFailed(_GONE.get(f"http_{answer.status}", "media_unavailable"))
        return answer.content

    async def upload(self, kind: str, content: Content) -> str:
        """One call of `media/upload`, with the token that both interfaces share."""
        try:
            token = await self._api.token.get()
            answer = await self._http.upload(
                f"{self._uploads}/media/upload",
                query={"access_token": token, "type": kind},
                name=content.file_name,
                type_=content.type,
                data=content.data,
            )
        except CallFailed as error:
            raise media_failed(error, {}) from None
        if answer.number("errcode") or not answer.text("media_id"):
            self._api.token.refused(token)  # it may be that, and a fresh one costs little
            raise MediaFailed(f"errcode_{answer.number('errcode')}", again=answer.number("errcode") in _TOKEN_REFUSED)
        return answer.text("media_id")

    async def _from(self, url: str, bytes_max: int) -> Answer:
        found = _ADDRESS.fullmatch(url)
        if found is None:
            raise Refused("media_address")
        scheme, host, port, path = found.groups()
        if f"{scheme}://{host}{port or ''}" in self._origins:
            return await self._http.download(url, bytes_max=bytes_max)
        wild = any(origin.startswith("https://*.") and host.endswith(origin[9:]) for origin in self._origins)
        if scheme != "https" or port or not wild:
            raise Refused("media_address")
        addresses = await self._resolve(host)
        if not addresses or not all(ip_address(each).is_global for each in addresses):
            raise Refused("media_address")
        at = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
        return await self._http.download(
            f"https://{at}{path}", bytes_max=bytes_max, headers={"host": host}, server_name=host
        )

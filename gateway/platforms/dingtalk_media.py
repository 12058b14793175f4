"""Contents of DingTalk's robots: a code is exchanged for an address that is good for a while, and files are uploaded.

Sources [K]: open.dingtalk.com, "Download the file content of messages that robots receive" and "Upload media files".
"""

from collections.abc import Mapping

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Media
from gateway.media import Content, Form, MediaFailed
from gateway.platforms.addresses import GONE, ToldAddresses
from gateway.platforms.dingtalk import DingTalkApi
from gateway.platforms.http import CallFailed, PlatformHttp
from gateway.platforms.outcomes import media_failed

_MIB = 1_048_576
_TOKEN_REFUSED = {40001, 40014, 42001}

FORMS: Mapping[str, Form] = {
    "image": Form(frozenset({"image/jpeg", "image/png", "image/gif"}), 20 * _MIB),
    "file": Form(frozenset({"application/pdf", "application/zip"}), 20 * _MIB),
}
"""A recording wants its duration and a video a second picture, which nobody here knows."""


class DingTalkMedia:
    """The contents of one robot. `uploads` is the origin of the older interface, which alone takes files."""

    def __init__(
        self,
        api: DingTalkApi,
        http: PlatformHttp,
        robot_code: str,
        *,
        uploads: str,
        addresses: ToldAddresses,
    ) -> None:
        self.forms = FORMS
        self._api = api
        self._http = http
        self._robot_code = robot_code
        self._uploads = uploads
        self._addresses = addresses

    async def download(self, media: Media, *, bytes_max: int) -> bytes:
        """Ask for the address, then for what is there."""
        body = {"downloadCode": media.platform_id, "robotCode": self._robot_code}
        try:
            answer = await self._api.call("/v1.0/robot/messageFiles/download", body)
            return await self._addresses.download(answer.text("downloadUrl"), bytes_max=bytes_max)
        except CallFailed as error:
            raise media_failed(error, GONE) from None

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

"""Contents of DingTalk's robots: a code is exchanged for an address that is good for a while, and files are uploaded.

Sources [K]: open.dingtalk.com, "Download the file content of messages that robots receive", "Upload media files" and
"Message types that robots send".
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
    "voice": Form(frozenset({"audio/amr"}), 2 * _MIB),
    "video": Form(frozenset({"video/mp4"}), 20 * _MIB),
}
"""A recording is sent with its length, which is easy to tell of AMR alone; a video as a file, which wants no picture
of it."""

_VOICE_MS_MAX = 60_000
_AMR_HEAD = b"#!AMR\n"
_FRAME_MS = 20
_AMR_BYTES = (13, 14, 16, 18, 20, 21, 27, 32, 6)  # of a frame, by its type: RFC 4867, 5.3
_AMR_NOTHING = 15  # a frame that says that there is nothing


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
        """One call of `media/upload`, with the token that both interfaces share; a recording's name has its length."""
        length_ms = voice_ms(content.data) if kind == "voice" else 0
        try:
            token = await self._api.token.get()
            answer = await self._http.upload(
                f"{self._uploads}/media/upload",
                query={"access_token": token, "type": "file" if kind == "video" else kind},
                name=content.file_name,
                type_=content.type,
                data=content.data,
            )
        except CallFailed as error:
            raise media_failed(error, {}) from None
        if answer.number("errcode") or not answer.text("media_id"):
            self._api.token.refused(token)  # it may be that, and a fresh one costs little
            raise MediaFailed(f"errcode_{answer.number('errcode')}", again=answer.number("errcode") in _TOKEN_REFUSED)
        name = answer.text("media_id")
        return f"{name} {length_ms}" if kind == "voice" else name


def voice_ms(data: bytes) -> int:
    """Return how long a recording in AMR is; raises `MediaFailed` for one that is too long to be sent, or broken."""
    at, length_ms = len(_AMR_HEAD), 0
    while at < len(data):
        type_ = data[at] >> 3 & 15
        if not (type_ < len(_AMR_BYTES) or type_ == _AMR_NOTHING):
            raise MediaFailed("media_type")
        if length_ms >= _VOICE_MS_MAX:
            raise MediaFailed("media_size")
        at += 1 if type_ == _AMR_NOTHING else _AMR_BYTES[type_]
        length_ms += _FRAME_MS
    return length_ms

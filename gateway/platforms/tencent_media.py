"""Contents of WeChat and of WeCom's customer service: `media/get` and `media/upload`, and names good for three days.

Sources: developers.weixin.qq.com, "Get temporary materials", "Additional temporary material" and "Customer service
messages"; developer.work.weixin.qq.com/document/path/90253 and 90254 for sizes and types.
"""

from collections.abc import Mapping

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Media
from gateway.media import TYPES, Content, Form, MediaFailed
from gateway.platforms.addresses import GONE, ToldAddresses
from gateway.platforms.http import CallFailed
from gateway.platforms.outcomes import media_failed
from gateway.platforms.tencent import TencentApi

_MIB = 1_048_576
_EXPIRED = {**GONE, "errcode_40007": "media_expired"}  # "invalid media_id", which is also what an old one is called

WECHAT_FORMS: Mapping[str, Form] = {
    "image": Form(frozenset({"image/jpeg", "image/png", "image/gif"}), 10 * _MIB),
    "voice": Form(frozenset({"audio/amr", "audio/mpeg"}), 2 * _MIB),
    "video": Form(frozenset({"video/mp4"}), 10 * _MIB),
}
"""`custom/send` has no form for a file. The page names a cover beside a video, and wechatpy sends none."""

WECOM_FORMS: Mapping[str, Form] = {
    "image": Form(frozenset({"image/jpeg", "image/png"}), 10 * _MIB),
    "voice": Form(frozenset({"audio/amr"}), 2 * _MIB),
    "video": Form(frozenset({"video/mp4"}), 10 * _MIB),
    "file": Form(TYPES, 20 * _MIB),
}


class TencentMedia:
    """The contents of one account. WeChat names the address of a video, which is called by `videos`; WeCom gives it."""

    def __init__(self, api: TencentApi, forms: Mapping[str, Form], videos: ToldAddresses | None = None) -> None:
        self._api = api
        self.forms = forms
        self._videos = videos

    async def download(self, media: Media, *, bytes_max: int) -> bytes:
        """One call of `media/get`, and one of the address that it names."""
        asked = {"media_id": media.platform_id}
        try:
            answer = await self._api.download("/cgi-bin/media/get", asked, bytes_max=bytes_max)
            if media.type == "video" and self._videos is not None and (url := answer.text("video_url")):
                return await self._videos.download(url, bytes_max=bytes_max)
        except CallFailed as error:
            raise media_failed(error, _EXPIRED) from None
        return answer.content

    async def upload(self, kind: str, content: Content) -> str:
        """One call of `media/upload`."""
        try:
            answer = await self._api.upload(
                "/cgi-bin/media/upload", {"type": kind}, name=content.file_name, type_=content.type, data=content.data
            )
        except CallFailed as error:
            raise media_failed(error, {}) from None
        if not answer.text("media_id"):
            raise MediaFailed("answer_form", again=True)
        return answer.text("media_id")

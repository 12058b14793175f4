"""What DingTalk's two steps to a content end as."""

import pytest

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Media
from gateway.media import MediaFailed
from gateway.platforms.addresses import ToldAddresses
from gateway.platforms.dingtalk import DingTalkApi
from gateway.platforms.dingtalk_media import DingTalkMedia
from gateway.platforms.http import PlatformHttp
from tests.gateway.dingtalk_server import KEY, ROBOT, SECRET, DingTalkServer
from tests.gateway.fakes import HeldClock


@pytest.mark.parametrize(
    ("path", "code"), [("/files/gone", "media_expired"), ("https://evil.example/a", "media_address")]
)
async def test_what_is_not_had_for_ever_has_a_code(path, code):
    server, http = DingTalkServer(), PlatformHttp()
    async with server.serving() as origin:
        server.download_url = path if path.startswith("https:") else f"{origin}{path}"
        api = DingTalkApi(http, origin, KEY, lambda: SECRET, HeldClock(0))
        media = DingTalkMedia(api, http, ROBOT, uploads=origin, addresses=ToldAddresses(http, (origin,)))
        with pytest.raises(MediaFailed) as failed:
            await media.download(Media(type="image", platform_id="code"), bytes_max=100)
    await http.close()
    assert (code, False) == (failed.value.code, failed.value.again)

"""What DingTalk's two steps to a content end as."""

import pytest

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Media
from gateway.media import MediaFailed
from gateway.platforms.addresses import ToldAddresses
from gateway.platforms.dingtalk import DingTalkApi
from gateway.platforms.dingtalk_media import DingTalkMedia, voice_ms
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


AMR = b"#!AMR\n"
SECOND = (b"\x3c" + bytes(31)) * 50  # of the best quality, 12.2 kbit/s


@pytest.mark.parametrize(
    ("recording", "length_ms"), [(SECOND, 1_000), (SECOND * 60, 60_000), (b"\x04" + bytes(12) + b"\x7c", 40), (b"", 0)]
)
def test_length_of_a_recording_is_counted_by_its_frames(recording, length_ms):
    assert length_ms == voice_ms(AMR + recording)


@pytest.mark.parametrize(("recording", "code"), [(SECOND * 61, "media_size"), (SECOND + b"\x4c", "media_type")])
def test_recording_that_is_too_long_or_broken_is_not_uploaded(recording, code):
    with pytest.raises(MediaFailed) as failed:
        voice_ms(AMR + recording)
    assert (code, False) == (failed.value.code, failed.value.again)

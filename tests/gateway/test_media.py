"""Pictures and files between simulated platforms and a real service, over real HTTP and gRPC, both ways."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from starlette.responses import JSONResponse, Response

from crdt_sync.ports.outbox import OutboxFilter
from gateway.arrivals import Arrival
from gateway.channels.base import Callback
from gateway.keeper import Keeper
from tests.gateway.dingtalk_server import DingTalkServer, dingtalk_account, said, signed
from tests.gateway.fakes import FixedChance
from tests.gateway.platform import T5_NOW_S
from tests.gateway.rig import account, running
from tests.gateway.wechat_server import SECRET, WeChatServer
from tests.gateway.wecom_server import WeComServer, hint, message, wecom_account
from tests.replica.loopback import until
from tests.samples import AMR, HTML, JPEG, MP4, PDF, PNG, SAMPLES
from tests.server.conftest import run_service


class Office:
    """A service with a gateway of one account, and those who read and answer."""

    def __init__(self, core, rig, server):
        self.core, self.rig, self.server = core, rig, server

    async def messages(self):
        """What was said on the one ticket that there is, once every content is there or known not to be."""
        headers = self.core.headers()
        async with asyncio.timeout(20):
            while True:
                tickets = (await self.core.http.get("/api/tickets", headers=headers)).json()["tickets"]
                for ticket in tickets:
                    path = f"/api/tickets/{ticket['id']}/messages"
                    told = (await self.core.http.get(path, headers=headers)).json()["messages"]
                    parts = [part for one in told for part in one["parts"]]
                    if parts and all("media" in part for part in parts if "ref" in part):
                        return ticket["id"], parts
                await asyncio.sleep(0.01)

    async def content(self, ticket, digest):
        answer = await self.core.http.get(f"/api/tickets/{ticket}/media/{digest}", headers=self.core.headers())
        return answer.content

    async def answer(self, ticket, content, kind="image", name="plan.png"):
        """Upload a content and answer with it."""
        path, headers = f"/api/tickets/{ticket}", self.core.headers()
        uploaded = (await self.core.http.post(f"{path}/media", content=content, headers=headers)).json()
        part = {"type": kind, "digest": uploaded["digest"], "name": name}
        answer = await self.core.http.post(f"{path}/messages", json={"contents": [part]}, headers=headers)
        assert 201 == answer.status_code, answer.text

    async def fate(self):
        """What became of the one answer."""
        async with asyncio.timeout(20):
            while True:
                (row,) = await self.core.service._store.deliveries(OutboxFilter())
                if row.state in {"sent", "dead"}:
                    return row.state, row.code
                await asyncio.sleep(0.01)


@asynccontextmanager
async def office(tmp_path, server, account_at, name):
    async with run_service(tmp_path / "core") as core, server.serving() as url:
        token = core.token("gateway", actor="gateway-1", accounts=[name])
        made = {"accounts": (account_at(url),), "core_token": lambda: token}
        async with running(tmp_path / "gateway", core.service.grpc_port, **made) as rig:
            yield Office(core, rig, server)


def wecom_office(tmp_path):
    return office(tmp_path, WeComServer(), wecom_account, "kf")


def dingtalk_office(tmp_path):
    return office(tmp_path, DingTalkServer(), lambda url: dingtalk_account(url, mode="http"), "robot")


def wechat_office(tmp_path):
    def account_at(url):
        return account(app_secret=lambda: SECRET, api=url, plain=True, media_origins=(url, "http://*"))

    return office(tmp_path, WeChatServer(), account_at, "shop")


@pytest.fixture
async def wecom(tmp_path):
    async with wecom_office(tmp_path / "wecom") as it:
        yield it


@pytest.fixture
async def dingtalk(tmp_path):
    async with dingtalk_office(tmp_path / "dingtalk") as it:
        yield it


@pytest.fixture
async def wechat(tmp_path):
    async with wechat_office(tmp_path / "wechat") as it:
        yield it


async def wecom_hears(it, kind="image", media_id="media-1"):
    """A customer of WeCom sends something."""
    it.server.messages["kf1"] = [message(1, msgtype=kind, **{kind: {"media_id": media_id}})]
    assert 200 == (await it.rig.post(hint(), "kf")).status_code
    return await it.messages()


async def dingtalk_hears(it, **content):
    picture = said(1, msgtype="picture", text=None, content={"downloadCode": "media-1", **content})
    assert 200 == (await it.rig.post(signed(json.dumps(picture).encode()), "robot")).status_code
    return await it.messages()


async def wechat_hears(it, kind="image", media_id="media-1"):
    kept = await it.rig.gateway.inbox.keep(wechat_media(kind, media_id))
    it.rig.gateway.forwarder.wake()
    assert kept
    return await it.messages()


def wechat_media(kind, media_id):
    raw = (
        f"<xml><ToUserName>gh_1</ToUserName><FromUserName>openid-1</FromUserName><CreateTime>{T5_NOW_S}</CreateTime>"
        f"<MsgType>{kind}</MsgType><PicUrl>http://127.0.0.1:1/never</PicUrl><MediaId>{media_id}</MediaId><MsgId>1</MsgId>"
        "</xml>"
    )
    return Arrival("shop", "openid-1", ("openid-1:1",), raw.encode(), T5_NOW_S * 1000, "")


PLATFORMS = {
    "wecom": (wecom_office, wecom_hears),
    "dingtalk": (dingtalk_office, dingtalk_hears),
    "wechat": (wechat_office, wechat_hears),
}


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_picture_of_a_customer_is_fetched_and_shown(tmp_path, platform):
    opened, hears = PLATFORMS[platform]
    async with opened(tmp_path) as it:
        it.server.shelf.kept["media-1"] = PNG
        ticket, (part,) = await hears(it)

        assert ("image", "media-1", "image/png") == (part["type"], part["ref"], part["media"]["type"])
        assert PNG == await it.content(ticket, part["media"]["digest"])
        assert ["media-1"] == it.server.shelf.asked
        counts = it.rig.gateway.counts
        await until(lambda: (1, len(PNG)) == (counts["media.fetched"], counts["media.bytes"]))


async def test_a_message_waits_for_no_picture(wecom):
    wecom.server.shelf.kept["media-1"] = PNG
    wecom.server.shelf.gate.clear()
    wecom.server.messages["kf1"] = [message(1, msgtype="image", image={"media_id": "media-1"}), message(2)]
    await wecom.rig.post(hint(), "kf")
    await until(lambda: wecom.rig.gateway.counts["forward.accepted"] == 2)
    store = wecom.core.service._store
    (ticket,) = (await wecom.core.http.get("/api/tickets", headers=wecom.core.headers())).json()["tickets"]
    assert 2 == len(await store.messages(ticket["id"]))

    wecom.server.shelf.gate.set()
    _, parts = await wecom.messages()
    assert {"text": None, "image": "image/png"} == {part["type"]: part.get("media", {}).get("type") for part in parts}


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_name_that_has_expired_ends_as_a_code(tmp_path, platform):
    opened, hears = PLATFORMS[platform]
    async with opened(tmp_path) as it:
        _, (part,) = await hears(it)

        assert {"code": "media_expired"} == part["media"]
        await until(lambda: 1 == it.rig.gateway.counts["media.refused.media_expired"])


async def test_a_picture_that_is_a_page_is_refused_by_its_bytes(wecom):
    wecom.server.shelf.kept["media-1"] = HTML  # and the platform says that it is image/jpeg
    _, (part,) = await wecom_hears(wecom)

    assert {"code": "media_type"} == part["media"]
    await until(lambda: 1 == wecom.rig.gateway.counts["media.refused.media_type"])


async def test_a_voice_that_is_a_picture_is_refused(wecom):
    wecom.server.shelf.kept["media-1"] = JPEG
    _, (part,) = await wecom_hears(wecom, "voice")

    assert {"code": "media_kind"} == part["media"]


async def test_a_platform_that_is_busy_is_asked_again(wecom):
    wecom.server.shelf.kept["media-1"] = PNG
    wecom.server.shelf.answers.extend(
        [Response(status_code=503), Response(status_code=500), JSONResponse({"errcode": -1})]
    )
    _, (part,) = await wecom_hears(wecom)

    assert "image/png" == part["media"]["type"]
    assert 4 == len(wecom.server.shelf.asked)
    assert 3 == wecom.rig.gateway.counts["media.later"]


async def test_a_content_above_the_bound_is_read_no_further(tmp_path):
    server = WeComServer()
    server.shelf.kept["media-1"] = PNG + bytes(3_000)

    async with run_service(tmp_path / "core") as core, server.serving() as url:
        token = core.token("gateway", actor="gateway-1", accounts=["kf"])
        given = {"accounts": (wecom_account(url),), "core_token": lambda: token, "media_bytes_max": 2_000}
        async with running(tmp_path / "gateway", core.service.grpc_port, **given) as rig:
            _, (part,) = await wecom_hears(Office(core, rig, server))
    assert {"code": "media_size"} == part["media"]


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:1/files/media-1",
        "https://example.com/files/media-1",
        "https://evil.example/.dingtalk.com/x",
        "https://user@static.dingtalk.com/x",
        "file:///etc/passwd",
        "",
    ],
)
async def test_an_address_that_is_not_on_the_list_is_never_called(dingtalk, url):
    dingtalk.server.download_url = url
    _, (part,) = await dingtalk_hears(dingtalk)

    assert {"code": "media_address"} == part["media"]


async def test_a_redirect_is_not_followed(dingtalk):
    dingtalk.server.shelf.kept["media-1"] = PNG
    dingtalk.server.shelf.answers.append(Response(status_code=302, headers={"location": "/files/media-1"}))
    _, (part,) = await dingtalk_hears(dingtalk)

    assert {"code": "media_unavailable"} == part["media"]
    assert 1 == len(dingtalk.server.shelf.asked)


@pytest.mark.parametrize("kind", ["video", "shortvideo"])
async def test_a_video_of_wechat_is_brought_from_the_address_that_it_names(wechat, kind):
    wechat.server.shelf.kept["video-1"] = MP4
    ticket, (part,) = await wechat_hears(wechat, kind, "video-1")

    assert ("video", "video/mp4") == (part["type"], part["media"]["type"])
    assert MP4 == await wechat.content(ticket, part["media"]["digest"])


async def test_a_video_of_wechat_at_a_private_address_is_not_brought(wechat):
    named = JSONResponse({"video_url": "http://10.0.0.1/vweixinp.tc.qq.com/1.mp4"})
    wechat.server.shelf.answers.append(named)
    _, (part,) = await wechat_hears(wechat, "video")
    assert {"code": "media_address"} == part["media"]


async def test_a_picture_that_says_where_else_to_look_is_not_followed(wechat):
    wechat.server.shelf.kept["video-1"] = MP4
    _, (part,) = await wechat_hears(wechat, "image", "video-1")
    assert {"code": "media_type"} == part["media"]


async def test_a_video_leaves_on_wechat(wechat):
    ticket, _ = await wechat_hears(wechat)
    await wechat.answer(ticket, MP4, "video", "how to")

    assert ("sent", "") == await wechat.fate()
    assert [("video", "how to.mp4", "video/mp4", MP4)] == wechat.server.shelf.uploads
    assert [{"touser": "openid-1", "msgtype": "video", "video": {"media_id": "uploaded-1"}}] == wechat.server.sends


async def test_a_picture_leaves_as_a_picture_on_wecom(wecom):
    ticket, _ = await wecom_hears(wecom)
    await wecom.answer(ticket, PNG)

    assert ("sent", "") == await wecom.fate()
    assert [("image", "plan.png", "image/png", PNG)] == wecom.server.shelf.uploads
    (sent,) = wecom.server.sent.values()
    assert ("image", {"media_id": "uploaded-1"}) == (sent["msgtype"], sent["image"])


async def test_a_file_leaves_as_a_file_on_wecom_and_dies_on_wechat(wecom, wechat):
    for it, hears in ((wecom, wecom_hears), (wechat, wechat_hears)):
        ticket, _ = await hears(it)
        await it.answer(ticket, PDF, "file", "../offer")
    assert ("sent", "") == await wecom.fate()
    assert [("file", "_offer.pdf", "application/pdf", PDF)] == wecom.server.shelf.uploads
    assert ("dead", "unsupported_part") == await wechat.fate()
    assert ([], []) == (wechat.server.shelf.uploads, wechat.server.sends)


async def test_an_office_document_of_any_age_leaves_as_a_file_on_wecom(wecom):
    ticket, _ = await wecom_hears(wecom)
    await wecom.answer(ticket, SAMPLES["application/x-ole-storage"], "file", "offer.xls")
    assert ("sent", "") == await wecom.fate()
    assert ["offer.xls"] == [name for _, name, _, _ in wecom.server.shelf.uploads]


async def test_a_picture_leaves_on_wechat(wechat):
    ticket, _ = await wechat_hears(wechat)
    await wechat.answer(ticket, JPEG, name="")

    assert ("sent", "") == await wechat.fate()
    assert [("image", "file.jpg", "image/jpeg", JPEG)] == wechat.server.shelf.uploads
    assert [{"touser": "openid-1", "msgtype": "image", "image": {"media_id": "uploaded-1"}}] == wechat.server.sends


@pytest.mark.parametrize(
    ("content", "kind", "form", "param"),
    [
        (PNG, "image", "sampleImageMsg", {"photoURL": "uploaded-1"}),
        (PDF, "file", "sampleFile", {"mediaId": "uploaded-1", "fileName": "offer.pdf", "fileType": "pdf"}),
        (AMR, "voice", "sampleAudio", {"mediaId": "uploaded-1", "duration": "100"}),
        (MP4, "video", "sampleFile", {"mediaId": "uploaded-1", "fileName": "file.mp4", "fileType": "mp4"}),
    ],
)
async def test_a_content_leaves_by_the_interface_of_the_robot(dingtalk, content, kind, form, param):
    ticket, _ = await dingtalk_hears(dingtalk)
    await dingtalk.answer(ticket, content, kind, "offer.pdf" if kind == "file" else "")

    assert ("sent", "") == await dingtalk.fate()
    ((path, body),) = dingtalk.server.sends
    assert ("/v1.0/robot/oToMessages/batchSend", form) == (path, body["msgKey"])
    assert param == json.loads(body["msgParam"])


async def test_a_picture_that_the_platform_does_not_take_is_dead_and_not_uploaded(wecom):
    ticket, _ = await wecom_hears(wecom)
    await wecom.answer(ticket, SAMPLES["image/webp"])

    assert ("dead", "media_type") == await wecom.fate()
    assert [] == wecom.server.shelf.uploads


async def test_an_upload_that_fails_has_sent_nothing_and_is_tried_again(wecom):
    ticket, _ = await wecom_hears(wecom)
    wecom.server.shelf.answers.extend([Response(status_code=502), JSONResponse({"errcode": 40014})])
    await wecom.answer(ticket, PNG)

    assert ("sent", "") == await wecom.fate()
    assert (1, 1) == (len(wecom.server.shelf.uploads), wecom.server.attempts)


async def test_bytes_that_came_with_a_message_go_the_same_way(wechat):
    callback = Callback(wechat_media("image", "media-1").raw, ("openid-1:1",), "openid-1", contents={0: PNG})
    keeper = Keeper(
        wechat.rig.gateway.inbox,
        wechat.rig.gateway.forwarder,
        clock=wechat.rig.clock,
        chance=FixedChance(),
        counts=wechat.rig.gateway.counts,
    )
    await keeper.keep("shop", callback)
    await keeper.keep("shop", replace(callback, contents={0: JPEG}))  # again: what came first stays
    ticket, (part,) = await wechat.messages()

    assert PNG == await wechat.content(ticket, part["media"]["digest"])
    assert [] == wechat.server.shelf.asked

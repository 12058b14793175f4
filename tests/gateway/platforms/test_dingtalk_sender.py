"""Answers to a simulated DingTalk over real HTTP: at the session's address while it lives, and nowhere else."""

import json

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse

from crdt_sync.errors import Unavailable
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery, Media, Part
from gateway.counts import Counts
from gateway.outbound import Dead, RetryLater, Sent, Unknown
from gateway.platforms.dingtalk import DingTalkApi, DingTalkSender
from gateway.platforms.http import PlatformHttp
from tests.gateway.dingtalk_server import KEY, ROBOT, SECRET, DingTalkServer
from tests.gateway.fakes import HeldClock

NOW_MS = 1_000_000


def delivery(text="hello 票", **changes):
    given = {"id": "d1", "message": "m1", "account": "robot", "conversation": "cid1==", "part": Part(text=text)}
    return Delivery(**(given | changes))


@pytest.fixture
async def server():
    server = DingTalkServer()
    async with server.serving():
        yield server


class Peer:
    """What the inbox knows of one conversation."""

    def __init__(self, url):
        self.known = {"webhook": f"{url}/robot/sendBySession?session=s", "until_ms": NOW_MS + 120_000}
        self.known |= {"user": "staff1", "group": ""}
        self.fails = False

    async def __call__(self, account, conversation):
        assert ("robot", "cid1==") == (account, conversation)
        if self.fails:
            raise Unavailable("scripted")
        return None if self.known is None else json.dumps(self.known)


@pytest.fixture
def peer(server):
    return Peer(server.url)


@pytest.fixture
async def sender(server, peer):
    http, clock = PlatformHttp(), HeldClock(NOW_MS // 1000)
    api = DingTalkApi(http, server.url, KEY, lambda: SECRET, clock)
    yield DingTalkSender("robot", ROBOT, api, http, peer, (server.url,), clock, Counts())
    await http.close()


INTERFACE = {"robotCode": ROBOT, "msgKey": "sampleText", "msgParam": '{"content": "hello 票"}'}
TO_USER = ("/v1.0/robot/oToMessages/batchSend", {**INTERFACE, "userIds": ["staff1"]})
TO_GROUP = ("/v1.0/robot/groupMessages/send", {**INTERFACE, "openConversationId": "cid1=="})
TO_SESSION = ("/robot/sendBySession", {"msgtype": "text", "text": {"content": "hello 票"}})


async def test_text_goes_to_the_address_of_the_session_without_a_token(server, sender):
    assert Sent() == await sender.send(delivery())
    assert ([TO_SESSION], 0) == (server.sends, server.tokens)


async def test_text_goes_to_the_interface_once_the_session_is_about_to_end(server, sender, peer):
    peer.known["until_ms"] = NOW_MS + 60_000
    assert Sent("key1") == await sender.send(delivery())
    peer.known["group"] = "cid1=="
    assert Sent("key1") == await sender.send(delivery())
    assert ([TO_USER, TO_GROUP], 1) == (server.sends, server.tokens)


@pytest.mark.parametrize("answer", [JSONResponse({"errcode": 300001, "errmsg": "gone"}), JSONResponse({}, 404)])
async def test_session_that_ended_early_costs_nothing_but_another_call(server, sender, answer):
    server.answers.append(answer)
    assert Sent("key1") == await sender.send(delivery())
    assert [TO_SESSION, TO_USER] == server.sends


@pytest.mark.parametrize(
    "webhook",
    [
        "http://169.254.169.254/robot/sendBySession?session=s",
        "http://127.0.0.1:1/robot/sendBySession",
        "{url}@127.0.0.1:1/robot/sendBySession",
        "{url}\\@127.0.0.1:1/robot/sendBySession",
        "{url}#@127.0.0.1:1/robot/sendBySession",
        "{url}.example/robot/sendBySession",
        "{url}/robot/send?access_token=t",
        "{url}/robot/../v1.0/robot/sendBySession",
        "{url}\t/robot/sendBySession",
        "file:///robot/sendBySession",
        "https://[::1/robot/sendBySession",
        "//127.0.0.1/robot/sendBySession",
        "gopher://127.0.0.1/robot/sendBySession",
    ],
)
async def test_address_that_is_not_on_the_list_is_never_called(server, sender, peer, webhook):
    peer.known["webhook"] = webhook.format(url=server.url)
    assert Sent("key1") == await sender.send(delivery())
    assert [TO_USER] == server.sends
    assert 1 == sender.counts["send.webhook_refused"]


async def test_redirect_of_the_session_is_not_followed(server, sender):
    server.answers.append(RedirectResponse(f"{server.url}/robot/sendBySession", 307))
    assert Sent("key1") == await sender.send(delivery())
    assert [TO_SESSION, TO_USER] == server.sends


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (JSONResponse({"errcode": 130101, "errmsg": "too fast"}), RetryLater("busy", 60_000)),
        (PlainTextResponse("", 502), Unknown("server_error")),
    ],
)
async def test_session_that_is_busy_or_silent_is_not_sent_around(server, sender, answer, outcome):
    server.answers.append(answer)
    assert outcome == await sender.send(delivery())
    assert [TO_SESSION] == server.sends


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (JSONResponse({"invalidStaffIdList": ["staff1"]}), Dead("invalid_user")),
        (JSONResponse({"flowControlledStaffIdList": ["staff1"]}), RetryLater("busy", 60_000)),
        (JSONResponse({"code": "Forbidden.AccessDenied.QpsLimitForApi.Throttling"}, 403), RetryLater("busy", 60_000)),
        (JSONResponse({"code": "param.error"}, 400), Dead("http_400")),
        (PlainTextResponse("", 504), Unknown("server_error")),
    ],
)
async def test_answer_of_the_interface_decides_what_becomes_of_it(server, sender, peer, answer, outcome):
    peer.known["webhook"] = ""
    server.answers.append(answer)
    assert outcome == await sender.send(delivery())


async def test_refused_token_is_replaced(server, sender, peer):
    peer.known["webhook"] = ""
    await sender.send(delivery())
    server.tokens = 50
    assert Sent("key1") == await sender.send(delivery())
    assert 51 == server.tokens


@pytest.mark.parametrize(
    ("media", "form", "content"),
    [
        (Media(type="voice", platform_id="@m 1980"), "sampleAudio", {"mediaId": "@m", "duration": "1980"}),
        (
            Media(type="video", platform_id="@m", name="tour.mp4"),
            "sampleFile",
            {"mediaId": "@m", "fileName": "tour.mp4", "fileType": "mp4"},
        ),
    ],
)
async def test_recording_is_sent_with_its_length_and_a_video_as_a_file(server, sender, media, form, content):
    assert Sent("key1") == await sender.send(delivery(part=Part(media=media)))
    body = server.sends[-1][1]
    assert (form, content) == (body["msgKey"], json.loads(body["msgParam"]))


async def test_nobody_to_write_to_and_nothing_to_write_are_said(sender, peer):
    for media in (Media(type="sticker", platform_id="@m"), Media(type="image", platform_id="sha256:not uploaded")):
        assert Dead("unsupported_part") == await sender.send(delivery(part=Part(media=media)))
    peer.known |= {"webhook": "", "user": ""}
    assert Dead("no_address") == await sender.send(delivery())
    peer.known = None
    assert Dead("no_address") == await sender.send(delivery())
    peer.fails = True
    assert RetryLater("store") == await sender.send(delivery())


async def test_notice_goes_to_the_group_that_it_names_although_nobody_spoke_there(server, sender, peer):
    peer.known = None
    assert Sent("key1") == await sender.send(delivery(message=""))
    assert [TO_GROUP] == server.sends


def test_second_send_is_a_second_message(sender):
    assert not sender.has_idempotency
    assert sender.limits.window is None

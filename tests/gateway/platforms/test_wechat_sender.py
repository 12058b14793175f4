"""Answers to a simulated WeChat over real HTTP: what each of its words means for an attempt."""

import pytest
from starlette.responses import PlainTextResponse

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery, Media, Part
from gateway.outbound import Dead, RetryLater, Sent, Unknown, WindowClosed
from gateway.platforms.http import PlatformHttp
from gateway.platforms.wechat import WeChatSender, wechat_api
from tests.gateway.fakes import HeldClock
from tests.gateway.platform import T5
from tests.gateway.rig import free_port
from tests.gateway.wechat_server import SECRET, WeChatServer


def delivery(text="hello 票", **changes):
    given = {"id": "d1", "account": "shop", "conversation": "openid-1", "part": Part(text=text)}
    return Delivery(**(given | changes))


@pytest.fixture
async def server():
    server = WeChatServer()
    async with server.serving() as url:
        server.url = url
        yield server


@pytest.fixture
async def http():
    http = PlatformHttp()
    yield http
    await http.close()


def sender_at(url, http, clock=None):
    return WeChatSender("shop", wechat_api(http, url, T5["app_id"], lambda: SECRET, clock or HeldClock(0)))


@pytest.fixture
def sender(server, http):
    return sender_at(server.url, http)


async def test_text_is_sent_as_it_stands(server, sender):
    assert Sent() == await sender.send(delivery())
    assert [{"touser": "openid-1", "msgtype": "text", "text": {"content": "hello 票"}}] == server.sends
    assert "票".encode() in server.bodies[0]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (45015, WindowClosed("window")),
        (45047, WindowClosed("quota")),
        (-1, RetryLater("busy", 10_000)),
        (45009, RetryLater("busy", 10_000)),
        (40003, Dead("errcode_40003")),
        (48001, Dead("errcode_48001")),
        (PlainTextResponse("", 429, {"Retry-After": "3"}), RetryLater("busy", 3_000)),
        (PlainTextResponse("", 503), RetryLater("busy")),
        (PlainTextResponse("", 502), Unknown("server_error")),
        (PlainTextResponse("no JSON"), Unknown("answer_form")),
        (PlainTextResponse("no JSON", 404), Dead("http_404")),
    ],
)
async def test_answer_decides_whether_it_was_sent_and_may_be_again(server, sender, answer, outcome):
    server.answers.append(answer)
    assert outcome == await sender.send(delivery())
    assert 1 == len(server.sends)


async def test_refused_token_is_replaced_and_the_text_sent_once(server, sender):
    await sender.send(delivery())
    server.live = 2
    assert Sent() == await sender.send(delivery())
    assert (2, 2) == (server.asked_for_token, len(server.sends))


async def test_token_that_stays_refused_is_tried_again_later(server, sender):
    server.answers.extend([40001, 42001])
    assert RetryLater("token") == await sender.send(delivery())


async def test_without_a_token_nothing_is_sent(server, sender):
    server.no_token = True
    assert RetryLater("token") == await sender.send(delivery())
    assert [] == server.sends


async def test_secret_that_is_no_longer_there_is_no_token(server, http):
    def gone():
        raise Malformed("not set", code="secret")

    sender = WeChatSender("shop", wechat_api(http, server.url, T5["app_id"], gone, HeldClock(0)))
    assert RetryLater("token") == await sender.send(delivery())


async def test_platform_that_is_away_is_tried_again_later(http):
    url = f"http://127.0.0.1:{free_port()}"
    assert RetryLater("token") == await sender_at(url, http).send(delivery())


async def test_platform_that_goes_away_once_a_token_is_there_is_tried_again_later(http):
    server = WeChatServer()
    async with server.serving() as url:
        sender = sender_at(url, http)
        await sender.send(delivery())
    assert RetryLater("unreachable") == await sender.send(delivery())


async def test_part_that_has_no_form_or_is_too_long_is_not_sent(server, sender):
    for media in (Media(type="file", platform_id="m"), Media(type="image", platform_id="sha256:not uploaded")):
        assert Dead("unsupported_part") == await sender.send(delivery(part=Part(media=media)))
    assert Dead("text_size") == await sender.send(delivery("票" * 683))
    assert Sent() == await sender.send(delivery("票" * 682))


def test_what_wechat_allows_is_said(sender):
    assert ("shop", False) == (sender.account, sender.has_idempotency)
    assert (48 * 3_600_000, 5) == (sender.limits.window.duration_ms, sender.limits.window.parts_max)


async def test_secret_and_token_stand_in_no_log(server, sender, capsys, caplog):
    caplog.set_level("DEBUG")
    server.answers.append(45015)
    await sender.send(delivery())
    written = "".join(capsys.readouterr()) + caplog.text
    assert "token-1" not in written
    assert SECRET not in written

"""Notices to simulated group robots over real HTTP: signed as each platform checks it, and paced as each allows."""

import itertools
import json
from pathlib import Path

import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery, Media, Part
from gateway.channels.dingtalk import sign
from gateway.outbound import Dead, RetryLater, Sent, Unknown
from gateway.platforms.group_robots import GroupRobotSender, feishu_sign
from gateway.platforms.http import PlatformHttp
from gateway.rates import Throttle
from gateway.registry import _robot
from tests.gateway.fakes import HeldClock
from tests.gateway.group_server import GroupServer, dingtalk_group, feishu_group, wecom_group

VECTORS = Path(__file__).parents[3] / "proto" / "vectors"
KINDS = [dingtalk_group, wecom_group, feishu_group]


@pytest.fixture
async def server():
    server = GroupServer()
    async with server.serving():
        yield server


@pytest.fixture
async def http():
    http = PlatformHttp()
    yield http
    await http.close()


def sender_of(account, http):
    return GroupRobotSender(account.account, _robot(account), account.api, http, HeldClock(1_700_000_000))


def notice(text="#abcdefgh：待开通 → 开通中", **changes):
    return Delivery(**({"id": "d1", "part": Part(text=text)} | changes))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_notice_arrives_in_the_group_of_its_robot(server, http, kind):
    account = kind(server.url)
    assert Sent() == await sender_of(account, http).send(notice(conversation="whatever"))
    assert [(account.channel, "#abcdefgh：待开通 → 开通中")] == server.shown


@pytest.mark.parametrize(
    ("account", "outcome"),
    [
        (dingtalk_group(secret=lambda: "another"), Dead("errcode_310000")),
        (dingtalk_group(access_token=lambda: "another"), Dead("errcode_310000")),
        (wecom_group(key=lambda: "another"), Dead("errcode_93000")),
        (feishu_group(secret=lambda: "another"), Dead("code_19021")),
        (feishu_group(hook=lambda: "another"), Dead("code_19021")),
    ],
)
async def test_a_robot_that_its_platform_does_not_know_says_so(server, http, account, outcome):
    account = account.model_copy(update={"api": server.url})
    assert outcome == await sender_of(account, http).send(notice())
    assert [] == server.shown


@pytest.mark.parametrize(
    ("kind", "answer", "outcome"),
    [
        (dingtalk_group, JSONResponse({"errcode": 130101}), RetryLater("busy", 600_000)),
        (wecom_group, JSONResponse({"errcode": 45009}), RetryLater("busy", 60_000)),
        (feishu_group, JSONResponse({"code": 11232}, 400), RetryLater("busy", 60_000)),
        (feishu_group, PlainTextResponse("", 429, {"retry-after": "3"}), RetryLater("busy", 3_000)),
        (wecom_group, PlainTextResponse("", 502), Unknown("server_error")),
        (wecom_group, JSONResponse({}, 404), Dead("http_404")),
    ],
)
async def test_what_the_platform_answers_decides_what_becomes_of_it(server, http, kind, answer, outcome):
    server.answers.append(answer)
    assert outcome == await sender_of(kind(server.url), http).send(notice())


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_is_sent_that_cannot_be(server, http, kind):
    sender = sender_of(kind(server.url), http)
    assert Dead("unsupported_part") == await sender.send(notice(part=Part(media=Media(type="image"))))
    assert RetryLater("unreachable") == await sender_of(kind(), http).send(notice())
    assert not sender.has_idempotency
    assert [] == server.shown


async def test_a_secret_that_went_away_is_waited_for(server, http):
    def gone():
        raise Malformed("not set", code="secret")

    assert RetryLater("secret") == await sender_of(wecom_group(server.url, key=gone), http).send(notice())


async def test_a_text_is_cut_where_a_platform_would_refuse_it_and_calls_nobody(server, http):
    await sender_of(wecom_group(server.url), http).send(notice("票" * 2_000))
    assert f"{'票' * 681}…" == server.texts("wecom-group")[0]

    await sender_of(feishu_group(server.url), http).send(notice('<at user_id="all">all</at>'))
    assert ['＜at user_id="all">all＜/at>'] == server.texts("feishu-group")


def test_signatures_are_those_of_openssl():
    vectors = json.loads((VECTORS / "group_robots.json").read_text("utf-8"))
    signs = {"dingtalk": sign, "feishu": feishu_sign}

    assert {"dingtalk", "feishu"} == {vector["robot"] for vector in vectors["signatures"]}
    for vector in vectors["signatures"]:
        assert vector["sign"] == signs[vector["robot"]](vector["secret"], vector["timestamp"])


@pytest.mark.parametrize(
    ("kind", "span_ms", "allowed"),
    [(dingtalk_group, 60_000, 20), (wecom_group, 60_000, 20), (feishu_group, 60_000, 100), (feishu_group, 1_000, 5)],
)
def test_in_no_span_does_a_robot_say_more_than_it_may(kind, span_ms, allowed):
    """As fast as the pace lets it, and once anew, as after a start."""
    sent, now_ms = [], 0
    for _ in range(2):
        throttle = Throttle(_robot(kind()).limits)
        for _ in range(2 * allowed):
            now_ms += throttle.wait_ms("", now_ms)
            throttle.take("", now_ms)
            sent.append(now_ms)
    busiest = max(sum(at <= each < at + span_ms for each in sent) for at in sent)

    assert allowed // 2 <= busiest <= allowed
    assert all(later >= earlier for earlier, later in itertools.pairwise(sent))

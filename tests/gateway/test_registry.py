"""Each kind of account is put together whole: what comes in by its channel goes out by its sender."""

import asyncio
import json

import pytest

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery, Part
from gateway.bootstrap import Gateway
from gateway.outbound import Sent
from tests.gateway.dingtalk_server import DingTalkServer, dingtalk_account, said, signed
from tests.gateway.fakes import FakeIngress, HeldClock
from tests.gateway.group_server import GroupServer, dingtalk_group, feishu_group, wecom_group
from tests.gateway.platform import T5_NOW_S, Platform, text
from tests.gateway.rig import NO_SERVICE, account, running, settings
from tests.gateway.wechat_server import SECRET, WeChatServer
from tests.gateway.wecom_server import WeComServer, hint, message, wecom_account


async def answered(data, configured, *posts):
    """What becomes of an answer to the conversation that the posts began."""
    ingress = FakeIngress()
    given = {"accounts": (configured,), "clock": HeldClock(T5_NOW_S)}
    async with ingress.serving() as port, running(data, port, **given) as rig, asyncio.timeout(20):
        for post in posts:
            assert 200 == (await rig.post(post, configured.account)).status_code
        await ingress.entered.wait()
        (envelope,) = ingress.taken.values()
        sender = rig.gateway.senders[configured.account]
        assert configured.account == sender.account
        return await sender.send(
            Delivery(id="d1", message="m1", conversation=envelope.conversation, part=Part(text="answer"))
        )


async def test_wechat_answers_the_follower(tmp_path):
    server = WeChatServer()
    async with server.serving() as url:
        configured = account(app_secret=lambda: SECRET, api=url)
        assert Sent() == await answered(tmp_path, configured, Platform().post(text(1)))
    assert ["openid-1"] == [sent["touser"] for sent in server.sends]


async def test_wecom_answers_the_customer_of_what_was_pulled(tmp_path):
    server = WeComServer()
    server.messages["kf1"] = [message(1)]
    async with server.serving() as url:
        assert isinstance(await answered(tmp_path, wecom_account(url), hint()), Sent)
    assert [("wm-1", "kf1")] == [(sent["touser"], sent["open_kfid"]) for sent in server.sent.values()]
    assert 1 == server.tokens  # one for pulling and for answering


async def test_dingtalk_answers_at_the_address_that_the_message_named(tmp_path):
    server = DingTalkServer()
    async with server.serving() as url:
        session = {"sessionWebhook": f"{url}/robot/sendBySession?session=s"}
        session |= {"sessionWebhookExpiredTime": (T5_NOW_S + 5_400) * 1000}
        post = signed(json.dumps(said(1, **session)).encode())
        assert Sent() == await answered(tmp_path, dingtalk_account(url, mode="http"), post)
    assert ["/robot/sendBySession"] == [path for path, _ in server.sends]


async def test_a_group_robot_is_told_and_hears_nothing(tmp_path):
    server = GroupServer()
    async with server.serving() as url:
        accounts = tuple(kind(url) for kind in (dingtalk_group, wecom_group, feishu_group))
        async with running(tmp_path, NO_SERVICE, accounts=accounts) as rig:
            for configured in accounts:
                sender = rig.gateway.senders[configured.account]
                assert configured.account == sender.account
                assert Sent() == await sender.send(Delivery(id="d1", part=Part(text="notice")))
                assert 404 == (await rig.post(Platform().post(text(1)), configured.account)).status_code
    assert ["dingtalk-group", "wecom-group", "feishu-group"] == [channel for channel, _ in server.shown]


def test_account_without_a_secret_for_answers_answers_nobody(tmp_path):
    assert {} == Gateway(settings(tmp_path, NO_SERVICE)).senders


def gone():
    raise Malformed("not set", code="secret")


@pytest.mark.parametrize(
    "configured",
    [
        account(app_secret=gone),
        account(token=gone),
        wecom_account(secret=gone),
        dingtalk_account(client_secret=gone),
        dingtalk_group(secret=gone),
        wecom_group(key=gone),
        feishu_group(hook=gone),
    ],
)
def test_missing_secret_is_found_before_anything_runs(tmp_path, configured):
    with pytest.raises(Malformed, match="not set"):
        Gateway(settings(tmp_path, NO_SERVICE, accounts=(configured,)))

"""A spool that is full: each platform is told so in the way that makes it keep what it has for us."""

import json
from contextlib import AsyncExitStack

from tests.gateway.dingtalk_server import DingTalkServer, call, dingtalk_account, said, signed
from tests.gateway.fakes import HeldClock
from tests.gateway.platform import T5_NOW_S, Platform, text
from tests.gateway.rig import NO_SERVICE, account, running
from tests.gateway.wecom_server import WeComServer, hint, message, wecom_account

FULL = {"spool_rows_max": 20, "spool_reserve_rows": 2}  # 18 for everybody


def told(number):
    """A message that DingTalk posts, at a millisecond of its own."""
    return signed(json.dumps(said(number, createAt=T5_NOW_S * 1000 + number)).encode(), now_s=T5_NOW_S + number / 1000)


async def test_dingtalk_is_told_503_and_wechat_has_the_reserve(tmp_path):
    accounts = (account(), dingtalk_account(mode="http"))
    async with running(tmp_path, NO_SERVICE, clock=HeldClock(T5_NOW_S), accounts=accounts, **FULL) as rig:
        taken = [(await rig.post(told(number), "robot")).status_code for number in range(20)]
        assert [200] * 18 + [503] * 2 == taken
        answer = await rig.post(told(18), "robot")
        assert (503, "2") == (answer.status_code, answer.headers["retry-after"])
        assert 200 == (await rig.post(told(1), "robot")).status_code  # it is known, and takes no room

        assert [200, 200, 503] == [(await rig.post(Platform().post(text(number)))).status_code for number in (1, 2, 3)]
        assert 4 == rig.gateway.counts["callback.refused.unavailable"]


async def test_wecom_is_not_pulled_and_the_stream_of_dingtalk_gets_no_acknowledgement(tmp_path):
    wecom, dingtalk = WeComServer(), DingTalkServer()
    async with AsyncExitStack() as stack:
        accounts = (
            account(),
            wecom_account(await stack.enter_async_context(wecom.serving())),
            dingtalk_account(await stack.enter_async_context(dingtalk.serving())),
        )
        given = {"clock": HeldClock(T5_NOW_S), "accounts": accounts, **FULL}
        rig = await stack.enter_async_context(running(tmp_path, NO_SERVICE, **given))
        for number in range(18):
            assert 200 == (await rig.post(Platform().post(text(number)))).status_code

        wecom.messages["kf1"] = [message(1)]
        assert 200 == (await rig.post(hint(), "kf")).status_code  # a hint takes no room, and is remembered
        await rig.clock.asleep(0.75)
        assert (1, []) == (rig.gateway.counts["pull.failed.spool_full"], wecom.pulls)

        stream = await dingtalk.stream()
        assert 500 == (await dingtalk.push(call(1), stream))["code"]

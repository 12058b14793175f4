import asyncio

import httpx
from starlette.applications import Starlette

from gateway.bootstrap import Gateway
from gateway.health import Health
from tests.gateway.fakes import FakeIngress, FixedChance, HeldClock
from tests.gateway.platform import T5_NOW_S
from tests.gateway.rig import NO_SERVICE, account, free_port, serving, settings
from tests.gateway.wechat_server import SECRET, WeChatServer


async def asked(gateway):
    """The answer to one probe of a fresh process."""
    app = Starlette(routes=Health(gateway.check).routes())
    async with serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert 200 == (await client.get("/healthz")).status_code
        answer = await client.get("/readyz")
        return answer.status_code, answer.json().get("code")


async def test_gateway_is_ready_once_the_service_and_the_tokens_are_there_before_anybody_needs_them(tmp_path):
    wechat, port = WeChatServer(), free_port()
    async with wechat.serving() as api:
        given = settings(tmp_path, port, accounts=(account(api=api, app_secret=lambda: SECRET),))
        gateway = Gateway(given, clock=HeldClock(T5_NOW_S), chance=FixedChance())
        assert (503, "unavailable") == await asked(gateway)
        await gateway.start()
        assert (503, "starting") == await asked(gateway)
        async with FakeIngress().serving(port), asyncio.timeout(20):
            await gateway.warm()
            assert (200, None) == await asked(gateway)
            assert 1 == wechat.asked_for_token
            await gateway.stop()
    assert (503, "unavailable") == await asked(gateway)


async def test_gateway_waits_two_seconds_for_a_service_that_is_down_and_is_ready_without_it(tmp_path):
    clock = HeldClock(T5_NOW_S)
    gateway = Gateway(settings(tmp_path, NO_SERVICE), clock=clock, chance=FixedChance())
    await gateway.start()
    await clock.asleep(2.0)
    assert (503, "starting") == await asked(gateway)
    clock.advance(2)
    async with asyncio.timeout(20):
        await gateway.warm()
    assert (200, None) == await asked(gateway)
    await gateway.stop()


async def test_flood_of_probes_makes_one_check(tmp_path):
    checks = []

    async def check():
        checks.append(1)

    app = Starlette(routes=Health(check).routes())
    async with serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        answers = await asyncio.gather(*(client.get("/readyz") for _ in range(20)))
    assert {200} == {answer.status_code for answer in answers}
    assert len(checks) < 20

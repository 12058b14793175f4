"""Calls to a business system, which stands here as the service's side of `Ingest`."""

import asyncio

import grpc
import pytest

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import IngestRequest
from crdt_sync.rpc.ticketsync.v1.gateway_pb2_grpc import IngressServiceStub
from gateway.plugins import breaker
from gateway.plugins.api import TryLater
from gateway.plugins.breaker import FAILURES_MAX
from gateway.plugins.connector import Connector
from tests.gateway.fakes import FakeIngress
from tests.gateway.plugins.packages import said
from tests.gateway.rig import free_port
from tests.replica.loopback import until

AWAY = grpc.StatusCode.UNAVAILABLE


async def ingest(system):
    return await system.call(lambda stub: stub.Ingest, IngestRequest(envelopes=[said("hello")]))


async def test_call_carries_the_token_on_a_warm_channel_and_is_tried_again_within_its_budget():
    fake, tokens = FakeIngress(), iter("abc")
    async with (
        fake.serving() as port,
        Connector(f"127.0.0.1:{port}", IngressServiceStub, token=lambda: next(tokens)) as system,
    ):
        fake.failures.extend([AWAY, AWAY])
        assert 1 == len((await ingest(system)).results)
        assert 3 == len(fake.calls)
        assert {"Bearer a"} == {each["authorization"] for each in fake.metadata}


class Peers(FakeIngress):
    """Knows on how many connections it was asked."""

    def __init__(self):
        super().__init__()
        self.peers = set()

    async def Ingest(self, request, context):  # noqa: N802
        self.peers.add(context.peer())
        return await super().Ingest(request, context)


async def test_calls_go_round_connections_that_stand_before_the_first():
    fake = Peers()
    async with fake.serving() as port, Connector(f"127.0.0.1:{port}", IngressServiceStub, channels=3) as system:
        assert {grpc.ChannelConnectivity.READY} == {channel.get_state() for channel in system._channels}
        for _ in range(6):
            await ingest(system)
        assert 3 == len(fake.peers)


async def test_nothing_goes_on_when_warming_is_cancelled():
    before = asyncio.all_tasks()
    system = Connector(f"127.0.0.1:{free_port()}", IngressServiceStub, channels=2)
    warming = asyncio.ensure_future(system.__aenter__())
    await until(lambda: len(asyncio.all_tasks() - before) == 3)
    warming.cancel()
    await asyncio.gather(warming, return_exceptions=True)
    assert before == asyncio.all_tasks()
    await system.__aexit__(None, None, None)


async def test_retries_are_spent_and_then_the_breaker_opens():
    fake = FakeIngress()
    async with fake.serving() as port, Connector(f"127.0.0.1:{port}", IngressServiceStub, channels=1) as system:
        fake.failures.extend([AWAY] * 100)
        for _ in range(FAILURES_MAX):
            with pytest.raises(TryLater, match="UNAVAILABLE"):
                await ingest(system)
        asked = len(fake.calls)
        assert asked < 3 * FAILURES_MAX, "the budget is smaller than three tries of each"
        with pytest.raises(TryLater, match="is away") as open_:
            await ingest(system)
        assert (asked, True) == (len(fake.calls), 0 < open_.value.delay_s <= 1)


async def test_refusal_is_an_answer_and_slowness_is_none():
    fake = FakeIngress()
    async with (
        fake.serving() as port,
        Connector(f"127.0.0.1:{port}", IngressServiceStub, deadline_s=0.2) as system,
    ):
        for _ in range(FAILURES_MAX + 1):
            fake.failures.append(grpc.StatusCode.INVALID_ARGUMENT)
            with pytest.raises(grpc.aio.AioRpcError):
                await ingest(system)
        fake.stuck.add("hello")
        with pytest.raises(TryLater, match="DEADLINE"):
            await ingest(system)
        waiting = asyncio.create_task(ingest(system))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        fake.stuck.clear()
        assert 1 == len((await ingest(system)).results)


async def test_whoever_gives_up_while_it_is_tried_leaves_the_trial_to_the_next(monkeypatch):
    monkeypatch.setattr(breaker, "OPEN_S_MIN", 1e-9)
    fake = FakeIngress()
    fake.stuck.add("hello")
    async with (
        fake.serving() as port,
        Connector(f"127.0.0.1:{port}", IngressServiceStub, deadline_s=0.05) as system,
    ):
        for _ in range(FAILURES_MAX):
            with pytest.raises(TryLater, match="DEADLINE"):
                await ingest(system)
        trying = asyncio.create_task(ingest(system))
        await asyncio.sleep(0)
        with pytest.raises(TryLater, match="is away"):
            await ingest(system)
        trying.cancel()
        await asyncio.gather(trying, return_exceptions=True)
        fake.stuck.clear()
        assert 1 == len((await ingest(system)).results)

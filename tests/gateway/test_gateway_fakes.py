import asyncio
from collections import deque

import grpc

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import (
    INGEST_STATUS_ACCEPTED,
    INGEST_STATUS_DUPLICATE,
    INGEST_STATUS_RETRY_LATER,
    Envelope,
    IngestRequest,
)
from crdt_sync.rpc.ticketsync.v1.gateway_pb2_grpc import IngressServiceStub
from tests.gateway.fakes import FakeIngress, HeldClock, SteppingClock


async def test_fake_service_takes_a_key_once_and_follows_its_script():
    ingress = FakeIngress()
    ingress.failures.append(grpc.StatusCode.UNAVAILABLE)
    ingress.verdicts["a"] = deque([INGEST_STATUS_RETRY_LATER])
    request = IngestRequest(envelopes=[Envelope(idempotency_key="a")])
    async with ingress.serving() as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = IngressServiceStub(channel)
        answers = []
        for _ in range(4):
            try:
                answers.append((await stub.Ingest(request)).results[0].status)
            except grpc.aio.AioRpcError as error:
                answers.append(error.code())

    expected = [
        grpc.StatusCode.UNAVAILABLE,
        INGEST_STATUS_RETRY_LATER,
        INGEST_STATUS_ACCEPTED,
        INGEST_STATUS_DUPLICATE,
    ]
    assert expected == answers
    assert ["a"] == list(ingress.taken)


async def test_stepping_clock_moves_only_when_somebody_sleeps():
    clock = SteppingClock(1)
    assert 1_000 == clock.now_ms()

    await clock.sleep(2.5)
    assert 3_500 == clock.now_ms()


async def test_held_clock_wakes_those_whose_time_has_come_and_no_others():
    clock = HeldClock(1)
    naps = [asyncio.create_task(clock.sleep(delay_s)) for delay_s in (1, 2)]
    await clock.asleep(2)
    clock.advance(1.5)
    await clock.asleep(2)
    await naps[0]

    assert (2_500, False) == (clock.now_ms(), naps[1].done())
    clock.advance(0.5)
    await naps[1]

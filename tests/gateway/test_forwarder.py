"""The forwarder with a real inbox and a real gRPC service, and without HTTP."""

import asyncio
from collections import deque
from contextlib import asynccontextmanager

import grpc
import pytest

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import (
    INGEST_STATUS_REJECTED,
    INGEST_STATUS_RETRY_LATER,
    INGEST_STATUS_UNSPECIFIED,
    Envelope,
)
from crdt_sync.rpc.ticketsync.v1.gateway_pb2_grpc import IngressServiceStub
from gateway.arrivals import Arrival
from gateway.counts import Counts
from gateway.forwarder import Forwarder, Pace
from gateway.inbox import Inbox
from tests.gateway.fakes import FakeIngress, FixedChance, SteppingClock
from tests.gateway.rig import rows
from tests.replica.loopback import until


class LetterChannel:
    """A channel whose content is the key itself; `!` is unreadable and `?` finds a bug."""

    account = "shop"

    def envelope(self, content: bytes) -> Envelope:
        if content.startswith(b"!"):
            raise Malformed("unreadable")
        if content.startswith(b"?"):
            raise ZeroDivisionError
        written = Envelope(idempotency_key=content.decode()[:50], account=self.account)
        written.unknown.type = "letter"
        return written


class Line:
    """A forwarder with its inbox, not yet started."""

    def __init__(self, inbox, forwarder, stub, counts, clock, data):
        self.inbox, self.forwarder, self.stub = inbox, forwarder, stub
        self.counts, self.clock, self.data = counts, clock, data
        self._number = 0

    async def put(self, *contents: str, lane: str = "a") -> None:
        for content in contents:
            self._number += 1
            await self.inbox.keep(
                Arrival("shop", lane, (f"{self._number}",), content.encode(), self.clock.now_ms(), "trace")
            )
            self.forwarder.wake()

    async def drain(self) -> None:
        self.forwarder.start(self.stub)
        async with asyncio.timeout(20):
            await self.forwarder.idle()


@asynccontextmanager
async def line(data, ingress, *, token=lambda: "token", call_timeout_ms=5_000):
    counts, clock = Counts(), SteppingClock(1_000)
    inbox = Inbox(data / "inbox.db", spool_rows_max=1_000)
    forwarder = Forwarder(
        inbox,
        {"shop": LetterChannel()},
        token=token,
        pace=Pace(call_timeout_ms, 100, 400),
        clock=clock,
        chance=FixedChance(),
        counts=counts,
    )
    await inbox.open()
    try:
        async with ingress.serving() as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Line(inbox, forwarder, IngressServiceStub(channel), counts, clock, data)
            await forwarder.stop()
    finally:
        await inbox.close()


async def test_conversation_is_forwarded_in_order_and_one_at_a_time(tmp_path):
    ingress = FakeIngress()
    async with line(tmp_path, ingress) as it:
        await it.put("a1", "a2", lane="a")
        await it.put("b1", lane="b")
        await it.put("a3", lane="a")
        await it.drain()

    assert [["a1", "b1"], ["a2"], ["a3"]] == ingress.calls
    assert "trace" == ingress.taken["a1"].traceparent
    assert "Bearer token" == ingress.metadata[0]["authorization"]
    assert 4 == it.counts["forward.unknown_kind"]


async def test_hundred_conversations_fill_a_call(tmp_path):
    ingress = FakeIngress()
    async with line(tmp_path, ingress) as it:
        for number in range(101):
            await it.put(f"m{number}", lane=f"lane {number}")
        await it.drain()

    assert [100, 1] == [len(call) for call in ingress.calls]


async def test_conversations_whose_tickets_are_loaded_go_on_before_others(tmp_path):
    ingress = FakeIngress()
    async with line(tmp_path, ingress) as it:
        for turn in range(3):
            for number in range(101):
                await it.put(f"m{number}-{turn}", lane=f"lane {number}")
        await it.drain()

    first = [f"m{number}" for number in range(100)]
    assert [[f"{name}-{turn}" for name in first] for turn in range(3)] == ingress.calls[:3]
    assert [["m100-0"], ["m100-1"], ["m100-2"]] == ingress.calls[3:]


async def test_row_that_is_to_come_later_is_not_taken_along_with_what_follows_in_others(tmp_path):
    ingress = FakeIngress()
    ingress.verdicts["m0-0"] = deque([INGEST_STATUS_RETRY_LATER])
    async with line(tmp_path, ingress) as it:
        for turn in range(2):
            for number in range(100):
                await it.put(f"m{number}-{turn}", lane=f"lane {number}")
        await it.drain()

    assert [f"m{number}-1" for number in range(1, 100)] == ingress.calls[1]
    assert [["m0-0"], ["m0-1"]] == ingress.calls[2:]


async def test_large_callbacks_are_spread_over_calls(tmp_path):
    ingress = FakeIngress()
    async with line(tmp_path, ingress) as it:
        for name in "abc":
            await it.put(name * 600_000, lane=name)
        await it.drain()

    assert [1, 1, 1] == [len(call) for call in ingress.calls]


async def test_retry_later_holds_its_lane_and_no_other(tmp_path):
    ingress = FakeIngress()
    ingress.verdicts["a1"] = deque([INGEST_STATUS_RETRY_LATER, INGEST_STATUS_UNSPECIFIED])
    async with line(tmp_path, ingress) as it:
        await it.put("a1", "a2", lane="a")
        await it.put("b1", "b2", lane="b")
        await it.drain()

    assert ["b1", "b2", "a1", "a2"] == list(ingress.taken)
    assert [("forwarded", 3), ("forwarded", 1)] == rows(it.data, "state, attempts")[:2]


@pytest.mark.parametrize(
    "failure",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.INTERNAL,
    ],
)
async def test_failed_call_is_tried_again(tmp_path, failure):
    ingress = FakeIngress()
    ingress.failures.extend([failure] * 3)
    async with line(tmp_path, ingress) as it:
        await it.put("a1", "a2")
        await it.drain()

    assert [["a1"]] * 4 + [["a2"]] == ingress.calls
    assert 3 == it.counts[f"forward.failed.{failure.name.lower()}"]
    of_the_row = failure is grpc.StatusCode.INTERNAL  # else it is the service that fails, and no row is put off
    assert [(4 if of_the_row else 1,), (1,)] == rows(it.data, "attempts")


async def test_delay_doubles_with_jitter_up_to_its_bound(tmp_path):
    ingress = FakeIngress()
    ingress.failures.extend([grpc.StatusCode.UNAVAILABLE] * 4)
    async with line(tmp_path, ingress) as it:
        await it.put("a1")
        await it.drain()

    assert [0.075, 0.15, 0.3, 0.3] == it.clock.sleeps_s


async def test_service_that_does_not_answer_in_time_is_asked_again(tmp_path):
    ingress = FakeIngress()
    ingress.gate.clear()
    async with line(tmp_path, ingress, call_timeout_ms=100) as it:
        await it.put("a1")
        it.forwarder.start(it.stub)
        async with asyncio.timeout(20):
            await ingress.entered.wait()
            ingress.entered.clear()
            await ingress.entered.wait()
            ingress.gate.set()
            await it.forwarder.idle()

    assert it.counts["forward.failed.deadline_exceeded"] >= 1
    assert ["a1"] == list(ingress.taken)


async def test_callback_on_which_the_service_is_stuck_holds_up_no_other_conversation(tmp_path):
    ingress = FakeIngress()
    ingress.stuck = {"m3"}
    async with line(tmp_path, ingress, call_timeout_ms=100) as it:
        for number in range(7):
            await it.put(f"m{number}", lane=f"lane {number}")
        it.forwarder.start(it.stub)
        await until(lambda: len(ingress.taken) == 6)
        await it.put("later", lane="another lane")
        await until(lambda: "later" in ingress.taken)
        assert "m3" not in ingress.taken
        ingress.stuck.clear()
        async with asyncio.timeout(20):
            await it.forwarder.idle()

    assert "m3" in ingress.taken


async def test_refused_callback_is_dead_with_its_code_and_the_next_goes_on(tmp_path):
    ingress = FakeIngress()
    ingress.verdicts["a1"] = deque([INGEST_STATUS_REJECTED])
    async with line(tmp_path, ingress) as it:
        await it.put("a1", "a2")
        await it.drain()

    assert [("dead", "scripted", None), ("forwarded", None, "ticket")] == rows(it.data, "state, code, ticket")


async def test_content_that_cannot_be_mapped_is_dead_and_stops_nobody(tmp_path):
    ingress = FakeIngress()
    async with line(tmp_path, ingress) as it:
        await it.put("!", "?", "a1")
        await it.put("b1", lane="b")
        await it.drain()

    assert [("dead", "malformed"), ("dead", "mapping")] == rows(it.data, "state, code")[:2]
    assert {"a1", "b1"} == set(ingress.taken)


async def test_one_envelope_that_the_service_calls_invalid_is_found_among_many(tmp_path):
    ingress = FakeIngress()
    ingress.poison = {"m3"}
    async with line(tmp_path, ingress) as it:
        for number in range(7):
            await it.put(f"m{number}", lane=f"lane {number}")
        await it.drain()

    assert {f"m{number}" for number in range(7)} - {"m3"} == set(ingress.taken)
    assert ("dead", "invalid_argument") == rows(it.data, "state, code")[3]


async def test_answer_about_other_callbacks_is_not_believed(tmp_path):
    ingress = FakeIngress()
    ingress.reversed = True
    async with line(tmp_path, ingress) as it:
        await it.put("a1", lane="a")
        await it.put("b1", lane="b")
        it.forwarder.start(it.stub)
        async with asyncio.timeout(20):
            await ingress.entered.wait()
            ingress.reversed = False
            await it.forwarder.idle()

    assert [("forwarded", "message of a1"), ("forwarded", "message of b1")] == rows(it.data, "state, message")


async def test_missing_token_delays_and_loses_nothing(tmp_path):
    tokens = deque([Malformed("gone", code="secret")])

    def token() -> str:
        if tokens:
            raise tokens.popleft()
        return "found again"

    ingress = FakeIngress()
    async with line(tmp_path, ingress, token=token) as it:
        await it.put("a1")
        await it.drain()

    assert 1 == it.counts["forward.failed.secret"]
    assert "Bearer found again" == ingress.metadata[0]["authorization"]


async def test_stop_lets_the_call_on_its_way_end(tmp_path):
    ingress = FakeIngress()
    ingress.gate.clear()
    async with line(tmp_path, ingress) as it:
        await it.put("a1", "a2")
        it.forwarder.start(it.stub)
        await ingress.entered.wait()
        stopping = asyncio.create_task(it.forwarder.stop())
        ingress.gate.set()
        await stopping

    assert [("forwarded",), ("received",)] == rows(it.data, "state")


async def test_inbox_that_fails_is_asked_again(tmp_path):
    ingress = FakeIngress()
    async with line(tmp_path, ingress) as it:
        await it.put("a1")
        await it.inbox.file.change(lambda connection: connection.exec_driver_sql("ALTER TABLE inbox RENAME TO away"))
        it.forwarder.start(it.stub)
        async with asyncio.timeout(20):
            await it.clock.slept.wait()
            await it.inbox.file.change(
                lambda connection: connection.exec_driver_sql("ALTER TABLE away RENAME TO inbox")
            )
            await it.forwarder.idle()

    assert ["a1"] == list(ingress.taken)
    assert it.counts["forward.store_failed"] >= 1

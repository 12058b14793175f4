"""Claims and reports over real gRPC, a real database under them."""

import asyncio
import time

import grpc
import pytest

from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain import message
from crdt_sync.ports.outbox import StoredDelivery
from crdt_sync.rpc.status import code_of
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2_grpc
from crdt_sync.server import grpc_egress
from crdt_sync.service.outbox import Claiming
from crdt_sync.wire import limits, ysync
from tests.access.wires import sync_socket
from tests.replica.loopback import until
from tests.server.conftest import run_service

GATEWAY = {"department": "gateway", "accounts": ["shop"]}
TEXT = {"type": "text", "text": "We will call you. 王"}
IMAGE = {"type": "image", "ref": "media-1", "name": "plan.png"}
PLACE = {"type": "location", "latitude": "31.2304000", "longitude": "-121.4737000", "label": "The Bund"}


class Gateway:
    """A gateway's end of both calls."""

    def __init__(self, running, **claims):
        self._metadata = running.metadata(**GATEWAY | claims)
        self._egress = gateway_pb2_grpc.EgressServiceStub(running.channel)
        self._ingress = gateway_pb2_grpc.IngressServiceStub(running.channel)

    async def hear_from(self, conversation):
        """Bring a customer's message; return the ticket."""
        said = pb.CustomerMessage(sender=conversation, parts=[pb.Part(text="hello")])
        keys = {"idempotency_key": conversation, "conversation": conversation, "sent_at": 1_000}
        one = pb.Envelope(channel="wechat", account="shop", **keys)
        one.customer.CopyFrom(said)
        answer = await self._ingress.Ingest(pb.IngestRequest(envelopes=[one]), metadata=self._metadata)
        return answer.results[0].ticket

    def claim(self, **request):
        return self._egress.Claim(pb.ClaimRequest(**request), metadata=self._metadata, timeout=20)

    async def report(self, delivery, outcome, **more):
        told = pb.DeliveryReport(id=delivery.id, lease=delivery.lease, outcome=outcome, **more)
        return await self._egress.Report(told, metadata=self._metadata)


async def answer(running, ticket, *parts):
    """Submit an answer of several parts, as a replica does."""
    posted = message.make(ticket=ticket, kind="agent", author="sales-1", at=1, parts=parts, salt="0" * 32)
    document = f"ticket/{ticket}/submit/sales"
    async with sync_socket(running, document, running.token()) as socket:
        await socket.say(ysync.encode_update(SubmitDocument(7).append_message(posted.record)))
        await socket.hear(ysync.Update)
    return posted.id


async def refusal(call):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value.code(), code_of(refused.value)


async def test_parts_come_one_after_the_other_as_they_were_written(running):
    gateway = Gateway(running)
    ticket = await gateway.hear_from("openid-1")
    claim = gateway.claim()
    posted = await answer(running, ticket, TEXT, IMAGE, PLACE)

    for index, expected in enumerate(
        [
            pb.Part(text=TEXT["text"]),
            pb.Part(media=pb.Media(type="image", platform_id="media-1", name="plan.png")),
            pb.Part(location=pb.Location(latitude=31.2304, longitude=-121.4737, label="The Bund")),
        ]
    ):
        given = await claim.read()
        assert (ticket, posted, index) == (given.ticket, given.message, given.index)
        assert ("wechat", "shop", "openid-1", 1) == (given.channel, given.account, given.conversation, given.attempt)
        assert expected == given.part
        begun = await gateway.report(given, pb.DELIVERY_OUTCOME_BEGUN)
        assert begun.leased_until >= given.leased_until
        assert pb.DeliveryAck() == await gateway.report(given, pb.DELIVERY_OUTCOME_SENT, platform_id=f"p{index}")
    claim.cancel()


async def test_an_answer_comes_with_the_name_of_its_author_where_the_desk_lists_one(tmp_path):
    desk = tmp_path / "desk.toml"
    desk.write_text('version = 1\n[[people]]\nactor = "sales-1"\ndepartment = "sales"\nname = "李"\n', "utf-8")
    for name, chosen in (("李", {"desk": desk}), ("", {})):
        async with run_service(tmp_path / f"data{name}", **chosen) as running:
            gateway = Gateway(running)
            claim = gateway.claim()
            await answer(running, await gateway.hear_from("openid-1"), TEXT)
            assert name == (await claim.read()).author_name
            claim.cancel()


async def test_a_stream_that_is_cut_gives_its_lease_back(running):
    gateway = Gateway(running)
    await answer(running, await gateway.hear_from("openid-1"), TEXT)
    first = gateway.claim()
    held = await first.read()
    first.cancel()

    again = gateway.claim()
    given = await again.read()
    assert (held.id, 2) == (given.id, given.attempt)
    assert (grpc.StatusCode.FAILED_PRECONDITION, "lease_lost") == await refusal(
        gateway.report(held, pb.DELIVERY_OUTCOME_SENT)
    )
    again.cancel()


async def test_a_service_that_starts_again_gives_out_what_was_not_sent(tmp_path):
    async with run_service(tmp_path / "data") as running:
        gateway = Gateway(running)
        ticket = await gateway.hear_from("openid-1")
        posted = await answer(running, ticket, TEXT)
    async with run_service(tmp_path / "data") as running:
        claim = Gateway(running).claim()
        assert posted == (await claim.read()).message
        claim.cancel()


@pytest.mark.parametrize(
    ("told", "status", "code"),
    [
        ({"outcome": 0}, "INVALID_ARGUMENT", "outcome"),
        ({"outcome": 99}, "INVALID_ARGUMENT", "outcome"),
        ({"outcome": 6, "code": "Not a code"}, "INVALID_ARGUMENT", "code"),
        ({"outcome": 2, "platform_id": "x" * 257}, "INVALID_ARGUMENT", "platform_id"),
        ({"outcome": 2}, "NOT_FOUND", "no_delivery"),
    ],
)
async def test_a_report_that_says_nothing_is_refused_with_its_code(running, told, status, code):
    given = pb.Delivery(id="a" * 52, lease="g/1")
    assert (grpc.StatusCode[status], code) == await refusal(Gateway(running).report(given, told.pop("outcome"), **told))


async def test_a_platform_asks_for_no_longer_wait_and_window_than_can_be_meant(running):
    gateway, store = Gateway(running), running.service._store
    claim = gateway.claim(windows=[pb.SendingWindow(account="shop", duration_ms=2**60)])
    await answer(running, await gateway.hear_from("openid-1"), TEXT)
    given = await claim.read()
    await gateway.report(given, pb.DELIVERY_OUTCOME_RETRY, delay_ms=2**32 - 1, code="busy")
    claim.cancel()

    assert grpc_egress.WINDOW_MS_MAX == (await store.window("shop")).duration_ms
    now_ms, due_ms = time.time_ns() // 1_000_000, (await store.delivery(given.id)).due_ms
    assert now_ms < due_ms <= now_ms + grpc_egress.DELAY_MS_MAX


async def test_a_claim_ends_with_its_token(running):
    claim = Gateway(running, seconds=1).claim()
    status, code = await refusal(claim.read())
    assert (grpc.StatusCode.UNAUTHENTICATED, "session_expired") == (status, code)
    assert {} == running.service._outbox._claimers


async def test_a_claim_ends_when_the_service_stops(running):
    claim = Gateway(running).claim()
    await until(lambda: running.service._outbox._claimers)
    ending = asyncio.ensure_future(refusal(claim.read()))
    await running.service.stop()
    assert (grpc.StatusCode.UNAVAILABLE, "stopping") == await ending


async def test_who_claims_and_reads_nothing_is_cut_off(running, monkeypatch):
    monkeypatch.setattr(limits, "STALLED_S", 0.1)
    content = '{"type":"text","text":"' + "x" * 1_000_000 + '"}'
    row = StoredDelivery(1, "a" * 52, "b" * 52, "c" * 52, 0, "wechat", "shop", "openid-1", content, 0, None)

    async def same_again(claiming):
        return row

    monkeypatch.setattr(Claiming, "__anext__", same_again)
    claim = Gateway(running).claim()
    cut_off = running.service._audit._meter._refusals.labels("grpc", "slow_reader")._value
    await until(lambda: cut_off.get() == 1)
    await until(lambda: not running.service._outbox._claimers)
    claim.cancel()

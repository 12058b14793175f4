"""A conversation meets itself: two gateways with its first message, and a message that arrives while people close.

The real service over gRPC and HTTP, on its real database.
"""

import asyncio
from collections import Counter

import pytest

from crdt_sync.adapters import lifecycle_files
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2_grpc
from tests.server.conftest import run_service

GATEWAYS = [{"department": "gateway", "actor": f"gateway-{n}", "accounts": ["shop"]} for n in range(2)]
DESK = """version = 1
[[rules]]
name = "returns"
words = ["return"]
lifecycle = "support-only"
[[rules]]
name = "rest"
lane = "support"
assign = "least_busy"
[[people]]
actor = "support-1"
department = "support"
name = "Anna"
[[people]]
actor = "support-2"
department = "support"
name = "Bo"
"""
ROUNDS = 8


def envelope(key, conversation, text="hello"):
    one = pb.Envelope(idempotency_key=key, channel="wechat", account="shop", conversation=conversation, sent_at=1_000)
    one.customer.CopyFrom(pb.CustomerMessage(sender=conversation, parts=[pb.Part(text=text)]))
    return one


async def ingest(running, gateway, *envelopes):
    stub = gateway_pb2_grpc.IngressServiceStub(running.channel)
    answer = await stub.Ingest(pb.IngestRequest(envelopes=envelopes), metadata=running.metadata(**GATEWAYS[gateway]))
    assert {pb.INGEST_STATUS_ACCEPTED} >= {result.status for result in answer.results}, answer
    return [result.ticket for result in answer.results]


async def shown(running, ticket, what=""):
    answer = await running.http.get(f"/api/tickets/{ticket}{what}", headers=running.headers("support"))
    return answer.json()


async def move(running, ticket, department, lane, name):
    body = {"lane": lane, "name": name, "seen": (await shown(running, ticket))["version"]}
    headers = running.headers(department)
    answer = await running.http.post(f"/api/tickets/{ticket}/transitions", json=body, headers=headers)
    return answer.status_code


async def tickets(running):
    answer = await running.http.get("/api/tickets?limit=500", headers=running.headers("support"))
    return {each["id"]: each for each in answer.json()["tickets"]}


async def test_two_gateways_with_the_first_message_of_a_conversation_make_one_ticket(tmp_path):
    """Even where the two messages are for two rules, whose lifecycles open with other bytes."""
    desk = tmp_path / "desk.toml"
    desk.write_text(DESK)
    async with run_service(tmp_path / "data", desk=desk) as running:
        works = [
            ingest(running, gateway, envelope(f"{round_}-{gateway}", f"customer-{round_}", text))
            for round_ in range(ROUNDS)
            for gateway, text in enumerate(["I want to return this", "hello"])
        ]
        found = [ticket for (ticket,) in await asyncio.gather(*works)]

        assert found[::2] == found[1::2]
        assert set(found) == (await tickets(running)).keys()
        assert ROUNDS == len(set(found))
        for ticket in set(found):
            assert 2 == len((await shown(running, ticket, "/messages"))["messages"])


@pytest.mark.parametrize("after_close", ["reopen", "new_ticket"])
async def test_a_message_that_meets_a_close_is_in_one_open_ticket(tmp_path, after_close):
    lifecycle, desk = tmp_path / "lifecycle.yaml", tmp_path / "desk.toml"
    text = lifecycle_files.shipped()["connect-order"]
    lifecycle.write_text(text.replace("inbound_after_close: reopen", f"inbound_after_close: {after_close}"), "utf-8")
    desk.write_text(DESK)
    async with run_service(tmp_path / "data", lifecycle=str(lifecycle), desk=desk) as running:

        async def meet(round_):
            (first,) = await ingest(running, 0, envelope(f"{round_}-a", f"customer-{round_}"))
            assert 200 == await move(running, first, "sales", "sales", "lose")
            closing = move(running, first, "backoffice", "case", "close")
            arriving = ingest(running, 1, envelope(f"{round_}-b", f"customer-{round_}"))
            works = (closing, arriving) if round_ % 2 else (arriving, closing)
            done = await asyncio.gather(*works)
            status, (second,) = done if round_ % 2 else done[::-1]
            assert 200 == status, "who closes had seen the ticket open, so it is no error"
            (third,) = await ingest(running, 0, envelope(f"{round_}-c", f"customer-{round_}"))
            return first, second, third

        rounds = await asyncio.gather(*(meet(round_) for round_ in range(ROUNDS)))
        known = await tickets(running)

        for first, second, third in rounds:
            assert "active" == known[third]["lanes"]["case"]
            assert third in {first, second} or after_close == "new_ticket"
            if after_close == "reopen":
                assert first == second == third
            else:
                assert "closed" == known[first]["lanes"]["case"]
                assert third != first
            talks = [(await shown(running, ticket, "/messages"))["messages"] for ticket in {first, second, third}]
            places = Counter(posted["id"] for talk in talks for posted in talk)
            assert [1, 1, 1] == list(places.values()), "each message is in one ticket, once"
        assert {ticket for each in rounds for ticket in each} == known.keys()

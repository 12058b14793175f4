import asyncio

import grpc
import pytest
import structlog

from crdt_sync.rpc.status import code_of
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2 as gateway
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2_grpc, tickets_pb2_grpc
from crdt_sync.rpc.ticketsync.v1 import tickets_pb2 as pb
from crdt_sync.server import grpc_calls
from crdt_sync.server.grpc_tickets import TicketServicer
from crdt_sync.server.handshake_rate import HandshakeRate
from crdt_sync.wire import limits
from tests.fakes import CountingMeter
from tests.server.conftest import run_service
from tests.server.fakes import TICKET, FakeAuthenticator, FakeTickets, audit, lifecycles

GOOD = (("authorization", "Bearer t"),)


@pytest.fixture
async def wired():
    """The servicers over a service that is a fake."""
    tickets, server = FakeTickets(), grpc.aio.server()
    tickets_pb2_grpc.add_TicketServiceServicer_to_server(
        TicketServicer(FakeAuthenticator(), audit(CountingMeter()), HandshakeRate(), tickets, lifecycles()),
        server,
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield tickets, tickets_pb2_grpc.TicketServiceStub(channel)
    await server.stop(None)


async def refusal(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), code_of(caught.value)


@pytest.mark.parametrize("metadata", [(), (("authorization", "Bearer wrong"),), (("authorization", "t"),)])
async def test_every_call_needs_a_good_token(wired, metadata):
    tickets, stub = wired
    methods = [method for method in vars(stub) if not method.startswith("_")]
    for name in methods:
        status, _ = await refusal(getattr(stub, name)(getattr(pb, f"{name}Request")(), metadata=metadata))

        assert grpc.StatusCode.UNAUTHENTICATED is status
    assert (12, []) == (len(methods), tickets.calls)


async def test_our_own_mistake_tells_nothing(wired):
    tickets, stub = wired
    tickets.failure = RuntimeError("/secret/path")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Get(pb.GetRequest(id=TICKET), metadata=GOOD)

    assert (grpc.StatusCode.INTERNAL, "internal") == (caught.value.code(), code_of(caught.value))
    assert "secret" not in caught.value.details()


async def test_a_call_that_takes_too_long_is_given_up(wired, monkeypatch):
    tickets, stub = wired

    async def get(principal, ticket):
        await asyncio.Event().wait()

    monkeypatch.setattr(tickets, "get", get)
    monkeypatch.setattr(grpc_calls, "CALL_S", 0)

    assert (grpc.StatusCode.UNAVAILABLE, "timeout") == await refusal(stub.Get(pb.GetRequest(id=TICKET), metadata=GOOD))


async def test_a_call_is_one_line_of_the_log(wired):
    _, stub = wired
    with structlog.testing.capture_logs() as lines:
        await stub.Get(pb.GetRequest(id=TICKET), metadata=GOOD)
        await refusal(stub.Get(pb.GetRequest(id="x"), metadata=GOOD))

    assert [("Get", "ok"), ("Get", "unknown_ticket")] == [(each["method"], each["outcome"]) for each in lines]


@pytest.mark.parametrize("ticket", ["", "x", "A" * 52])
async def test_an_id_that_can_never_be_is_unknown(wired, ticket):
    _, stub = wired

    assert (grpc.StatusCode.NOT_FOUND, "unknown_ticket") == await refusal(
        stub.Get(pb.GetRequest(id=ticket), metadata=GOOD)
    )


async def test_a_transition_without_seen_is_told_apart(wired):
    _, stub = wired

    assert "seen_missing" == (await refusal(stub.Transition(pb.TransitionRequest(id=TICKET), metadata=GOOD)))[1]


async def test_a_request_id_of_another_form_is_refused(wired):
    _, stub = wired
    request = pb.PostMessageRequest(id=TICKET, text="x", request_id="a b")

    assert "idempotency_key" == (await refusal(stub.PostMessage(request, metadata=GOOD)))[1]


async def test_a_field_that_is_no_scalar_is_refused(wired):
    _, stub = wired
    request = pb.UpdateCardRequest(id=TICKET)
    request.card.update({"a": {"b": 1}})

    assert "malformed" == (await refusal(stub.UpdateCard(request, metadata=GOOD)))[1]


async def test_numbers_come_back_as_they_were_meant(wired):
    tickets, stub = wired
    request = pb.UpdateCardRequest(id=TICKET)
    request.card.update({"whole": 2, "broken": 2.5, "flag": True, "text": "x", "gone": None})
    await stub.UpdateCard(request, metadata=GOOD)

    fields = tickets.calls[-1][2]["fields"]
    assert {"whole": 2, "broken": 2.5, "flag": True, "text": "x", "gone": None} == fields
    assert (int, float) == (type(fields["whole"]), type(fields["broken"]))


async def test_a_number_that_a_double_does_not_hold_exactly_stays_one(wired):
    tickets, stub = wired
    request = pb.UpdateCardRequest(id=TICKET)
    request.card.update({"exact": 2**53, "beyond": 2.0**54})
    await stub.UpdateCard(request, metadata=GOOD)

    assert {"exact": int, "beyond": float} == {n: type(v) for n, v in tickets.calls[-1][2]["fields"].items()}


async def test_a_list_passes_on_its_filters(wired):
    tickets, stub = wired
    tickets.next = TICKET
    request = pb.ListRequest(
        stage="s", lanes={"sales": "x"}, owed="tech", changed_after=4, page_size=7, department="tech"
    )
    page = await stub.List(request, metadata=GOOD)

    _, (_, where), named = tickets.calls[-1]
    assert ("s", {"sales": "x"}, "tech", 4, 7, "tech") == (
        where.stage,
        where.lane_states,
        where.owed_by,
        where.changed_after,
        named["limit"],
        where.together_with,
    )
    assert (TICKET, 9) == (page.next_page_token, page.position)


async def test_tickets_live_their_whole_life_over_grpc(running):
    stub = tickets_pb2_grpc.TicketServiceStub(running.channel)
    sales = running.metadata()
    open_request = pb.OpenRequest(title="Fibre", request_id="r-1")
    opened = await stub.Open(open_request, metadata=sales)
    again = await stub.Open(open_request, metadata=sales)
    assert opened.ticket.id == again.ticket.id

    move = pb.TransitionRequest(id=opened.ticket.id, lane="sales", name="quote", seen=opened.ticket.version)
    move.payload.update({"price": "100.00"})
    made = await stub.Transition(move, metadata=sales)
    assert "quoted" == made.ticket.lanes["sales"]

    posted = await stub.PostMessage(pb.PostMessageRequest(id=opened.ticket.id, text="你好"), metadata=sales)
    assert posted.position > made.ticket.position

    card = pb.UpdateCardRequest(id=opened.ticket.id)
    card.card.update({"priority": 2})
    assert 2 == (await stub.UpdateCard(card, metadata=sales)).ticket.card["priority"]

    took = await stub.Take(pb.TakeRequest(id=opened.ticket.id, lane="sales"), metadata=sales)
    assert "sales-1" == took.ticket.card["assignee.sales"]

    form = pb.UpdateFormRequest(id=opened.ticket.id, lane="sales", note="called twice")
    form.fields.update({"floor": "3"})
    answer = await stub.UpdateForm(form, metadata=sales)
    assert ("3", True) == (answer.fields["floor"], "called twice" in answer.notes)

    explained = await stub.Explain(pb.ExplainRequest(id=opened.ticket.id, language="zh"), metadata=sales)
    assert explained.lines

    listed = await stub.List(pb.ListRequest(), metadata=sales)
    assert [opened.ticket.id] == [each.id for each in listed.tickets]

    lifecycle = await stub.GetLifecycle(pb.GetLifecycleRequest(), metadata=sales)
    assert (opened.ticket.lifecycle, True) == (lifecycle.digest, "connect-order" in lifecycle.source)

    status, code = await refusal(stub.Transition(move, metadata=running.metadata("tech")))
    assert (grpc.StatusCode.PERMISSION_DENIED, "lane_owner") == (status, code)


def envelope(**changes):
    chosen = {
        "idempotency_key": "m-1",
        "channel": "wechat",
        "account": "main",
        "conversation": "openid",
        "sent_at": 1,
        "customer": gateway.CustomerMessage(sender="openid", parts=[gateway.Part(text="你好")]),
    }
    return gateway.Envelope(**chosen | changes)


async def ingest(running, *envelopes, department="gateway", accounts=("main",)):
    stub = gateway_pb2_grpc.IngressServiceStub(running.channel)
    request = gateway.IngestRequest(envelopes=envelopes)
    metadata = running.metadata(department, accounts=list(accounts))
    return (await stub.Ingest(request, metadata=metadata)).results


async def test_every_kind_of_arrival_enters_the_conversation_in_order(running):
    location = gateway.Location(latitude=31.2, longitude=-0.0, label="x")
    media = gateway.Media(type="image", platform_id="media-1", name="a.jpg")
    results = await ingest(
        running,
        envelope(),
        envelope(
            idempotency_key="m-2",
            customer=gateway.CustomerMessage(
                sender="openid", parts=[gateway.Part(location=location), gateway.Part(media=media)]
            ),
        ),
        envelope(idempotency_key="m-3", agent=gateway.AgentMessage(sender="a", parts=[gateway.Part(text="x")])),
        envelope(idempotency_key="m-4", system=gateway.SystemNotice(event="subscribe")),
        envelope(idempotency_key="m-5", delivery=gateway.DeliveryNotice(message="m", state="read")),
        envelope(idempotency_key="m-6", unknown=gateway.UnknownKind(type="sticker", raw="<xml/>")),
    )

    assert [gateway.INGEST_STATUS_ACCEPTED] * 6 == [each.status for each in results]
    assert 1 == len({each.ticket for each in results})
    answer = await running.http.get(f"/api/tickets/{results[0].ticket}/messages", headers=running.headers())
    kinds = {each["kind"] for each in answer.json()["messages"]}
    assert {"customer", "agent", "system", "delivery", "unknown"} == kinds


async def test_a_replay_changes_nothing(running):
    (first,) = await ingest(running, envelope())
    (again,) = await ingest(running, envelope())

    assert (gateway.INGEST_STATUS_DUPLICATE, first.message, first.ticket) == (again.status, again.message, again.ticket)


@pytest.mark.parametrize(
    "changes",
    [
        {"customer": None},
        {"idempotency_key": ""},
        {"conversation": ""},
        {"account": "other"},
        {"customer": gateway.CustomerMessage(sender="openid")},
        {"customer": gateway.CustomerMessage(sender="openid", parts=[gateway.Part()])},
        *(
            {"customer": gateway.CustomerMessage(sender="openid", parts=[gateway.Part(media={"type": type_})])}
            for type_ in ("text", "event", "location", "")
        ),
        {"conversation": "openid-1\0"},
        {
            "customer": gateway.CustomerMessage(
                sender="openid", parts=[gateway.Part(location=gateway.Location(latitude=float("nan")))]
            )
        },
    ],
    ids=range(12),
)
async def test_what_can_never_be_taken_is_rejected_and_the_rest_is_not(running, changes):
    bad, good = await ingest(running, envelope(**changes), envelope(idempotency_key="m-2"))

    assert (gateway.INGEST_STATUS_REJECTED, gateway.INGEST_STATUS_ACCEPTED) == (bad.status, good.status)
    assert bad.code
    assert "m-2" == good.idempotency_key


async def test_only_a_gateway_ingests(running):
    assert "not_a_gateway" == (await refusal(ingest(running, envelope(), department="sales")))[1]


async def test_a_call_takes_a_hundred_envelopes(running):
    assert "too_many" == (await refusal(ingest(running, *[envelope() for _ in range(101)])))[1]


async def test_a_message_over_the_limit_is_refused_by_the_wire(running):
    stub = tickets_pb2_grpc.TicketServiceStub(running.channel)
    request = pb.PostMessageRequest(id=TICKET, text="x" * (limits.FRAME_BYTES_MAX + 128 * 1024))

    assert (
        grpc.StatusCode.RESOURCE_EXHAUSTED is (await refusal(stub.PostMessage(request, metadata=running.metadata())))[0]
    )


async def test_without_tokens_a_proxy_is_refused(tmp_path):
    async with run_service(tmp_path, auth="none") as running:
        stub = tickets_pb2_grpc.TicketServiceStub(running.channel)
        assert [] == list((await stub.List(pb.ListRequest())).tickets)
        _, code = await refusal(stub.List(pb.ListRequest(), metadata=(("x-forwarded-for", "1.2.3.4"),)))

    assert "forwarded" == code


async def test_ingress_needs_a_good_token(running):
    stub = gateway_pb2_grpc.IngressServiceStub(running.channel)
    status, _ = await refusal(stub.Ingest(gateway.IngestRequest(envelopes=[envelope()])))

    assert grpc.StatusCode.UNAUTHENTICATED is status

"""How often an address and a person may come: by a clock of the test's own, then over the three wires."""

import grpc
import pytest
import websockets

from crdt_sync.domain.access import Principal
from crdt_sync.domain.identity import Identity
from crdt_sync.errors import Unauthenticated
from crdt_sync.rpc.status import code_of
from crdt_sync.rpc.ticketsync.v1 import (
    events_pb2,
    events_pb2_grpc,
    gateway_pb2,
    gateway_pb2_grpc,
    tickets_pb2,
    tickets_pb2_grpc,
)
from crdt_sync.server import handshake_rate
from crdt_sync.server.auth import NoAuthenticator
from crdt_sync.server.handshake_rate import SECOND_NS, HandshakeRate, TooOften
from crdt_sync.wire import hocuspocus, limits
from tests.access.wires import collab_socket, grpc_stream, open_frame, sync_socket
from tests.grpc_ends import Ending
from tests.server.conftest import run_service
from tests.server.test_http_protocol import refusals

OFFICE = 12_000
ANN, BEN = (Identity(Principal(name, "sales"), None) for name in ("ann", "ben"))


class Time:
    def __init__(self):
        self.now_ns = 5 * SECOND_NS

    def __call__(self):
        return self.now_ns


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def rate(time):
    return HandshakeRate(time)


def taken(come, times):
    """How many of so many are let in."""
    count = 0
    for _ in range(times):
        try:
            come()
        except TooOften:
            continue
        count += 1
    return count


def test_an_office_comes_back_at_once_after_each_of_two_restarts(time, rate):
    assert [OFFICE, OFFICE] == [taken(lambda: rate.arrive("192.0.2.1"), OFFICE) for _ in range(2)]
    with pytest.raises(TooOften) as caught:
        rate.arrive("192.0.2.1")
    assert (1, "too_many_handshakes") == (caught.value.retry_after_s, caught.value.code)
    assert 1 == taken(lambda: rate.arrive("192.0.2.2"), 1), "another address is another one's"
    time.now_ns += 3 * SECOND_NS
    assert 3 * limits.SOURCE_HANDSHAKES_PER_S_MAX == taken(lambda: rate.arrive("192.0.2.1"), OFFICE)
    time.now_ns += 3600 * SECOND_NS
    assert limits.SOURCE_HANDSHAKES_MAX == taken(lambda: rate.arrive("192.0.2.1"), 3 * OFFICE)


def test_who_comes_a_hundred_times_a_second_is_refused_soon(time, rate):
    let_in = []
    for _ in range(20):
        let_in.append(taken(lambda: rate.enter(ANN), 100))
        time.now_ns += SECOND_NS

    assert [100] * 11 == let_in[:11]
    assert limits.ACTOR_HANDSHAKES_MAX == sum(let_in) - 19 * limits.ACTOR_HANDSHAKES_PER_S_MAX
    assert [limits.ACTOR_HANDSHAKES_PER_S_MAX] * 8 == let_in[12:]
    assert 100 == taken(lambda: rate.enter(BEN), 100), "others are let in"


def test_who_was_judged_before_is_known_by_his_token_and_takes_nothing_from_his_address(rate):
    rate.arrive("192.0.2.1", "token")
    assert limits.ACTOR_HANDSHAKES_MAX == taken(lambda: rate.enter(ANN, "token"), 2 * limits.ACTOR_HANDSHAKES_MAX)

    assert 0 == taken(lambda: rate.arrive("192.0.2.1", "token"), 2 * limits.SOURCE_HANDSHAKES_MAX)
    assert limits.SOURCE_HANDSHAKES_MAX - 1 == taken(lambda: rate.arrive("192.0.2.1", "another's"), 3 * OFFICE)
    with pytest.raises(TooOften):
        rate.arrive("192.0.2.1")


def test_requests_are_counted_apart_from_handshakes_and_those_of_a_gateway_not_at_all(time, rate):
    assert limits.ACTOR_REQUESTS_MAX == taken(lambda: rate.enter(ANN, "token", "requests"), 2 * OFFICE)
    with pytest.raises(TooOften) as caught:
        rate.arrive("192.0.2.1", "token", "requests")
    assert "too_many_requests" == caught.value.code
    rate.arrive("192.0.2.1", "token")
    rate.enter(ANN, "token")
    time.now_ns += SECOND_NS
    assert limits.ACTOR_REQUESTS_PER_S_MAX == taken(lambda: rate.enter(ANN, "token", "requests"), OFFICE)

    chat = Identity(Principal("chat", "gateway"), None)
    assert 2 * OFFICE == taken(lambda: rate.enter(chat, "gateway's", "requests"), 2 * OFFICE)
    assert 3 * OFFICE == taken(lambda: rate.arrive("192.0.2.1", "gateway's", "requests"), 3 * OFFICE)


def test_who_is_excused_counts_for_his_address_no_more(time, rate):
    rate.excuse("192.0.2.1")
    rate.arrive("192.0.2.1")
    rate.excuse("192.0.2.1")
    time.now_ns += 3600 * SECOND_NS
    rate.excuse("192.0.2.1")
    assert limits.SOURCE_HANDSHAKES_MAX == taken(lambda: rate.arrive("192.0.2.1"), 3 * OFFICE), "and no more than that"
    rate.excuse("192.0.2.1")
    assert 1 == taken(lambda: rate.arrive("192.0.2.1"), 3)


def test_a_network_of_ipv6_is_counted_as_one_address(rate):
    one = (f"2001:db8:0:1::{index:x}" for index in range(OFFICE * 3))
    assert limits.SOURCE_HANDSHAKES_MAX == taken(lambda: rate.arrive(next(one)), 3 * OFFICE)

    others = iter(
        ["2001:db8:0:2::1", "::ffff:192.0.2.1", "::ffff:192.0.2.2", "fe80::1%eth0", "::1", "192.0.2.3", "", "a:b"]
    )
    assert 8 == taken(lambda: rate.arrive(next(others)), 8)
    assert limits.SOURCE_HANDSHAKES_MAX - 1 == taken(lambda: rate.arrive("192.0.2.1"), 3 * OFFICE), "as it was mapped"


async def test_a_token_that_is_good_no_more_counts_for_its_address(rate):
    async def judged(identity):
        if identity is None:
            raise Unauthenticated("The token has expired.")
        return identity

    assert ANN == await rate.judged(judged(ANN), "token")
    assert 2 * OFFICE + 1 == taken(lambda: rate.arrive("192.0.2.1", "token"), 2 * OFFICE + 1)
    with pytest.raises(Unauthenticated):
        await rate.judged(judged(None), "token")
    assert limits.SOURCE_HANDSHAKES_MAX == taken(lambda: rate.arrive("192.0.2.1", "token"), 3 * OFFICE)


def test_who_is_refused_pushes_nobody_out(rate):
    taken(lambda: rate.enter(ANN, "token"), limits.ACTOR_HANDSHAKES_MAX)
    for index in range(10):
        assert 0 == taken(lambda index=index: rate.enter(ANN, f"token-{index}"), 1)

    assert 1 == len(rate._known._held)


def test_where_nobody_has_a_token_nobody_is_counted(rate):
    stranger = Identity(NoAuthenticator.STRANGER, None)

    assert 2 * limits.ACTOR_HANDSHAKES_MAX == taken(
        lambda: rate.enter(stranger, "anything"), 2 * limits.ACTOR_HANDSHAKES_MAX
    )


def test_what_is_remembered_is_bounded(rate, monkeypatch):
    monkeypatch.setattr(handshake_rate, "KEYS_MAX", 100)
    for index in range(1_000):
        rate.arrive(f"192.0.2.{index}")
        rate.enter(Identity(Principal(f"actor-{index}", "sales"), None), f"token-{index}")

    held = [rate._sources._full_at_ns, rate._actors["handshakes"]._full_at_ns, rate._known]
    assert [100] * 3 == [len(each._held) for each in held]


@pytest.fixture
async def strict(tmp_path, monkeypatch):
    """A service that lets a person in five times and answers him as often, and lets in an address fifteen times."""
    monkeypatch.setattr(limits, "ACTOR_REQUESTS_MAX", 5)
    monkeypatch.setattr(limits, "ACTOR_REQUESTS_PER_S_MAX", 1)
    monkeypatch.setattr(limits, "ACTOR_HANDSHAKES_MAX", 5)
    monkeypatch.setattr(limits, "ACTOR_HANDSHAKES_PER_S_MAX", 1)
    monkeypatch.setattr(limits, "SOURCE_HANDSHAKES_MAX", 15)
    monkeypatch.setattr(limits, "SOURCE_HANDSHAKES_PER_S_MAX", 1)
    monkeypatch.setattr(handshake_rate, "SECOND_NS", 10**15)  # no more of them while the test runs
    async with run_service(tmp_path / "data") as running:
        yield running


async def denied(connecting):
    """What HTTP answers instead of letting a socket in."""
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with connecting:
            pass
    response = caught.value.response
    return response.status_code, response.headers["content-type"], response.headers["retry-after"], response.body


async def test_a_client_that_comes_too_often_is_answered_429_and_nobody_else_is(strict):
    token = strict.token()
    async with sync_socket(strict, "notes", strict.token("tech")) as bystander:
        await bystander.hear(object)
        refused = 0
        while not refused:
            try:
                async with sync_socket(strict, "notes", token) as socket:
                    await socket.hear(object)
            except websockets.InvalidStatus:
                refused += 1
        status, kind, retry_after, body = await denied(sync_socket(strict, "notes", token))
        assert (429, "application/problem+json", "1") == (status, kind, retry_after)
        assert b'"code":"too_many_handshakes"' in body
        assert 2 == (await refusals(strict))["too_many_handshakes"]
        (row,) = [row for row in strict.service._audit._unwritten if row.code == "too_many_handshakes"]
        assert ("http", "/sync/notes") == (row.wire, row.subject)
        assert bystander.websocket.close_code is None
        async with sync_socket(strict, "notes", strict.token(actor="sales-2")) as other:
            await other.hear(object)


async def test_a_page_that_loops_locks_nobody_out_of_its_address_however_it_writes_its_token(strict):
    token = strict.token()

    def come(spaces):
        headers = {"authorization": f"Bearer{' ' * spaces}{token}"}
        return websockets.connect(strict.ws("/sync/notes"), additional_headers=headers)

    for _ in range(5):
        async with come(1) as socket:
            await socket.recv()
    for spaces in range(1, 21):
        status, _, _, _ = await denied(come(spaces))
        assert 429 == status
    async with sync_socket(strict, "notes", strict.token(actor="sales-2")) as colleague:
        await colleague.hear(object)
    assert 20 == (await refusals(strict))["too_many_handshakes"]


async def test_whose_token_comes_in_band_is_closed_by_the_code_once_it_is_judged(strict):
    async def come():
        async with collab_socket(strict) as socket:
            await socket.say(hocuspocus.encode_token(b"notes", strict.token(), "4.7.0"))
            await socket.hear(hocuspocus.Authenticated)
            await socket.say(hocuspocus.encode_token(b"other", strict.token(), "4.7.0"))
            await socket.hear(hocuspocus.Authenticated)

    for _ in range(5):
        await come()
    async with collab_socket(strict) as socket:
        await socket.say(hocuspocus.encode_token(b"notes", strict.token(), "4.7.0"))
        assert (1013, "too_many_handshakes") == await socket.end()


async def test_whose_token_comes_in_band_costs_his_address_nothing(strict):
    for index in range(20):
        async with collab_socket(strict) as socket:
            await socket.say(hocuspocus.encode_token(b"notes", strict.token(actor=f"sales-{index}"), "4.7.0"))
            await socket.hear(hocuspocus.Authenticated)
    for _ in range(15):
        async with collab_socket(strict) as socket:
            await socket.say(hocuspocus.encode_token(b"notes", "wrong", "4.7.0"))
            await socket.hear(hocuspocus.PermissionDenied)
    assert 429 == (await denied(collab_socket(strict)))[0]


async def test_streams_are_counted_as_sockets_are(strict):
    for _ in range(5):
        async with grpc_stream(strict, strict.token()) as stream:
            await stream.say(open_frame("notes"))
            await stream.hear("opened")
    async with grpc_stream(strict, strict.token()) as stream:
        assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "too_many_handshakes") == await stream.end()


@pytest.mark.parametrize("wire", ["Watch", "Claim"])
@pytest.mark.parametrize("known", [True, False], ids=["known by the token", "known once the token is judged"])
async def test_streams_of_events_and_of_deliveries_are_counted_as_sockets_are(strict, wire, known):
    async def told(metadata):
        if wire == "Claim":
            call = gateway_pb2_grpc.EgressServiceStub(strict.channel).Claim(
                gateway_pb2.ClaimRequest(), metadata=metadata, timeout=20
            )
        else:
            asked = iter([events_pb2.WatchRequest(after_position=99)])
            call = events_pb2_grpc.EventServiceStub(strict.channel).Watch(asked, metadata=metadata, timeout=20)
        ending = Ending(call)
        with pytest.raises(grpc.aio.AioRpcError):
            await call.read()
        return ending.told[1]

    metadata = strict.metadata()
    codes = [await told(metadata) for _ in range(5)]
    again = await told(metadata if known else strict.metadata(seconds=500))

    assert (1, False) == (len(set(codes)), "too_many_handshakes" in codes)
    assert ("too_many_handshakes", 1) == (again, (await refusals(strict))["too_many_handshakes"])


@pytest.mark.parametrize("known", [True, False], ids=["known by the token", "known once the token is judged"])
async def test_who_follows_events_is_counted_as_sockets_are(strict, known):
    token = strict.token()

    def follow(token):
        return websockets.connect(strict.ws(f"/events?after=0&token={token}"))

    async def listen(token):
        async with strict.http.stream("GET", f"/events?token={token}") as answer:
            return answer.status_code, answer.headers.get("retry-after"), await anext(answer.aiter_lines())

    async with follow(token):
        pass
    for _ in range(4):
        assert (200, None, "retry: 1000") == await listen(token)

    token = token if known else strict.token(seconds=500)
    status, retry_after, body = await listen(token)
    assert (429, "1", True) == (status, retry_after, '"code":"too_many_handshakes"' in body)
    if known:
        status, kind, _, body = await denied(follow(token))
        assert (429, "application/problem+json") == (status, kind)
        assert b'"code":"too_many_handshakes"' in body
    else:
        async with follow(token) as socket:
            await socket.wait_closed()
        assert (1013, "too_many_handshakes") == (socket.close_code, socket.close_reason.partition(":")[0])
    assert 2 == (await refusals(strict))["too_many_handshakes"]
    async with follow(strict.token(actor="sales-2")) as colleague:
        assert colleague.close_code is None


async def test_who_follows_events_is_counted_by_his_address(strict):
    for _ in range(15):
        answer = await strict.http.get("/events?token=wrong")
        assert 401 == answer.status_code
    answer = await strict.http.get("/events?token=wrong")
    status, _, _, _ = await denied(websockets.connect(strict.ws("/events?token=wrong")))

    assert (429, 429) == (answer.status_code, status)


async def test_an_address_that_comes_too_often_is_answered_before_anybody_is_judged(strict):
    async def silent():
        async with collab_socket(strict):
            pass

    for _ in range(15):
        await silent()
    status, _, _, body = await denied(collab_socket(strict))

    assert (429, True) == (status, b'"code":"too_many_handshakes"' in body)


@pytest.mark.parametrize("known", [True, False], ids=["known by the token", "known once the token is judged"])
async def test_who_asks_too_often_is_answered_429_over_rest_and_grpc_together(strict, known):
    token, tickets = strict.token(), tickets_pb2_grpc.TicketServiceStub(strict.channel)
    metadata, headers = (("authorization", f"Bearer {token}"),), {"authorization": f"Bearer {token}"}
    for _ in range(2):
        assert 200 == (await strict.http.get("/api/tickets", headers=headers)).status_code
        await tickets.List(tickets_pb2.ListRequest(), metadata=metadata)
    assert 200 == (await strict.http.get("/api/lifecycles", headers=headers)).status_code

    if not known:
        metadata, headers = strict.metadata(seconds=500), strict.headers(seconds=500)
    answer = await strict.http.get("/api/tickets", headers=headers)
    other = await strict.http.get("/api/lifecycles", headers=headers)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await tickets.List(tickets_pb2.ListRequest(), metadata=metadata)

    assert (429, "1", "too_many_requests") == (answer.status_code, answer.headers["retry-after"], answer.json()["code"])
    assert 429 == other.status_code
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "too_many_requests") == (refused.value.code(), code_of(refused.value))
    assert 3 == (await refusals(strict))["too_many_requests"]
    async with sync_socket(strict, "notes", token) as socket:
        await socket.hear(object)
    assert 200 == (await strict.http.get("/api/tickets", headers=strict.headers(actor="sales-2"))).status_code


async def test_tokens_that_are_not_good_are_counted_for_their_address_over_rest_and_grpc(strict):
    metadata, tickets = (("authorization", "Bearer wrong"),), tickets_pb2_grpc.TicketServiceStub(strict.channel)

    async def called():
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await tickets.List(tickets_pb2.ListRequest(), metadata=metadata)
        return refused.value.code()

    for _ in range(7):
        assert 401 == (await strict.http.get("/api/tickets", headers=dict(metadata))).status_code
        assert grpc.StatusCode.UNAUTHENTICATED is await called()
    assert 401 == (await strict.http.get("/api/lifecycles", headers=dict(metadata))).status_code

    assert 429 == (await strict.http.get("/api/tickets", headers=dict(metadata))).status_code
    assert grpc.StatusCode.RESOURCE_EXHAUSTED is await called()

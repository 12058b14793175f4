"""Every row of the matrix, run by every caller against the real service; and what none of it may ever tell whom."""

import grpc
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from crdt_sync.documents.log import LogDocument
from crdt_sync.domain import access
from crdt_sync.ports import Position
from crdt_sync.ports.outbox import OutboxFilter
from crdt_sync.rpc.status import code_of
from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import sync_pb2_grpc, tickets_pb2, tickets_pb2_grpc
from crdt_sync.server.session_api import COOKIE
from crdt_sync.wire import hocuspocus
from tests.access import matrix
from tests.access.matrix import CALLERS, DOCUMENTS, EVENTS, NARROW, NOBODY, OTHER, ROUTES, RPCS, STRANGER
from tests.access.site import CLAIMS, LANES, OTHER_GATEWAY, ROBOTS, WORDS, filled_site
from tests.access.surfaces import Clients, ask_claim, ask_document, ask_events, ask_route, ask_rpc
from tests.access.wires import WATCHES, WIRES, grpc_stream, metadata_of, open_frame
from tests.wire import schemas

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLIENTS = Clients()
OTHER_ROUTES = [row for row in ROUTES if "/api/session" not in row.key]  # those that read no cookie
DEPARTMENTS = ("sales", "tech", "support", "backoffice", "marketing", "gateway")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    """One filled service for every row: none of them changes who may do what."""
    async with filled_site(tmp_path_factory.mktemp("shared")) as site:
        yield site


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("row", ROUTES, ids=lambda row: row.key)
async def test_a_route_answers_each_caller_as_its_row_says(shared, row, caller):
    assert row.expected[caller] == await ask_route(shared, row, caller, [])


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("lane", matrix.NOTED)
async def test_a_picture_of_a_note_is_given_to_each_caller_as_its_row_says(shared, lane, caller):
    assert matrix.NOTED[lane][caller] == await ask_route(shared, picture_of(shared, lane), caller, [])


def picture_of(site, lane):
    return matrix.Route("GET /", {}, path=f"/api/tickets/{{ticket}}/media/{site.noted[lane]}")


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("row", RPCS, ids=lambda row: row.key)
async def test_a_call_answers_each_caller_as_its_row_says(shared, row, caller):
    assert row.expected[caller] == await ask_rpc(shared, row, caller, [])


@pytest.mark.parametrize("caller", CALLERS)
async def test_a_claim_answers_each_caller_as_its_row_says(shared, caller):
    assert matrix.SENDS[caller] == await ask_claim(shared, shared.metadata(caller), [])


async def test_a_gateway_is_given_answers_through_its_own_accounts_alone(shared):
    heard = []
    elsewhere = metadata_of(shared.running.token(**OTHER_GATEWAY))
    assert "account" == await ask_claim(shared, elsewhere, heard, accounts=["shop"])
    assert set() == words_in(b"".join(heard))
    assert "ok" == await ask_claim(shared, elsewhere, heard)
    assert {"wordelsewhere"} == words_in(b"".join(heard))


@pytest.mark.parametrize("account", matrix.GROUPS)
async def test_a_group_is_sent_what_its_row_says_and_no_other_word(shared, account):
    rows = await shared.running.service._store.deliveries(OutboxFilter(account=account), limit=1_000)
    sent = "\n".join(row.content for row in rows).encode()
    heard = []
    robots = metadata_of(shared.running.token(**ROBOTS))
    assert "ok" == await ask_claim(shared, robots, heard, accounts=[account])

    assert matrix.GROUPS[account] == words_in(sent)
    assert words_in(b"".join(heard)) <= matrix.GROUPS[account]
    assert {(account, "cid")} == {(row.account, row.conversation) for row in rows}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("row", DOCUMENTS, ids=lambda row: row.kind)
async def test_a_document_opens_for_each_caller_as_its_row_says(shared, row, wire, caller):
    name = shared.name(row.part)
    assert row.expected[caller] == await ask_document(shared, wire, row.kind, name, caller, [], CLIENTS)


async def test_an_event_is_for_those_whom_its_row_names(shared):
    stored = await shared.running.service._store.events(Position(0))
    expected = {row.type: row.audience for row in EVENTS}

    assert set(expected) == {event.type for event in stored}, "the filled service makes events of every type"
    of_sales = [event for event in stored if event.type != "refused" or event.data["entry"] == shared.refused["sales"]]
    assert set(expected.items()) == {(event.type, frozenset(event.audience)) for event in of_sales}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("wire", WATCHES)
async def test_a_caller_hears_the_events_that_are_for_its_department_and_no_other(shared, wire, caller):
    heard = await ask_events(shared, wire, caller, [])
    if matrix.HEARS[caller] != "ok":
        assert matrix.HEARS[caller] == heard
        return
    department, audience = CLAIMS[caller]["department"], {row.type: row.audience for row in EVENTS}
    expected = []
    for event in await shared.running.service._store.events(Position(0)):
        if event.type == "refused":  # all but one are of sales, which the other rows write for
            concerned = {"tech" if event.data["entry"] == shared.refused["tech"] else "sales"}
        else:
            concerned = audience[event.type]
        if department in concerned and caller != NARROW:
            expected.append(event.position)

    assert expected == [int(event["position"]) for event in heard]
    assert [[]] * len(heard) == [schemas.faults(event) for event in heard]


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"department": "marketing"}, "no_ticket"),
        ({"department": "tech"}, "department"),
        ({"department": "sales", "tickets": ["b" * 51 + "a"]}, "no_ticket"),
    ],
    ids=["another department", "a department without this form", "a narrowed token"],
)
async def test_a_first_result_is_given_again_only_to_who_may_still_have_it(shared, claims, code):
    path, key = f"/api/tickets/{shared.ticket}/forms/support", {"idempotency-key": "once"}
    body = {"note": "of whoever moved on"}
    running = shared.running
    first = await running.http.patch(path, json=body, headers=running.headers("support", actor="mover") | key)
    again = await running.http.patch(path, json=body, headers=running.headers(actor="mover", **claims) | key)

    assert (200, code) == (first.status_code, again.json().get("code"))


@pytest_asyncio.fixture(loop_scope="module")
async def cookie(shared):
    """Of somebody who may do everything that sales may."""
    http = shared.running.http
    answer = await http.post("/api/session", json={"development": "sales_lead"})
    assert 200 == answer.status_code
    secret = http.cookies[COOKIE]
    assert 200 == (await http.post("/api/session/token")).status_code
    http.cookies.clear()
    return {"cookie": f"{COOKIE}={secret}"}


@pytest.mark.parametrize("row", OTHER_ROUTES, ids=lambda row: row.key)
async def test_to_a_route_the_cookie_of_a_browser_says_nothing(shared, cookie, row):
    method = "GET" if row.method == "*" else row.method
    answer = await shared.running.http.request(
        method,
        await shared.fill_in(row.address, NOBODY),
        json=await shared.fill_in(row.json, NOBODY),
        content=row.content,
        headers=cookie,
    )
    outcome = "ok" if answer.status_code < 400 else answer.json()["code"]

    assert row.expected[NOBODY] == outcome
    assert "wordtitle" not in answer.text


@pytest.mark.parametrize("path", ["/sync/{document}", "/events?after=0"])
async def test_no_socket_takes_the_cookie(shared, cookie, path):
    address = shared.running.ws(path.replace("{document}", shared.name("card")))
    async with connect(address, additional_headers=cookie) as socket:
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()

    assert (4401, "token_missing") == (caught.value.rcvd.code, caught.value.rcvd.reason.partition(":")[0])


async def test_no_document_of_a_socket_takes_the_cookie(shared, cookie):
    document = shared.name("card").encode()
    async with connect(shared.running.ws("/collab"), additional_headers=cookie) as socket:
        await socket.send(hocuspocus.encode_token(document, "", "4.7.0"))
        said = hocuspocus.decode(await socket.recv()).frame

    assert isinstance(said, hocuspocus.PermissionDenied)


async def test_no_call_takes_the_cookie(shared, cookie):
    stub = tickets_pb2_grpc.TicketServiceStub(shared.running.channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Get(tickets_pb2.GetRequest(id=shared.ticket), metadata=tuple(cookie.items()))

    assert "token_missing" == code_of(caught.value)


async def test_no_stream_takes_the_cookie(shared, cookie):
    call = sync_pb2_grpc.SyncServiceStub(shared.running.channel).Sync(metadata=tuple(cookie.items()))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()

    assert "token_missing" == code_of(caught.value)


async def everything_that(site, caller):
    """Ask for everything there is, over everything there is, and return every byte that came back."""
    heard = []
    for row in ROUTES:
        await ask_route(site, row, caller, heard)
    for row in RPCS:
        await ask_rpc(site, row, caller, heard)
    for lane in LANES:
        row = matrix.Route("GET /", {}, path=f"/api/tickets/{{ticket}}/forms/{lane}")
        await ask_route(site, row, caller, heard)
    for lane in site.noted:
        await ask_route(site, picture_of(site, lane), caller, heard)
    for ticket in (site.customer_ticket, site.other_ticket):
        row = matrix.Route("GET /", {}, path=f"/api/tickets/{ticket}/messages")
        await ask_route(site, row, caller, heard)
    await ask_claim(site, site.metadata(caller), heard)
    documents = [("log", "log"), ("talk", "talk"), ("card", "card"), ("card", "nonsense")]
    documents += [("submit", f"submit/{department}") for department in DEPARTMENTS]
    documents += [("form", f"form/{lane}") for lane in LANES]
    for wire in WATCHES:
        await ask_events(site, wire, caller, heard)
    for wire in WIRES:
        for kind, part in documents:
            await ask_document(site, wire, kind, site.name(part), caller, heard, CLIENTS)
        talk = f"ticket/{site.customer_ticket}/talk"
        await ask_document(site, wire, "talk", talk, caller, heard, CLIENTS)
    return b"\n".join(heard)


def words_in(told):
    return {word for word in WORDS if word.encode() in told}


@pytest.mark.parametrize("caller", CALLERS)
async def test_no_caller_ever_receives_a_byte_that_is_not_its_own(shared, caller):
    told = await everything_that(shared, caller)

    assert {word for word, readers in WORDS.items() if caller in readers} == words_in(told)


async def test_the_log_names_a_refused_entry_by_its_digest_and_code_alone(shared):
    document = shared.name("log")
    async with grpc_stream(shared.running, shared.tokens[OTHER]) as stream:
        await stream.say(open_frame(document), pb.ClientFrame(document=document, step1=b"\x00"))
        update = (await stream.hear("step2")).step2
    log = LogDocument(5)
    log.apply_committed(update)

    assert dict.fromkeys(shared.refused.values(), "malformed").items() <= log.refused().items()


@pytest.mark.parametrize("caller", [OTHER, STRANGER])
async def test_without_the_rules_this_would_be_noticed(shared, caller, monkeypatch):
    """The proof of the proof: with the rules of reading gone, words arrive that must not."""
    for rule in ("approach", "see", "read"):
        monkeypatch.setattr(access, rule, lambda *_: None)
    told = await everything_that(shared, caller)

    assert {"wordprice", "wordnote_tech", "wordrefused_sales"} <= words_in(told)

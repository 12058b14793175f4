"""Everything from outside that is wrong, over real sockets: a coded answer to its sender, and nothing for anybody else.

Each test sends bad input beside a bystander, who must get the next good update of the same document; then nothing may
be lost, and the log must still commit.
"""

import asyncio
import itertools
import sqlite3
import sys
import time
from contextlib import asynccontextmanager, closing

import grpc
import jwt
import pycrdt
import pytest
from typer.testing import CliRunner

from crdt_sync.cli.lifecycle import app as lifecycle_commands
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain import transition
from crdt_sync.errors import Malformed
from crdt_sync.rpc.status import code_of
from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import tickets_pb2, tickets_pb2_grpc
from crdt_sync.server.bootstrap import Service
from crdt_sync.server.settings import load
from crdt_sync.wire import hocuspocus, limits, ysync
from gateway.bootstrap import Gateway
from gateway.settings import GatewaySettings
from tests.access.site import edit_of
from tests.access.wires import (
    collab_socket,
    grpc_stream,
    metadata_of,
    open_frame,
    over_collab,
    over_grpc,
    over_sync,
    sync_socket,
    update_frame,
)
from tests.adapters.test_lifecycle_files import BROKEN
from tests.counted import refused
from tests.gateway.platform import Platform, Post, notice
from tests.gateway.rig import account
from tests.server.conftest import run_service

EMPTY = b"\x00\x00"
WIRES = {"sync": over_sync, "collab": over_collab, "grpc": over_grpc}
TOO_LARGE = b"\x00" * (limits.FRAME_BYTES_MAX + 1)
PROVIDER = "4.7.0"  # who names no version is denied where others are closed
CLIENT_IDS = itertools.count(50_000)


@pytest.fixture
async def running(tmp_path):
    async with run_service(tmp_path / "data", open_documents=False) as running:
        yield running


@asynccontextmanager
async def bystander(running, document, department="sales"):
    """A colleague on the same document, to whom the next good update still comes whatever happens in between."""
    kind = document.split("/")[2]
    token = running.token(department, actor=f"{department}-8")
    async with (
        sync_socket(running, document, token) as watching,
        sync_socket(running, document, token) as writing,
    ):
        await watching.hear(ysync.Step1)
        await writing.hear(ysync.Step1)
        yield
        good = edit_of(kind, next(CLIENT_IDS))
        await writing.say(ysync.encode_update(good))
        for socket in (writing, watching):
            await socket.hear(ysync.Update, where=lambda frame: frame.update == good)
        await ready(running)


async def ready(running):
    """The service is ready; a disk that others keep busy may have made it say otherwise for a while."""
    for _ in range(100):
        answer = await running.http.get("/readyz")
        if answer.status_code == 200:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(answer.text)


def rows(running, columns, table, where="1"):
    """What the database holds, read past the service."""
    with closing(sqlite3.connect(running.service.settings.data / "crdt-sync.db")) as database:
        return database.execute(f"SELECT {columns} FROM {table} WHERE {where}").fetchall()


def kept(running, document):
    return rows(
        running,
        "code, actor, data",
        "quarantine",
        f"document = '{document}'",
    )


async def state(running, ticket):
    """The ticket as it is shown, without what the bystander changes."""
    shown = (await running.http.get(f"/api/tickets/{ticket}", headers=running.headers())).json()
    return {name: shown[name] for name in ("version", "stage", "lanes", "flags")}


def made(ticket, lane, name, *, digest, actor="sales-1", roles=("sales",), after=None):
    return transition.make(
        ticket=ticket, lane=lane, name=name, actor=actor, roles=roles, after=after or (ticket,), lifecycle=digest, at=1
    )


async def refused_in_log(running, ticket):
    """What the log says was refused, as any participant reads it."""
    document = pycrdt.Doc()
    async with sync_socket(running, f"ticket/{ticket}/log", running.token("tech")) as socket:
        await socket.say(ysync.encode_step1(b"\x00"))
        document.apply_update((await socket.hear(ysync.Step2)).update)
    return document.get("refused", type=pycrdt.Map).to_py()


async def lifecycle_of(running, ticket):
    return (await running.http.get(f"/api/tickets/{ticket}", headers=running.headers())).json()["lifecycle"]


# frames that are none, and frames that are too large


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b"", (4422, "malformed")),
        (b"\xff", (4422, "malformed")),
        (b"\x07\x00", (4422, "malformed")),
        (b"\x00\x09\x00", (4422, "malformed")),
        (b"\x00\x02\x7fshort", (4422, "malformed")),
        (b"\x02\x00\x00", (4422, "malformed")),
        ("text", (4422, "malformed")),
        (ysync.encode_update(b"\xff\xff\xff"), (4422, "malformed")),
        (ysync.encode_step1(b"\xff\xff\xff"), (4422, "malformed")),
        (ysync.encode_awareness(b"\xff\xff\xff"), (4422, "malformed")),
        (TOO_LARGE, (4413, "frame_size")),
        (ysync.encode_update(b"\x00" * (limits.UPDATE_BYTES_MAX + 1)), (4413, "size")),
    ],
    ids=range(12),
)
async def test_a_sync_socket_is_closed_with_the_code_of_what_was_wrong(running, frame, expected):
    document = f"ticket/{await running.ticket()}/card"
    counted = refused(running, ("sync", expected[1]))
    async with bystander(running, document), counted, sync_socket(running, document, running.token()) as socket:
        await socket.hear(ysync.Step1)
        await socket.say(frame)
        assert expected == await socket.end()


async def test_undecodable_bytes_are_kept_for_whoever_looks_into_it(running):
    document = f"ticket/{await running.ticket()}/card"
    async with bystander(running, document), sync_socket(running, document, running.token()) as socket:
        await socket.say(ysync.encode_update(b"\xff\xff\xff"))
        await socket.end()

    assert [("malformed", "sales-1", b"\xff\xff\xff")] == kept(running, document)


@pytest.mark.parametrize("body", [b"\x63", b"\x00\x09\x00", b"\x00\x02\x7fshort", b"\x00\x02\x03\xff\xff\xff"])
async def test_a_collab_document_is_closed_and_the_others_of_its_socket_are_not(running, body):
    ticket = await running.ticket()
    bad, good = f"ticket/{ticket}/card", f"ticket/{ticket}/form/sales"
    async with bystander(running, bad), refused(running, ("collab", "malformed")), collab_socket(running) as socket:
        for document in (bad, good):
            await socket.say(hocuspocus.encode_token(document.encode(), running.token(), PROVIDER))
            await socket.hear(hocuspocus.Authenticated)
        await socket.say(hocuspocus.encode_close(bad.encode())[:-1] + body)
        assert "malformed" == (await socket.hear(hocuspocus.Close)).reason.partition(":")[0]
        await socket.say(hocuspocus.encode_update(good.encode(), edit_of("form", 9)))
        assert (await socket.hear(hocuspocus.SyncStatus, where=lambda frame: frame.accepted)).accepted


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b"", (4422, "malformed")),
        (b"\x05", (4422, "malformed")),
        (b"\xff\xff\xff\xff\xff\xff", (4422, "malformed")),
        ("text", (4422, "malformed")),
        (TOO_LARGE, (4413, "frame_size")),
    ],
    ids=range(5),
)
async def test_a_collab_frame_that_names_no_document_closes_its_socket(running, frame, expected):
    document = f"ticket/{await running.ticket()}/card"
    counted = refused(running, ("collab", expected[1]))
    async with bystander(running, document), counted, collab_socket(running) as socket:
        await socket.say(frame)
        assert expected == await socket.end()


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (pb.ClientFrame(), (grpc.StatusCode.INVALID_ARGUMENT, "malformed")),
        (pb.ClientFrame(document="d"), (grpc.StatusCode.INVALID_ARGUMENT, "malformed")),
        (pb.ClientFrame(document="d" * 300, open=pb.Open()), (grpc.StatusCode.INVALID_ARGUMENT, "malformed")),
        (update_frame("d", TOO_LARGE + b"\x00" * 65_536), (grpc.StatusCode.RESOURCE_EXHAUSTED, "frame_size")),
    ],
    ids=range(4),
)
async def test_a_grpc_frame_that_is_none_ends_its_stream(running, frame, expected):
    document = f"ticket/{await running.ticket()}/card"
    counted = refused(running, ("grpc", expected[1]))
    async with bystander(running, document), counted, grpc_stream(running, running.token()) as stream:
        await stream.say(frame)
        assert expected == await stream.end()


@pytest.mark.parametrize(
    ("update", "status", "code"),
    [
        (b"\xff\xff\xff", pb.ACK_STATUS_INVALID_UPDATE, "malformed"),
        (b"\x00" * (limits.UPDATE_BYTES_MAX + 1), pb.ACK_STATUS_PAYLOAD_TOO_LARGE, "size"),
    ],
)
async def test_a_bad_update_closes_its_document_and_not_its_stream(running, update, status, code):
    ticket = await running.ticket()
    bad, good = f"ticket/{ticket}/card", f"ticket/{ticket}/form/sales"
    async with (
        bystander(running, bad),
        refused(running, ("grpc", code)),
        grpc_stream(running, running.token()) as stream,
    ):
        await stream.say(open_frame(bad), open_frame(good))
        for _ in (bad, good):
            await stream.hear("opened")
        await stream.say(update_frame(bad, update))
        ack = (await stream.hear("ack")).ack
        assert (status, code) == (ack.status, ack.code)
        assert (bad, code) == ((closed := await stream.hear("closed")).document, closed.closed.code)
        await stream.say(update_frame(good, edit_of("form", 9)))
        assert pb.ACK_STATUS_OK == (await stream.hear("ack")).ack.status


async def test_bytes_that_are_no_protobuf_end_their_call_alone(running):
    document = f"ticket/{await running.ticket()}/card"
    call = running.channel.unary_unary("/ticketsync.v1.TicketService/Get")
    async with bystander(running, document), refused(running, ("grpc", "malformed")):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"\xff\xff\xff", metadata=running.metadata(), timeout=20)
    assert grpc.StatusCode.INVALID_ARGUMENT is caught.value.code()
    assert "malformed" == code_of(caught.value)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed"),
        (b'{"title": 1}', 400, "malformed"),
        (b'{"title": "x", "more": 1}', 400, "malformed"),
        (b"\xff\xfe", 400, "malformed"),
        (b"x" * 300_000, 413, "size"),
    ],
    ids=range(5),
)
async def test_a_body_that_does_not_fit_is_a_problem_document(running, body, status, code):
    document = f"ticket/{await running.ticket()}/card"
    async with bystander(running, document), refused(running, ("http", code)):
        headers = running.headers() | {"content-type": "application/json"}
        answer = await running.http.post("/api/tickets", content=body, headers=headers)
        assert (status, code) == (answer.status_code, answer.json()["code"])


# names and tokens


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("nonsense", "unknown_document"),
        ("ticket/short/log", "unknown_document"),
        ("ticket/{ticket}/nonsense", "unknown_document"),
        ("ticket/{ticket}/submit", "unknown_document"),
        ("ticket/{ticket}/log/more", "unknown_document"),
        ("ticket/" + "a" * 52 + "/log", "not_there_yet"),
    ],
)
async def test_a_document_that_cannot_be_is_told_apart_from_one_that_may_come(running, wire, name, code):
    ticket = await running.ticket()
    async with bystander(running, f"ticket/{ticket}/card"):
        document = name.replace("{ticket}", ticket)
        async with refused(running, (wire, code)):
            assert code == await WIRES[wire](running, document, running.token(), EMPTY, [])


def bad_tokens(running):
    claims = {"sub": "sales-1", "department": "sales", "roles": ["sales"], "exp": int(time.time()) + 600}
    return {
        "nonsense": ("nonsense", "token_invalid"),
        "another key": (jwt.encode(claims, b"k" * 32, algorithm="HS256"), "token_invalid"),
        "no signature": (jwt.encode(claims, None, algorithm="none"), "token_invalid"),
        "expired": (running.token(seconds=-60), "token_expired"),
    }


@pytest.mark.parametrize("which", ["nonsense", "another key", "no signature", "expired"])
async def test_a_bad_token_opens_nothing_anywhere(running, which):
    ticket = await running.ticket()
    document = f"ticket/{ticket}/card"
    token, code = bad_tokens(running)[which]
    async with bystander(running, document):
        for wire in WIRES.values():
            assert code == await wire(running, document, token, EMPTY, [])
        async with sync_socket(running, document, None, query=f"?token={token}") as socket:
            assert (4401, code) == await socket.end()
        answer = await running.http.get(f"/api/tickets/{ticket}", headers={"authorization": f"Bearer {token}"})
        assert (401, code) == (answer.status_code, answer.json()["code"])
        stub = tickets_pb2_grpc.TicketServiceStub(running.channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Get(tickets_pb2.GetRequest(id=ticket), metadata=metadata_of(token))
        assert (grpc.StatusCode.UNAUTHENTICATED, code) == (caught.value.code(), code_of(caught.value))


# transitions that are not one's own


async def test_entries_for_anothers_lane_or_in_anothers_name_are_refused_by_code(running):
    ticket = await running.ticket()
    digest, before = await lifecycle_of(running, ticket), await state(running, ticket)
    document, submit = f"ticket/{ticket}/submit/tech", SubmitDocument(9)
    refused = {
        made(ticket, "sales", "quote", digest=digest, actor="tech-1", roles=("tech",)).record: "lane_owner",
        made(ticket, "tech", "start", digest=digest, actor="sales-1", roles=("sales",)).record: "actor",
        made(ticket, "tech", "start", digest=digest, actor="tech-1", roles=("tech_lead",)).record: "role_not_held",
        "nonsense": "malformed",
    }
    async with (
        bystander(running, document, "tech"),
        sync_socket(running, document, running.token("tech")) as socket,
    ):
        for record in refused:
            update = submit.append_transition(record)
            await socket.say(ysync.encode_update(update))
            await socket.hear(ysync.Update, where=lambda frame, sent=update: frame.update == sent)

    told = await refused_in_log(running, ticket)
    expected = {transition.entry_key(record.encode()): code for record, code in refused.items()}
    assert expected == {key: told[key] for key in expected}
    assert before == await state(running, ticket)


async def test_a_command_for_anothers_lane_is_refused_on_both_wires_of_commands(running):
    ticket = await running.ticket()
    before = await state(running, ticket)
    async with bystander(running, f"ticket/{ticket}/card"):
        body = {"lane": "sales", "name": "quote", "seen": before["version"]}
        answer = await running.http.post(
            f"/api/tickets/{ticket}/transitions", json=body, headers=running.headers("tech")
        )
        assert (403, "lane_owner") == (answer.status_code, answer.json()["code"])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await tickets_pb2_grpc.TicketServiceStub(running.channel).Transition(
                tickets_pb2.TransitionRequest(id=ticket, **body), metadata=running.metadata("tech")
            )
        assert (grpc.StatusCode.PERMISSION_DENIED, "lane_owner") == (caught.value.code(), code_of(caught.value))
    assert before == await state(running, ticket)


# damage to a submit document


def deletion():
    doc = pycrdt.Doc(client_id=901)
    array = doc.get("transitions", type=pycrdt.Array)
    array.append("mine")
    del array[0]
    return doc.get_update()


def second_root():
    doc = pycrdt.Doc(client_id=902)
    doc.get("elsewhere", type=pycrdt.Array).append("x")
    return doc.get_update()


def shared_type():
    doc = pycrdt.Doc(client_id=903)
    doc.get("transitions", type=pycrdt.Array).append(pycrdt.Map({"a": "b"}))
    return doc.get_update()


@pytest.mark.parametrize(
    ("forge", "code"), [(deletion, "deletion"), (second_root, "second_root"), (shared_type, "content")]
)
async def test_damage_is_refused_with_its_code_kept_and_never_stored(running, forge, code):
    document, data = f"ticket/{await running.ticket()}/submit/sales", forge()
    async with bystander(running, document), sync_socket(running, document, running.token()) as socket:
        await socket.say(ysync.encode_update(data))
        assert (4422, code) == await socket.end()

    assert [(code, "sales-1", data)] == kept(running, document)
    assert data not in [
        row[0]
        for row in rows(
            running, "data", "updates", f"document_id = (SELECT id FROM documents WHERE name = '{document}')"
        )
    ]


async def test_a_struct_under_anothers_client_id_is_refused_and_its_owner_goes_on(running):
    document = f"ticket/{await running.ticket()}/submit/sales"
    his = SubmitDocument(500)
    first = his.append_transition("his")
    forged = SubmitDocument(500)
    forged.apply_committed(first)
    async with (
        bystander(running, document),
        sync_socket(running, document, running.token(actor="sales-2")) as honest,
        sync_socket(running, document, running.token()) as forger,
    ):
        await honest.say(ysync.encode_update(first))
        await honest.hear(ysync.Update)
        await forger.say(ysync.encode_update(forged.append_transition("forged")))
        assert (4422, "foreign_client") == await forger.end()

        later = his.append_message("later")
        await honest.say(ysync.encode_update(later))
        await honest.hear(ysync.Update, where=lambda frame: frame.update == later)
    assert ["foreign_client"] == [row[0] for row in kept(running, document)]


async def test_two_replicas_with_one_client_id_are_told_apart_and_lose_nothing(running):
    document = f"ticket/{await running.ticket()}/submit/sales"
    one, two = (SubmitDocument(9).append_transition(text) for text in ("one", "two"))
    again = SubmitDocument(10).append_transition("two")
    async with bystander(running, document), sync_socket(running, document, running.token()) as first:
        await first.say(ysync.encode_update(one))
        await first.hear(ysync.Update)
        async with sync_socket(running, document, running.token()) as second:
            await second.say(ysync.encode_update(two))
            assert (4422, "client_id_reused") == await second.end()
        async with sync_socket(running, document, running.token()) as second:
            await second.say(ysync.encode_update(again))
            await second.hear(ysync.Update)
        await first.hear(ysync.Update, where=lambda frame: frame.update == again)
    assert [("client_id_reused", "sales-1", two)] == kept(running, document)


def ahead():
    document = SubmitDocument(9)
    document.append_transition("one")
    return document.append_transition("two")


def missing_origin():
    """An entry of one client behind an entry of another that nobody has sent."""
    behind = SubmitDocument(21)
    behind.apply_committed(SubmitDocument(20).append_transition("never sent"))
    return behind.append_transition("behind it")


@pytest.mark.parametrize("forge", [ahead, missing_origin])
async def test_what_builds_on_nothing_is_asked_for_and_never_stored_or_relayed(running, forge):
    document, data = f"ticket/{await running.ticket()}/submit/sales", forge()
    async with bystander(running, document), sync_socket(running, document, running.token()) as socket:
        await socket.hear(ysync.Step1)
        await socket.say(ysync.encode_update(data))
        assert isinstance(await socket.hear(ysync.Step1, ysync.Update), ysync.Step1), "asked, not acknowledged"
    assert data not in [
        row[0]
        for row in rows(
            running, "data", "updates", f"document_id = (SELECT id FROM documents WHERE name = '{document}')"
        )
    ]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("part", ["log", "talk"])
async def test_nobody_writes_what_the_service_writes(running, wire, part):
    ticket = await running.ticket()
    document, before = f"ticket/{ticket}/{part}", await state(running, ticket)
    stored = rows(running, "data", "updates", f"document_id = (SELECT id FROM documents WHERE name = '{document}')")
    doc = pycrdt.Doc(client_id=9)
    doc.get("log", type=pycrdt.Array).append("forged")
    async with bystander(running, f"ticket/{ticket}/card"):
        assert "read" == await WIRES[wire](running, document, running.token(), doc.get_update(), [])

    assert stored == rows(
        running, "data", "updates", f"document_id = (SELECT id FROM documents WHERE name = '{document}')"
    )
    assert before == await state(running, ticket)


# a wrong `seen`


@pytest.mark.parametrize(
    ("seen", "status", "grpc_status", "code"),
    [
        (None, 428, grpc.StatusCode.FAILED_PRECONDITION, "seen_missing"),
        ("999999", 412, grpc.StatusCode.FAILED_PRECONDITION, "seen_unknown"),
        ("nonsense", 412, grpc.StatusCode.FAILED_PRECONDITION, "seen_unknown"),
        ("other", 412, grpc.StatusCode.FAILED_PRECONDITION, "seen_unknown"),
    ],
)
async def test_a_wrong_seen_changes_nothing(running, seen, status, grpc_status, code):
    ticket, other = await running.ticket(), await running.ticket()
    before = await state(running, ticket)
    if seen == "other":
        seen = (await state(running, other))["version"]
    body = {"lane": "sales", "name": "quote"} | ({"seen": seen} if seen else {})
    async with bystander(running, f"ticket/{ticket}/card"):
        answer = await running.http.post(f"/api/tickets/{ticket}/transitions", json=body, headers=running.headers())
        assert (status, code) == (answer.status_code, answer.json()["code"])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await tickets_pb2_grpc.TicketServiceStub(running.channel).Transition(
                tickets_pb2.TransitionRequest(id=ticket, **body), metadata=running.metadata()
            )
        assert (grpc_status, code) == (caught.value.code(), code_of(caught.value))
    assert before == await state(running, ticket)


# callbacks of a chat platform


@pytest.fixture
async def shop(running, tmp_path):
    """The gateway in the service's process, as `serve` runs it: over gRPC, with a token of its own."""
    token = running.token("gateway", accounts=["shop"])
    settings = GatewaySettings(
        core=f"127.0.0.1:{running.service.grpc_port}",
        core_token=lambda: token,
        data=tmp_path / "gateway",
        accounts=(account(),),
    )
    gateway = Gateway(settings)
    await gateway.start()
    running.service.channels.app = gateway.app
    yield gateway
    running.service.channels.app = None
    await gateway.stop()


async def call_back(running, shop, post):
    answer = await running.http.post("/channels/shop", params=post.query, content=post.body)
    async with asyncio.timeout(20):
        await shop.forwarder.idle()
    return answer


async def conversation(running):
    listed = (await running.http.get("/api/tickets", headers=running.headers())).json()["tickets"]
    chats = [ticket["id"] for ticket in listed if ticket["subject"].startswith("chat:")]
    texts = []
    for ticket in chats:
        answer = await running.http.get(f"/api/tickets/{ticket}/messages", headers=running.headers())
        texts += [message["parts"][0]["text"] for message in answer.json()["messages"]]
    return texts


def customer(number):
    return notice(Content=f"text {number}", MsgId=str(number))


async def test_a_replayed_callback_is_answered_as_before_and_changes_nothing(running, shop):
    document = f"ticket/{await running.ticket()}/card"
    platform = Platform(now_s=int(time.time()))
    post = platform.post(customer(1))
    async with bystander(running, document):
        for each in (post, post, platform.post(customer(1))):  # the same bytes, and the same message sealed anew
            answer = await call_back(running, shop, each)
            assert (200, "success") == (answer.status_code, answer.text)
        assert ["text 1"] == await conversation(running)


async def test_a_tampered_ciphertext_is_refused_and_the_next_callback_is_taken(running, shop):
    document = f"ticket/{await running.ticket()}/card"
    platform = Platform(now_s=int(time.time()))
    good = platform.post(customer(1))
    place = good.body.index(b"<Encrypt><![CDATA[") + 40
    changed = good.body[:place] + (b"A" if good.body[place : place + 1] != b"A" else b"B") + good.body[place + 1 :]
    async with bystander(running, document):
        for bad in (Post(good.query, changed), Post(good.query | {"msg_signature": "0" * 40}, good.body)):
            answer = await call_back(running, shop, bad)
            assert (401, "unauthenticated") == (answer.status_code, answer.json()["code"])
        assert [] == await conversation(running)
        assert 200 == (await call_back(running, shop, good)).status_code
        assert ["text 1"] == await conversation(running)


# lifecycle files


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_the_checker_names_file_line_and_rule_of_every_kind_of_error(path):
    told = CliRunner().invoke(lifecycle_commands, ["check", str(path)])

    assert 1 == told.exit_code
    assert all(line.startswith(f"{path}:") for line in told.stdout.splitlines() if line)
    assert told.stdout


async def test_serve_ends_with_what_is_wrong_with_its_lifecycle(tmp_path):
    """As an operator sees it: one line, exit code 2, and nothing that listens."""
    (bad,) = [path for path in BROKEN if path.stem == "l02-order-cycle"]
    options = ("--lifecycle", bad, "--port", "0", "--grpc-port", "0", "--data", tmp_path / "data")
    serving = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "crdt_sync.cli.main", "serve", *map(str, options)), stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60):
            _, told = await serving.communicate()
    finally:
        if serving.returncode is None:
            serving.kill()
            await serving.wait()
    (line,) = told.decode().splitlines()
    assert (2, True) == (serving.returncode, 'L2: "closed < running" closes a cycle' in line)


async def test_a_service_with_a_lifecycle_of_any_kind_of_error_does_not_start(tmp_path):
    """One database for all of them: nothing of a bad file may stay in it."""
    for path in BROKEN:
        service = Service(load(port=0, grpc_port=0, data=tmp_path, lifecycle=str(path)))
        with pytest.raises(Malformed) as caught:
            await service.start()
        assert ("lifecycle", True) == (caught.value.code, caught.value.message.strip() != ""), path.name
    async with run_service(tmp_path) as running:
        await ready(running)

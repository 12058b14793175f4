import asyncio

import pycrdt
import pytest
import structlog
import websockets

from crdt_sync.errors import Unauthenticated
from crdt_sync.server import websocket
from crdt_sync.server.websocket import Socket, Sockets
from crdt_sync.wire import hocuspocus, limits, ysync
from tests.fakes import CountingMeter
from tests.server.conftest import run_service
from tests.server.fakes import Dialled, FakeAuthenticator, FakeConnections, audit

NOBODY_OPENED = "ticket/" + "a" * 52 + "/log"


class Line:
    """The endpoints over connections that lead nowhere."""

    def __init__(self):
        self.connections = FakeConnections()
        self.authenticator = FakeAuthenticator()
        self.meter = CountingMeter()
        origins = ("https://board.example",)
        self.sockets = Sockets(self.connections, self.authenticator, audit(self.meter), origins)

    def sync(self, document="notes", **dialled):
        return self._serve(self.sockets.sync, path_params={"document": document}, **dialled)

    def collab(self, **dialled):
        return self._serve(self.sockets.collab, **dialled)

    def _serve(self, endpoint, **dialled):
        dialled = Dialled(**dialled)
        dialled.task = asyncio.ensure_future(endpoint(dialled.websocket))
        return dialled

    async def connection(self):
        """Wait for the connection to be made."""
        return await self.connections.made.get()


async def test_the_address_names_the_document_and_the_handshake_the_caller():
    line = Line()
    dialled = line.sync(query="token=t")
    connection = await line.connection()
    dialled.say(b"\x00")
    dialled.leave()
    await dialled.task

    assert (["notes"], [b"\x00"], "ann", True) == (
        connection.joined,
        connection.received,
        connection.identity.principal.actor,
        connection.has_ended,
    )


async def test_a_handshake_that_is_refused_is_accepted_so_that_a_browser_sees_the_code():
    dialled = Line().sync(query="token=wrong")
    await dialled.task

    assert "websocket.accept" == (await dialled.outbox.get())["type"]
    assert (4401, "token_invalid: The token is not valid.") == (
        (closed := await dialled.outbox.get())["code"],
        closed["reason"],
    )


async def test_a_header_counts_before_the_address():
    dialled = Line().sync(query="token=t", headers={"authorization": "Bearer wrong"})

    assert 4401 == (await dialled.heard("close"))["code"]


@pytest.mark.parametrize(
    "origin", ["https://elsewhere.example", "null", "", "http://[", "https://desk.example.elsewhere.example"]
)
async def test_a_page_of_another_host_is_refused(origin):
    dialled = Line().sync(query="token=t", headers={"origin": origin, "host": "desk.example"})

    assert 4403 == (await dialled.heard("close"))["code"]
    await dialled.task


@pytest.mark.parametrize("origin", ["https://board.example", "https://desk.example", "http://DESK.example"])
async def test_a_page_of_this_host_or_of_the_list_may_connect(origin):
    line = Line()
    dialled = line.sync(query="token=t", headers={"origin": origin, "host": "desk.example"})
    await line.connection()
    dialled.leave()
    await dialled.task


async def test_collab_takes_its_tokens_in_band():
    line = Line()
    dialled = line.collab()
    connection = await line.connection()
    assert connection.identity is None
    with pytest.raises(Unauthenticated):
        await connection.authenticate("wrong")
    assert "ann" == (await connection.authenticate("t")).principal.actor
    dialled.leave()
    await dialled.task


async def test_collab_without_a_token_is_given_up(monkeypatch):
    monkeypatch.setattr(limits, "UNAUTHENTICATED_S", 0)
    dialled = Line().collab()

    assert 4401 == (await dialled.heard("close"))["code"]
    await dialled.task


async def test_a_frame_over_the_limit_closes_with_its_own_code(monkeypatch):
    monkeypatch.setattr(limits, "FRAME_BYTES_MAX", 10)
    line = Line()
    dialled = line.sync(query="token=t")
    dialled.say(b"x" * 10)
    dialled.say(b"x" * 11)

    assert 4413 == (await dialled.heard("close"))["code"]
    assert [b"x" * 10] == (await line.connection()).received
    await dialled.task


async def test_our_own_mistake_ends_one_connection_and_is_logged():
    line = Line()
    dialled, other = line.sync(query="token=t"), line.sync(query="token=t")
    (await line.connection()).failure = RuntimeError("secret")
    await line.connection()
    with structlog.testing.capture_logs() as lines:
        dialled.say(b"\x00")
        closed = await dialled.heard("close")
    await dialled.task

    assert (1011, ["connection failed"]) == (closed["code"], [each["event"] for each in lines])
    assert "secret" not in closed["reason"]
    assert not other.task.done()
    other.leave()
    await other.task


async def test_frames_go_out_in_order_and_the_close_comes_after_them():
    dialled = Dialled()
    await dialled.websocket.accept()
    socket = Socket(dialled.websocket, keepalive=b"", refused=lambda code: None)
    socket.write([b"1", b"2"])
    socket.write([b"3"])
    socket.close(1012, "x" * 200)
    socket.close(1011, "the first close counts")
    socket.write([b"4"])
    await socket.send()

    sent = [dialled.outbox.get_nowait() for _ in range(dialled.outbox.qsize())][1:]
    assert [b"1", b"2", b"3"] == [each["bytes"] for each in sent[:-1]]
    assert (1012, "x" * 123) == (sent[-1]["code"], sent[-1]["reason"])


def test_a_reason_is_cut_between_characters():
    assert "单" * 41 == websocket._shortened("单" * 50)


@pytest.mark.parametrize("limit", ["SEND_QUEUE_FRAMES_MAX", "SEND_QUEUE_BYTES_MAX"])
async def test_a_slow_reader_is_closed_and_not_left_with_holes(monkeypatch, limit):
    monkeypatch.setattr(limits, limit, 3)
    dialled = Dialled()
    await dialled.websocket.accept()
    socket = Socket(dialled.websocket, keepalive=b"", refused=lambda code: None)
    socket.write([b"1", b"2", b"3"])
    socket.write([b"4"])
    await socket.send()

    sent = [dialled.outbox.get_nowait() for _ in range(dialled.outbox.qsize())][1:]
    assert [1013] == [each["code"] for each in sent]


async def test_a_reader_that_takes_nothing_is_cut_off(monkeypatch):
    monkeypatch.setattr(websocket, "CLOSE_S", 0)
    line = Line()
    dialled = line.sync(query="token=t")
    connection = await line.connection()
    dialled.may_send.clear()
    connection.transport.write([b"1"])
    connection.transport.close(1012, "")
    await dialled.task

    assert connection.has_ended


@pytest.mark.parametrize(
    ("kind", "frame"), [("sync", ysync.encode_awareness(b"\0")), ("collab", hocuspocus.encode_awareness(b".", b"\0"))]
)
async def test_a_silent_document_gives_a_sign_of_life(monkeypatch, kind, frame):
    monkeypatch.setattr(websocket, "KEEPALIVE_S", 0)
    line = Line()
    dialled = getattr(line, kind)(query="token=t")

    assert frame == (await dialled.heard("send"))["bytes"]
    dialled.leave()
    await dialled.task


async def closed_by(url, **options):
    """Return the close code of a socket that the service refuses."""
    async with websockets.connect(url, **options) as socket:
        await socket.wait_closed()
        return socket.close_code


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/sync/notes", 4401),
        ("/sync/notes?token=x", 4401),
        ("/sync/notes?token={expired}", 4401),
        ("/sync/ticket/x/log?token={sales}", 4404),
        (f"/sync/{NOBODY_OPENED}?token={{sales}}", 4504),
        ("/sync/ticket/{ticket}/form/tech?token={sales}", 4403),
        ("/sync/ticket/{ticket}/log?token={gateway}", 4403),
    ],
)
async def test_the_code_of_a_refusal_reaches_the_client(running, path, code):
    names = {
        "sales": running.token(),
        "gateway": running.token("gateway"),
        "expired": running.token(seconds=-1),
        "ticket": await running.ticket(),
    }

    assert code == await closed_by(running.ws(path.format(**names)))


async def test_another_pages_origin_is_refused_by_the_real_server(running):
    url = running.ws(f"/sync/notes?token={running.token()}")

    assert 4403 == await closed_by(url, origin="https://elsewhere.example")


@pytest.mark.parametrize(
    ("said", "code"),
    [(b"\xff\xff", 4422), ("text", 4422), (b"\x00" * (limits.FRAME_BYTES_MAX + 1), 4413)],
    ids=["undecodable", "text", "oversize"],
)
async def test_what_does_not_decode_closes_with_its_code_and_disturbs_nobody(running, said, code):
    url = running.ws(f"/sync/notes?token={running.token()}")
    async with websockets.connect(url) as bystander, websockets.connect(url) as socket:
        await bystander.recv()
        await socket.send(said)
        await socket.wait_closed()

        assert code == socket.close_code
        await bystander.send(ysync.encode_step1(b"\x00"))
        assert ysync.Step2 is type(ysync.decode(await bystander.recv()))


async def test_an_update_reaches_its_author_and_the_others_once_it_is_committed(running):
    document = pycrdt.Doc()
    document["t"] = pycrdt.Text("你好")
    update = document.get_update()
    path = f"/sync/%E7%AC%94%E8%AE%B0/1?token={running.token()}"
    async with websockets.connect(running.ws(path)) as author, websockets.connect(running.ws(path)) as reader:
        await author.recv()
        await reader.recv()
        await author.send(ysync.encode_update(update))

        assert ysync.Update(update) == ysync.decode(await author.recv())
        assert ysync.Update(update) == ysync.decode(await reader.recv())


async def test_collab_speaks_in_many_documents(running):
    async with websockets.connect(running.ws("/collab")) as socket:
        for name in ("a", "b"):
            await socket.send(hocuspocus.encode_token(name.encode(), running.token()))
            assert hocuspocus.encode_authenticated(name.encode(), read_only=False) == await socket.recv()
        await socket.send(hocuspocus.encode_token(b"c", "x"))
        assert (await socket.recv()).startswith(b"\x01c\x02\x01")


async def test_collab_through_a_proxy_is_refused_without_tokens(tmp_path):
    async with run_service(tmp_path, auth="none") as running:
        headers = {"x-forwarded-for": "1.2.3.4"}
        async with websockets.connect(running.ws("/collab"), additional_headers=headers) as socket:
            await socket.send(hocuspocus.encode_token(b"a", "x"))

            assert b"forwarded" in await socket.recv()


async def test_collab_without_tokens_opens_with_the_first_step_1(tmp_path):
    """@hocuspocus/provider 2.15 sends no token where none is configured."""
    async with run_service(tmp_path, auth="none") as running, websockets.connect(running.ws("/collab")) as socket:
        await socket.send(hocuspocus.encode_step1(b"a", b"\0"))

        assert hocuspocus.encode_authenticated(b"a", read_only=False) == await socket.recv()


async def test_a_service_that_stops_tells_its_clients_to_come_back(tmp_path):
    async with run_service(tmp_path) as running:
        socket = await websockets.connect(running.ws(f"/sync/notes?token={running.token()}"))
        await socket.recv()
    await socket.wait_closed()

    assert 1012 == socket.close_code

import asyncio
import json

import pycrdt
import pytest
import structlog
import websockets

from crdt_sync.errors import Unauthenticated
from crdt_sync.server import websocket
from crdt_sync.server.frame_readers import choose
from crdt_sync.server.handshake_rate import HandshakeRate
from crdt_sync.server.sockets import Sockets
from crdt_sync.wire import hocuspocus, limits, ysync
from tests.fakes import CountingMeter
from tests.server.conftest import run_service
from tests.server.fakes import Dialled, FakeAuthenticator, FakeConnections, Wheel, audit, masked

NOBODY_OPENED = "ticket/" + "a" * 52 + "/log"
BOTH = ("picows", "websockets")


class Line:
    """The endpoints over connections that lead nowhere."""

    def __init__(self, readers="picows", connections_max=10):
        self.connections = FakeConnections()
        self.authenticator = FakeAuthenticator()
        self.deadlines = Wheel()
        self.meter = CountingMeter()
        origins = ("https://board.example",)
        self.sockets = Sockets(
            self.connections,
            self.authenticator,
            self.deadlines,
            audit(self.meter),
            HandshakeRate(),
            origins,
            connections_max,
        )
        self.sockets._readers = choose(readers)

    def sync(self, document="notes", **dialled):
        return Dialled(self.sockets, f"/sync/{document}", **dialled)

    def collab(self, **dialled):
        return Dialled(self.sockets, "/collab", **dialled)

    async def connection(self):
        """Wait for the connection to be made."""
        return await self.connections.made.get()

    def pass_time(self, seconds):
        self.deadlines.pass_time(seconds)


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture(params=BOTH)
async def line(request):
    return Line(request.param)


async def test_the_address_names_the_document_and_the_handshake_the_caller(line):
    dialled = line.sync("%E7%AC%94 1", query="token=t")
    assert not dialled.transport.reading, "nothing is read before the token is judged"
    connection = await line.connection()
    await settle()
    assert dialled.transport.reading
    dialled.say(b"\x00")
    dialled.leave()

    assert (["笔 1"], [b"\x00"], "ann", True, set()) == (
        connection.joined,
        connection.received,
        connection.identity.principal.actor,
        connection.has_ended,
        line.sockets.open,
    )


async def test_a_handshake_that_is_refused_is_accepted_so_that_a_browser_sees_the_code(line):
    dialled = line.sync(query="token=wrong")
    await settle()

    assert dialled.transport.written.startswith(b"HTTP/1.1 101 ")
    assert ([4401], "token_invalid: The token is not valid.") == (dialled.heard, dialled.reason)


async def test_a_header_counts_before_the_address(line):
    dialled = line.sync(query="token=t", headers={"authorization": "Bearer wrong"})
    await settle()

    assert [4401] == dialled.heard


@pytest.mark.parametrize(
    "origin", ["https://elsewhere.example", "null", "", "http://[", "https://desk.example.elsewhere.example"]
)
@pytest.mark.parametrize("endpoint", ["sync", "collab"])
async def test_a_page_of_another_host_is_refused(endpoint, origin):
    dialled = getattr(Line(), endpoint)(query="token=t", headers={"origin": origin, "host": "desk.example"})

    assert [4403] == dialled.heard


@pytest.mark.parametrize("origin", ["https://board.example", "https://desk.example", "http://DESK.example"])
async def test_a_page_of_this_host_or_of_the_list_may_connect(origin):
    line = Line()
    line.sync(query="token=t", headers={"origin": origin, "host": "desk.example"})
    await line.connection()


@pytest.mark.parametrize(
    ("headers", "version", "status"),
    [({}, "8", 426), ({"sec-websocket-key": "AAAA"}, "13", None), ({"sec-websocket-key": "单"}, "13", None)],
)
async def test_what_is_no_handshake_is_answered_in_http(headers, version, status):
    dialled = Line().sync(query="token=t", headers=headers, version=version)

    assert ("handshake", status, None) == (dialled.denial.error.code, dialled.denial.status, dialled.socket)


async def test_collab_takes_its_tokens_in_band():
    line = Line()
    line.collab()
    connection = await line.connection()
    assert connection.identity is None
    with pytest.raises(Unauthenticated):
        await connection.authenticate("wrong")
    assert "ann" == (await connection.authenticate("t")).principal.actor


async def test_a_socket_without_a_token_is_given_up_in_time_and_then_cut_off(line):
    dialled = line.collab()
    await line.connection()
    line.pass_time(limits.UNAUTHENTICATED_S - 1)
    assert [] == dialled.heard
    line.pass_time(1)
    assert ([4501], False) == (dialled.heard, dialled.transport.aborted)
    line.pass_time(websocket.CLOSE_S)

    assert dialled.transport.aborted


async def test_a_token_that_nobody_judges_in_time_is_a_reason_to_come_back(line):
    line.authenticator.answers.clear()
    dialled = line.sync(query="token=t")
    await settle()
    line.pass_time(limits.UNAUTHENTICATED_S)
    await settle()

    assert ([1013], True) == (dialled.heard, line.connections.made.empty())


async def test_a_message_over_the_limit_closes_with_its_own_code(line):
    dialled = line.sync(query="token=t")
    connection = await line.connection()
    half = b"x" * (limits.FRAME_BYTES_MAX // 2)
    dialled.send(masked(half, fin=False) + masked(half, 0))
    dialled.send(masked(half, fin=False) + masked(half + b"y", 0))

    assert ([4413], [2 * half]) == (dialled.heard, connection.received)


@pytest.mark.parametrize("cut", [False, True])
async def test_a_stranger_may_send_less_than_who_is_known(line, cut):
    """A stranger's part of a frame is not held beyond the limit, nor are fragments."""
    dialled = line.collab()
    await line.connection()
    half = b"x" * (limits.UNAUTHENTICATED_BYTES_MAX // 2 + 1)
    if cut:
        head = b"\x82\xff" + (limits.FRAME_BYTES_MAX).to_bytes(8, "big")
        for piece in (head, half, half, half):
            dialled.send(piece)
    else:
        dialled.send(masked(half, fin=False) + masked(half, 0))

    assert [4413] == dialled.heard


async def test_our_own_mistake_ends_one_connection_and_is_logged(line):
    dialled, other = line.sync(query="token=t"), line.sync(query="token=t")
    (await line.connection()).failure = RuntimeError("secret")
    await line.connection()
    with structlog.testing.capture_logs() as lines:
        dialled.say(b"\x00")

    assert ([1011], ["connection failed"]) == (dialled.heard, [each["event"] for each in lines])
    assert "secret" not in dialled.reason
    assert [] == other.heard


async def test_frames_go_out_in_order_and_the_close_comes_after_them(line):
    dialled = line.sync(query="token=t")
    socket = (await line.connection()).transport
    socket.write([socket.encode([b"1", b"2"])])
    socket.write([socket.encode([b"3"]), socket.encode([b"4"])])
    socket.close(1012, "x" * 200)
    socket.close(1011, "the first close counts")
    socket.write([socket.encode([b"5"])])

    assert ([b"1", b"2", b"3", b"4", 1012], "x" * 123) == (dialled.heard, dialled.reason)


async def test_a_slow_reader_is_closed_and_not_left_with_holes(line):
    dialled = line.sync(query="token=t")
    connection = await line.connection()
    assert limits.SEND_QUEUE_BYTES_MAX == dialled.transport.high, "past it the event loop calls pause_writing"
    connection.transport.write([connection.transport.encode([b"1"])])
    dialled.socket.pause_writing()
    connection.transport.write([connection.transport.encode([b"2"])])

    assert ([b"1", 1013], True) == (dialled.heard, connection.has_ended)
    assert {("sync", "slow_reader"): 1} == line.meter.refusals
    dialled.socket.pause_writing()
    assert dialled.transport.aborted


async def test_a_reader_that_takes_nothing_for_half_a_minute_is_closed_too(line):
    dialled = line.sync(query="token=t")
    await line.connection()
    dialled.transport.unsent = 1
    for _ in range(websocket.STALLS_MAX):
        line.pass_time(websocket.LISTEN_S)
        assert 1013 not in dialled.heard
    line.pass_time(websocket.LISTEN_S)

    assert 1013 == dialled.heard[-1]


async def test_a_reader_that_takes_its_time_is_not_slow(line):
    dialled = line.sync(query="token=t")
    await line.connection()
    for left in range(9, 0, -1):
        dialled.transport.unsent = left
        line.pass_time(websocket.LISTEN_S)

    assert 1013 not in dialled.heard


async def test_pings_and_fragments_count_as_messages_do(line):
    dialled = line.sync(query="token=t")
    connection = await line.connection()
    await settle()
    dialled.send(masked(b"?", 9) + masked(b"!", 10) + masked(b"a", 2, fin=False) + masked(b"b", 0, fin=False))
    dialled.send(masked(b"c", 0))

    assert (4, [b"abc"]) == (connection.others, connection.received)


@pytest.mark.parametrize("begun", [masked(b"abc")[:-1], masked(b"abc", fin=False)], ids=["a frame", "fragments"])
async def test_a_message_that_does_not_end_is_not_waited_for_for_ever(line, begun):
    dialled = line.sync(query="token=t")
    await line.connection()
    await settle()
    dialled.send(begun)
    for _ in range(limits.MESSAGE_S // 10):
        line.pass_time(websocket.LISTEN_S)
        dialled.send(masked(b"", 10) if begun[0] < 128 else b"")
    assert 1013 not in dialled.heard
    line.pass_time(websocket.LISTEN_S)

    assert (1013, "slow_message") == (dialled.heard[-1], dialled.reason.partition(":")[0])
    assert {("sync", "slow_message"): 1} == line.meter.refusals


async def test_who_sends_message_after_message_is_not_slow(line):
    dialled = line.sync(query="token=t")
    await line.connection()
    await settle()
    for _ in range(limits.MESSAGE_S // 10 + 2):
        dialled.send(masked(b"abc")[:-1])
        line.pass_time(websocket.LISTEN_S)
        dialled.send(masked(b"abc")[-1:])

    assert 1013 not in dialled.heard


async def test_what_has_begun_is_bounded_for_all_together_and_who_takes_longest_goes(line, monkeypatch):
    monkeypatch.setattr(limits, "PARTIAL_BYTES_MAX", 1_000)
    slow, finished, quick, more = (line.sync(query="token=t") for _ in range(4))
    for _ in range(4):
        await line.connection()
    await settle()
    whole = masked(b"x" * 500)
    slow.send(whole[:400])
    finished.send(masked(b"x" * 390, fin=False))
    quick.send(whole[:-500])
    finished.send(masked(b"x", 0))
    more.send(whole[:400])
    slow.send(whole[400:401])
    assert [] == [heard for each in (slow, finished, quick, more) for heard in each.heard]
    more.send(whole[400:])
    finished.send(whole[:300])
    quick.send(whole[-500:-1])

    assert ([1013], "crowded_out") == (slow.heard, slow.reason.partition(":")[0])
    assert [] == finished.heard + quick.heard + more.heard


async def test_a_reader_that_catches_up_is_not_slow(line):
    dialled = line.sync(query="token=t")
    await line.connection()
    for look in range(1, 9):
        dialled.transport.unsent = look % 4
        line.pass_time(websocket.LISTEN_S)

    assert 1013 not in dialled.heard


@pytest.mark.parametrize(
    ("kind", "frame"),
    [("sync", ysync.encode_awareness(b"\x00")), ("collab", hocuspocus.encode_awareness(b".", b"\x00"))],
)
async def test_a_silent_document_gives_a_sign_of_life(line, kind, frame):
    dialled = getattr(line, kind)(query="token=t")
    socket = (await line.connection()).transport
    socket.write([socket.encode([b"1"])])
    line.pass_time(websocket.LISTEN_S)
    assert [b"1"] == dialled.heard
    line.pass_time(websocket.LISTEN_S)

    assert [b"1", frame] == dialled.heard


@pytest.mark.parametrize(
    ("data", "heard"),
    [
        (masked(b"?", 9), [b"?"]),
        (masked(b"!", 10), []),
        (masked(b"\x03\xe9bye", 8), [1001]),
        (masked(b"", 8), [1005]),
    ],
    ids=["ping", "pong", "close", "empty close"],
)
async def test_the_websocket_protocol_is_kept(line, data, heard):
    dialled = line.sync(query="token=t")
    connection = await line.connection()
    dialled.send(data)

    assert (heard, [], {}) == (dialled.heard, connection.received, line.meter.refusals)


VIOLATIONS = {
    "rsv1": (masked(b"a", bits=4), 1002, "protocol"),
    "rsv2": (masked(b"a", bits=2), 1002, "protocol"),
    "rsv3": (masked(b"a", bits=1), 1002, "protocol"),
    "unmasked": (b"\x82\x01a", 1002, "protocol"),
    "opcode 3": (masked(b"a", 3), 1002, "protocol"),
    "opcode 11": (masked(b"a", 11), 1002, "protocol"),
    "no fragment's": (masked(b"a", 0), 1002, "protocol"),
    "message within a message": (masked(b"a", fin=False) + masked(b"a"), 1002, "protocol"),
    "long ping": (masked(b"x" * 126, 9), 1002, "protocol"),
    "cut ping": (masked(b"x", 9, fin=False), 1002, "protocol"),
    "cut close": (masked(b"\x03", 8), 1002, "protocol"),
    "close with 1004": (masked(b"\x03\xec", 8), 1002, "protocol"),
    "no text": (masked(b"\xff", 1), 1007, "not_utf8"),
    "no text in fragments": (masked(b"\xe5", 1, fin=False) + masked(b"a", 0), 1007, "not_utf8"),
}


@pytest.mark.parametrize("kind", ["sync", "collab"])
@pytest.mark.parametrize(("data", "close", "code"), VIOLATIONS.values(), ids=VIOLATIONS)
async def test_who_breaks_it_is_told_the_code_and_counted(line, kind, data, close, code):
    dialled = getattr(line, kind)(query="token=t")
    connection = await line.connection()
    dialled.send(data)

    assert ([close], code, []) == (dialled.heard, dialled.reason.partition(":")[0], connection.received)
    assert {(kind, code): 1} == line.meter.refusals


async def test_who_closes_is_answered_and_the_socket_ends(line):
    dialled = line.sync(query="token=t")
    connection = await line.connection()
    dialled.send(masked(b"\x03\xe8", 8) + masked(b"later"))

    assert ([1000], True, True, []) == (
        dialled.heard,
        dialled.transport.closed,
        connection.has_ended,
        connection.received,
    )


async def test_who_answers_our_close_ends_the_socket_and_is_not_heard_any_more(line):
    dialled = line.sync(query="token=t")
    connection = await line.connection()
    connection.transport.close(1012, "")
    dialled.say(b"x")
    assert not dialled.transport.closed
    dialled.send(masked(b"\x03\xf4", 8))

    assert ([1012], True, []) == (dialled.heard, dialled.transport.closed, connection.received)


async def test_after_a_violation_the_socket_closes_once_it_is_quiet(line, monkeypatch):
    monkeypatch.setattr(websocket, "QUIET_S", 0)
    dialled = line.sync(query="token=t")
    await line.connection()
    dialled.send(b"\x82\x01a")
    dialled.send(masked(b"still sending"))
    assert not dialled.transport.closed
    await asyncio.sleep(0.01)

    assert ([1002], True) == (dialled.heard, dialled.transport.closed)


async def test_reading_stops_while_somebody_wants_it_to(line):
    dialled = line.sync(query="token=t")
    await line.connection()
    await settle()
    socket, transport = dialled.socket, dialled.transport
    socket.pause()
    socket.pause()
    socket.resume()
    assert not transport.reading
    socket.resume()
    assert transport.reading
    socket.pause()
    socket.close(1012, "")
    assert transport.reading, "the other side's close is waited for"


async def test_where_there_is_no_room_http_says_so_and_when_to_come_again():
    line = Line(connections_max=2)
    assert line.sockets.full(beside=1) is None
    line.sync(query="token=t")
    full = line.sockets.full(beside=1)

    assert ("full", "5") == (full.error.code, full.headers["Retry-After"])


async def test_a_stopping_service_takes_nobody_and_waits_for_those_it_has(line, monkeypatch):
    monkeypatch.setattr(websocket, "CLOSE_S", 0)
    monkeypatch.setattr("crdt_sync.server.sockets.CLOSE_S", 0)
    dialled = line.sync(query="token=t")
    await line.sockets.stop()

    assert ("full", True) == (line.sockets.full(beside=0).error.code, dialled.transport.aborted)


@pytest.fixture(params=BOTH)
async def running(request, tmp_path):
    async with run_service(tmp_path / "data", websockets=request.param) as running:
        yield running


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
        ("/sync/%ff?token={sales}", 4404),
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


@pytest.mark.parametrize("path", ["/", "/collab/", "/sync", "/nowhere"])
async def test_a_websocket_to_nowhere_is_answered_404(running, path):
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with websockets.connect(running.ws(path)):
            pass

    assert (404, "unknown_route") == (caught.value.response.status_code, json.loads(caught.value.response.body)["code"])


async def test_a_browsers_list_of_connection_words_is_understood(running):
    """Firefox sends `Connection: keep-alive, Upgrade`, and frames are cut wherever the network likes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.service.port)
    writer.write(
        f"GET /sync/notes?token={running.token()} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in await reader.readuntil(b"\r\n\r\n")
    assert b"\x82\x04\x00\x00\x01\x00" == await reader.readexactly(6)
    for byte in masked(ysync.encode_step1(b"\x00"), fin=False) + masked(b"", 0):
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(0)
    assert b"\x82\x05\x00\x01\x02\x00\x00" == await reader.readexactly(7)
    writer.write(masked(b"\x03\xe8", 8))
    assert b"\x88\x02\x03\xe8" == await reader.read(), "the close is answered, and the connection ends"
    writer.close()
    await writer.wait_closed()


async def test_nothing_is_compressed(running):
    async with websockets.connect(running.ws(f"/sync/notes?token={running.token()}"), compression="deflate") as socket:
        assert [] == socket.protocol.extensions


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

"""`/events` against the real service: WebSocket and server-sent events, who may, from where on, and how they end."""

import asyncio
import json

import httpx
import pytest
import structlog
from starlette.requests import Request
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from crdt_sync.server.event_streams import EventStreams
from crdt_sync.server.handshake_rate import HandshakeRate
from crdt_sync.service import events as hub
from crdt_sync.service import pace
from crdt_sync.wire import limits
from tests.fakes import CountingMeter
from tests.replica.loopback import until
from tests.server.conftest import run_service
from tests.server.fakes import FakeAuthenticator, audit
from tests.server.test_http_protocol import refusals
from tests.server.test_websocket import VIOLATIONS


async def blocks(answer):
    """The events of a stream, each as a dictionary of its fields; ids alone are those of heartbeats."""
    block = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            block[name] = value
        else:
            yield block
            block = {}


async def hear(answer, count):
    found = []
    async for block in blocks(answer):
        if "data" in block:
            found.append(block)
        if len(found) == count:
            return found
    return found


def stream(running, query="", **headers):
    return running.http.stream("GET", f"/events{query}", headers=running.headers() | headers, timeout=20)


def dial(running, query="", token=None, **options):
    headers = {"authorization": f"Bearer {token or running.token()}"}
    return connect(running.ws(f"/events{query}"), additional_headers=headers, close_timeout=2, **options)


async def closed(websocket):
    try:
        async with asyncio.timeout(20):
            async for _ in websocket:
                pass
    except ConnectionClosed:
        pass
    return websocket.close_code, websocket.close_reason.partition(":")[0]


async def test_a_socket_gives_what_was_and_what_comes_and_resumes(running):
    first = await running.ticket()
    async with dial(running, "?after=0") as websocket:
        old = [json.loads(await websocket.recv()) for _ in range(2)]
        second = await running.ticket()
        new = json.loads(await websocket.recv())
    async with dial(running, f"?after={new['position']}") as websocket:
        last = json.loads(await websocket.recv())

    assert [first, first, second, second] == [event["subject"] for event in (*old, new, last)]
    assert ["4", "5", "9", "10"] == [event["position"] for event in (*old, new, last)]


async def test_a_socket_without_a_position_is_told_where_it_stands(running):
    await running.ticket()
    async with dial(running) as websocket:
        assert {"position": "5"} == json.loads(await websocket.recv())


@pytest.mark.parametrize(("query", "told"), [(b"after=0", "websocket.send"), (b"after=x", "websocket.close")])
async def test_a_client_that_goes_while_it_is_told_something_is_no_fault(running, query, told):
    """uvicorn says so with an `OSError`, which Starlette takes for what it is."""
    await running.ticket()
    gone, said = asyncio.Event(), asyncio.Queue()
    said.put_nowait({"type": "websocket.connect"})

    async def send(message):
        if message["type"] == told:
            gone.set()
            raise OSError

    scope = {"type": "websocket", "path": "/events", "query_string": query, "client": ("127.0.0.1", 1)}
    scope |= {"headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {running.token()}".encode())]}
    with structlog.testing.capture_logs() as logs:
        await running.service._http._server.config.loaded_app(scope, said.get, send)

    assert (True, []) == (gone.is_set(), [entry for entry in logs if entry["log_level"] == "error"])


async def test_a_browser_resumes_from_the_last_id_in_place_of_its_address(running):
    await running.ticket()
    async with stream(running, "?after=0") as answer:
        first, _ = await hear(answer, 2)
        assert ("text/event-stream; charset=utf-8", "no-store") == (
            answer.headers["content-type"],
            answer.headers["cache-control"],
        )
    async with stream(running, "?after=0", **{"last-event-id": first["id"]}) as answer:
        (second,) = await hear(answer, 1)

    assert ["opened", "stage_changed"] == [json.loads(each["data"])["type"].split(".")[2] for each in (first, second)]
    assert (first["id"], second["id"]) == ("4", "5")


async def test_an_idle_stream_tells_its_position_and_no_event(running, monkeypatch):
    monkeypatch.setattr(hub, "HEARTBEAT_S", 0.01)
    await running.ticket()
    async with stream(running) as answer:
        told = blocks(answer)
        found = [await anext(told) for _ in range(3)]

    assert [{"retry": "1000"}, {"id": "5"}, {"id": "5"}] == found


async def test_both_resume_over_a_restart_of_the_service(tmp_path):
    async with run_service(tmp_path / "data") as running:
        await running.ticket()
        async with stream(running, "?after=0") as answer:
            (first,) = await hear(answer, 1)
            await running.ticket()
    async with run_service(tmp_path / "data") as running:
        async with stream(running, **{"last-event-id": first["id"]}) as answer:
            rest = [each["id"] for each in await hear(answer, 3)]
        async with dial(running, f"?after={first['id']}") as websocket:
            assert rest == [json.loads(await websocket.recv())["position"] for _ in range(3)]

    assert 4 == len({first["id"], *rest})


REFUSALS = [
    ("?after=99", {}, (412, 4422, "position_unknown")),
    ("?after=x", {}, (400, 4422, "after")),
    ("?after=-1", {}, (400, 4422, "after")),
    ("", {"authorization": "Bearer wrong"}, (401, 4401, "token_invalid")),
    ("", {"origin": "https://elsewhere.example"}, (403, 4403, "origin")),
]


async def test_what_may_not_be_is_refused_with_its_code(running):
    for query, headers, refusal in REFUSALS:
        answer = await running.http.get(f"/events{query}", headers=running.headers() | headers)
        more = running.headers() | headers
        async with connect(running.ws(f"/events{query}"), additional_headers=more, close_timeout=2) as websocket:
            close, code = await closed(websocket)

        assert refusal == (answer.status_code, close, answer.json()["code"])
        assert refusal[2] == code


async def test_a_token_in_the_address_does_and_is_in_no_log(running):
    with structlog.testing.capture_logs() as lines:
        async with running.http.stream("GET", f"/events?token={running.token()}") as answer:
            assert 200 == answer.status_code

    assert "eyJ" not in str(lines)


async def test_a_token_that_ends_ends_both(running):
    token = running.token(seconds=2)
    async with (
        dial(running, token=token) as websocket,
        running.http.stream("GET", f"/events?token={token}", timeout=20) as answer,
    ):
        (told,) = await hear(answer, 1)
        close = await closed(websocket)

    assert (4501, "session_expired") == close
    assert ("error", "session_expired") == (told["event"], json.loads(told["data"])["code"])


async def test_a_service_that_stops_ends_both_so_that_they_come_back(running):
    async with dial(running) as websocket, stream(running) as answer:
        stopping = asyncio.ensure_future(running.service.stop())
        (told,) = await hear(answer, 1)
        close = await closed(websocket)
        await stopping

    assert (1012, "stopping") == close
    assert ("error", "stopping") == (told["event"], json.loads(told["data"])["code"])


async def test_nothing_may_be_said_on_the_socket(running):
    async with dial(running) as websocket:
        await websocket.send("hello")
        assert (4422, "malformed") == await closed(websocket)


async def test_a_long_message_on_the_socket_is_refused_in_our_words(running):
    async with dial(running) as websocket:
        websocket.transport.write(b"\x81\xff" + (limits.TEXT_BYTES_MAX + 1).to_bytes(8, "big") + b"mask")
        assert (4413, "frame_size") == await closed(websocket)

    assert 1 == (await refusals(running))["frame_size"]


@pytest.mark.parametrize(("data", "close", "code"), VIOLATIONS.values(), ids=VIOLATIONS)
async def test_who_breaks_the_websocket_protocol_is_told_the_code_and_counted(running, caplog, data, close, code):
    async with dial(running) as websocket:
        websocket.transport.write(data)
        assert (close, code) == await closed(websocket)

    assert 1 == (await refusals(running))[code]
    assert [] == [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    ("first", "frame"),
    [(b"", b"\x89\x80mask"), (b"", b"\x8a\x80mask"), (b"\x01\x80mask", b"\x00\x80mask")],
    ids=["pings", "pongs", "empty fragments"],
)
async def test_what_is_no_message_has_a_pace(running, monkeypatch, first, frame):
    monkeypatch.setattr(pace, "MESSAGES_MAX", 100)
    async with dial(running) as websocket, dial(running) as bystander:
        await websocket.recv()
        await bystander.recv()
        websocket.transport.write(first + frame * 101)
        assert (1013, "too_fast") == await closed(websocket)
        await running.ticket()
        assert "position" in json.loads(await bystander.recv())

    assert 1 == (await refusals(running))["too_fast"]


async def test_a_caller_that_goes_away_is_forgotten(running, monkeypatch):
    monkeypatch.setattr(hub, "WATCHERS_PER_CALLER_MAX", 2)
    async with dial(running), stream(running):
        full = await running.http.get("/events", headers=running.headers())
    assert (429, "watchers") == (full.status_code, full.json()["code"])
    await until(lambda: not running.service._events._watchers)


async def test_a_page_of_another_host_may_listen_if_its_origin_is_listed(tmp_path):
    page = {"origin": "https://board.example"}
    async with run_service(tmp_path / "data", origins=("https://board.example",)) as running:
        async with stream(running, **page) as answer:
            assert (200, page["origin"], "Origin") == (
                answer.status_code,
                answer.headers["access-control-allow-origin"],
                answer.headers["vary"],
            )
        asked = await running.http.options("/events", headers=page)
        other = await running.http.options("/events", headers={"origin": "https://elsewhere.example"})

    assert (204, "authorization, last-event-id") == (
        asked.status_code,
        asked.headers["access-control-allow-headers"],
    )
    assert (403, False) == (other.status_code, "access-control-allow-origin" in other.headers)


async def test_a_head_request_begins_no_watch(running):
    answer = await running.http.head("/events", headers=running.headers())

    assert (200, {}) == (answer.status_code, running.service._events._watchers)


async def test_a_reader_that_takes_nothing_holds_no_more_than_a_page(running, monkeypatch):
    """It takes its answer's first bytes and no more, while others hear everything at once."""
    monkeypatch.setattr(hub, "RING_EVENTS", 8)
    async with (
        httpx.AsyncClient(base_url=str(running.http.base_url)) as idle,
        idle.stream("GET", "/events", headers=running.headers(), timeout=20),
        dial(running) as websocket,
    ):
        await websocket.recv()
        for _ in range(20):
            await running.ticket()
        heard = [json.loads(await websocket.recv()) for _ in range(40)]
        assert 8 >= len(running.service._events._ring)

    assert 20 == len({event["subject"] for event in heard})


async def test_nothing_watches_for_an_answer_that_was_never_sent(running):
    """Whoever gives up between the handler and its answer leaves no watcher behind."""
    request = Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/events",
            "query_string": b"",
            "headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {running.token()}".encode())],
        }
    )
    await EventStreams(
        running.service._events, FakeAuthenticator(), audit(CountingMeter()), HandshakeRate(), ()
    ).stream(request)

    assert not running.service._events._watchers

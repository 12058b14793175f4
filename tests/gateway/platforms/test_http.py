"""What a call came to decides whether it may be made again."""

import asyncio
import gzip
import socket
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.platforms import http as module
from gateway.platforms.http import NoAnswer, NotSent, PlatformHttp, Refused
from tests.gateway.rig import free_port, serving


@pytest.fixture
async def http():
    http = PlatformHttp(call_timeout_s=5)
    yield http
    await http.close()


async def failure(http, url):
    with pytest.raises((NotSent, NoAnswer, Refused)) as caught:
        await http.post(url, {})
    return type(caught.value), caught.value.code


async def answered(http, response: Response):
    async def answer(request):
        return response

    async with serving(Starlette(routes=[Route("/", answer, methods=["POST"])])) as url:
        return await http.post(f"{url}/", {})


async def test_object_is_sent_in_utf_8_as_it_stands_and_an_object_comes_back(http):
    async def answer(request):
        return Response(await request.body())

    async with serving(Starlette(routes=[Route("/", answer, methods=["POST"])])) as url:
        answer = await http.post(f"{url}/", {"text": "票", "n": 7})
    assert (200, "票", 7, "", 0) == (
        answer.status,
        answer.text("text"),
        answer.number("n"),
        answer.text("n"),
        answer.number("text"),
    )


async def test_nobody_there_is_surely_not_sent(http):
    assert (NotSent, "unreachable") == await failure(http, f"http://127.0.0.1:{free_port()}/")


@asynccontextmanager
async def peer(until: bytes):
    """A server that reads to `until`, or to the end, and hangs up without a word; its address."""
    gone = asyncio.Event()

    async def handle(reader, writer):
        await (reader.readuntil(until) if until else reader.read())
        writer.close()
        await writer.wait_closed()
        gone.set()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        await gone.wait()


async def test_answer_that_never_comes_is_unknown():
    http = PlatformHttp(call_timeout_s=0.05)
    async with peer(b"") as url:
        assert (NoAnswer, "timeout") == await failure(http, url)
        await http.close()


async def test_connection_that_breaks_after_the_request_is_unknown(http):
    async with peer(b"{}") as url:
        assert (NoAnswer, "broken_off") == await failure(http, url)


@pytest.mark.parametrize("status", [429, 503])
async def test_busy_platform_is_asked_again_when_it_says(http, status):
    with pytest.raises(Refused) as caught:
        await answered(http, PlainTextResponse("", status, {"Retry-After": "7"}))
    assert ("busy", 7_000) == (caught.value.code, caught.value.retry_ms)

    with pytest.raises(Refused) as caught:
        await answered(http, PlainTextResponse("", status, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}))
    assert 0 == caught.value.retry_ms


async def test_proxy_that_fails_says_nothing_about_what_is_behind_it(http):
    with pytest.raises(NoAnswer, match="server_error"):
        await answered(http, PlainTextResponse("", 502))


@pytest.mark.parametrize("body", ["", "no JSON", "[]", "[" * 100_000])
async def test_answer_of_no_known_form_is_unknown_and_a_refusal_of_any_form_is_one(http, body):
    with pytest.raises(NoAnswer, match="answer_form"):
        await answered(http, PlainTextResponse(body))
    assert 404 == (await answered(http, PlainTextResponse(body, 404))).status


async def test_answer_that_is_too_large_is_given_up(http, monkeypatch):
    monkeypatch.setattr(module, "_ANSWER_BYTES_MAX", 10)
    with pytest.raises(NoAnswer, match="answer_size"):
        await answered(http, PlainTextResponse("a" * 11))


BOMB = {"Content-Encoding": "gzip"}


async def test_answer_that_is_compressed_is_not_unpacked_and_nobody_asked_for_it(http):
    asked = []

    async def answer(request):
        asked.append(request.headers["accept-encoding"])
        return Response(gzip.compress(b"x" * 10_000_000), headers=BOMB)

    async with serving(Starlette(routes=[Route("/", answer, methods=["GET", "POST"])])) as url:
        with pytest.raises(NoAnswer, match="answer_encoding"):
            await http.post(f"{url}/", {})
        with pytest.raises(Refused, match="media_encoding"):
            await http.download(f"{url}/", bytes_max=1_000_000)
    assert ["identity", "identity"] == asked


async def test_what_is_compressed_of_a_refusal_is_not_read_and_its_status_counts(http):
    with pytest.raises(Refused, match="busy"):
        await answered(http, Response(gzip.compress(b"x" * 10_000_000), 503, BOMB))
    assert (404, {}) == ((answer := await answered(http, Response(b"no gzip", 404, BOMB))).status, answer.fields)


async def test_redirect_is_not_followed(http):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert 307 == (await answered(http, RedirectResponse(f"http://127.0.0.1:{port}/"))).status
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


async def test_closed_one_may_start_again(http):
    await http.close()
    assert 200 == (await answered(http, PlainTextResponse("{}"))).status

import pytest
import structlog

from crdt_sync.errors import Unavailable
from crdt_sync.ports import StoreConflict, StoreUnavailable
from crdt_sync.server import middleware
from tests.server.fakes import TICKET

HERE = f"/api/tickets/{TICKET}"
FIELDS = {"type", "title", "status", "code", "detail", "advice"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "unknown_route"),
        ("GET", "/api/tickets/", 404, "unknown_route"),
        ("DELETE", HERE, 405, "method_not_allowed"),
        ("POST", "/api/tickets", 400, "malformed"),
        ("GET", "/channels/main", 404, "no_gateway"),
    ],
)
async def test_every_refusal_is_a_problem_document(site, method, path, status, code):
    answer = await site.client.request(method, path)

    assert (status, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert FIELDS == set(answer.json())
    assert (status, code, f"urn:crdt-sync:problem:{code}") == (
        answer.json()["status"],
        answer.json()["code"],
        answer.json()["type"],
    )


@pytest.mark.parametrize("failure", [RuntimeError("/secret/path"), KeyError("x"), AssertionError()])
async def test_our_own_mistakes_tell_nothing(site, failure):
    site.tickets.failure = failure
    answer = await site.client.get(HERE)

    assert (500, "internal", "application/problem+json") == (
        answer.status_code,
        answer.json()["code"],
        answer.headers["content-type"],
    )
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("failure", [StoreUnavailable("disk /x"), StoreConflict(["a"]), Unavailable("no")])
async def test_a_log_that_cannot_commit_says_when_to_come_again(site, failure):
    site.tickets.failure = failure
    answer = await site.client.get(HERE)

    assert (503, "unavailable", "1") == (answer.status_code, answer.json()["code"], answer.headers["retry-after"])
    assert "disk" not in answer.text


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (StoreUnavailable("disk /x"), {"reason": "StoreUnavailable('disk /x')"}),
        (Unavailable("no"), {"reason": "Unavailable('no')"}),
    ],
)
async def test_a_log_that_is_away_is_one_line_of_ours_without_a_traceback(site, failure, told):
    site.tickets.failure = failure
    with structlog.testing.capture_logs() as lines:
        await site.client.get(HERE)

    (line,) = [line for line in lines if line["event"] == "request failed"]
    assert {"event": "request failed", "log_level": "warning", "path": HERE, "code": "unavailable"} | told == line


async def test_a_mistake_of_ours_is_logged_with_where_it_was_made(site):
    site.tickets.failure = KeyError("x")
    with structlog.testing.capture_logs() as lines:
        await site.client.get(HERE)

    (line,) = [line for line in lines if line["event"] == "request failed"]
    assert site.tickets.failure is line["exc_info"]


async def test_a_wrong_field_is_named_and_its_content_is_not(site):
    answer = await site.client.post("/api/tickets", json={"title": 7, "customer": "Li Wei"})

    assert "customer" in answer.json()["detail"]
    assert "Li Wei" not in answer.text


async def test_a_body_over_the_limit_is_refused_unread(site):
    taken = []

    async def body():
        for number in range(1000):
            taken.append(number)
            yield b"x" * 65_536

    answer = await site.client.post("/api/tickets", content=body())

    assert (413, "size") == (answer.status_code, answer.json()["code"])
    assert 5 >= len(taken)


async def test_a_body_that_declares_too_much_is_refused_at_once(site):
    taken = []

    async def body():
        taken.append(1)
        yield b"x"

    headers = {"content-length": str(middleware.BODY_BYTES_MAX + 1)}
    answer = await site.client.post("/api/tickets", content=body(), headers=headers)

    assert (413, []) == (answer.status_code, taken)


async def test_a_body_of_just_the_limit_is_read(site):
    answer = await site.client.post("/api/tickets", content=b" " * middleware.BODY_BYTES_MAX)

    assert 400 == answer.status_code


async def test_a_body_that_never_ends_is_given_up(site, monkeypatch):
    monkeypatch.setattr(middleware, "BODY_TIMEOUT_S", 0.0)

    async def body():
        import asyncio

        yield b"{"
        await asyncio.Event().wait()

    answer = await site.client.post("/api/tickets", content=body())

    assert "slow_body" == answer.json()["code"]


@pytest.mark.parametrize("path", ["/", "/healthz", HERE, "/nowhere"])
async def test_every_answer_has_the_headers_that_keep_browsers_safe(site, path):
    answer = await site.client.get(path)

    assert ("nosniff", "no-referrer", "DENY") == tuple(
        answer.headers[name] for name in ("x-content-type-options", "referrer-policy", "x-frame-options")
    )
    assert "cache-control" in answer.headers

import json
import logging
import subprocess
import sys

import pytest
import structlog

from crdt_sync.server.logs import guard_libraries, strike, strike_fields
from tests.server.fakes import TICKET


@pytest.mark.parametrize(
    ("line", "struck"),
    [
        ('"WebSocket /sync/a?token=abc&x=1" [accepted]', '"WebSocket /sync/a?token=[struck]&x=1" [accepted]'),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [struck]"),
        ("saw eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln here", "saw [struck] here"),
        ("postgresql+asyncpg://desk:pass@db/x", "postgresql+asyncpg://desk:[struck]@db/x"),
        ("nothing to strike in ticket/x", "nothing to strike in ticket/x"),
    ],
)
def test_secrets_are_struck_and_nothing_else(line, struck):
    assert struck == strike(line)


def test_fields_that_name_a_secret_are_struck_whole():
    fields = {"token": "abc", "Authorization": "x", "path": "/?token=abc", "status": 200}

    assert {"token": "[struck]", "Authorization": "[struck]", "path": "/?token=[struck]", "status": 200} == (
        strike_fields(None, "info", fields)
    )


def test_what_uvicorn_logs_is_struck_too(caplog):
    guard_libraries()
    guard_libraries()
    logging.getLogger("uvicorn.error").warning('%s - "WebSocket %s" [accepted]', "1.2.3.4:5", "/sync/a?token=abc")

    assert '1.2.3.4:5 - "WebSocket /sync/a?token=[struck]" [accepted]' == caplog.messages[-1]


async def test_a_request_is_one_line_without_its_query(site):
    with structlog.testing.capture_logs() as lines:
        await site.client.get(f"/api/tickets/{TICKET}?token=abc")

    (line,) = [each for each in lines if each["event"] == "request"]
    assert ("GET", f"/api/tickets/{TICKET}", 200) == (line["method"], line["path"], line["status"])
    assert "abc" not in str(lines)
    assert site.token not in str(lines)


async def test_a_request_that_failed_is_a_line_too(site):
    site.tickets.failure = RuntimeError("x")
    with structlog.testing.capture_logs() as lines:
        await site.client.get(f"/api/tickets/{TICKET}")

    assert [500] == [each["status"] for each in lines if each["event"] == "request"]


def test_a_process_logs_one_json_object_a_line_to_standard_error():
    program = """
import logging, structlog
from crdt_sync.server import logs
logs.configure("info")
structlog.get_logger("x").info("own", path="/?token=abc")
structlog.get_logger("x").debug("never")
logging.getLogger("uvicorn.error").warning("theirs token=abc")
try:
    raise ValueError("bearer abc")
except ValueError:
    structlog.get_logger("x").exception("failed")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in ran.stderr.splitlines()]

    assert ["own", "theirs token=[struck]", "failed"] == [line["event"] for line in lines]
    assert "abc" not in ran.stderr
    assert "ValueError" in lines[2]["exception"]

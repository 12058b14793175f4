"""An obligation that turned red is said in the group once, however often the service is killed in between."""

import asyncio
import json
import sqlite3

from crdt_sync.domain.delivery import DeliveryState
from tests.conformance.server_process import ServerProcess
from tests.gateway.group_server import KEY, GroupServer
from tests.replica.loopback import until
from tests.server.conftest import run_service

DESK = """
version = 1
groups = [{channel = "wecom-group", account = "office", department = "backoffice", notices = ["red"]}]
"""
HOUR_MS = 3_600_000
SENT = f"SELECT 1 FROM outbox WHERE state = '{DeliveryState.SENT.value}'"


def in_database(data, statement):
    connection = sqlite3.connect(data / "crdt-sync.db", timeout=20)
    with connection:
        rows = connection.execute(statement).fetchall()
    connection.close()
    return rows


def pass_an_hour(data):
    in_database(data, f"UPDATE owed SET raised_ms = raised_ms - {HOUR_MS}")


async def withdrawn(data):
    """A ticket that owes a halt, of a service that ended."""
    async with run_service(data) as running:

        async def ask(department, method, path, body=None):
            headers = running.headers(department)
            answer = await running.http.request(method, f"/api/tickets{path}", json=body, headers=headers)
            return answer.raise_for_status().json()

        ticket = (await ask("sales", "POST", "", {"title": "Fibre"}))["id"]
        for lane, name in (("sales", "quote"), ("sales", "sign"), ("tech", "start"), ("sales", "withdraw")):
            body = {"lane": lane, "name": name, "seen": (await ask(lane, "GET", f"/{ticket}"))["version"]}
            await ask(lane, "POST", f"/{ticket}/transitions", body)
    return ticket


async def test_red_is_said_once_over_kills(tmp_path):
    groups = GroupServer()
    async with groups.serving() as url:
        (tmp_path / "desk.toml").write_text(DESK, "utf-8")
        account = {"channel": "wecom-group", "account": "office", "key": "env:OFFICE_KEY", "api": url}
        given = {"CRDT_SYNC_DESK": str(tmp_path / "desk.toml"), "OFFICE_KEY": KEY}
        given["CRDT_SYNC_GATEWAY_ACCOUNTS"] = json.dumps([account])
        ticket = await withdrawn(tmp_path / "data")
        server = ServerProcess(tmp_path / "data", settings=given)
        pass_an_hour(server.data)
        try:
            await asyncio.to_thread(server.start)
            await until(lambda: [(1,)] == in_database(server.data, SENT))
        finally:
            server.kill()
        pass_an_hour(server.data)
        async with run_service(server.data, desk=tmp_path / "desk.toml") as running:
            await running.service._overdue.look()
        assert [(1,)] == in_database(server.data, "SELECT count(*) FROM outbox")

    ((_, text),) = groups.shown
    assert f"#{ticket[:8]} Fibre：已超过 60 分钟仍待办：技术：暂停施工 或 拆除" == text

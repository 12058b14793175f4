"""An obligation that turned red is said in the group once at most, wherever the service or the gateway is killed."""

import asyncio
import json
import sqlite3
import sys
from contextlib import asynccontextmanager, suppress

import pytest

from crdt_sync.domain.delivery import DeliveryState
from tests.conformance.server_process import SERVE, ServerProcess
from tests.gateway.group_server import KEY, GroupServer
from tests.replica.loopback import until
from tests.server.conftest import run_service

DESK = """
version = 1
groups = [{channel = "wecom-group", account = "office", department = "backoffice", notices = ["red"]}]
"""
HOUR_MS = 3_600_000
DEATH_S = 60
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


class SilentServer(GroupServer):
    """Shows what a robot said, and does not say that it did."""

    def __init__(self):
        super().__init__()
        self.gate = asyncio.Event()

    async def _wecom(self, request):
        answer = await super()._wecom(request)
        await self.gate.wait()
        return answer


@asynccontextmanager
async def office(folder, groups):
    """A service that is to tell a group of an obligation that is red, not started, and the ticket."""
    async with groups.serving() as url:
        (folder / "desk.toml").write_text(DESK, "utf-8")
        account = {"channel": "wecom-group", "account": "office", "key": "env:OFFICE_KEY", "api": url}
        given = {"CRDT_SYNC_DESK": str(folder / "desk.toml"), "OFFICE_KEY": KEY}
        given["CRDT_SYNC_GATEWAY_ACCOUNTS"] = json.dumps([account])
        ticket = await withdrawn(folder / "data")
        server = ServerProcess(folder / "data", settings=given)
        pass_an_hour(server.data)
        try:
            yield server, ticket
        finally:
            server.kill()


async def test_red_is_said_once_over_kills(tmp_path):
    groups = GroupServer()
    async with office(tmp_path, groups) as (server, ticket):
        await asyncio.to_thread(server.start)
        await until(lambda: [(1,)] == in_database(server.data, SENT))
        server.kill()
        pass_an_hour(server.data)
        async with run_service(server.data, desk=tmp_path / "desk.toml") as running:
            await running.service._overdue.look()
        assert [(1,)] == in_database(server.data, "SELECT count(*) FROM outbox")

    ((_, text),) = groups.shown
    assert f"#{ticket[:8]} Fibre：已超过 60 分钟仍待办：技术：暂停施工 或 拆除" == text


async def come_back(server):
    """Start it once the leases of its earlier life have lapsed; how often something was to be said, and its state."""
    in_database(server.data, "UPDATE outbox SET due_ms = 0 WHERE state IN ('leased', 'sending')")
    server.program = SERVE
    await asyncio.to_thread(server.start)
    await until(lambda: in_database(server.data, "SELECT 1 FROM outbox WHERE state IN ('sent', 'dead')"))
    return in_database(server.data, "SELECT count(*), state FROM outbox")


@pytest.mark.parametrize(
    ("point", "state", "shown"),
    [("service, mid-claim", "sent", 1), ("service, after report", "dead", 0)],  # it reports that it begins
)
async def test_red_is_said_no_second_time_wherever_the_service_dies(tmp_path, point, state, shown):
    groups, mark = GroupServer(), tmp_path / "mark"
    async with office(tmp_path, groups) as (server, _):
        server.program = (sys.executable, "-m", "tests.integration.mortal", point, "1", str(mark))
        with suppress(AssertionError):  # who dies before he has said that he is there
            await asyncio.to_thread(server.start)
            await asyncio.to_thread(server.wait, DEATH_S)
        server.kill()
        assert mark.exists(), server.log()[-2000:]

        assert [(1, state)] == await come_back(server)
    assert shown == len(groups.shown)


async def test_red_is_said_no_second_time_if_the_gateway_dies_before_its_report(tmp_path):
    groups = SilentServer()
    async with office(tmp_path, groups) as (server, _):
        await asyncio.to_thread(server.start)
        await until(lambda: groups.shown)
        server.kill()
        groups.gate.set()

        assert [(1, "dead")] == await come_back(server)
    assert 1 == len(groups.shown)

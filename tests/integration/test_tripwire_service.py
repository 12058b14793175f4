"""The tripwire over real wires and a real database: a replica with a planted fault is seen on both sides, and alone."""

import asyncio
import json
from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from crdt_sync.cli import replica as command
from crdt_sync.replica import Replica
from tests.planted import DropsRounds, plant
from tests.server.conftest import run_service

SYNC_S = 15.0
SCHEMES = ("ws", "grpc")


@pytest.fixture
async def running(tmp_path):
    async with run_service(tmp_path / "data", open_documents=False) as running:
        yield running


async def move(running, ticket, name, seen, *, actor="sales-1", payload=None):
    answer = await running.http.post(
        f"/api/tickets/{ticket}/transitions",
        json={"lane": "sales", "name": name, "seen": seen, "payload": payload},
        headers=running.headers(actor=actor),
    )
    return answer.json()["ticket"]["version"]


async def lost_beside_a_revival(running, ticket):
    """End with a loss that does not know of the revival beside it: overtaken, unless rounds are dropped."""
    shown = await running.http.get(f"/api/tickets/{ticket}", headers=running.headers())
    quoted = await move(running, ticket, "quote", shown.json()["version"], payload={"price": "1"})
    lost = await move(running, ticket, "lose", quoted)
    await move(running, ticket, "revive", lost)
    await move(running, ticket, "lose", quoted, actor="sales-2")


async def alarms_of(replica):
    """What the replica keeps, once it keeps anything."""
    async with asyncio.timeout(SYNC_S):
        while not (alarms := (await replica.status()).alarms):  # noqa: ASYNC110 - a store has no events
            await asyncio.sleep(0.01)
    return alarms


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_planted_fault_is_seen_on_both_sides_and_raises_nothing_elsewhere(running, tmp_path, scheme):
    port = running.service.port if scheme == "ws" else running.service.grpc_port
    url, token, file = f"{scheme}://127.0.0.1:{port}", running.token(), tmp_path / "sales.db"
    ids = [await running.ticket(), await running.ticket()]
    async with (
        Replica.open(file, url=url, token=token, poll_s=0.1) as faulty,
        Replica.open(tmp_path / "tech.db", url=url, token=running.token("tech"), poll_s=0.1) as healthy,
    ):
        await faulty.synced(SYNC_S)
        ticket = await faulty.ticket(ids[0])
        plant(ticket, DropsRounds)
        with capture_logs() as logs:
            for id_ in ids:
                await lost_beside_a_revival(running, id_)
            [alarm] = await alarms_of(faulty)
        await healthy.synced(SYNC_S)
        read = await healthy.ticket(ids[0])
        assert ("cancelled", "presale") == (ticket.stage, read.stage)
        assert [] == (await healthy.status()).alarms

    [kept] = await running.service._store.alarms(ids[0])
    assert replace(kept, at_ms=alarm.at_ms) == alarm
    assert [] == await running.service._store.alarms(ids[1])
    assert (ids[0], "sales", "sales-1") == (alarm.ticket, alarm.department, alarm.actor)
    assert alarm.replica.explanation.startswith("The ticket is in the stage Cancelled")
    assert "\n".join(read.explain()) == alarm.service.explanation
    told = [line for line in logs if line["event"] == "replica diverged"]
    assert [(alarm.replica.explanation, alarm.service.explanation)] == [
        (line["replica"], line["service"]) for line in told
    ]

    environment = {"CRDT_SYNC_REPLICA": str(file), "CRDT_SYNC_TOKEN": token}
    printed = (
        await asyncio.to_thread(CliRunner().invoke, command.app, ["status", "--offline"], env=environment)
    ).output
    assert f"{ids[0][:12]}  diverged" in printed
    assert "  here:\n    The ticket is in the stage Cancelled" in printed
    assert "  service:\n    The ticket is in the stage Presale" in printed


async def test_what_is_no_comparison_or_no_text_is_malformed_and_raises_no_alarm(running):
    ticket = await running.ticket()
    claim, evidence = {"ticket": ticket, "heads": "0" * 64, "state": "0" * 64}, {"explanation": "", "state": ""}
    for path, body in (
        ("compare", {"claims": [claim] * 101}),
        ("compare", {"claims": [claim | {"state": "x"}]}),
        (f"{ticket}/alarms", {"heads": "x", "state": "0" * 64, "evidence": evidence}),
        (f"{ticket}/alarms", {"heads": "0" * 64, "state": "0" * 64, "evidence": evidence | {"state": "\ud800"}}),
    ):
        headers = {**running.headers(), "content-type": "application/json"}
        answer = await running.http.post(f"/api/tickets/{path}", content=json.dumps(body), headers=headers)
        assert (400, "malformed") == (answer.status_code, answer.json()["code"]), body

    assert [] == await running.service._store.alarms(ticket)

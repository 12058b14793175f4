import asyncio

import pytest

from crdt_sync.domain.identity import Identity
from crdt_sync.ports import StoreUnavailable
from crdt_sync.server import health
from tests.world import SALES, SALES_2, TECH


async def test_the_process_is_alive_whatever_its_store(site):
    site.store.failure = StoreUnavailable("gone")

    assert 200 == (await site.client.get("/healthz")).status_code


async def test_it_is_ready_when_the_log_commits(site):
    assert (200, 1) == ((await site.client.get("/readyz")).status_code, site.store.checks)


async def test_it_is_not_ready_when_the_log_does_not_commit(site):
    site.store.failure = StoreUnavailable("gone")
    answer = await site.client.get("/readyz")

    assert (503, "log_unavailable") == (answer.status_code, answer.json()["code"])


async def test_it_is_not_ready_when_the_log_takes_too_long(site, monkeypatch):
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.0)
    monkeypatch.setattr(site.store, "check", asyncio.Event().wait)

    assert 503 == (await site.client.get("/readyz")).status_code


async def test_it_is_not_ready_when_nobody_commits_any_more(site):
    site.store.dead = True
    answer = await site.client.get("/readyz")

    assert (503, "log_unavailable", "The committer has ended.") == (
        answer.status_code,
        answer.json()["code"],
        answer.json()["detail"],
    )


async def test_it_is_not_ready_while_it_stops(site):
    site.readiness.stopping = True

    assert "stopping" == (await site.client.get("/readyz")).json()["code"]


async def test_probes_that_wait_for_a_slow_failure_take_it_for_theirs(site, monkeypatch):
    checks = []

    async def fail():
        checks.append(1)
        await asyncio.sleep(health.CHECK_LIFETIME_S)
        raise StoreUnavailable("gone")

    monkeypatch.setattr(health, "CHECK_LIFETIME_S", 0.5)
    monkeypatch.setattr(site.store, "check", fail)
    answers = await asyncio.gather(*(site.client.get("/readyz") for _ in range(20)))

    assert ({503}, 1) == ({answer.status_code for answer in answers}, len(checks))


async def test_a_disk_that_hangs_is_asked_once_and_when_it_answers_again(site, monkeypatch):
    checks, answering = [], asyncio.Event()

    async def hang():
        checks.append(1)
        await answering.wait()

    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.01)
    monkeypatch.setattr(health, "CHECK_LIFETIME_S", 0.0)
    monkeypatch.setattr(site.store, "check", hang)
    for _ in range(3):
        assert 503 == (await site.client.get("/readyz")).status_code
    assert 1 == len(checks)

    answering.set()
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 2.0)
    assert 200 == (await site.client.get("/readyz")).status_code
    assert 200 == (await site.client.get("/readyz")).status_code
    assert 2 == len(checks)


@pytest.mark.parametrize("probes", [100])
async def test_a_flood_of_probes_makes_one_commit(site, probes):
    await asyncio.gather(*(site.client.get("/readyz") for _ in range(probes)))

    assert 1 == site.store.checks


class Replica:
    """Somebody's connection, as far as leases know it."""

    def __init__(self, wire):
        self.wire = wire


async def test_a_department_is_told_who_of_it_is_connected_and_of_no_other(site):
    leases = site.client._transport.app.state.events.leases
    collab, watch, other = Replica("collab"), Replica("events"), Replica("sync")
    for holder, principal in ((collab, SALES), (collab, SALES), (watch, SALES), (other, TECH)):
        leases.hold(Identity(principal, None), holder)
    answer = await site.client.get("/api/service")

    people = [{"actor": SALES.actor, "wires": {"collab": 1, "events": 1}}]
    assert {"ready": True, "problem": None, "people": people, "count": 1} == answer.json()


async def test_of_a_large_department_so_many_are_named_and_all_are_counted(site, monkeypatch):
    monkeypatch.setattr(health, "PEOPLE_MAX", 1)
    leases = site.client._transport.app.state.events.leases
    holders = [Replica("collab"), Replica("collab")]
    for holder, principal in zip(holders, (SALES, SALES_2), strict=True):
        leases.hold(Identity(principal, None), holder)
    told = (await site.client.get("/api/service")).json()

    assert (1, 2) == (len(told["people"]), told["count"])


async def test_a_department_is_told_that_nothing_can_be_committed(site):
    site.store.failure = StoreUnavailable("gone")
    answer = await site.client.get("/api/service")

    told = {"code": "log_unavailable", "detail": "The log cannot commit."}
    assert (200, False, told) == (answer.status_code, answer.json()["ready"], answer.json()["problem"])

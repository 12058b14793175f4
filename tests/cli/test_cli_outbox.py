"""`crdt-sync admin outbox` over a real database."""

import asyncio
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.cli.main import app
from crdt_sync.domain.delivery import DeliveryState
from crdt_sync.errors import NotFound
from crdt_sync.ports import Batch
from crdt_sync.ports.outbox import DeliveryChange, OutboxFilter
from tests.contracts.batches import claim, delivery, message, name

UNKNOWN, PENDING, SENT = delivery("m"), delivery("m", 1), delivery("n", to="li")


def admin(data, *arguments):
    return CliRunner().invoke(app, ["admin", "--data", str(data), "outbox", *arguments])


def in_store(data, work):
    async def run():
        store = await SqlStore.open(f"sqlite:///{data}/crdt-sync.db")
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def states(data):
    rows = in_store(data, lambda store: store.deliveries(OutboxFilter()))
    return {row.id: row.state for row in rows}


@pytest.fixture
def data(tmp_path):
    async def fill(store):
        await store.commit(Batch(messages=[message("m"), message("n")], deliveries=[UNKNOWN, PENDING, SENT]))
        unknown, sent = (await store.claim(claim())).rows
        changes = [
            DeliveryChange(unknown, replace(unknown, state=DeliveryState.UNKNOWN, code="time\x1b[2Jout")),
            DeliveryChange(sent, replace(sent, state=DeliveryState.SENT)),
        ]
        await store.commit(Batch(delivery_changes=changes))

    in_store(tmp_path, fill)
    return tmp_path


def test_what_may_have_been_sent_is_listed_without_the_customer_and_the_words(data):
    (line,) = admin(data, "list").output.splitlines()

    assert [UNKNOWN.id, "2023-11-14T22:13:20+00:00", "unknown"] == line.split()[:3]
    assert ["1", "shop", name("one")] == line.split()[-3:]
    assert [] == [word for word in ("chen", "王", "\x1b") if word in line]


def test_other_states_and_accounts_are_listed_when_asked_for(data):
    assert [PENDING.id] == [line.split()[0] for line in admin(data, "list", "--state", "pending").output.splitlines()]
    assert "" == admin(data, "list", "--account", "other").output


def test_what_may_have_been_sent_is_sent_again_if_an_operator_says_so(data):
    assert "1 to be sent again.\n" == admin(data, "retry", UNKNOWN.id).output
    assert DeliveryState.PENDING == states(data)[UNKNOWN.id]


def test_a_part_is_given_up_if_an_operator_says_so(data):
    assert "2 dropped.\n" == admin(data, "drop", UNKNOWN.id, PENDING.id).output
    assert {DeliveryState.DROPPED} == {states(data)[one.id] for one in (UNKNOWN, PENDING)}


@pytest.mark.parametrize(("command", "one"), [("retry", PENDING), ("retry", SENT), ("drop", SENT)])
def test_a_part_that_is_in_another_state_stays_as_it_is(data, command, one):
    before = states(data)
    assert isinstance(admin(data, command, one.id).exception, NotFound)
    assert before == states(data)

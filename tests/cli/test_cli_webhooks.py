"""`crdt-sync admin webhooks` over a real database."""

import asyncio
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.cli.main import app
from crdt_sync.domain.webhook import Paused
from crdt_sync.errors import Malformed, NotFound
from tests.contracts.webhook_contract import HOOK, add

FAILING = replace(HOOK, id="w2", failing_since_ms=1_700_000_000_000, url="https://b.example/\x1b[2J")
GONE = replace(HOOK, id="w3", department="tech", paused=Paused.GONE)


def admin(data, *arguments):
    return CliRunner().invoke(app, ["admin", "--data", str(data), "webhooks", *arguments])


def in_store(data, work):
    async def run():
        store = await SqlStore.open(f"sqlite:///{data}/crdt-sync.db")
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


@pytest.fixture
def data(tmp_path):
    in_store(tmp_path, lambda store: add(store, HOOK, FAILING, GONE))
    return tmp_path


def paused(data):
    return [str(hook.paused) for hook in in_store(data, lambda store: store.webhooks())]


def test_webhooks_are_listed_without_their_secrets(data):
    output = admin(data, "list").output
    first, second, third = output.splitlines()

    assert ["w1", "active", "sales", "ann", "-", HOOK.url] == first.split()
    assert ["w2", "2023-11-14T22:13:20+00:00"] == [second.split()[place] for place in (0, 4)]
    assert ["w3", "paused:gone", "tech"] == third.split()[:3]
    assert [] == [word for word in (HOOK.secret, "\x1b") if word in output]


def test_some_are_paused_or_all_and_what_was_paused_keeps_its_reason(data):
    assert "1 paused.\n" == admin(data, "pause", "w2").output
    assert ["", "asked", "gone"] == paused(data)
    assert "1 paused.\n" == admin(data, "pause", "--all").output
    assert ["asked", "asked", "gone"] == paused(data)
    admin(data, "pause", "w3")
    assert ["asked", "asked", "gone"] == paused(data)


@pytest.mark.parametrize(("arguments", "error"), [((), Malformed), (("w1", "--all"), Malformed), (("w9",), NotFound)])
def test_what_names_nothing_is_refused(data, arguments, error):
    assert isinstance(admin(data, "pause", *arguments).exception, error)
    assert ["", "", "gone"] == paused(data)

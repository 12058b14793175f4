"""`crdt-sync admin quarantine` over a real database."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.cli.main import app
from crdt_sync.documents.card import CardDocument
from crdt_sync.domain.ids import ActorId
from crdt_sync.errors import Malformed, NotFound
from crdt_sync.ports import Batch, Quarantined

UPDATE = CardDocument(7).set_fields({"title": "Fibre"})


def admin(data, *arguments):
    return CliRunner().invoke(app, ["admin", "--data", str(data), "quarantine", *map(str, arguments)])


@pytest.fixture
def data(tmp_path):
    async def fill():
        store = await SqlStore.open(f"sqlite:///{tmp_path}/crdt-sync.db")
        for number, (code, data) in enumerate([("malformed", b"\xff\xfe"), ("key", UPDATE), ("key\x1b[2J", b"")]):
            refused = Quarantined("ticket/x/card", ActorId("ada"), code, data, 1_000 * number)
            await store.commit(Batch(quarantined=[refused]))
        await store.close()

    asyncio.run(fill())
    return tmp_path


def test_the_newest_are_listed_first_and_nothing_of_theirs_reaches_the_terminal(data):
    lines = admin(data, "list").output.splitlines()

    assert ["3", "2", "1"] == [line.split()[0] for line in lines]
    assert f"2  1970-01-01T00:00:01+00:00  key  {len(UPDATE)} bytes  ada  ticket/x/card" == lines[1]
    assert "\x1b" not in lines[0]
    assert 1 == len(admin(data, "list", "--limit", 1).output.splitlines())


def test_one_is_shown_with_its_bytes_and_what_they_decode_to(data):
    shown, broken = (json.loads(admin(data, "show", number).output) for number in (2, 1))

    assert {"data": UPDATE.hex(), "actor": "ada", "code": "key"}.items() <= shown.items()
    assert "card" == shown["update"]["structs"][0]["parent"]
    assert ("fffe", "malformed") == (broken["data"], broken["update"].partition(":")[0])


def test_what_is_not_there_is_said_to_be_so(data):
    assert isinstance(admin(data, "show", 9).exception, NotFound)


def test_some_or_all_are_dropped_and_never_by_accident(data):
    assert isinstance(admin(data, "drop").exception, Malformed)
    assert isinstance(admin(data, "drop", 1, "--all").exception, Malformed)
    assert "1 dropped.\n" == admin(data, "drop", 2).output
    assert ["3", "1"] == [line.split()[0] for line in admin(data, "list").output.splitlines()]
    assert "2 dropped.\n" == admin(data, "drop", "--all").output
    assert "" == admin(data, "list").output

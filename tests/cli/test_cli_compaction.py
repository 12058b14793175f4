"""`crdt-sync admin compact` and `verify` against a real database."""

import asyncio
import sqlite3

import pytest
from typer.testing import CliRunner

from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.cli import compaction
from crdt_sync.cli.main import app
from crdt_sync.documents.card import CardDocument
from crdt_sync.errors import NotFound, Unavailable
from crdt_sync.ports import Batch
from crdt_sync.service.verify import Fault
from tests.contracts.batches import update

EDITS = 7


def admin(data, *arguments):
    return CliRunner().invoke(app, ["admin", *arguments, "--data", str(data)])


def query(data, statement):
    connection = sqlite3.connect(data / "crdt-sync.db")
    found = connection.execute(statement).fetchall()
    connection.commit()
    connection.close()
    return found


@pytest.fixture
def data(tmp_path):
    async def fill():
        store = await SqlStore.open(f"sqlite:///{tmp_path}/crdt-sync.db")
        for name in ("one", "two"):
            card = CardDocument(7)
            edits = [card.set_fields({"priority": str(number)}) for number in range(EDITS)]
            await store.commit(Batch(updates=[update(name, n, edit) for n, edit in enumerate(edits, start=1)]))
        await store.close()

    asyncio.run(fill())
    return tmp_path


def test_compact_removes_what_snapshots_stand_for(data):
    done, again, proven = admin(data, "compact"), admin(data, "compact"), admin(data, "verify")

    assert (0, f"2 documents were compacted, and {2 * EDITS} updates removed.\n") == (done.exit_code, done.output)
    assert "0 documents were compacted, and 0 updates removed.\n" == again.output
    assert [(0,)] == query(data, "SELECT count(*) FROM updates")
    assert (0, "Everything holds.\n") == (proven.exit_code, proven.output)


def test_compact_takes_one_document_if_told_so(data):
    done = admin(data, "compact", "--document", "two")

    assert f"1 documents were compacted, and {EDITS} updates removed.\n" == done.output
    assert [("two",)] == query(data, "SELECT document FROM snapshots")
    assert isinstance(admin(data, "compact", "--document", "three").exception, NotFound)


def test_a_document_that_is_damaged_is_told_of_and_the_others_are_compacted(data):
    query(
        data,
        "UPDATE updates SET actor = 'eve' WHERE document_position = 3"
        " AND document_id = (SELECT id FROM documents WHERE name = 'one')",
    )

    done, proven = admin(data, "compact"), admin(data, "verify")

    assert (1, 1) == (done.exit_code, proven.exit_code)
    assert "one: a row of updates is not as it was written: 3\n" in done.output
    assert f"1 documents were compacted, and {EDITS} updates removed.\n" in done.output
    assert "one: it cannot be read: a row of updates is not as it was written: 3. Restore a backup" in proven.output
    assert proven.output.endswith(" faults.\n")


def test_what_is_no_damage_is_told_and_fails_nothing(data, monkeypatch):
    async def warned(*_):
        yield Fault("ticket t", "a content is not there", "Upload it.", is_damage=False)

    monkeypatch.setattr(compaction, "verify_store", warned)
    proven = admin(data, "verify")
    expected = "warning: ticket t: a content is not there. Upload it.\nEverything holds, with warnings: 1.\n"
    assert (0, expected) == (proven.exit_code, proven.output)


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    for command in ("compact", "verify"):
        assert isinstance(admin(tmp_path, command).exception, Unavailable)
    assert [] == list(tmp_path.glob("*.db"))

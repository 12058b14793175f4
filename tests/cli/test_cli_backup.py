"""`crdt-sync admin backup` and `restore` against a real service and its database."""

import sqlite3
from contextlib import closing

import pytest
from typer.testing import CliRunner

from crdt_sync.adapters.storage import database_file
from crdt_sync.cli.main import app
from crdt_sync.errors import Conflict, Malformed, ServiceError, Unavailable
from crdt_sync.server.backup import back_up
from crdt_sync.server.bootstrap import Service
from crdt_sync.server.settings import load


def admin(data, *arguments):
    return CliRunner().invoke(app, ["admin", "--data", str(data), *map(str, arguments)])


def rows(path, query="SELECT name FROM updates JOIN documents ON id = document_id"):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def write(path, document="ticket/" + "a" * 52 + "/card", data=b"\x00\x00"):
    """Put a row there, as a service would that has gone on since a backup."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO documents (id, name) SELECT count(*) + 1, ? FROM documents WHERE true ON CONFLICT DO NOTHING",
            (document,),
        )
        connection.execute(
            "INSERT INTO updates (position, document_id, document_position, data, actor, department, roles, at_ms)"
            " SELECT coalesce(max(position), 0) + 1, (SELECT id FROM documents WHERE name = ?), ?, ?, 'ada', 'sales',"
            " '[]', 0 FROM updates",
            (document, len(rows(path)) + 1, data),
        )
        connection.commit()


@pytest.fixture
def data(tmp_path):
    """A data directory whose database has one document."""
    data = tmp_path / "data"
    data.mkdir()
    sqlite3.connect(data / "crdt-sync.db").close()
    assert 0 == admin(data, "migrate").exit_code
    write(data / "crdt-sync.db")
    return data


async def test_a_backup_is_made_while_the_service_runs_and_a_restore_is_not(tmp_path):
    service = Service(load(data=tmp_path / "data", port=0, grpc_port=0, gateway=False))
    await service.start()
    try:
        database = tmp_path / "data" / "crdt-sync.db"
        await back_up(f"sqlite:///{database}", tmp_path / "backup.db")
        with pytest.raises(Conflict, match="in use"), database_file.held(database, alone=True):
            pass
    finally:
        await service.stop()
    with database_file.held(database, alone=True), pytest.raises(Conflict, match="being replaced"):
        await Service(load(data=tmp_path / "data", port=0, grpc_port=0, gateway=False)).start()


def test_a_restore_puts_the_backup_in_place_and_keeps_what_was_there(data, tmp_path):
    backed = admin(data, "backup", tmp_path / "backup.db")
    write(data / "crdt-sync.db", "ticket/" + "b" * 51 + "a/card")

    restored = admin(data, "restore", tmp_path / "backup.db")

    assert (0, 0) == (backed.exit_code, restored.exit_code), restored.output
    assert restored.output.startswith("1 documents were written anew; positions go on from ")
    (aside,) = [path for path in data.iterdir() if "replaced" in path.name]
    assert f"The replaced database is {aside}." in restored.output
    assert "could not be read to its end" not in restored.output
    assert (2, 1) == (len(rows(aside)), len(rows(data / "crdt-sync.db", "SELECT * FROM restores")))
    assert {"crdt-sync.db", "crdt-sync.db.lock", aside.name} == {path.name for path in data.iterdir()}


def test_a_restore_gives_back_nothing_that_was_taken_from_people(data, tmp_path):
    admin(data, "access", "limit", "ann", "--read-only")
    admin(data, "access", "revoke", "mallory")
    admin(data, "backup", tmp_path / "backup.db")
    admin(data, "access", "restore", "mallory")
    admin(data, "access", "limit", "ann", "--role", "sales")
    admin(data, "access", "revoke", "eve")

    restored = admin(data, "restore", tmp_path / "backup.db")

    assert "is not known" not in restored.output
    assert [
        "ann: nothing may be written; roles at most sales",
        "eve: everything is refused",
        "mallory: everything is refused",
    ] == sorted(admin(data, "access", "show").output.splitlines())


def test_a_restore_works_where_the_database_is_lost(data, tmp_path):
    admin(data, "backup", tmp_path / "backup.db")
    (data / "crdt-sync.db").unlink()

    restored = admin(data, "restore", tmp_path / "backup.db")

    assert 0 == restored.exit_code
    assert "replaced" not in restored.output
    assert "Whatever `admin access` took since the backup is not known and given back; take it again." in (
        restored.output
    )
    assert 1 == len(rows(data / "crdt-sync.db", "SELECT * FROM restores"))


def test_a_restore_works_where_the_database_is_ruined(data, tmp_path):
    admin(data, "backup", tmp_path / "backup.db")
    (data / "crdt-sync.db").write_bytes(b"ruined " * 1_000)

    restored = admin(data, "restore", tmp_path / "backup.db")

    assert 0 == restored.exit_code, restored.exception
    (aside,) = [path for path in data.iterdir() if "replaced" in path.name]
    assert aside.read_bytes().startswith(b"ruined")
    assert "The replaced database could not be read to its end; copies of its documents may come back." in (
        restored.output
    )
    assert "Whatever `admin access` took since the backup is not known and given back; take it again." in (
        restored.output
    )


def test_a_damaged_document_in_the_backup_leaves_the_database_as_it_was(data, tmp_path):
    write(data / "crdt-sync.db", data=b"\xff\xff")
    admin(data, "backup", tmp_path / "backup.db")
    before = (data / "crdt-sync.db").read_bytes()

    restored = admin(data, "restore", tmp_path / "backup.db")

    assert isinstance(restored.exception, ServiceError)
    assert before == (data / "crdt-sync.db").read_bytes()
    assert {"crdt-sync.db", "crdt-sync.db.lock"} == {path.name for path in data.iterdir()}


def test_a_backup_that_is_not_there_restores_nothing(data, tmp_path):
    restored = admin(data, "restore", tmp_path / "none.db")

    assert isinstance(restored.exception, Unavailable)
    assert 1 == len(rows(data / "crdt-sync.db"))


def test_another_kind_of_database_has_tools_of_its_own(data, tmp_path):
    url = ("--database-url", "postgresql+asyncpg://localhost/name")
    for command in ("backup", "restore"):
        refused = admin(data, *url, command, tmp_path / "backup.db")
        assert isinstance(refused.exception, Malformed)
        assert "not_sqlite" == refused.exception.code

"""`crdt-sync admin migrate` against real databases."""

import sqlite3

import pytest
from typer.testing import CliRunner

from crdt_sync.adapters.storage import database_file
from crdt_sync.cli.main import app
from crdt_sync.errors import Conflict, Unavailable


def admin(data, *arguments):
    return CliRunner().invoke(app, ["admin", *arguments, "--data", str(data)])


def versions(file):
    connection = sqlite3.connect(file)
    found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    connection.close()
    return found


def test_an_older_schema_is_told_of_and_left_alone_by_check(tmp_path):
    sqlite3.connect(tmp_path / "crdt-sync.db").close()

    checked = admin(tmp_path, "migrate", "--check")

    assert 1 == checked.exit_code
    assert checked.output.startswith("The schema is none, and the newest is ")


def test_migrate_brings_an_older_schema_up_to_date(tmp_path):
    sqlite3.connect(tmp_path / "crdt-sync.db").close()

    migrated, again, checked = (admin(tmp_path, "migrate", *flags) for flags in ([], [], ["--check"]))

    assert "The schema was none and is " in migrated.output
    assert [0, 0, 0] == [result.exit_code for result in (migrated, again, checked)]
    assert again.output == checked.output
    assert again.output.endswith("the newest.\n")


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    result = admin(tmp_path, "migrate")

    assert isinstance(result.exception, Unavailable)
    assert not (tmp_path / "crdt-sync.db").exists()


def test_the_database_url_comes_before_the_data_directory(tmp_path):
    sqlite3.connect(tmp_path / "other.db").close()

    result = admin(tmp_path, "--database-url", f"sqlite:///{tmp_path}/other.db", "migrate")

    assert 0 == result.exit_code, result.output
    assert 1 == len(versions(tmp_path / "other.db"))
    assert {"other.db", "other.db.lock"} == {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    "command",
    [
        ("migrate",),
        ("access", "show"),
        ("access", "revoke", "mallory"),
        ("audit",),
        ("compact",),
        ("quarantine", "drop", "--all"),
        ("quarantine", "list"),
        ("quarantine", "show", "1"),
        ("verify",),
    ],
)
def test_no_command_works_on_a_database_that_is_being_replaced(tmp_path, command):
    """What it wrote would be in the replaced one."""
    file = tmp_path / "crdt-sync.db"
    sqlite3.connect(file).close()
    migrated = CliRunner().invoke(app, ["admin", "--data", str(tmp_path), "migrate"])
    assert 0 == migrated.exit_code, migrated.output
    with database_file.held(file, alone=True):
        result = CliRunner().invoke(app, ["admin", "--data", str(tmp_path), *command])

    assert isinstance(result.exception, Conflict), result.output
    assert "database_in_use" == result.exception.code


@pytest.mark.parametrize("command", [("access", "revoke", "mallory"), ("access", "limit", "mallory", "--read-only")])
def test_access_is_taken_in_no_database_that_is_made_for_it(tmp_path, command):
    """The directory is mistyped: nothing was taken from anybody."""
    result = CliRunner().invoke(app, ["admin", "--data", str(tmp_path), *command])

    assert isinstance(result.exception, Unavailable)
    assert not (tmp_path / "crdt-sync.db").exists()

"""`crdt-sync admin migrate` against real databases."""

import sqlite3

from typer.testing import CliRunner

from crdt_sync.cli.main import app
from crdt_sync.errors import Unavailable


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
    assert [] == list(tmp_path.iterdir())


def test_the_database_url_comes_before_the_data_directory(tmp_path):
    sqlite3.connect(tmp_path / "other.db").close()

    result = admin(tmp_path, "--database-url", f"sqlite:///{tmp_path}/other.db", "migrate")

    assert 0 == result.exit_code, result.output
    assert 1 == len(versions(tmp_path / "other.db"))
    assert ["other.db"] == [path.name for path in tmp_path.iterdir()]

"""A SQLite database as a file: held, copied while it is written, and replaced in one step."""

import itertools
import os
import sqlite3
from contextlib import closing

import pytest

from crdt_sync.adapters.storage import database_file
from crdt_sync.errors import Conflict, Unavailable


def database(path, *values, keep=False):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS t (value TEXT)")
    connection.executemany("INSERT INTO t VALUES (?)", [(value,) for value in values])
    if keep:
        return connection
    connection.close()
    return None


def killed(path, *values):
    """Leave what a killed process leaves: a database, and beside it the log, which has all that was written."""
    writer = database(path, *values, keep=True)
    files = [path, path.with_name(f"{path.name}-wal")]
    left = [file.read_bytes() for file in files]
    writer.close()
    for file, content in zip(files, left, strict=True):
        file.write_bytes(content)


def abandoned(path, *values):
    """Leave what a killed process leaves beside a database, without the database."""
    killed(path, *values)
    path.unlink()


def values(path):
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT value FROM t ORDER BY rowid")]


def refused(path, why, *, alone):
    with pytest.raises(Conflict, match=why), database_file.held(path, alone=alone):
        pass


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///data/crdt-sync.db", "data/crdt-sync.db"),
        ("sqlite:///:memory:", None),
        ("sqlite://", None),
        ("postgresql+asyncpg://host/name", None),
        ("nonsense", None),
    ],
)
def test_only_a_sqlite_url_names_a_file(url, path):
    found = database_file.path_of(url)
    assert path == (str(found) if found is not None else None)


def test_a_database_is_shared_by_many_or_held_by_one(tmp_path):
    path = tmp_path / "log.db"
    with database_file.held(path, alone=False), database_file.held(path, alone=False):
        refused(path, "in use", alone=True)
    with database_file.held(path, alone=True):
        refused(path, "being replaced", alone=False)
    with database_file.held(path, alone=False):
        pass


def test_a_database_in_a_directory_that_is_not_there_cannot_be_held(tmp_path):
    with pytest.raises(Unavailable), database_file.held(tmp_path / "none" / "log.db", alone=False):
        pass


def test_a_copy_holds_what_was_committed_and_stands_alone(tmp_path):
    """The source is open, with its newest rows in the write-ahead log and a transaction under way."""
    writer = database(tmp_path / "log.db", "one", "two", keep=True)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO t VALUES ('not committed')")

    database_file.copy(tmp_path / "log.db", tmp_path / "copy.db")
    writer.execute("COMMIT")
    writer.close()

    assert ["one", "two"] == values(tmp_path / "copy.db")
    assert ["copy.db"] == [path.name for path in tmp_path.glob("copy*")]


def test_a_copy_takes_nobodys_place(tmp_path):
    database(tmp_path / "log.db", "one")
    (tmp_path / "copy.db").write_text("mine")

    with pytest.raises(Conflict, match="exists"):
        database_file.copy(tmp_path / "log.db", tmp_path / "copy.db")
    assert "mine" == (tmp_path / "copy.db").read_text()


@pytest.mark.parametrize("content", [None, b"no database at all, whatever its name says"])
def test_what_is_no_database_is_not_copied(tmp_path, content):
    if content is not None:
        (tmp_path / "log.db").write_bytes(content)

    with pytest.raises(Unavailable):
        database_file.copy(tmp_path / "log.db", tmp_path / "copy.db")
    assert [] == list(tmp_path.glob("copy*"))


def test_a_damaged_database_gives_no_copy(tmp_path):
    """Each page is there, and one of them holds something else than the others expect."""
    database(tmp_path / "log.db", *(f"{number:0>200}" for number in range(500)))
    data = bytearray((tmp_path / "log.db").read_bytes())
    data[10 * 4096 : 11 * 4096] = b"\x05" * 4096
    (tmp_path / "log.db").write_bytes(data)

    with pytest.raises(Unavailable):
        database_file.copy(tmp_path / "log.db", tmp_path / "copy.db")
    assert [] == list(tmp_path.glob("copy*"))


def test_what_is_replaced_is_kept_with_all_that_belongs_to_it(tmp_path):
    killed(tmp_path / "log.db", "old")
    killed(tmp_path / "new.db", "new")

    database_file.replace(tmp_path / "log.db", tmp_path / "new.db", tmp_path / "aside.db")

    assert {"log.db", "aside.db"} == {path.name for path in tmp_path.iterdir()}
    assert (["new"], ["old"]) == (values(tmp_path / "log.db"), values(tmp_path / "aside.db"))


class Crash(BaseException):
    """The process ends here."""


def crash(*_):
    raise Crash


@pytest.mark.parametrize("left", ["old", "ruined", "lost"])
def test_whenever_a_replacement_ends_what_stands_there_is_one_database_and_whole(tmp_path, monkeypatch, left):
    """Interrupted before each call that changes a directory or waits for the disk, and looked at by SQLite."""
    found = []
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        killed(folder / "new.db", "new")
        (abandoned if left == "lost" else killed)(folder / "log.db", "old")
        if left == "ruined":
            (folder / "log.db").write_bytes(b"ruined " * 1_000)
            (folder / "log.db-wal").write_bytes(b"log")
        calls = itertools.count()

        def crashing(call, calls=calls, number=number):
            def called(*arguments, **more):
                if next(calls) == number:
                    raise Crash
                return call(*arguments, **more)

            return called

        with monkeypatch.context() as patched:
            for name in ("link", "rename", "replace", "fsync"):
                patched.setattr(os, name, crashing(getattr(os, name)))
            try:
                database_file.replace(folder / "log.db", folder / "new.db", folder / "aside.db")
            except Crash:
                pass
            else:
                break
        if left == "lost" and not (folder / "log.db").exists():
            found.append(None)
        elif left == "ruined" and (folder / "log.db").read_bytes().startswith(b"ruined"):
            found.append("ruined")
        else:
            found += values(folder / "log.db")

    before = {"old": "old", "ruined": "ruined", "lost": None}[left]
    assert [before] * (len(found) - 1) + ["new"] == found
    assert 5 <= len(found)
    assert ["new"] == values(folder / "log.db")


@pytest.mark.parametrize("alone", [True, False])
def test_whoever_holds_a_database_whose_replacement_was_killed_finds_it_under_one_name(tmp_path, monkeypatch, alone):
    path, before = tmp_path / "log[1].db", tmp_path / "log[1].db.replaced-1"
    aside = database_file.aside_of(path, 2)
    database(path, "old")
    database(before, "older")
    database(tmp_path / "new.db", "new")
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", crash)
        with pytest.raises(Crash):
            database_file.replace(path, tmp_path / "new.db", aside)
    assert aside.samefile(path)

    with database_file.held(path, alone=alone):
        assert not aside.exists()
    assert (["old"], ["older"]) == (values(path), values(before))


def test_a_database_that_others_have_open_is_not_replaced(tmp_path):
    other = database(tmp_path / "log.db", "old", keep=True)
    database(tmp_path / "new.db", "new")

    with pytest.raises(Unavailable, match="locked"):
        database_file.replace(tmp_path / "log.db", tmp_path / "new.db", tmp_path / "aside.db")
    other.close()
    assert (["old"], ["new"]) == (values(tmp_path / "log.db"), values(tmp_path / "new.db"))


def test_where_nothing_was_the_new_one_is_put(tmp_path):
    database(tmp_path / "new.db", "new")
    database_file.replace(tmp_path / "log.db", tmp_path / "new.db", tmp_path / "aside.db")

    assert ["new"] == values(tmp_path / "log.db")
    assert not (tmp_path / "aside.db").exists()


def test_what_a_lost_database_left_beside_it_is_not_taken_for_the_new_ones(tmp_path):
    abandoned(tmp_path / "log.db", "old")
    database(tmp_path / "new.db", "new")

    database_file.replace(tmp_path / "log.db", tmp_path / "new.db", tmp_path / "aside.db")

    assert ["new"] == values(tmp_path / "log.db")
    assert (tmp_path / "aside.db-wal").exists()


@pytest.mark.parametrize("left", ["copy.db", "copy.db.partial"])
def test_what_a_killed_copy_left_beside_it_is_not_taken_for_the_next_ones(tmp_path, left):
    abandoned(tmp_path / left, "of another time")
    database(tmp_path / "log.db", "one")

    database_file.copy(tmp_path / "log.db", tmp_path / "copy.db")

    assert ["one"] == values(tmp_path / "copy.db")
    assert ["copy.db"] == [path.name for path in tmp_path.glob("copy*")]


def test_what_cannot_be_moved_is_told(tmp_path):
    database(tmp_path / "log.db", "old")
    with pytest.raises(Unavailable):
        database_file.replace(tmp_path / "log.db", tmp_path / "none.db", tmp_path / "aside.db")
    assert ["old"] == values(tmp_path / "log.db")

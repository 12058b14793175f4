"""A SQLite database as a file: who has it, copying it while it is in use, and putting another one in its place.

It knows no row of ours. A service shares the file for as long as it runs; whoever replaces it has it alone.
"""

import fcntl
import glob
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import exc, make_url

from crdt_sync.errors import Conflict, Unavailable

# SQLite's own files beside a database. It takes what they hold for the database's, whichever stands there by then.
_BESIDE = ("-wal", "-shm", "-journal")
_ASIDE = ".replaced-"


def path_of(url: str) -> Path | None:
    """Return the file of a database, None if it is none of SQLite's."""
    try:
        parts = make_url(url)
    except exc.ArgumentError:
        return None
    file = parts.database
    return Path(file) if parts.get_backend_name() == "sqlite" and file and file != ":memory:" else None


def url_of(path: Path) -> str:
    """Return the URL of a database file."""
    return f"sqlite:///{path}"


@contextmanager
def held(path: Path, *, alone: bool) -> Iterator[None]:
    """Hold a database: with others who share it, or alone; what a killed `replace` left is put right.

    Raises:
        Conflict: others have it (`alone`), or somebody has it alone.
        Unavailable: its directory is not there or cannot be written.

    """
    try:
        file = path.with_name(f"{path.name}.lock").open("a")
    except OSError as error:
        raise Unavailable(f"The database {path} cannot be locked: {error.strerror}.", code="database") from error
    with file:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"The database {path} is in use." if alone else f"The database {path} is being replaced.",
                code="database_in_use",
                advice="Stop the service first." if alone else "Try again when that is done.",
            ) from error
        _name_once(path)
        yield


def copy(source: Path, target: Path) -> None:
    """Copy a database, which may be in use, to a new file; the copy is one state, checked and on the disk.

    Raises:
        Conflict: `target` exists.
        Unavailable: `source` cannot be read, or the copy does not pass SQLite's own check.

    """
    if target.exists():
        raise Conflict(f"The file {target} exists.", code="file_exists", advice="Choose another.")
    partial = target.with_name(f"{target.name}.partial")
    try:
        remove(partial)
        remove(target)
        with closing(_opened(source)) as reading, closing(sqlite3.connect(partial)) as writing:
            reading.backup(writing)  # in one step, which sees one state and lets others write
            writing.execute("PRAGMA journal_mode = DELETE")  # one file, and nothing beside it
            found = [row[0] for row in writing.execute("PRAGMA integrity_check")]
        if found != ["ok"]:
            raise Unavailable(f"The copy of {source} is damaged: {found[0]}.", code="backup_damaged")
        sync(partial)
        partial.rename(target)
        sync(target.parent)
    except (sqlite3.Error, OSError) as error:
        raise Unavailable(f"The database {source} cannot be copied to {target}: {error}.", code="backup") from error
    finally:
        remove(partial)


def remove(path: Path) -> None:
    """Remove a database and what SQLite keeps beside it, as far as they are there."""
    for suffix in ("", *_BESIDE):
        _beside(path, suffix).unlink(missing_ok=True)


def aside_of(path: Path, at_ms: int) -> Path:
    """Return under which name a database is kept that is replaced now."""
    return path.with_name(f"{path.name}{_ASIDE}{at_ms}")


def replace(path: Path, new: Path, aside: Path) -> None:
    """Put the database `new` in the place of `path`, and keep what was there under `aside`, which `aside_of` gave.

    At every moment a whole database stands at `path`, if one did before: each is made one file, so that one rename does
    it. Moved before it, the log would be missing in the old database, and moved behind it, SQLite would write it into
    the new one. Only what stands beside a ruined or a lost database is moved, before there is a new one.

    Raises:
        Unavailable: a file cannot be moved, or the old database cannot be made one file although it is not ruined.

    """
    try:
        _make_one_file(new)
        sync(new)
        if path.exists():
            with suppress(_Ruined):
                _make_one_file(path)
            aside.hardlink_to(path)
        for suffix in _BESIDE:
            if _beside(path, suffix).exists():
                _beside(path, suffix).rename(_beside(aside, suffix))
        sync(path.parent)
        new.replace(path)
        sync(path.parent)
    except (sqlite3.Error, OSError) as error:
        raise Unavailable(f"The database {path} cannot be replaced: {error}.", code="restore") from error


def sync(path: Path) -> None:
    """Have a file, or the names in a directory, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Ruined(Exception):
    """A file is no database, or none that SQLite can read."""


def _make_one_file(path: Path) -> None:
    """Have SQLite write its log into the database, which it does safely, and leave nothing beside it."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
        try:
            connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
                raise _Ruined from error
            raise


def _name_once(path: Path) -> None:
    """Remove the second name of a database whose replacement was killed: under two names SQLite would have two logs."""
    for aside in path.parent.glob(f"{glob.escape(path.name)}{_ASIDE}*"):
        with suppress(FileNotFoundError):  # there is no database, or somebody else has just done it
            if aside.samefile(path):
                aside.unlink()


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _opened(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise Unavailable(f"There is no database {path}.", code="no_database", advice="Name another file.")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA query_only = ON")
    return connection

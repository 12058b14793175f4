"""Backing up the service's database while it runs, and putting a backup in its place while it does not."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from crdt_sync.adapters.storage import database_file
from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.errors import Malformed
from crdt_sync.ports import Clock, Ids, StoreUnavailable
from crdt_sync.server.database import open_store
from crdt_sync.service.epochs import Epoch, begin_epoch


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. `aside` is the database that was replaced, None if there was none."""

    epoch: Epoch
    aside: Path | None


async def back_up(url: str, target: Path) -> None:
    """Copy the database to a new file.

    Raises:
        Conflict: the file exists.
        Malformed: the database is not SQLite's.
        Unavailable: it cannot be read, or the copy is damaged.

    """
    await asyncio.to_thread(database_file.copy, _file(url), target)


async def restore(url: str, backup: Path, *, clock: Clock, ids: Ids) -> Restored:
    """Put a backup in the place of the database, as a new epoch.

    All work is done on a copy beside the database, which takes its place at the end and at once.

    Raises:
        Conflict: the database is in use.
        Malformed: the database is not SQLite's.
        Unavailable: the backup cannot be read, or its schema is newer than this software.
        ServiceError: a document in the backup is damaged; the database is as it was.

    """
    path = _file(url)
    now_ms = clock.now_ms()
    work, aside = path.with_name(f"{path.name}.restoring"), database_file.aside_of(path, now_ms)
    with database_file.held(path, alone=True):
        there = path.exists()
        database_file.remove(work)
        try:
            await asyncio.to_thread(database_file.copy, backup, work)
            epoch = await _begin_epoch(path, work, ids, now_ms, there=there)
            database_file.replace(path, work, aside)
        finally:
            database_file.remove(work)
    return Restored(epoch, aside if there else None)


def _file(url: str) -> Path:
    path = database_file.path_of(url)
    if path is None:
        raise Malformed(
            "This is for SQLite databases.", code="not_sqlite", advice="Use the database's own tools, such as pg_dump."
        )
    return path


async def _begin_epoch(path: Path, work: Path, ids: Ids, now_ms: int, *, there: bool) -> Epoch:
    async with AsyncExitStack() as stores:
        replaced = await _replaced(path) if there else None
        if replaced is not None:
            stores.push_async_callback(replaced.close)
        store = await open_store(database_file.url_of(work))
        stores.push_async_callback(store.close)
        epoch = await begin_epoch(store, ids, now_ms, replaced=replaced)
        return replace(epoch, unread=None) if there and replaced is None else epoch


async def _replaced(path: Path) -> SqlStore | None:
    """Open what is replaced, if that is possible: it knows which client ids were used since the backup."""
    try:
        return await SqlStore.open(database_file.url_of(path))
    except StoreUnavailable:
        return None

"""The service with its care for data broken in one way, to prove that the tests of that care can fail.

`python -m tests.integration.careless_serve FAULT serve ...` where FAULT is
eager     what is acknowledged is not committed yet
unsynced  a commit is reported before it is on the disk
"""

import asyncio
import sys
from functools import partial

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection

from crdt_sync.adapters.storage import engines, sql
from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.cli.main import main
from gateway import inbox
from gateway.inbox import Inbox, Kept


def eager() -> None:
    """Keep one transaction open over many batches, and one group of callbacks over many groups.

    Only what opens a ticket is committed, with all that came before it, so that clients have something to write to.
    """
    commit_batch, commit_group = SqlStore.commit, Inbox._commit
    one_at_a_time = asyncio.Lock()
    opened: list[AsyncConnection] = []
    stays_open = False
    talking: set[str] = set()

    async def transact(engine, work):
        async with one_at_a_time:
            if not opened:
                opened.append(await engine.connect())
                await opened[0].begin()
            result = await work(opened[0])
            if not stays_open and engine.pool.size() == 1:  # the writer's
                await opened[0].commit()
                await opened[0].begin()
            return result

    async def commit(store, batch):
        nonlocal stays_open
        stays_open = not batch.subjects
        return await commit_batch(store, batch)

    async def commit_callbacks(box, pending):
        for one in pending:
            one.done.set_result(Kept.NEW)
        first = [one for one in pending if one.arrival.conversation not in talking]
        talking.update(one.arrival.conversation for one in first)
        if first:
            await commit_group(box, first)

    async def settle(_connection):
        return True  # there is no checkpoint within a transaction

    engines.settle = settle
    sql._transact = transact
    SqlStore.commit = commit
    Inbox._commit = commit_callbacks


def unsynced() -> None:
    """Tell SQLite not to wait for the disk."""
    engine_of = inbox._engine

    def careless_engine(*options):
        engine = engine_of(*options)
        event.listen(
            engine.sync_engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF")
        )
        return engine

    SqlStore.open = partial(SqlStore.open, synchronous="OFF")
    inbox._engine = careless_engine


if __name__ == "__main__":
    {"eager": eager, "unsynced": unsynced}[sys.argv.pop(1)]()
    main()

"""The service with its care for data broken in one way, to prove that the tests of that care can fail.

`python -m tests.integration.careless_serve FAULT serve ...` where FAULT is
eager     what is acknowledged is not committed yet
unsynced  a commit is reported before it is on the disk
"""

import sys
import threading
from functools import partial

from sqlalchemy import Connection, event

from crdt_sync.adapters.storage import database, engines
from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.cli.main import main
from gateway import inbox_file
from gateway.arrivals import Kept
from gateway.inbox import Inbox


def eager() -> None:
    """Keep one transaction open over many batches, and one group of callbacks over many groups.

    Only what opens a ticket is committed, with all that came before it, so that clients have something to write to.
    """
    commit_batch, commit_group = SqlStore.commit, Inbox._commit
    one_at_a_time = threading.Lock()
    opened: list[Connection] = []
    stays_open = False
    talking: set[str] = set()

    def transact(engine, work):
        with one_at_a_time:
            if engine.pool.size() == 1 and not opened:  # the writer's
                opened.append(engine.connect())
                opened[0].begin()
            if not opened:
                with engine.begin() as connection:
                    return work(connection)
            result = work(opened[0])
            if not stays_open and engine.pool.size() == 1:
                opened[0].commit()
                opened[0].begin()
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

    def settle(_connection):
        return True  # there is no checkpoint within a transaction

    engines.settle = settle
    database._transact = transact
    SqlStore.commit = commit
    Inbox._commit = commit_callbacks


def unsynced() -> None:
    """Tell SQLite not to wait for the disk."""
    engine_of = inbox_file.engine_of

    def careless_engine(*options):
        engine = engine_of(*options)
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
        return engine

    SqlStore.open = partial(SqlStore.open, synchronous="OFF")
    inbox_file.engine_of = careless_engine


if __name__ == "__main__":
    {"eager": eager, "unsynced": unsynced}[sys.argv.pop(1)]()
    main()

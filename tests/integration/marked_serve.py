"""The service with compaction that is due after a few updates, and marks where it compacts, for strace to aim at.

A mark is one byte that is written into the file `compacting` of the working directory: within the transaction, before
its first statement and behind its last.
"""

import os

from crdt_sync.adapters.storage import transaction
from crdt_sync.cli.main import main
from crdt_sync.service import compaction

MARKS = "compacting"
ROWS_MAX = 20


def mark_compaction() -> None:
    """Wrap the statements of a compaction."""
    marks = os.open(MARKS, os.O_CREAT | os.O_WRONLY, 0o600)
    statements = transaction.compact

    def compact(connection, asked):
        os.pwrite(marks, b".", 0)
        done = statements(connection, asked)
        os.pwrite(marks, b".", 0)
        return done

    transaction.compact = compact
    compaction.TAIL_ROWS_MAX = ROWS_MAX


if __name__ == "__main__":
    mark_compaction()
    main()

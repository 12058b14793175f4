"""What compaction does to a document of 10,000 updates on the disk: `python -m benchmarks.compaction`.

Somebody sets a field of a card again and again, types a form's notes letter by letter, and submits entries, an update
each, as sessions send them. A document is opened cold, as by the first visitor after a restart: read, loaded and
answered with all of it.
Times are medians in milliseconds; sizes are what SQLite keeps in the pages of a table and its indexes, in kilobytes.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from crdt_sync.adapters.clock import SystemClock, SystemIds
from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain.ids import ActorId, Department
from crdt_sync.ports import Batch, NewUpdate
from crdt_sync.service.compaction import compact
from crdt_sync.service.rooms import Rooms

UPDATES = 10_000
REPEATS = 5
TICKET = "a" * 52
KINDS = ("card", "form/sales", "submit/sales")


def edits(kind: str, count: int) -> Iterator[bytes]:
    """Yield updates of a kind of document."""
    submit, form, card = SubmitDocument(8), FormDocument(9), CardDocument(10)
    for number in range(count):
        if kind.startswith("submit"):
            yield submit.append_message(f'{{"number":{number}}}')
        elif kind.startswith("form"):
            yield form.append_note("note "[number % 5])
        else:
            yield card.set_fields({"priority": str(number % 9)})


async def measured(kind: str, count: int, folder: Path) -> list[float]:
    """Return open before, open after, compaction (ms); rows, snapshot, the snapshot's table, authorship (kB)."""
    url, ids = f"sqlite:///{folder}/{kind.replace('/', '-')}.db", SystemIds(SystemClock())
    store = await SqlStore.open(url, synchronous="OFF")
    name = f"ticket/{TICKET}/{kind}"
    rows = [
        NewUpdate(name, number, data, ActorId("ada"), Department("sales"), ("sales",), 1_700_000_000_000 + 137 * number)
        for number, data in enumerate(edits(kind, count), start=1)
    ]
    for start in range(0, count, 500):
        await store.commit(Batch(updates=rows[start : start + 500]))
    before, log = await _opened(store, name, ids), await _kilobytes(store, "updates")
    began = time.perf_counter()
    while await compact(store, name, ids) is not None:
        pass
    took = time.perf_counter() - began
    after = await _opened(store, name, ids)
    snapshot = (await store.document(name)).snapshot
    assert snapshot is not None, "it was compacted"
    kept = sum(len(each) for each in await store.authorship(name)) / 1000
    tables = [await _kilobytes(store, table) for table in ("snapshots", "authorship")]
    await store.close()
    return [before, after, 1000 * took, log, len(snapshot.data) / 1000, tables[0], kept]


async def _opened(store: SqlStore, name: str, ids: SystemIds) -> float:
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        room = await Rooms(store, ids).get(name)
        room.document.diff(b"\0")
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


async def _kilobytes(store: SqlStore, table: str) -> float:
    sizes = "SELECT coalesce(sum(pgsize - unused), 0) FROM dbstat WHERE name IN (?, ?, ?)"
    names = (table, f"sqlite_autoindex_{table}_1", f"{table}_document_position")
    database = store._database  # noqa: SLF001 - what a table takes is no part of the store's port
    return await database.read(lambda connection: float(connection.exec_driver_sql(sizes, names).scalar_one())) / 1000


async def table(count: int) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| document | open before | open after | compaction | rows | snapshot | its table | authorship |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            figures = await measured(kind, count, Path(folder))
            lines.append(f"| {kind} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=UPDATES)
    arguments = parser.parse_args()
    print(asyncio.run(table(arguments.updates)))


if __name__ == "__main__":
    main()

"""A database without a row. It is copied: to bring a new one through all migrations is most of what opening costs."""

from pathlib import Path
from tempfile import TemporaryDirectory

from crdt_sync.adapters.storage.sql import SqlStore

_made = []  # what the file holds, once there is one


async def lay_out(file):
    """Put a database without a row where there is none."""
    if file.exists():
        return
    if not _made:
        _made.append(await _make())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_made[0])


async def empty_store(file, *, synchronous="FULL"):
    """A store on a new file; the caller closes it."""
    await lay_out(file)
    return await SqlStore.open(f"sqlite:///{file}", synchronous=synchronous)


async def _make():
    with TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        store = await SqlStore.open(f"sqlite:///{file}", synchronous="OFF")
        await store.close()
        return file.read_bytes()

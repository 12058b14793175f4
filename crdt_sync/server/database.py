"""The one place that chooses a store: for the service, and for an operator's commands. Decides nothing else."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext

from crdt_sync.adapters.storage import database_file
from crdt_sync.adapters.storage.engines import Schema
from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.errors import Unavailable
from crdt_sync.ports import StoreUnavailable


async def open_store(url: str, *, must_be_newest: bool = False) -> SqlStore:
    """Open the database, and bring its schema up to date; with `must_be_newest`, make and migrate nothing.

    Raises:
        Unavailable: it does not open.

    """
    with _opening():
        return await SqlStore.open(url, must_be_newest=must_be_newest)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[SqlStore]:
    """Open a database of the newest schema, for as long as a command works on it; nobody replaces it meanwhile.

    Raises:
        Conflict: it is being replaced.
        Unavailable: it does not open.

    """
    with held(url):
        store = await open_store(url, must_be_newest=True)
        try:
            yield store
        finally:
            await store.close()


async def schema(url: str) -> Schema:
    """Look which migration an existing database is at.

    Raises:
        Unavailable: it does not open.

    """
    with _opening():
        return await SqlStore.schema(url)


@contextmanager
def _opening() -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        raise Unavailable(
            f"The database does not open: {error}.",
            code="database",
            advice="Look at CRDT_SYNC_DATABASE_URL and --data; `crdt-sync admin migrate` mends an older schema.",
        ) from error


def held(url: str) -> AbstractContextManager[None]:
    """Share a SQLite file with whoever else serves it, so that nobody replaces it meanwhile.

    Raises:
        Conflict: it is being replaced.
        Unavailable: its directory cannot be written.

    """
    path = database_file.path_of(url)
    return database_file.held(path, alone=False) if path is not None else nullcontext()

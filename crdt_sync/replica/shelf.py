"""A replica's copies of documents: in memory, and in the store before anybody hears of a change.

Owns loading, compaction and the one lock under which documents change. What is in a document is not its business.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from crdt_sync.documents.document import Document, Outcome
from crdt_sync.documents.kinds import new_document
from crdt_sync.domain.ids import DocumentName
from crdt_sync.ports import Ids
from crdt_sync.replica.store import Known, ReplicaStore

COMPACT_UPDATES = 50  # updates of one log that are worth one rewrite when the document is loaded
_NOTHING = b"\x00"  # the state vector of an empty document

Change = Callable[[], bytes]


class Shelf:
    """Every document that was asked for, by name. Client ids are fresh for each and never stored."""

    def __init__(self, store: ReplicaStore, ids: Ids) -> None:
        self._store = store
        self._ids = ids
        self._documents: dict[str, Document] = {}
        self.revisions: Counter[str] = Counter()
        self.lock = asyncio.Lock()

    def get(self, name: DocumentName) -> Document | None:
        """Return a document that was loaded before."""
        return self._documents.get(str(name))

    async def load(self, names: Sequence[DocumentName]) -> None:
        """Load documents; those that were never written are empty.

        Raises:
            ServiceError: what was stored is damaged.

        """
        async with self.lock:
            for name in names:
                if str(name) not in self._documents:
                    self._documents[str(name)] = await self._loaded(name)

    async def write(
        self, changes: Sequence[tuple[DocumentName, Change]], *, opens: Known | None = None
    ) -> list[tuple[DocumentName, bytes]]:
        """Make changes of loaded documents, store them in one transaction, and return the updates in order.

        `opens` enters a ticket with them. Only the first change may raise; nothing is changed then.
        """
        async with self.lock:
            self._store.check()
            updates = [(name, change()) for name, change in changes]
            self.revisions.update(str(name) for name, _ in updates)
            rows = [(str(name), data) for name, data in updates]
            if opens is not None:
                await self._store.open_ticket(opens, rows)
            else:
                await self._store.append(rows)
        return updates

    async def receive(self, updates: Sequence[tuple[DocumentName, bytes]]) -> list[DocumentName]:
        """Take committed updates from the service, store them in one transaction, and return the documents with gaps.

        Raises:
            Malformed: one is no update.

        """
        gaps, applied = [], []
        async with self.lock:
            self._store.check()
            try:
                for name, data in updates:
                    outcome = self._documents[str(name)].apply_committed(data)
                    if outcome is Outcome.GAP:
                        gaps.append(name)
                    elif outcome is Outcome.APPLIED:
                        applied.append((str(name), data))
            finally:
                self.revisions.update(name for name, _ in applied)
                if applied:
                    await self._store.append(applied)
        return gaps

    async def diff(self, name: DocumentName, state_vector: bytes) -> bytes:
        """Return what the holder of `state_vector` lacks, all of it stored."""
        async with self.lock:
            self._store.check()
            return self._documents[str(name)].diff(state_vector)

    async def replace(self, name: DocumentName, fill: Callable[[Document], Sequence[bytes]]) -> None:
        """Drop the copy of a document and begin a new one under a fresh client id with what `fill` writes."""
        async with self.lock:
            self._store.check()
            document = new_document(name.kind, self._ids.client_id())
            updates = fill(document)
            self._documents[str(name)] = document
            self.revisions[str(name)] += 1
            await self._store.replace(str(name), updates)

    async def clear(self) -> None:
        """Drop every document, here and in the store."""
        async with self.lock:
            await self._store.clear()
            self._documents.clear()
            self.revisions.clear()

    async def _loaded(self, name: DocumentName) -> Document:
        document = new_document(name.kind, self._ids.client_id())
        updates = await self._store.updates(str(name))
        document.load(None, [(data, None) for data in updates])
        if len(updates) > COMPACT_UPDATES:
            await self._store.replace(str(name), [document.diff(_NOTHING)])
        return document

"""A replica's copies of documents: in memory, and in the store before anybody hears of a change.

Owns loading, compaction, the one lock under which documents change, and the edits that the service does not have yet.
What is in a document is not its business.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence

from crdt_sync.documents.document import Document, Outcome
from crdt_sync.documents.kinds import new_document
from crdt_sync.domain.ids import DocumentKind, DocumentName
from crdt_sync.ports import Ids
from crdt_sync.replica.edits import Edit
from crdt_sync.replica.store import Known, ReplicaStore

COMPACT_UPDATES = 50  # updates of one log that are worth one rewrite when the document is loaded
_NOTHING = b"\x00"  # the state vector of an empty document


class Shelf:
    """Every document that was asked for, by name. Client ids are fresh for each and never stored."""

    def __init__(self, store: ReplicaStore, ids: Ids) -> None:
        self._store = store
        self._ids = ids
        self._documents: dict[str, Document] = {}
        self._made: dict[str, list[Edit]] = {}  # in the present life: all submissions, and what is not acknowledged
        self._kept: dict[str, list[Edit]] = {}  # of a former life, to be made again
        self.revisions: Counter[str] = Counter()
        self.lock = asyncio.Lock()

    def get(self, name: DocumentName) -> Document | None:
        """Return a document that was loaded before."""
        return self._documents.get(str(name))

    def kept(self, name: DocumentName) -> Sequence[Edit]:
        """Return what is to be made again of a document's former life."""
        return self._kept.get(str(name), ())

    def made(self, name: DocumentName) -> Sequence[Edit]:
        """Return what was made here in a document's present life, as far as it is remembered."""
        return self._made.get(str(name), ())

    @property
    def ended(self) -> Sequence[DocumentName]:
        """The documents of whose former life something is to be made again."""
        return [DocumentName.parse(text) for text in self._kept]

    async def recall(self) -> None:
        """Load the edits that are kept."""
        made, kept = defaultdict[str, list[Edit]](list), defaultdict[str, list[Edit]](list)
        for document, edit, former in await self._store.edits():
            (kept if former else made)[document].append(Edit.from_json(edit))
        self._made, self._kept = dict(made), dict(kept)

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
        self, changes: Sequence[tuple[DocumentName, Edit]], *, opens: Known | None = None
    ) -> list[tuple[DocumentName, bytes]]:
        """Make changes of loaded documents, store them in one transaction, and return the updates in order.

        `opens` enters a ticket with them. Only the first change may raise; nothing is changed then.
        """
        async with self.lock:
            self._store.check()
            updates, edits = self._changed(changes)
            rows = [(str(name), data) for name, data in updates]
            if opens is not None:
                await self._store.open_ticket(opens, rows, edits=edits)
            else:
                await self._store.append(rows, edits=edits)
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

    async def agreed(self, name: DocumentName, *, still: Callable[[], bool]) -> None:
        """Forget the edits of a document that the service has acknowledged, if nothing was written meanwhile.

        Submissions are remembered: a service that is restored has forgotten them.
        """
        if str(name) not in self._made or name.kind is DocumentKind.SUBMIT:
            return
        async with self.lock:
            if still():
                del self._made[str(name)]
                await self._store.agreed(str(name))

    async def replace(self, name: DocumentName, edits: Sequence[Edit]) -> None:
        """Drop the copy of a document and begin a new one under a fresh client id with these edits."""
        async with self.lock:
            self._store.check()
            updates = self._begin(name, edits)
            await self._store.replace(str(name), updates)

    async def end(self, name: DocumentName, own: Iterable[Edit]) -> None:
        """Drop the copy of a document whose former life has ended; keep its edits, and `own`, to be made again."""
        async with self.lock:
            self._store.check()
            kept = [*self._kept.get(str(name), ()), *self._made.pop(str(name), ()), *own]
            if kept:
                self._kept[str(name)] = kept
            updates = self._begin(name, ())
            await self._store.replace(str(name), updates, kept=[edit.to_json() for edit in kept])

    async def make_again(self, name: DocumentName, edits: Sequence[Edit]) -> list[tuple[DocumentName, bytes]]:
        """Make these edits, which fit, on the present copy, and forget what was kept of the former one.

        Return the updates.
        """
        async with self.lock:
            self._store.check()
            made, kept = list(self.made(name)), self.kept(name)
            updates, rows = self._changed([(name, edit) for edit in edits])
            self._kept.pop(str(name), None)
            if name.kind is DocumentKind.SUBMIT:
                self._made[str(name)] = [*made, *kept]
                rows = [(str(name), edit.to_json()) for edit in kept]
            await self._store.append([(str(name), data) for _, data in updates], edits=rows, remade=str(name))
        return updates

    async def clear(self, first: Callable[[], Awaitable[None]]) -> None:
        """Drop every document, here and in the store, once `first` is done; nothing changes meanwhile."""
        async with self.lock:
            await first()
            await self._store.clear()
            for held in (self._documents, self._made, self._kept):
                held.clear()
            self.revisions.clear()

    def _changed(
        self, changes: Sequence[tuple[DocumentName, Edit]]
    ) -> tuple[list[tuple[DocumentName, bytes]], list[tuple[str, str]]]:
        """Make changes; return the updates, and the rows that remember the edits."""
        updates = [(name, edit.make(self._documents[str(name)])) for name, edit in changes]
        self.revisions.update(str(name) for name, _ in updates)
        for name, edit in changes:
            self._made.setdefault(str(name), []).append(edit)
        return updates, [(str(name), edit.to_json()) for name, edit in changes]

    def _begin(self, name: DocumentName, edits: Sequence[Edit]) -> list[bytes]:
        document = new_document(name.kind, self._ids.client_id())
        updates = [edit.make(document) for edit in edits]
        self._documents[str(name)] = document
        self.revisions[str(name)] += 1
        return updates

    async def _loaded(self, name: DocumentName) -> Document:
        document = new_document(name.kind, self._ids.client_id())
        updates = await self._store.updates(str(name))
        document.load(None, [(data, None) for data in updates])
        if len(updates) > COMPACT_UPDATES:
            await self._store.replace(str(name), [document.diff(_NOTHING)])
        return document

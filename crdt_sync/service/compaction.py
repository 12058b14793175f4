"""Compaction: a snapshot takes the place of a document's log rows, once it is proven that it says the same.

The proof is made of the rows as they are stored, outside any transaction: what they replay to, and what the new
snapshot loads to, have the same state vector and the same digest. Then one transaction writes the snapshot, keeps who
wrote what when, and removes the rows. It needs no room: a document may be written meanwhile, here or elsewhere.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from crdt_sync.documents.kinds import new_document
from crdt_sync.domain.ids import DocumentKind, DocumentName
from crdt_sync.errors import ServiceError, TicketSyncError
from crdt_sync.ports import Ids, Store, StoreConflict, StoreDamaged, StoreUnavailable
from crdt_sync.ports.meter import Meter
from crdt_sync.ports.stored import Compaction, Snapshot, StoredDocument, StoredUpdate
from crdt_sync.protocol.room import Room
from crdt_sync.service import authorship

TAIL_ROWS_MAX = 500  # some 10 ms to load; a snapshot of a card or a log costs less than a millisecond
TAIL_BYTES_MAX = 256 * 1024  # as long to load as so many rows; some documents get few updates, and large ones
ROWS_AT_ONCE_MAX = 5_000  # some 20 ms in which nothing else is committed; what is left is due again
RETRY_S = 3_600.0  # what did not prove itself will not do so at once, and each try costs a replay

in_thread = asyncio.to_thread
_log = structlog.get_logger(__name__)


class NotProven(ServiceError):
    """A snapshot and the rows in whose place it was to stand do not say the same; nothing was removed."""

    default_code = "not_proven"


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction did."""

    document_position: int  # of the snapshot
    rows: int
    rows_bytes: int
    snapshot_bytes: int


async def compact(store: Store, document: str, ids: Ids) -> Compacted | None:
    """Put a proven snapshot in the place of a document's oldest log rows; None if there are none.

    The proof runs in a thread.

    Raises:
        NotProven: the snapshot does not say what the rows say.
        StoreConflict: somebody else compacted the document meanwhile.
        StoreDamaged: what is stored is not what was written.
        StoreUnavailable: the store does not answer. Whatever is raised, nothing was removed.

    """
    stored = await store.document(document)
    before, rows = stored.snapshot, stored.updates[:ROWS_AT_ONCE_MAX]
    if not rows:
        return None
    proven = await in_thread(prove, document, before, rows, ids.client_id())
    if isinstance(proven, str):
        raise NotProven(f"The snapshot of {document} is not proven: {proven}", advice="Run `crdt-sync admin verify`.")
    await store.compact(
        Compaction(document, stored.snapshot_position, rows[-1].position, proven, authorship.encode(rows))
    )
    sizes = sum(len(row.data) for row in rows), len(proven.data)
    return Compacted(proven.document_position, len(rows), *sizes)


def prove(document: str, before: Snapshot | None, rows: Sequence[StoredUpdate], client_id: int) -> Snapshot | str:
    """Return the snapshot of what is stored, or why it does not say the same. Touches nothing; for any thread."""
    try:
        kind = kind_of(document)
        replayed, loaded = new_document(kind, client_id), new_document(kind, client_id)
        replayed.load(before.data if before is not None else None, [(row.data, row.actor) for row in rows])
        data = replayed.snapshot()
        loaded.load(data, ())
        if replayed.state() != loaded.state():
            return "its state vector differs from the replay's."
        digest = replayed.digest()
        if digest != loaded.digest():
            return "its content differs from the replay's."
    except TicketSyncError as error:  # it stays here: its traceback holds documents, and every frame above them
        return error.message
    return Snapshot(rows[-1].document_position, data, StoredDocument(before, tuple(rows)).authors(), digest)


def kind_of(document: str) -> DocumentKind | None:
    """Return the kind of a document by its name."""
    return DocumentName.parse(document).kind if document.startswith("ticket/") else None


class Compactor:
    """Compacts what is due: one document at a time, and one that grew meanwhile once more."""

    def __init__(self, store: Store, ids: Ids, meter: Meter) -> None:
        self._store = store
        self._meter = meter
        self._ids = ids
        self._due: dict[str, Room] = {}
        self._barred: dict[str, float] = {}  # until when what did not prove itself is left alone
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to compact."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="compactor")

    async def stop(self) -> None:
        """Leave the rest as it is: a transaction that has begun ends whole."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def consider(self, room: Room) -> None:
        """Compact a room's document soon, if its tail is long. Costs nothing while it is not."""
        if _is_long(room):
            self._due[room.text] = room
            self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._due:
                text = next(iter(self._due))
                room = self._due.pop(text)
                if _is_long(room) and not self._is_barred(text):
                    await self._compact(room)

    async def _compact(self, room: Room) -> None:
        try:
            done = await compact(self._store, room.text, self._ids)
        except (NotProven, StoreDamaged) as error:
            self._barred[room.text] = asyncio.get_running_loop().time() + RETRY_S
            self._meter.compacted(rows=0, proven=False)
            _log.error("compaction not proven", document=room.text, reason=str(error))
        except (StoreConflict, StoreUnavailable) as error:
            _log.warning("document not compacted", document=room.text, reason=str(error))
        except Exception:  # noqa: BLE001 - a fault of ours here must not end the compaction of everything else
            self._barred[room.text] = asyncio.get_running_loop().time() + RETRY_S
            _log.exception("compaction failed", document=room.text)
        else:
            if done is not None:
                self._meter.compacted(rows=done.rows, proven=True)
                room.compacted(done.document_position, done.rows_bytes)
                self.consider(room)  # what is left may be long itself, and nobody may write to it again
            else:  # somebody else did it: an operator's command
                room.compacted(room.document_position, room.tail_bytes)

    def _is_barred(self, text: str) -> bool:
        until_s = self._barred.get(text)
        if until_s is None:
            return False
        if asyncio.get_running_loop().time() < until_s:
            return True
        del self._barred[text]
        return False


def _is_long(room: Room) -> bool:
    return room.tail_rows >= TAIL_ROWS_MAX or room.tail_bytes >= TAIL_BYTES_MAX

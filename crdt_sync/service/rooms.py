"""Rooms in memory: loaded once from the store, kept while somebody needs them, loaded anew when a commit failed."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from crdt_sync.documents.document import Document
from crdt_sync.documents.former import Former
from crdt_sync.documents.kinds import new_document
from crdt_sync.domain.access import Principal
from crdt_sync.domain.ids import DocumentName, Role
from crdt_sync.errors import TicketSyncError
from crdt_sync.ports import Ids, Store, StoreDamaged, StoreUnavailable
from crdt_sync.ports.stored import StoredDocument
from crdt_sync.protocol.room import Room
from crdt_sync.service.compaction import Compactor

ROOM_IDLE_S = 30.0  # as long as clients wait at most before they come back
RELOAD_PAUSE_S, RELOAD_PAUSE_MAX_S = 1.0, 60.0  # doubled each time: a damaged document is mended by a person, if ever
SWEEP_S = 10.0  # a look at 10,000 rooms takes some 2 ms
IDLE_ROOMS_MAX = 2_000  # a room costs some 5 kB; below 10 MB in all, and a busy service's working set fits

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a room could not be loaded anew, and when that is tried again."""

    reason: str = ""
    pause_s: float = 0.0
    again_at_s: float = 0.0

    def repeated(self, reason: str, now_s: float) -> "_Failure":
        """Return what becomes of it after one more failure."""
        pause_s = min(max(RELOAD_PAUSE_S, 2 * self.pause_s), RELOAD_PAUSE_MAX_S)
        return _Failure(reason, pause_s, now_s + pause_s)


class Rooms:
    """Every room of this process by document name."""

    def __init__(self, store: Store, ids: Ids, compactor: Compactor | None = None) -> None:
        self._compactor = compactor
        self._store = store
        self._ids = ids
        self._rooms: OrderedDict[str, Room] = OrderedDict()
        self._loading: dict[str, asyncio.Task[Room]] = {}
        self._stale: dict[Room, _Failure] = {}
        self._unasked: dict[Room, None] = {}
        self._sweep_at_s = 0.0
        self._kept = 0  # how many were left when they were last looked at

    @property
    def stale(self) -> bool:
        """Tell whether some room waits to be loaded anew, or for its members to be asked for what it lost by that."""
        return bool(self._stale or self._unasked)

    def __iter__(self) -> Iterator[Room]:
        return iter(self._rooms.values())

    def __len__(self) -> int:
        return len(self._rooms)

    def spoil(self, room: Room) -> None:
        """Note that a room's document holds what will never be committed."""
        room.stale = True
        self._stale.setdefault(room, _Failure())

    async def refresh(self) -> None:
        """Load the spoiled rooms anew; those that cannot be loaded stay as they are, and are tried later and later.

        The committer alone calls this, and never while it holds a draft: a room that was loaded anew lacks what the
        draft has decided.
        """
        now_s = asyncio.get_running_loop().time()
        for room, failure in list(self._stale.items()):
            if now_s < failure.again_at_s:
                continue
            try:
                await self._reload(room)
            except (StoreDamaged, TicketSyncError) as error:
                if failure.reason != str(error):
                    _log.error("document not loaded", document=room.text, reason=str(error))
                self._stale[room] = failure.repeated(str(error), now_s)
            except StoreUnavailable:
                self._stale[room] = self._stale.pop(room)  # the others first, if it is this one that it does not read
                return
            except Exception:  # noqa: BLE001 - the boundary of a room: the others are loaded all the same
                _log.exception("document not loaded", document=room.text)

    def ask(self) -> None:
        """Ask the members of rooms that were loaded anew for what these lack; the store should be able to keep it."""
        unasked, self._unasked = self._unasked, {}
        for room in unasked:
            room.unasked = False
            state_vector = room.document.state_vector()
            for member in room.members:
                member.put(member.dialect.step1(member.key, state_vector))

    async def get(self, text: str) -> Room:
        """Return the room of a document, loading it if need be; two callers share one load. It may be stale.

        Raises:
            StoreUnavailable: the document could not be loaded.

        """
        room = self._rooms.get(text)
        if room is not None:
            self._rooms.move_to_end(text)
            room.idle_since_s = None
            return room
        task = self._loading.get(text)
        if task is None:
            task = self._loading[text] = asyncio.ensure_future(self._load(text))
            task.add_done_callback(lambda _: self._loading.pop(text, None))
        room = await asyncio.shield(task)
        return self._rooms.setdefault(text, room)  # it may have been unloaded before its caller woke

    def grown(self, room: Room) -> None:
        """Note that a room's document has a longer tail than before."""
        if self._compactor is not None:
            self._compactor.consider(room)

    def trim(self, now_s: float) -> None:
        """Unload the rooms that nobody has used for `ROOM_IDLE_S`, and above what may stay those used longest ago.

        Between batches only: a draft holds rooms. Few calls look at every room: one every `SWEEP_S`, and one whenever
        there are an eighth more.
        """
        crowded = len(self._rooms) > max(IDLE_ROOMS_MAX, self._kept + self._kept // 8)
        if now_s < self._sweep_at_s and not crowded:
            return
        self._sweep_at_s = now_s + SWEEP_S
        excess = len(self._rooms) - IDLE_ROOMS_MAX
        for text, room in list(self._rooms.items()):
            if not room.idle:
                room.idle_since_s = None
                continue
            if room.idle_since_s is None:
                room.idle_since_s = now_s
            if excess > 0 or now_s - room.idle_since_s >= ROOM_IDLE_S:
                del self._rooms[text]
                excess -= 1
        self._kept = len(self._rooms)

    async def _reload(self, room: Room) -> None:
        """Replace what a room holds by what is committed."""
        stored = await self._store.document(room.text)
        room.replace(_fill(room.name, self._ids, stored), **_extent(stored))
        self._stale.pop(room, None)
        self._unasked[room] = None
        room.unasked = True
        room.commit(0)

    async def _load(self, text: str) -> Room:
        name = DocumentName.parse(text) if text.startswith("ticket/") else None
        stored = await self._store.document(text)
        room = Room(text, name, _fill(name, self._ids, stored), **_extent(stored))
        for author in stored.authors():
            room.authors[author.actor] = Principal(author.actor, author.department, tuple(map(Role, author.roles)))
        self.grown(room)
        return self._rooms.setdefault(text, room)


def fresh_client_id(ids: Ids, ended: frozenset[int]) -> int:
    """Draw a client id under which no former life of a document was written."""
    while (client_id := ids.client_id()) in ended:
        pass
    return client_id


def _fill(name: DocumentName | None, ids: Ids, stored: StoredDocument) -> Document:
    document = new_document(name.kind if name else None, fresh_client_id(ids, stored.ended))
    snapshot = stored.snapshot.data if stored.snapshot else None
    document.load(snapshot, [(update.data, update.actor) for update in stored.updates])
    document.former = Former(stored.ended, restored=stored.epoch > 0)
    return document


def _extent(stored: StoredDocument) -> dict[str, int]:
    """How far a document goes, as a room takes it."""
    return {
        "document_position": stored.document_position,
        "snapshot_position": stored.snapshot_position,
        "tail_bytes": sum(len(update.data) for update in stored.updates),
    }

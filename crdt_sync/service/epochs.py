"""A restored store begins a new epoch: each document is written anew, so that nothing of a former life is taken for it.

What a document holds stays; the client ids under which it was written change. The log is written from the journal, the
conversation from its messages, and each submission under a client id of its author's. Source: decision 0027.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.kinds import new_document
from crdt_sync.documents.log import LogDocument
from crdt_sync.documents.submit import TRANSITIONS, SubmitDocument
from crdt_sync.documents.talk import TalkDocument
from crdt_sync.domain.access import Principal
from crdt_sync.domain.ids import ActorId, DocumentKind, DocumentName, Position
from crdt_sync.domain.restriction import Restriction
from crdt_sync.errors import TicketSyncError
from crdt_sync.ports import Ids, NewUpdate, Store, StoreUnavailable
from crdt_sync.protocol.room import Room
from crdt_sync.service.draft import SERVICE
from crdt_sync.service.rooms import Rooms, fresh_client_id

POSITIONS_SKIPPED = 2**40  # three years of 10,000 a second since the backup, and 8,000 restores until 2**53

_EVERYTHING = b"\x00"  # the state vector of an empty copy
# What only one side may write is not taken from copies; of cards and forms, a copy is all that is left.
_NEVER_TAKEN_BACK = frozenset({DocumentKind.LOG, DocumentKind.TALK, DocumentKind.SUBMIT})


@dataclass(frozen=True, slots=True)
class Epoch:
    """What was begun.

    `unread` are the documents of the replaced store that could not be read; None if nobody knows how many: it could not
    be read to its end, or at all. `knows_access` tells whether it said what operators have taken from people.
    """

    position: Position
    documents: int
    unread: int | None
    knows_access: bool


async def begin_epoch(store: Store, ids: Ids, now_ms: int, *, replaced: Store | None) -> Epoch:
    """Make every document of `store` anew; `replaced` is the store whose place it takes, if that can be read.

    The replaced store says which client ids were used since the backup, so that they can be ended, too, and what was
    taken from people, which stays taken. Plain documents stay as they are: nobody knows what they mean.

    Raises:
        StoreUnavailable: `store` cannot be read or written.
        ServiceError: a document in `store` is damaged.

    """
    former = await _former(replaced, ids) if replaced is not None else _Former(Position(0), {}, {}, 0, None)
    position = Position(max(await store.position(), former.position) + POSITIONS_SKIPPED)
    await store.begin_epoch(position, now_ms)
    for restriction in former.restrictions or ():
        await store.restrict(restriction.actor, restriction.joined, now_ms)
    count = 0
    async for name in _names(store):
        room = await Rooms(store, ids).get(str(name))
        ended = room.document.former.ended.union(room.document.state(), former.clients.pop(str(name), ()))
        written = await _anew(store, name, room, partial(fresh_client_id, ids, ended))
        updates = [
            NewUpdate(str(name), number, data, author.actor, author.department, author.roles, now_ms)
            for number, (data, author) in enumerate(written, start=1)
        ]
        await store.renew(str(name), updates, ended)
        count += 1
    for text, clients in former.clients.items():
        gone = clients if DocumentName.parse(text).kind in _NEVER_TAKEN_BACK else former.ended[text]
        if gone:  # what had ended before does not begin again
            await store.renew(text, (), gone)
    return Epoch(position, count, former.unread, former.restrictions is not None)


@dataclass(frozen=True, slots=True)
class _Former:
    """What the replaced store says: its position, and by document every client id that was ever used there."""

    position: Position
    clients: dict[str, frozenset[int]]
    ended: dict[str, frozenset[int]]  # those of them that had ended there already
    unread: int | None
    restrictions: Sequence[Restriction] | None  # None if they could not be read


async def _former(replaced: Store, ids: Ids) -> _Former:
    clients: dict[str, frozenset[int]] = {}
    ended: dict[str, frozenset[int]] = {}
    position, unread, is_whole = Position(0), 0, True
    restrictions = None
    try:
        position = await replaced.position()
    except StoreUnavailable:
        is_whole = False
    with suppress(StoreUnavailable):  # the caller is told
        restrictions = [stored.restriction for stored in await replaced.restrictions()]
    try:
        async for name in _names(replaced):
            try:
                room = await Rooms(replaced, ids).get(str(name))
                ended[str(name)] = room.document.former.ended
                clients[str(name)] = room.document.former.ended.union(room.document.state())
            except (StoreUnavailable, TicketSyncError):
                unread += 1
    except StoreUnavailable:
        is_whole = False
    return _Former(position, clients, ended, unread if is_whole else None, restrictions)


async def _names(store: Store) -> AsyncIterator[DocumentName]:
    """Yield every document that belongs to a ticket."""
    after = ""
    while names := await store.documents(after=after):
        for text in names:
            if text.startswith("ticket/"):
                yield DocumentName.parse(text)
        after = names[-1]


async def _anew(
    store: Store, name: DocumentName, room: Room, fresh_id: Callable[[], int]
) -> Sequence[tuple[bytes, Principal]]:
    """Return the updates that write what a document holds, each with its author."""
    document, fresh = room.document, new_document(name.kind, fresh_id())
    match document, fresh:
        case LogDocument(), LogDocument():
            fresh.append([row.record for row in await store.journal(name.ticket)])
            fresh.refuse(document.refused())
        case TalkDocument(), TalkDocument():
            fresh.append([row.record for row in await store.messages(name.ticket)])
            fresh.set_deliveries(document.deliveries())
            fresh.set_media(document.media())
        case CardDocument(), CardDocument():
            fresh.fill(document)
        case FormDocument(), FormDocument():
            fresh.fill(document)
        case _:
            assert isinstance(document, SubmitDocument), "there are five kinds"
            written = [(_entries_of(document, actor, fresh_id()), author) for actor, author in room.authors.items()]
            return [(entries.diff(_EVERYTHING), author) for entries, author in written if not entries.is_empty]
    return [] if fresh.is_empty else [(fresh.diff(_EVERYTHING), SERVICE)]


def _entries_of(document: SubmitDocument, actor: ActorId, client_id: int) -> SubmitDocument:
    fresh = SubmitDocument(client_id)
    for entry, author in document.authored():
        if author == actor:
            append = fresh.append_transition if entry.root == TRANSITIONS else fresh.append_message
            append(entry.text)
    return fresh

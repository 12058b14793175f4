"""Proves a whole database anew: whatever stands there twice agrees, and what was written is as it was written.

It holds one ticket, one document and one page of rows at a time, and a bit for each position.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise

from crdt_sync.documents.document import Document
from crdt_sync.documents.kinds import new_document
from crdt_sync.domain import media, message, transition
from crdt_sync.domain.event import EventType
from crdt_sync.domain.ids import Digest, DocumentKind, Position, TicketId
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.media import Media
from crdt_sync.domain.message import Message
from crdt_sync.domain.transition import Transition
from crdt_sync.errors import TicketSyncError
from crdt_sync.ports import Ids, JournalRow, Store, StoreDamaged, StoreUnavailable
from crdt_sync.ports.inspection import Inspector
from crdt_sync.ports.media import StoredMedia
from crdt_sync.ports.stored import StoredDocument
from crdt_sync.service import authorship
from crdt_sync.service.compaction import kind_of
from crdt_sync.service.lifecycles import Lifecycles, Read
from crdt_sync.service.live_ticket import Desk
from crdt_sync.service.projection import project
from crdt_sync.service.rooms import Rooms

RESTORE = "Restore a backup that `admin verify` passes: crdt-sync admin restore FILE."
POSITIONS_MAX = 2**33  # 1 GiB of bits; ten days of 10,000 a second, and less than any restore skips
COMPARE = "Nothing was lost yet: keep the database, restore a backup beside it and compare the document."
REPROJECT = "The journal is right: make a transition, which writes its row anew, or restore a backup."
AWAITED = "Nothing was sent of it: a replica may name what nobody uploads. Upload it, if somebody has it."


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not hold: where, what, and what to do about it. What is no damage is only to be known."""

    where: str
    what: str
    advice: str = RESTORE
    is_damage: bool = True


async def verify(store: Store, inspector: Inspector, reread: Read, ids: Ids) -> AsyncIterator[Fault]:
    """Yield every fault of a database, which should not be written meanwhile.

    Raises:
        StoreUnavailable: the database does not answer at all.

    """
    async for problem in inspector.damage():
        yield Fault("rows", problem)
    try:
        newest = await store.position()
    except StoreDamaged as error:
        yield Fault("positions", str(error))
        newest = max([position async for position in inspector.positions()], default=Position(0))
    positions = _Positions(await inspector.begun(), newest)
    async for position in inspector.positions():
        positions.mark(position)
    async for name in _documents(store):
        async for fault in _document(store, name, ids, positions):
            yield fault
    for fault in positions.faults():
        yield fault
    known: dict[Digest, tuple[Lifecycle, str]] = {}
    for fault in _lifecycles(await store.lifecycles(), reread, known):
        yield fault
    if known:
        lifecycles = Lifecycles(next(iter(known.values()))[0], known, {})
        async for ticket in _tickets(inspector):
            async for fault in _ticket(store, ticket, lifecycles, ids):
                yield fault
    elif await inspector.tickets(limit=1):
        yield Fault("lifecycles", "there is none, and there are tickets")
    async for fault in _events(store):
        yield fault
    async for fault in _contents(store):
        yield fault


class _Positions:
    """Which positions of the newest epoch are taken, a bit each; those of former epochs have holes."""

    def __init__(self, begun: Position, newest: Position) -> None:
        self._begun, self._newest = begun, newest
        self._problems: list[str] = []
        if not 0 <= newest - begun <= POSITIONS_MAX:
            self._problems.append(f"the newest is {newest}, and the newest epoch began at {begun}")
            self._begun = newest  # nothing more can be said of them
        self._taken = bytearray((newest - self._begun) // 8 + 1)

    def mark(self, position: Position) -> None:
        """Take a position."""
        at, bit = divmod(position - self._begun, 8)
        if not 0 < position <= self._newest:
            self._problems.append(f"{position} is beyond the newest, {self._newest}")
        elif position > self._begun:
            if self._taken[at] & 1 << bit:
                self._problems.append(f"{position} is taken twice")
            self._taken[at] |= 1 << bit

    def faults(self) -> list[Fault]:
        """Say what is wrong, once every position is marked."""
        count = self._newest - self._begun
        missing = count - sum(each.bit_count() for each in self._taken)
        if missing:
            first = next(n for n in range(1, count + 1) if not self._taken[n // 8] & 1 << n % 8)
            self._problems.append(f"{missing} are missing, from {self._begun + first} on")
        return [Fault("positions", problem) for problem in self._problems]


async def _documents(store: Store) -> AsyncIterator[str]:
    after = ""
    while names := await store.documents(after=after):
        for name in names:
            yield name
        after = names[-1]


async def _tickets(inspector: Inspector) -> AsyncIterator[TicketId]:
    after = ""
    while ids := await inspector.tickets(after):
        for ticket in ids:
            yield ticket
        after = ids[-1]


async def _document(store: Store, name: str, ids: Ids, positions: _Positions) -> AsyncIterator[Fault]:
    """Load a document, compare its snapshot with its digest, and what is known of the rows that it stands for."""
    try:
        stored = await store.document(name)
        written = [each for kept in await store.authorship(name) for each in authorship.decode(kept)]
    except (StoreUnavailable, TicketSyncError, ValueError) as error:
        yield Fault(name, f"it cannot be read: {error}")
        return
    for each in written:
        positions.mark(each.position)
    if problem := await asyncio.to_thread(_load, name, stored, ids.client_id()):
        yield Fault(name, problem, COMPARE)
    starts = [index for index, each in enumerate(written) if each.document_position == 1]
    life = [each.document_position for each in written[starts[-1] :]] if starts else []
    covered = stored.snapshot_position
    if covered and life != list(range(1, covered + 1)):
        yield Fault(name, "who wrote the updates that its snapshot stands for is not known of each")


def _load(name: str, stored: StoredDocument, client_id: int) -> str | None:
    """Say what is wrong with a document; touches nothing else."""
    try:
        if stored.snapshot is not None:
            alone = new_document(kind_of(name), client_id)
            alone.load(stored.snapshot.data, ())
            if alone.digest() != stored.snapshot.digest:
                return "its snapshot does not have the digest that was proven"
        whole = new_document(kind_of(name), client_id)
        snapshot = stored.snapshot.data if stored.snapshot is not None else None
        whole.load(snapshot, [(row.data, row.actor) for row in stored.updates])
        again: Document = new_document(kind_of(name), client_id)
        again.load(whole.snapshot(), ())
        if (whole.state(), whole.digest()) != (again.state(), again.digest()):
            return "it is another document once it was written and read"
    except TicketSyncError as error:  # it stays here: its traceback holds documents
        return f"it does not load: {error.message}"
    return None


def _lifecycles(sources: Mapping[Digest, str], reread: Read, known: dict[Digest, tuple[Lifecycle, str]]) -> list[Fault]:
    faults = []
    for digest, source in sources.items():
        try:
            lifecycle = reread(source, digest)
        except TicketSyncError as error:
            faults.append(Fault(f"lifecycle {digest}", f"it cannot be read: {error.message}"))
            continue
        if lifecycle.digest != digest:
            faults.append(Fault(f"lifecycle {digest}", f"its digest is {lifecycle.digest}"))
        else:
            known[digest] = lifecycle, source
    return faults


async def _ticket(store: Store, ticket: TicketId, lifecycles: Lifecycles, ids: Ids) -> AsyncIterator[Fault]:
    """Compare journal, log, conversation, messages, projection and subject of one ticket."""
    where = f"ticket {ticket}"
    try:
        journal, said = await store.journal(ticket), await store.messages(ticket)
        for problem in (*_transitions(ticket, journal), *_messages(ticket, said)):
            yield Fault(where, problem)
        desk = Desk(store, Rooms(store, ids), lifecycles, ids)
        live = await desk.get(ticket)
        await desk.with_talk(live)
        row = live.row
        assert row is not None, "the desk found it"
        if sorted(live.log.transitions()) != sorted(each.record for each in journal):
            yield Fault(f"ticket/{ticket}/{DocumentKind.LOG}", "it does not hold what the journal holds")
        if sorted(live.talk.messages()) != sorted(each.record for each in said):
            yield Fault(f"ticket/{ticket}/{DocumentKind.TALK}", "it does not hold the messages that were admitted")
        for key, spelt in live.talk.media().items():
            content = media.read(spelt)
            if isinstance(content, Media) and await store.media(ticket, content.digest) is None:
                yield Fault(where, f"the content {content.digest} of {key} is not there")
        for key, digest in _named(said):
            if await store.media(ticket, digest) is None:
                what = f"the content {digest} that message {key} names is not there"
                sent = live.talk.delivery(key) not in {None, "failed"}
                yield Fault(where, what) if sent else Fault(where, what, AWAITED, is_damage=False)
        shown = project(live)
        for name in ("stage", "kind", "lanes", "flags", "obligations", "card"):
            if _plain(getattr(shown, name)) != _plain(getattr(row, name)):
                yield Fault(where, f"its row's {name} is not what its history says", REPROJECT)
        if tuple(live.lifecycle.departments) != row.participants:
            yield Fault(where, "its row's participants are not those of its lifecycle", REPROJECT)
        if not journal or row.version != journal[-1].position or row.position < row.version:
            yield Fault(where, "its row's version is not the position of its newest transition", REPROJECT)
        if await store.subject(row.subject) != ticket:
            yield Fault(where, "its subject is not bound to it")
        await store.alarms(ticket)
    except (StoreUnavailable, TicketSyncError, AssertionError, ValueError, KeyError, TypeError) as error:
        yield Fault(where, f"it cannot be read: {error}")


def _transitions(ticket: TicketId, rows: Sequence[JournalRow]) -> list[str]:
    problems = []
    for row in rows:
        made = transition.decode(row.record.encode())
        if not isinstance(made, Transition) or made.id != row.id:
            problems.append(f"transition {row.id} at {row.position} does not decode, or is not that one")
        elif (made.id if made.is_opening else made.ticket) != ticket:
            problems.append(f"transition {row.id} at {row.position} is another ticket's")
    problems += [f"position {after.position} follows {before.position}" for before, after in pairwise(rows)
                 if after.position <= before.position]  # fmt: skip
    return problems


def _messages(ticket: TicketId, rows: Sequence[JournalRow]) -> list[str]:
    problems = []
    for row in rows:
        made = message.decode(row.record.encode())
        if not isinstance(made, Message) or made.id != row.id or made.ticket != ticket:
            problems.append(f"message {row.id} at {row.position} does not decode, or is not that one")
    return problems


def _named(rows: Sequence[JournalRow]) -> list[tuple[str, Digest]]:
    """Return what messages name that were written here, by message and part."""
    found = [message.decode(row.record.encode()) for row in rows]
    written = [each for each in found if isinstance(each, Message) and each.origin is None]
    named = [(f"{each.id}/{index}", media.digest_of(part.get("ref", "")))
             for each in written for index, part in enumerate(each.parts)]  # fmt: skip
    return [(key, digest) for key, digest in named if digest is not None]


async def _events(store: Store) -> AsyncIterator[Fault]:
    """Every event has a type that there is, and a ticket."""
    after, known = Position(0), dict[TicketId, bool]()
    while True:
        try:
            page = await store.events(after)
        except (StoreUnavailable, ValueError, TypeError) as error:
            yield Fault("events", f"those after {after} cannot be read: {error}")
            return
        for event in page:
            if event.ticket not in known:
                if len(known) > 10_000:
                    known.clear()
                known[event.ticket] = await _is_there(store, event.ticket)
            if event.type not in set(EventType) or not known[event.ticket] or not event.audience:
                yield Fault("events", f"the one at {event.position} is of no type or of no ticket that there is")
        if not page:
            return
        after = page[-1].position


async def _contents(store: Store) -> AsyncIterator[Fault]:
    """Read every content, and compare it with its digest, its size and its type."""
    after: Digest | None = None
    while True:
        try:
            page = await store.all_media(after=after)
        except StoreUnavailable as error:
            yield Fault("contents", f"those after {after} cannot be read: {error}")
            return
        for stored in page:
            if problem := await _content(store, stored):
                yield Fault(f"content {stored.media.digest}", problem)
        if not page:
            return
        after = page[-1].media.digest


async def _content(store: Store, stored: StoredMedia) -> str | None:
    digest, size, head = hashlib.sha256(), 0, b""
    try:
        for index in count():
            piece = await store.piece(stored.upload, index)
            if piece is None:
                break
            head = head or piece[: media.HEAD_BYTES]
            digest.update(piece)
            size += len(piece)
    except StoreUnavailable as error:
        return f"it cannot be read: {error}"
    if stored.media != Media(Digest(digest.hexdigest()), size, media.type_of(head) or ""):
        return "its bytes are others than were stored"
    return None


async def _is_there(store: Store, ticket: TicketId) -> bool:
    try:
        return await store.ticket(ticket) is not None
    except ValueError:  # its row does not decode, which is told of the ticket
        return True


def _plain(value: object) -> object:
    """Return a value in which lists and tuples are the same."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value

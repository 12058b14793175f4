"""Every connection of this process, and what they share: who may open what, and one write a socket and turn.

Frames for one transport are collected over a turn of the event loop and written at once.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable

import structlog

from crdt_sync.domain import access
from crdt_sync.domain.access import Principal
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import ActorId, DocumentKind, DocumentName, TicketId, is_plain_name
from crdt_sync.errors import (
    Forbidden,
    NotFound,
    NotThereYet,
    Unavailable,
)
from crdt_sync.ports import Clock, Store, StoreUnavailable
from crdt_sync.ports.meter import Levels, OutboxLevels, WebhookLevels
from crdt_sync.ports.operator import HOUR_MS
from crdt_sync.protocol.dialect import Dialect
from crdt_sync.protocol.room import Room
from crdt_sync.protocol.session import Session
from crdt_sync.service.audit import Audit
from crdt_sync.service.committer import Committer
from crdt_sync.service.connection import Connection
from crdt_sync.service.jobs import KeepRefused, Revisit
from crdt_sync.service.leases import Leases
from crdt_sync.service.lifecycles import Lifecycles
from crdt_sync.service.rooms import Rooms
from crdt_sync.service.tokens import Authenticator
from crdt_sync.service.transport import Transport
from crdt_sync.wire.status import Wire

OVERDUE_CHECK_S = 5.0
REMEMBERED_REFUSALS_MAX = 10_000  # as many as are kept, some 1 MB
DRAFTS_PER_HOUR_MAX = 500  # a department that opens more tickets by hand in an hour is a runaway loop

_log = structlog.get_logger(__name__)


class Connections:
    """Every connection of this process, and what they share."""

    def __init__(
        self,
        *,
        store: Store,
        rooms: Rooms,
        committer: Committer,
        lifecycles: Lifecycles,
        clock: Clock,
        audit: Audit,
        leases: Leases,
        open_documents: bool,
    ) -> None:
        self.rooms = rooms
        self.committer = committer
        self.clock = clock
        self.audit = audit
        self.leases = leases
        self._store = store
        self._lifecycles = lifecycles
        self._open_documents = open_documents
        self._connections: set[Connection] = set()
        self._drafts: dict[ActorId, set[TicketId]] = {}  # of this hour
        self._drafts_hour = 0
        self._pushed: list[Connection] = []
        self._written: list[Connection] = []
        self._present: set[Room] = set()
        self._present_later: set[Room] = set()
        self._kept: dict[bytes, None] = {}  # the digests of what went into quarantine, oldest first
        self._flushing = False
        self._sweeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for gaps that nobody fills."""
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep(), name="connections")

    async def stop(self, code: int, reason: str) -> None:
        """Close every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        self.flush()
        for connection in list(self._connections):
            connection.close(code, reason)

    def connect(
        self,
        dialect: Dialect,
        transport: Transport,
        *,
        authenticate: Authenticator,
        identity: Identity | None = None,
        source: str = "",
        trace: str | None = None,
    ) -> "Connection":
        """Take a new socket or stream. `identity` is set where its handshake carried a good token.

        `source` is the address that it came from, for the record of refusals.
        """
        session = Session(dialect, principal=identity.principal if identity is not None else None)
        connection = Connection(self, session, transport, authenticate, identity, source=source, trace=trace)
        self._connections.add(connection)
        return connection

    def keep_refused(self, refused: KeepRefused) -> None:
        """Keep refused bytes in quarantine; a client that sends them for ever costs one row and one commit.

        While too much waits for its commit they are not kept: what is accepted goes first.
        """
        if self.committer.full:
            return
        key = hashlib.sha256(f"{refused.document}\n{refused.code}\n".encode() + refused.data).digest()
        if key in self._kept:
            return
        self._kept[key] = None
        if len(self._kept) > REMEMBERED_REFUSALS_MAX:
            del self._kept[next(iter(self._kept))]
        self.committer.enqueue(refused)

    def forget(self, connection: "Connection") -> None:
        """Drop a connection that has ended."""
        self._connections.discard(connection)

    def pushed(self, connection: "Connection") -> None:
        """Note that a connection has updates to take at the end of this turn."""
        self._pushed.append(connection)
        if not self._flushing:
            self._schedule()

    def written(self, connection: "Connection") -> None:
        """Note that a connection has frames to write at the end of this turn."""
        self._written.append(connection)
        if not self._flushing:
            self._schedule()

    def present(self, room: Room, in_ms: int = 0) -> None:
        """Note that a room's presence changed; it is relayed at the end of this turn, or of one in so many ms."""
        if in_ms == 0:
            self._present.add(room)
            if not self._flushing:
                self._schedule()
        elif room not in self._present_later:
            self._present_later.add(room)
            asyncio.get_running_loop().call_later(in_ms / 1000, self._present_now, room)

    def _present_now(self, room: Room) -> None:
        self._present_later.discard(room)
        self.present(room)

    def flush(self) -> None:
        """Take and write what has collected: updates; presence, the latest state only; and one write a connection."""
        self._flushing = False
        pushed, self._pushed = self._pushed, []
        for connection in pushed:
            _attempt(connection, connection.take)
        present, self._present = self._present, set()
        for room in present:
            _attempt(None, room.relay_presence)
        written, self._written = self._written, []
        for connection in written:
            _attempt(connection, connection.flush)

    def levels(self, *, watching: Counter[Wire], outbox: OutboxLevels, webhooks: WebhookLevels) -> Levels:
        """Say how much of everything there is, with who watches events; it looks at all there is, so ask seldom."""
        jobs, size = self.committer.queued()
        return Levels(
            connections=watching + Counter(connection.session.dialect.wire for connection in self._connections),
            rooms=len(self.rooms),
            presence=sum(len(room.presence) for room in self.rooms),
            queued_jobs=jobs,
            queued_bytes=size,
            outbox=outbox,
            webhooks=webhooks,
        )

    async def admit(self, document: str, principal: Principal) -> tuple[Room, bool]:
        """Return the room of a document and whether the caller may write it.

        Raises:
            NotFound: no document can have this name.
            NotThereYet: its ticket is not opened yet.
            Forbidden: not for this caller.
            Unavailable: it could not be loaded.

        """
        try:
            return await self._admit(document, principal)
        except StoreUnavailable as error:
            raise Unavailable("The document could not be loaded.", advice="Come again in a moment.") from error

    async def _admit(self, document: str, principal: Principal) -> tuple[Room, bool]:
        if not document.startswith("ticket/"):
            if not (self._open_documents and is_plain_name(document)):
                raise NotFound(f"No document can have the name {document[:80]!r}.", code="unknown_document")
            return await self.rooms.get(document), not principal.read_only
        name = DocumentName.parse(document)
        if principal.is_gateway:
            raise Forbidden("A gateway ingests; it reads no documents.", code="gateway")
        row = await self._store.ticket(name.ticket)
        stranger = access.approach(principal, name.ticket, self._lifecycles.all())
        if stranger is not None:
            raise stranger.error()
        if row is None:
            return await self._admit_draft(name, principal)
        lifecycle = self._lifecycles.by_digest(row.lifecycle)
        if access.see(principal, lifecycle, name.ticket) is not None:
            raise _not_there_yet()  # who takes part in other tickets alone does not learn that there is this one
        denial = access.read(principal, lifecycle, name)
        if denial is not None:
            raise denial.error()
        room = await self.rooms.get(document)
        if name.kind is DocumentKind.SUBMIT:
            self.committer.enqueue(Revisit(room))
        return room, access.write(principal, lifecycle, name) is None

    async def _admit_draft(self, name: DocumentName, principal: Principal) -> tuple[Room, bool]:
        """Of a ticket that is not opened yet, a department may write its own submissions, the opening among them."""
        if access.draft(principal, name, self._lifecycles.all()) is None:
            self._count_draft(name.ticket, principal)
            return await self.rooms.get(str(name)), not principal.read_only
        raise _not_there_yet()

    def _count_draft(self, ticket: TicketId, principal: Principal) -> None:
        """Let a person name so many tickets an hour that are not there: what is written of them is kept for good."""
        hour = self.clock.now_ms() // HOUR_MS
        if hour != self._drafts_hour:
            self._drafts_hour = hour
            self._drafts.clear()
        drafts = self._drafts.setdefault(principal.actor, set())
        if ticket not in drafts and len(drafts) >= DRAFTS_PER_HOUR_MAX:
            raise Unavailable("Too many tickets wait for their opening.", code="too_many_drafts", advice="Come later.")
        drafts.add(ticket)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(OVERDUE_CHECK_S)
            for connection in list(self._connections):
                _attempt(connection, connection.sweep)

    def _schedule(self) -> None:
        self._flushing = True
        asyncio.get_running_loop().call_soon(self.flush)


def _attempt(connection: Connection | None, work: Callable[[], None]) -> None:
    """Do what concerns one connection or room. A fault of ours ends the connection, and disturbs nobody else."""
    try:
        work()
    except Exception:  # noqa: BLE001 (the boundary of a connection)
        _log.exception("connection failed")
        if connection is not None:
            _attempt(None, connection.fail)


def _not_there_yet() -> NotThereYet:
    return NotThereYet("The ticket is not opened yet.", advice="Submit its opening, or come again when it has arrived.")

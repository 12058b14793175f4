"""A department's tickets on one machine: readable and workable with no network, and in step with the service with one.

Puts the parts together: documents are the shelf's, tickets the index', the connection is `sync`'s, the wire a link's.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from crdt_sync.adapters.clock import SystemClock, SystemIds
from crdt_sync.domain import access, transition
from crdt_sync.domain.access import Principal
from crdt_sync.domain.ids import DocumentKind, DocumentName, TicketId
from crdt_sync.domain.tripwire import Alarm
from crdt_sync.errors import Malformed, NotFound, Unauthenticated, Unavailable
from crdt_sync.ports import Clock, Ids
from crdt_sync.replica.backoff import Backoff
from crdt_sync.replica.changes import Change, Changes
from crdt_sync.replica.grpc_link import GrpcLink
from crdt_sync.replica.identity import identified
from crdt_sync.replica.index import Index
from crdt_sync.replica.link import Link
from crdt_sync.replica.recovery import Recovery, lacking, write_new
from crdt_sync.replica.shelf import Shelf
from crdt_sync.replica.store import Known, ReplicaStore
from crdt_sync.replica.sync import Connection, Problem, Sync
from crdt_sync.replica.ticket import Desk, Ticket
from crdt_sync.replica.tripwire import Tripwire
from crdt_sync.replica.view import Entry
from crdt_sync.replica.websocket_link import WebSocketLink

POLL_S = 2.0


@dataclass(frozen=True, slots=True)
class Status:
    """How a replica stands. `closed` are documents that the service has closed; they wait for `retry` or `reset`."""

    actor: str
    department: str
    connection: Connection
    problem: Problem | None
    tickets: int
    documents: int
    settled: int  # documents that are the same on both sides
    undelivered: Sequence[tuple[TicketId, Entry]]  # those with a code were refused, the others are pending
    closed: dict[str, Problem]
    alarms: Sequence[Alarm]  # tickets that the service reads otherwise: a fault in one of the two programs


class Replica:
    """Open one with `Replica.open`; everything else is a method of it or of its tickets."""

    def __init__(self, path: Path, store: ReplicaStore, principal: Principal, clock: Clock, ids: Ids) -> None:
        self.principal = principal
        self._path = path
        self._index = Index(store)
        self._shelf = Shelf(store, ids)
        self._tripwire = Tripwire(store, self._shelf, principal, clock)
        dropped = path.with_name(f"{path.name}.dropped.jsonl")
        self._recovery = Recovery(self._shelf, self._index, self._ticket, dropped)
        self._changes = Changes()
        self._desk = Desk(principal, self._shelf, clock, ids, self._edited, self._changes.until)
        self._tickets: dict[TicketId, Ticket] = {}
        self._link: Link | None = None
        self._sync: Sync | None = None
        self._poll_s = POLL_S

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: str | Path,
        *,
        url: str | None = None,
        token: str | None = None,
        link: Link | None = None,
        poll_s: float = POLL_S,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> AsyncIterator["Replica"]:
        """Open or create the replica in the file `path`, and keep it in step with the service at `url`.

        `url` is ws://, wss://, grpc:// or grpcs://; without one, and without a `link`, the replica works offline.
        Whoever opens a file first owns it; later, `token` may be left out offline. `poll_s` is how often what
        changed is compared with the service, and what the service could not take is offered again.

        Raises:
            Unauthenticated: no token, or none that says who works here.
            Conflict: the file is another's, of another version, or in use.
            Malformed: no such url.
            Unavailable: the file cannot be opened.

        """
        link = link or _link(url, token)
        clock = clock or SystemClock()
        store = await ReplicaStore.open(Path(path))
        try:
            principal = await identified(store, token)
            replica = cls(Path(path), store, principal, clock, ids or SystemIds(clock))
            replica._poll_s = poll_s
            await replica._index.load()
            await replica._shelf.recall()
            replica._start(link)
            try:
                yield replica
            finally:
                await replica._stop()
        finally:
            if link is not None:
                await link.close()
            await store.close()

    async def ticket(self, id_: str) -> Ticket:
        """Return a ticket by its id, or by the beginning of one that only it has.

        Raises:
            NotFound: no ticket here has it.
            Malformed: more than one has this beginning.

        """
        found = [known.id for known in self._index.tickets if id_ and known.id.startswith(id_)]
        if not found:
            raise NotFound(f"No ticket {id_[:60]!r} is here.", advice="`crdt-sync ticket list` shows those that are.")
        if len(found) > 1:
            raise Malformed(f"{len(found)} tickets begin with {id_[:60]!r}.", advice="Give more of the id.")
        return await self._ticket(found[0])

    async def tickets(self) -> list[Ticket]:
        """Return every ticket that is known here, in the order of ids."""
        return [await self._ticket(known.id) for known in sorted(self._index.tickets, key=lambda known: known.id)]

    async def open_ticket(self, *, title: str, subject: str | None = None) -> Ticket:
        """Open a ticket; its id is known at once, and the service hears of it when it can.

        Raises:
            Forbidden: none of the roles held may open tickets.
            Refused: a title that no card holds.

        """
        lifecycle = await self._index.default_lifecycle()
        opening = transition.make(
            ticket=None,
            lane=lifecycle.control.id,
            name=transition.OPENING_NAME,
            actor=self.principal.actor,
            roles=self.principal.roles,
            after=(),
            lifecycle=lifecycle.digest,
            at=self._desk.clock.now_ms(),
            subject=subject or self._desk.ids.uuid7(),
        )
        denial = access.open_ticket(self.principal, lifecycle, opening)
        if denial is not None:
            raise denial.error()
        known = Known(TicketId(opening.id), lifecycle.digest, listed=False)
        ticket = await self._loaded(Ticket(known.id, known.lifecycle, lifecycle, self._desk))
        await ticket.begin(known, opening, title)
        self._tickets[known.id] = ticket
        self._index.enter(known)
        self._poll()
        return ticket

    async def refresh(self) -> None:
        """Ask the service now which tickets there are.

        Raises:
            Unavailable: there is no service, or it does not answer.
            Unauthenticated: it does not take the token.

        """
        if self._link is None:
            raise Unavailable("The replica is offline.", code="offline", advice="Open it with a url.")
        for id_ in await self._index.refresh(self._link):
            self._changes.tell(id_)
        if self._sync is not None:
            self._sync.answered()
        self._poll()

    async def synced(self, timeout_s: float) -> None:
        """Wait until the service has all that was done here, the log says so, and this replica has all that is there.

        What the service has refused or closed for good is not waited for; `status` names it.

        Raises:
            Unavailable: not within `timeout_s`; nothing is lost, and the replica goes on trying.

        """
        if not await self._changes.until(self._is_synced, timeout_s):
            problem = self._sync.problem if self._sync is not None else None
            raise Unavailable(
                f"The replica did not sync within {timeout_s:g} s{f' ({problem.message})' if problem else ''}.",
                code="not_synced",
                advice="What was done is kept here and goes out once the service answers.",
            )

    def changes(self) -> AsyncIterator[Change]:
        """Yield a change for each ticket that got anything new from elsewhere; several at once are told once."""
        return self._changes.watch()

    async def status(self) -> Status:
        """Say how the replica stands, and what of it is not delivered."""
        tickets, sync = await self.tickets(), self._sync
        return Status(
            actor=self.principal.actor,
            department=self.principal.department,
            connection=sync.connection if sync else Connection.OFFLINE,
            problem=sync.problem if sync else None,
            tickets=len(tickets),
            documents=sum(len(ticket.names) for ticket in tickets),
            settled=sum(standing.settled for standing in sync.standings.values()) if sync else 0,
            undelivered=[(ticket.id, entry) for ticket in tickets for entry in ticket.undelivered],
            closed={str(name): problem for name, problem in sync.closed.items()} if sync else {},
            alarms=await self._tripwire.alarms(),
        )

    def retry(self, document: str) -> None:
        """Try a document again that the service has closed.

        Raises:
            NotFound: no document can have this name.

        """
        name = DocumentName.parse(document)
        if self._sync is not None:
            self._sync.retry(name)

    async def reset(self, export: Path | None = None) -> Path:
        """Drop the local copy and start again; what the service may lack goes into a JSON-lines file first.

        Raises:
            Conflict: the file exists.

        """
        path = export or self._path.with_name(f"{self._path.name}.{self._desk.clock.now_ms()}.jsonl")
        await self.tickets()  # loads them
        await self._stop()
        standings = self._sync.standings if self._sync is not None else {}

        async def tell() -> None:
            lines = [line for ticket in self._tickets.values() for line in lacking(ticket, self._shelf, standings)]
            await asyncio.to_thread(write_new, path, lines)

        try:
            await self._shelf.clear(tell)
            self._tickets.clear()
            self._tripwire.forget()
            await self._index.load()
        finally:
            self._start(self._link)
        return path

    def _start(self, link: Link | None) -> None:
        self._link = link
        if link is not None:
            self._sync = Sync(
                link,
                self._shelf,
                Backoff(self._desk.ids),
                poll_s=self._poll_s,
                wanted=self._wanted,
                refresh=self._refreshed,
                watch=self._watch,
                compare=self._compare,
                recovery=self._recovery,
                heard=self._heard,
                changed=self._changed,
            )
            self._sync.start()

    async def _stop(self) -> None:
        if self._sync is not None:
            await self._sync.stop()

    async def _ticket(self, id_: TicketId) -> Ticket:
        known = self._index.known(id_)
        ticket = self._tickets.get(id_)
        if ticket is None or (ticket.lifecycle is None and self._index.lifecycle(known.lifecycle) is not None):
            ticket = Ticket(id_, known.lifecycle, self._index.lifecycle(known.lifecycle), self._desk)
            ticket = self._tickets[id_] = await self._loaded(ticket)
        return ticket

    async def _loaded(self, ticket: Ticket) -> Ticket:
        await self._shelf.load(ticket.names)
        return ticket

    async def _wanted(self) -> Sequence[DocumentName]:
        for known in self._index.tickets:
            await self._ticket(known.id)
        return list(self._followed())

    def _followed(self) -> Iterator[DocumentName]:
        """What to follow: of a ticket that the service does not have yet, our submissions alone."""
        for ticket in self._tickets.values():
            yield from (name for name in ticket.names if self._is_followed(name))

    async def _refreshed(self, *, anew: bool) -> None:
        assert self._link is not None, "only a connection asks"
        for id_ in await self._index.refresh(self._link, anew=anew):
            self._changes.tell(id_)

    async def _watch(self) -> None:
        assert self._link is not None, "only a connection hears"
        async with aclosing(self._link.watch(self._index.position)) as told:
            async for heard in told:
                await self._index.hear(self._link, heard)
                if heard.opened:
                    self._poll()
                for id_ in heard.changed:
                    self._changes.tell(id_)

    async def _compare(self) -> None:
        assert self._link is not None, "only a connection compares"
        await self._tripwire.compare(self._link, list(self._tickets.values()))

    async def _heard(self, names: Sequence[DocumentName]) -> None:
        """Make again what is to be made again, now that more of these documents has arrived."""
        assert self._sync is not None, "only a connection hears"
        logs = [name.ticket for name in names if name.kind is DocumentKind.LOG]
        self._edited(await self._recovery.make_again(self._sync.standings) + await self._recovery.claim(logs))

    def _changed(self, name: DocumentName | None) -> None:
        self._changes.tell(name.ticket if name is not None else None)

    def _edited(self, updates: Sequence[tuple[DocumentName, bytes]]) -> None:
        if self._sync is not None:
            self._sync.edited([(name, data) for name, data in updates if self._is_followed(name)])
        for ticket in {name.ticket for name, _ in updates}:
            self._changes.tell(ticket)

    def _is_followed(self, name: DocumentName) -> bool:
        return name.kind is DocumentKind.SUBMIT or self._index.is_listed(name.ticket)

    def _poll(self) -> None:
        if self._sync is not None:
            self._sync.poll()

    def _is_synced(self) -> bool:
        if self._sync is None or self._shelf.ended or len(self._tickets) < len(self._index.tickets):
            return False
        if not self._sync.settled(self._followed):
            return False
        closed = {name.ticket for name in self._sync.closed if name.kind is DocumentKind.SUBMIT}
        return all(
            ticket.id in closed or (self._index.is_listed(ticket.id) and not ticket.pending)
            for ticket in self._tickets.values()
        )


def _link(url: str | None, token: str | None) -> Link | None:
    if url is None:
        return None
    if token is None:
        raise Unauthenticated("A service is reached with a token.", code="token_missing", advice="Give --token.")
    scheme, _, rest = url.partition("://")
    if scheme in {"ws", "wss"} and rest:
        return WebSocketLink(url, token)
    if scheme in {"grpc", "grpcs"} and rest:
        return GrpcLink(rest, token, encrypted=scheme == "grpcs")
    raise Malformed(
        f"{url[:200]!r} is no address of a service.", code="url", advice="Use ws://HOST:PORT or grpc://HOST:PORT."
    )

"""A replica's link to a `World` in the same process: the real service and the real frames, but no socket."""

import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager
from itertools import chain

import jwt

from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import Position
from crdt_sync.errors import NotFound, Unauthenticated, Unavailable
from crdt_sync.ports import TicketFilter
from crdt_sync.protocol.collab_dialect import CollabDialect
from crdt_sync.replica import Replica
from crdt_sync.replica.link import Change, Listing, heard, split_reason
from crdt_sync.replica.websocket_link import decoded, encoded
from crdt_sync.wire import cloudevents
from tests.fakes import ManualClock, SeededIds
from tests.world import PEOPLE


class TwinIds(SeededIds):
    """`Ids` whose client ids are the seed's alone, whatever else was drawn: two of them collide for certain."""

    def __init__(self, seed):
        super().__init__()
        self._client_ids = SeededIds(seed)

    def client_id(self):
        return self._client_ids.client_id()


class LoopbackLink:
    """Speaks Hocuspocus with the world; `cut` takes the network away and `mend` gives it back."""

    def __init__(self, world, principal, *, token=None, connected=True):
        self.world, self.principal = world, principal
        self.token = token or principal.actor
        self.connected = connected
        self.attempts = 0
        self.sent = []
        self.compared = []
        self.agreements = defaultdict(list)  # of each ticket, in turn
        self.asked = 0  # how often the index was asked for
        self.rounds = 0  # how often there was an occasion to compare
        self.watches = []
        self.failing = None  # the call that gets no answer
        self.deaf = False  # hears nothing of any document
        self.lines = []
        self.lifecycles_known = True
        self.losing = None  # the document whose next change gets lost on the way

    async def connect(self):
        self.attempts += 1
        self._check()
        line = LoopbackLine(self)
        self.lines.append(line)
        return line

    async def tickets(self, changed_after):
        self._check()
        self.asked += 1
        if self.token not in PEOPLE:
            raise Unauthenticated("The token is wrong.")
        where = TicketFilter(self.principal.department, changed_after=changed_after)
        page = await self.world.tickets.list(self.principal, where, limit=500)
        return Listing(tuple((view.id, view.lifecycle) for view in page.tickets), Position(page.position))

    async def watch(self, after):
        self._check()
        watch = await self.world.events.watch(Identity(self.principal, None), after, wire="events")
        self.watches.append(watch)
        try:
            async for page in watch:
                yield heard([*(told.text for told in page.events), cloudevents.encode_heartbeat(page.position)])
        finally:
            self.watches.remove(watch)
            watch.close()

    async def lifecycle(self, digest):
        self._check()
        if not self.lifecycles_known:
            raise NotFound("No such lifecycle.")
        return self.world.lifecycles.source(digest or self.world.lifecycles.default.digest)

    async def compare(self, claims):
        self._check("compare")
        self.compared.append(claims)
        agreements = await self.world.tickets.compare(self.principal, claims)
        for (ticket, _), agreement in zip(claims, agreements, strict=True):
            self.agreements[ticket].append(agreement)
        return agreements

    async def raise_alarm(self, ticket, claimed, evidence):
        self._check("raise_alarm")
        return await self.world.tickets.raise_alarm(self.principal, ticket, claimed=claimed, evidence=evidence)

    async def close(self):
        self.connected = False

    def cut(self):
        self.connected = False
        for line in self.lines:
            line.cut(1006, "cut: The network is gone.")
        for watch in self.watches:
            watch.fail(Unavailable("The network is gone.", code="cut"))

    def mend(self):
        self.connected = True

    def _check(self, call=None):
        if not self.connected or (call is not None and call == self.failing):
            raise Unavailable("The network is gone.", code="unreachable")


class LoopbackLine:
    """One connection, as the replica holds it."""

    def __init__(self, link):
        self._link = link
        self._wire = Inbox()
        self._connection = link.world.connections.connect(
            CollabDialect(), self._wire, authenticate=link.world.authenticate
        )

    async def send(self, frames):
        self._wire.check()
        for frame in frames:
            self._link.sent.append(frame)
            self._connection.receive(encoded(frame, self._link.token))

    async def receive(self):
        frames = decoded(await self._wire.next())
        if self._link.deaf:
            return ()
        lost = [frame for frame in frames if isinstance(frame, Change) and frame.document == self._link.losing]
        if lost:
            self._link.losing = None
        return [frame for frame in frames if frame not in lost]

    async def close(self):
        self.cut(1000, "closed: The replica closed it.")

    def cut(self, code, reason):
        self._wire.close(code, reason)
        self._connection.ended()


class Inbox:
    """The service's transport of it: what was written waits here."""

    def __init__(self):
        self._frames = asyncio.Queue()
        self._ended = None

    def pause(self):
        """Do nothing: no replica of a test sends so much."""

    def resume(self):
        """Do nothing."""

    def encode(self, said):
        return said

    def write(self, frames):
        for frame in chain.from_iterable(frames):
            self._frames.put_nowait(frame)

    def close(self, code, reason):
        if self._ended is None:
            self._ended = (code, *split_reason(reason))
            self._frames.put_nowait(None)

    async def next(self):
        frame = await self._frames.get()
        if frame is None:
            self._frames.put_nowait(None)
            self.check()
        return frame

    def check(self):
        if self._ended is not None:
            status, code, message = self._ended
            raise (Unauthenticated if status == 4401 else Unavailable)(message, code=code)


def token_of(principal):
    claims = {"sub": principal.actor, "department": principal.department, "roles": list(principal.roles)}
    return jwt.encode(claims, "k" * 32, algorithm="HS256")


@asynccontextmanager
async def opened(path, principal, link=None, *, seed=None, poll_s=0.05, clock=None):
    """A replica of `principal`, with a clock that stands still and, with a `seed`, chosen client ids."""
    ids = TwinIds(seed) if seed is not None else None
    async with Replica.open(
        path, token=token_of(principal), link=link, ids=ids, clock=clock or ManualClock(), poll_s=poll_s
    ) as replica:
        if link is not None:
            _count_rounds(replica, link)
        yield replica


def _count_rounds(replica, link):
    compare = replica._sync._compare

    async def counted():
        link.rounds += 1
        await compare()

    replica._sync._compare = counted


async def until(is_so, timeout_s=20.0):
    """Let the loop turn until something is so, or fail."""
    async with asyncio.timeout(timeout_s):
        while True:
            if is_so():
                return
            await asyncio.sleep(0.001)  # not 0: the stores' threads need the interpreter, too

"""What every command is: a job of the committer that is loaded, decided, committed and answered.

A command checks everything that it may refuse before it writes its first row. With a request id its first result is
kept, and the same request gets that result again.
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from crdt_sync.domain import access
from crdt_sync.domain.access import Principal
from crdt_sync.domain.canonical import digest, dumps
from crdt_sync.domain.ids import Digest, Position, TicketId
from crdt_sync.errors import Conflict, Malformed, TicketSyncError
from crdt_sync.ports import Committed, NewResult
from crdt_sync.protocol.room import Room
from crdt_sync.service.draft import Draft
from crdt_sync.service.live_ticket import Desk, LiveTicket, no_ticket

REQUEST_ID_CHARACTERS_MAX = 255

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, and with which idempotency key and trace."""

    principal: Principal
    request_id: str | None = None
    trace: str | None = None


@dataclass(eq=False)
class Command(ABC, Generic[R]):
    """One command: loaded, decided, committed, answered through `outcome`."""

    room: ClassVar[None] = None
    call: Call
    outcome: "asyncio.Future[R]" = field(init=False)
    live: LiveTicket = field(init=False)
    _record: Mapping[str, Any] = field(init=False, default_factory=dict)
    builds_on: Sequence[Room] = field(init=False, default=())
    _position: Position | None = field(init=False, default=None)  # where the first result was committed, if before

    def __post_init__(self) -> None:
        """Check the request id and make the promise."""
        key = self.call.request_id
        if key is not None and not (0 < len(key) <= REQUEST_ID_CHARACTERS_MAX and key.isascii() and key.isprintable()):
            raise Malformed("An idempotency key has 1 to 255 printable ASCII characters.", code="idempotency_key")
        self.outcome = asyncio.get_running_loop().create_future()

    async def prepare(self, desk: Desk, draft: Draft) -> None:
        """Find the first result, or load what the change needs."""
        self._position, self.builds_on = None, ()
        self._record = await self._first(desk, draft)
        if self._record:
            self.live = await find_visible(desk, self.call.principal, self._record["id"])
            self.permit()
        else:
            await self.load(desk, draft)

    def permit(self) -> None:
        """Check that the caller may have the result, also when it is given again; by default whoever sees the ticket.

        Raises:
            Forbidden: the caller may not.

        """

    def decide(self, desk: Desk, draft: Draft) -> None:
        """Make the change, unless it was made before."""
        if self._record:
            return
        self._record = self.change(desk, draft)
        if self.call.request_id is not None:
            result = NewResult(
                self.call.principal.actor, self.call.request_id, self._request(), dumps(self._record), draft.now_ms
            )
            draft.keep_result(result)

    def succeed(self, committed: Committed) -> None:
        """Answer."""
        if not self.outcome.done():
            self.outcome.set_result(self.answer(self._record, self._position or committed.last))

    def fail(self, error: TicketSyncError) -> None:
        """Answer with the error."""
        if not self.outcome.done():
            self.outcome.set_exception(error)

    @abstractmethod
    async def load(self, desk: Desk, draft: Draft) -> None:
        """Load `live` and the rooms that the change writes; name in `builds_on` those that sessions write as well."""

    @abstractmethod
    def change(self, desk: Desk, draft: Draft) -> Mapping[str, Any]:
        """Write the rows; return what `answer` needs, as JSON values, with the ticket under `id`."""

    @abstractmethod
    def answer(self, record: Mapping[str, Any], position: Position) -> R:
        """Make the result of what `change` returned, now or when the command first came."""

    @abstractmethod
    def request(self) -> Mapping[str, object]:
        """What is asked, so that a key is not used for two things."""

    async def _first(self, desk: Desk, draft: Draft) -> Mapping[str, Any]:
        key, actor = self.call.request_id, self.call.principal.actor
        if key is None:
            return {}
        pending = draft.results.get((actor, key))
        stored = None if pending else await desk.store.result(actor, key)
        first = pending or stored
        if first is None:
            return {}
        if first.request != self._request():
            raise key_reused()
        self._position = stored.position if stored else None
        record: Mapping[str, Any] = json.loads(first.result)
        return record

    def _request(self) -> Digest:
        return digest({"command": type(self).__name__, **self.request()})


@dataclass(eq=False)
class OnTicket(Command[R], ABC):
    """A command on a ticket that is there."""

    ticket: str

    async def load(self, desk: Desk, draft: Draft) -> None:
        """Load the ticket."""
        del draft
        self.live = await find_visible(desk, self.call.principal, self.ticket)


def key_reused() -> Conflict:
    """Return the error for a key that comes again with another request."""
    return Conflict("This idempotency key was used for another request.", code="idempotency_key_reused")


async def find_visible(desk: Desk, principal: Principal, ticket: str) -> LiveTicket:
    """Load a ticket, and say no more of one that the caller may not see than of one that is not there.

    Raises:
        NotThereYet: there is none for this caller.

    """
    live = await desk.find(TicketId(ticket))
    if live is None or access.see(principal, live.lifecycle, live.id) is not None:
        raise no_ticket(ticket)
    return live

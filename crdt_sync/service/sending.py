"""The jobs that sending puts into the committer: a gateway's report, and the burial of what is given up."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, TypeAlias, TypeGuard

from crdt_sync.domain.access import Principal
from crdt_sync.domain.canonical import digest
from crdt_sync.domain.delivery import OPEN, DeliveryState, Fate
from crdt_sync.errors import Conflict, NotFound, TicketSyncError
from crdt_sync.ports import Committed
from crdt_sync.ports.outbox import StoredDelivery
from crdt_sync.protocol.room import Room
from crdt_sync.service.draft import Draft
from crdt_sync.service.live_ticket import Desk, LiveTicket
from crdt_sync.service.showing import ABSENT, AWAITED, show

Outcome: TypeAlias = Literal["begun", "sent", "retry", "unknown", "window_closed", "dead"]

_STATES: Mapping[Outcome, DeliveryState] = {
    "begun": DeliveryState.SENDING,
    "sent": DeliveryState.SENT,
    "retry": DeliveryState.RETRY,
    "unknown": DeliveryState.UNKNOWN,
    "window_closed": DeliveryState.WINDOW_CLOSED,
    "dead": DeliveryState.DEAD,
}
_FATES: Mapping[DeliveryState, Fate] = {
    DeliveryState.SENT: "sent",
    DeliveryState.WINDOW_CLOSED: "failed",
    DeliveryState.DEAD: "failed",
}
_SHOWN = frozenset({AWAITED, ABSENT})
_REFUSED = "plugin."
"""Codes that a conversation shows at once, and how those of plugins' refusals begin: an agent can mend the cause."""

_HELD = frozenset({DeliveryState.LEASED, DeliveryState.SENDING})


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one part under one lease. `delay_ms` is how long to wait before a retry."""

    id: str
    lease: str
    outcome: Outcome
    platform_id: str = ""
    code: str = ""
    delay_ms: int = 0


@dataclass(eq=False)
class TakeReport:
    """A report as a job; its `outcome` is the row after it. What was begun may be under way for `lease_ms`."""

    room: ClassVar[None] = None
    builds_on: ClassVar[Sequence[Room]] = ()  # it writes what sessions never write
    principal: Principal
    report: Report
    lease_ms: int
    outcome: "asyncio.Future[StoredDelivery]" = field(init=False)
    _live: LiveTicket | None = field(init=False, default=None)
    _before: StoredDelivery = field(init=False)
    _after: StoredDelivery = field(init=False)

    def __post_init__(self) -> None:
        """Make the promise."""
        self.outcome = asyncio.get_running_loop().create_future()

    @property
    def settles(self) -> bool:
        """Tell whether it is the report by which is known what became of the part."""
        return self._after is not self._before and self._after.state not in OPEN

    async def prepare(self, desk: Desk, draft: Draft) -> None:
        """Judge the report by the row as it stands now, and load the conversation if it will show it."""
        row = draft.delivery(self.report.id) or await desk.store.delivery(self.report.id)
        if row is None or row.account not in self.principal.accounts:
            raise NotFound("There is no such delivery for this caller.", code="no_delivery")
        self._before, self._after = row, judged(row, self.report, draft.now_ms, self.lease_ms)
        self._live = None
        tells = self._after.state in _FATES or _is_shown(self._after.code)
        if self._after is not row and tells and not row.is_notice:
            self._live = await desk.get(row.ticket)
            await desk.with_talk(self._live)

    def decide(self, desk: Desk, draft: Draft) -> None:
        """Change the row, and show on the ticket what is settled."""
        del desk
        if self._after is self._before:
            return
        draft.change_delivery(self._before, self._after)
        if self._live is None:
            return
        if self._after.state in _FATES:
            sent = self._after.state is DeliveryState.SENT
            draft.tell_fate(self._live, self._after, _FATES[self._after.state], anew=sent)
        if _is_shown(self._after.code):
            key, trace = f"{self._after.message}/{self._after.index}", self._after.traceparent
            show(draft, self._live, key, self._after.code, trace)

    def succeed(self, committed: Committed) -> None:
        """Answer."""
        del committed
        if not self.outcome.done():
            self.outcome.set_result(self._after)

    def fail(self, error: TicketSyncError) -> None:
        """Answer with the error."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


def _is_shown(code: str) -> bool:
    return code in _SHOWN or code.startswith(_REFUSED)


def judged(row: StoredDelivery, report: Report, now_ms: int, lease_ms: int) -> StoredDelivery:
    """Return what becomes of a row by a report, the row itself if that was told before.

    Raises:
        Conflict: the report is not for its maker to make any more.

    """
    state = _STATES[report.outcome]
    if lease_of(row) != report.lease:
        raise Conflict("The lease is another's by now.", code="lease_lost", advice="Send nothing more under it.")
    held = row.state in _HELD and now_ms < row.due_ms
    if row.state is state and (held or state not in _HELD):
        return row
    # What was begun and is known to be sent is no less true for being told late, while nobody tried again.
    late = state is DeliveryState.SENT and row.state in {DeliveryState.SENDING, DeliveryState.UNKNOWN}
    if not held and not late:
        raise Conflict("The lease has lapsed.", code="lease_lapsed", advice="Claim again; it may be given anew.")
    due_ms = {"begun": now_ms + lease_ms, "retry": now_ms + report.delay_ms}.get(report.outcome, 0)
    return replace(row, state=state, due_ms=due_ms, platform_id=report.platform_id, code=report.code)


@dataclass(eq=False)
class Bury:
    """Show on its ticket that a part will not be sent, and let the next one pass; a job that nobody waits for.

    Of a notice no ticket shows anything. `on_buried` hears of the commit.
    """

    room: ClassVar[None] = None
    builds_on: ClassVar[Sequence[Room]] = ()
    dropped: StoredDelivery
    on_buried: Callable[[DeliveryState], None]
    _open: bool = field(init=False, default=False)
    _live: LiveTicket | None = field(init=False, default=None)

    async def prepare(self, desk: Desk, draft: Draft) -> None:
        """Load the conversation that will show it, unless the part was buried meanwhile."""
        row = draft.delivery(self.dropped.id) or await desk.store.delivery(self.dropped.id)
        self._open, self._live = row == self.dropped, None
        if self._open and not self.dropped.is_notice:
            self._live = await desk.get(self.dropped.ticket)
            await desk.with_talk(self._live)

    def decide(self, desk: Desk, draft: Draft) -> None:
        """Do both in one commit."""
        del desk
        if self._open:
            code = "dropped" if self.dropped.state is DeliveryState.DROPPED else self.dropped.code
            draft.change_delivery(self.dropped, replace(self.dropped, state=DeliveryState.DEAD, code=code))
        if self._live is not None:
            draft.tell_fate(self._live, self.dropped, "failed")

    def succeed(self, committed: Committed) -> None:
        """Have it counted; the ticket says it."""
        del committed
        if self._open:
            self.on_buried(DeliveryState.DEAD)

    def fail(self, error: TicketSyncError) -> None:
        """Tell nobody: the next look tries again."""


def lease_of(row: StoredDelivery) -> str:
    """Return what names the lease under which a part was given out, and of a notice what it said then.

    A commit that joins notices may be kept after its answer was lost and the notice was read: who would say what it
    said before is not let begin.
    """
    lease = f"{row.owner}/{row.attempts}"
    return f"{lease}/{digest(row.content)[:16]}" if row.is_notice else lease


def is_held(stored: StoredDelivery | None, row: StoredDelivery) -> TypeGuard[StoredDelivery]:
    """Tell whether a part that was leased as `row` is so still, and nobody has begun it; its content may be another."""
    if stored is None or stored.state is not DeliveryState.LEASED:
        return False
    return (stored.owner, stored.attempts) == (row.owner, row.attempts)

"""The job that has several notices to one group leave as one message. What that says is `domain.notice`'s to decide.

A group's robot may say little, and a robot that is away says nothing: what waits for a group is one message with a line
a ticket, whenever it comes to leave, and never more rows than `WAITING_MAX` and what a look's time brings.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from crdt_sync.domain import notice
from crdt_sync.domain.delivery import DeliveryState
from crdt_sync.domain.group import Group
from crdt_sync.domain.ids import TicketId
from crdt_sync.domain.notice import Joined
from crdt_sync.errors import TicketSyncError
from crdt_sync.ports import Committed
from crdt_sync.ports.meter import Meter
from crdt_sync.ports.outbox import DeliveryChange, OutboxFilter, StoredDelivery
from crdt_sync.protocol.room import Room
from crdt_sync.service.draft import Draft
from crdt_sync.service.live_ticket import Desk
from crdt_sync.service.sending import is_held

WAITING_MAX = 100  # rows of one group; a few messages hold all that they say
ROWS_MAX = 1_000  # of one job, some 10 ms of the one who commits


def waiting(group: Group) -> OutboxFilter:
    """Return what waits for a group and is in nobody's hands."""
    at = group.at
    return OutboxFilter(DeliveryState.PENDING, at.account, notices=True, conversation=at.conversation)


@dataclass(eq=False)
class Join:
    """Join what waits for a group, to what is leased if something is; `over` is set once that is done, or failed.

    The rows that are joined into another are settled in the commit that changes that one. What is leased is as it is
    stored: who waited for this reads it there.
    """

    room: ClassVar[None] = None
    builds_on: ClassVar[Sequence[Room]] = ()
    group: Group
    leased: StoredDelivery | None
    meter: Meter
    over: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _rows: Sequence[StoredDelivery] = field(init=False, default=())
    _joined: Sequence[Joined] = field(init=False, default=())

    async def prepare(self, desk: Desk, draft: Draft) -> None:
        """Read what waits and what is leased; what this batch changes already is left to a later job.

        Where the lease has gone, nothing is joined: a stale row would spoil the whole batch.
        """
        found = await desk.store.deliveries(waiting(self.group), limit=ROWS_MAX)
        self._rows, self._joined = found, ()
        if self.leased is not None:
            stored = await desk.store.delivery(self.leased.id)
            if not is_held(stored, self.leased):
                return
            self._rows = [stored, *found]
        if not any(map(draft.delivery, (row.id for row in self._rows))):
            said = [(row.ticket, row.content) for row in self._rows]
            self._joined = list(notice.joined(self.group.language, said))

    def decide(self, desk: Desk, draft: Draft) -> None:
        """Let the first of each message say it, and settle the others."""
        del desk
        for change in self._changes():
            draft.change_delivery(change.before, change.after)

    def succeed(self, committed: Committed) -> None:
        """Count."""
        del committed
        for change in self._changes():
            if change.after.state is DeliveryState.JOINED:
                self.meter.settled(change.after.state)
        self.meter.notices_left_out(sum(each.given_way for each in self._joined))
        self.over.set()

    def fail(self, error: TicketSyncError) -> None:
        """Let all wait: the rows are as they are stored, and that may be joined, should the commit have passed."""
        del error
        self.over.set()

    def _changes(self) -> Sequence[DeliveryChange]:
        changes = list[DeliveryChange]()
        for each in self._joined:
            first, *others = (self._rows[at] for at in each.rows)
            says = replace(first, ticket=TicketId(each.ticket), content=each.content)
            changes.append(DeliveryChange(first, says))
            changes += [DeliveryChange(row, replace(row, state=DeliveryState.JOINED)) for row in others]
        return changes

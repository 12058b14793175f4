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

WAITING_MAX = 100  # rows of one group; a few messages hold all that they say
ROWS_MAX = 1_000  # of one job, some 10 ms of the one who commits


def waiting(group: Group) -> OutboxFilter:
    """Return what waits for a group and is in nobody's hands."""
    at = group.at
    return OutboxFilter(DeliveryState.PENDING, at.account, notices=True, conversation=at.conversation)


@dataclass(eq=False)
class Join:
    """Join what waits for a group, to what is leased if something is; its `outcome` is the leased row as it stands.

    The rows that are joined into another are settled in the commit that changes that one.
    """

    room: ClassVar[None] = None
    builds_on: ClassVar[Sequence[Room]] = ()
    group: Group
    leased: StoredDelivery | None
    meter: Meter
    outcome: "asyncio.Future[StoredDelivery | None]" = field(init=False)
    _rows: Sequence[StoredDelivery] = field(init=False, default=())
    _joined: Sequence[Joined] = field(init=False, default=())

    def __post_init__(self) -> None:
        """Make the promise."""
        self.outcome = asyncio.get_running_loop().create_future()

    async def prepare(self, desk: Desk, draft: Draft) -> None:
        """Read what waits; what this batch changes already is left to a later job."""
        found = await desk.store.deliveries(waiting(self.group), limit=ROWS_MAX)
        self._rows = found if self.leased is None else [self.leased, *found]
        said = (
            []
            if any(map(draft.delivery, (row.id for row in found)))
            else [(row.ticket, row.content) for row in self._rows]
        )
        self._joined = list(notice.joined(self.group.language, said))

    def decide(self, desk: Desk, draft: Draft) -> None:
        """Let the first of each message say it, and settle the others."""
        del desk
        for change in self._changes():
            draft.change_delivery(change.before, change.after)

    def succeed(self, committed: Committed) -> None:
        """Answer, and count."""
        del committed
        changed = {change.before.id: change.after for change in self._changes()}
        for row in changed.values():
            if row.state is DeliveryState.JOINED:
                self.meter.settled(row.state)
        self.meter.notices_left_out(sum(each.given_way for each in self._joined))
        self._settle(changed.get(self.leased.id, self.leased) if self.leased is not None else None)

    def fail(self, error: TicketSyncError) -> None:
        """Let what is leased leave as it stands; the others wait."""
        del error
        self._settle(self.leased)

    def _changes(self) -> Sequence[DeliveryChange]:
        changes = list[DeliveryChange]()
        for each in self._joined:
            first, *others = (self._rows[at] for at in each.rows)
            says = replace(first, ticket=TicketId(each.ticket), content=each.content)
            changes.append(DeliveryChange(first, says))
            changes += [DeliveryChange(row, replace(row, state=DeliveryState.JOINED)) for row in others]
        return changes

    def _settle(self, row: StoredDelivery | None) -> None:
        if not self.outcome.done():
            self.outcome.set_result(row)

"""What the service desk keeps, in dictionaries: the memory store's part of `ports.desk`."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from crdt_sync.adapters.storage.memory_outbox import MemoryOutbox
from crdt_sync.domain.ids import ActorId, Digest, LaneId, TicketId
from crdt_sync.ports import Batch, TicketRow


class MemoryDesk(MemoryOutbox):
    """Rows by ticket, and turns by rule."""

    def __init__(self) -> None:
        super().__init__()
        self._tickets: dict[TicketId, TicketRow] = {}
        self._assigned: dict[TicketId, Mapping[LaneId, ActorId]] = {}
        self._turns: dict[str, ActorId] = {}
        self._parties: dict[TicketId, str] = {}
        self._customers: dict[str, str] = {}  # by party

    async def open_tickets(self, actors: Collection[ActorId]) -> Mapping[ActorId, int]:
        """Look through all of them."""
        self._check_open()
        return Counter(actor for lanes in self._assigned.values() for actor in set(lanes.values()) if actor in actors)

    async def turn(self, rule: str) -> str:
        """Find it by its name."""
        self._check_open()
        return self._turns.get(rule, "")

    async def customer(self, ticket: TicketId) -> str:
        """Find the party, then its customer."""
        self._check_open()
        return self._customers.get(self._parties.get(ticket, ""), "")

    async def customer_of(self, party: str) -> str:
        """Find it by the party."""
        self._check_open()
        return self._customers.get(party, "")

    async def tickets_of(
        self, customer: str, lifecycles: Collection[Digest], *, after: TicketId | None = None, limit: int = 100
    ) -> Sequence[TicketRow]:
        """Look through all of them."""
        self._check_open()
        rows = [
            self._tickets[ticket]
            for ticket, party in self._parties.items()
            if self._customers[party] == customer and ticket in self._tickets
        ]
        places = {row.id: (row.opened_at_ms, row.id) for row in rows}
        found = sorted((row for row in rows if row.lifecycle in lifecycles), key=lambda row: places[row.id])
        if after is not None:
            last = (self._tickets[after].opened_at_ms, after) if after in self._tickets else (-1, after)
            found = [row for row in found if places[row.id] < last]
        return found[::-1][:limit]

    async def link(self, ticket: TicketId, other: TicketId) -> None:
        """Rename the other's customer."""
        one, same = (self._customer(each) for each in (ticket, other))
        self._customers = {party: one if known == same else known for party, known in self._customers.items()}

    async def unlink(self, ticket: TicketId, customer: str) -> None:
        """Rename the party's customer."""
        self._check_open()
        if ticket in self._parties:
            self._customers[self._parties[ticket]] = customer

    def _customer(self, ticket: TicketId) -> str:
        self._check_open()
        party = self._parties.setdefault(ticket, ticket)
        return self._customers.setdefault(party, party)

    def _write_desk(self, batch: Batch) -> None:
        """Keep what a batch holds of it."""
        self._assigned |= {each.ticket: dict(each.lanes) for each in batch.assignments}
        self._turns |= {turn.rule: turn.actor for turn in batch.turns}
        for new in batch.parties:
            self._parties[new.ticket] = new.party
            self._customers.setdefault(new.party, new.party)

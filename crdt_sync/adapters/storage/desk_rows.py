"""What the service desk keeps, as statements on a connection. It begins and commits nothing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from crdt_sync.adapters.storage import bulk, service_position, tables
from crdt_sync.adapters.storage.database import Database
from crdt_sync.adapters.storage.rows import ticket_of
from crdt_sync.domain.ids import ActorId, Digest, TicketId
from crdt_sync.ports import Batch, TicketRow
from crdt_sync.ports.desk import Turn

_CUSTOMERS = tables.customers.c
_KNOWN = (
    select(_CUSTOMERS.customer)
    .where(_CUSTOMERS.party == bindparam("of"))
    .order_by(_CUSTOMERS.ticket)
    .limit(1)
    .scalar_subquery()
)
_ADD_CUSTOMER = insert(tables.customers).values(customer=func.coalesce(_KNOWN, bindparam("own")))


class StaleTurn(Exception):
    """A rule of the batch has chosen somebody meanwhile."""


def apply(connection: Connection, batch: Batch) -> None:
    """Write what a batch holds of it.

    Raises:
        StaleTurn: see there.

    """
    if batch.assignments:
        tickets = [{"of": each.ticket} for each in batch.assignments]
        connection.execute(delete(tables.assignments).where(tables.assignments.c.ticket == bindparam("of")), tickets)
        rows = [
            {"ticket": each.ticket, "lane": lane, "actor": actor}
            for each in batch.assignments
            for lane, actor in each.lanes.items()
        ]
        if rows:
            connection.execute(insert(tables.assignments), rows)
    for turn in batch.turns:
        first = bulk.own_insert(connection.dialect)(tables.turns).on_conflict_do_nothing()
        next_ = update(tables.turns).where(tables.turns.c.rule == turn.rule, tables.turns.c.actor == turn.after)
        taken = next_.values(actor=turn.actor) if turn.after else first.values(rule=turn.rule, actor=turn.actor)
        if connection.execute(taken).rowcount != 1:
            raise StaleTurn(turn.rule)
    if batch.parties:
        _add_customers(connection, [(each.ticket, each.party) for each in batch.parties])


def stale(connection: Connection, turns: Sequence[Turn]) -> list[str]:
    """Return the rules that have chosen somebody else than is expected."""
    chosen = select(tables.turns.c.actor)
    return [
        turn.rule
        for turn in turns
        if (connection.scalar(chosen.where(tables.turns.c.rule == turn.rule)) or "") != turn.after
    ]


def link(connection: Connection, *, ticket: TicketId, other: TicketId) -> None:
    """Under the lock of commits: a party may get its first ticket meanwhile."""
    service_position.touch(connection)
    one, same = (_customer(connection, each) for each in (ticket, other))
    connection.execute(update(tables.customers).where(_CUSTOMERS.customer == same).values(customer=one))


def unlink(connection: Connection, *, ticket: TicketId, customer: str) -> None:
    """Rename all rows of the party."""
    service_position.touch(connection)
    party = select(_CUSTOMERS.party).where(_CUSTOMERS.ticket == ticket).scalar_subquery()
    connection.execute(update(tables.customers).where(_CUSTOMERS.party == party).values(customer=customer))


def listing(customer: str, lifecycles: Collection[Digest], after: TicketId | None, limit: int) -> Select[Any]:
    """A customer has some tickets, which are sorted."""
    columns = tables.tickets.c
    found = (
        select(*(columns[field.name] for field in fields(TicketRow)))
        .join(tables.customers, _CUSTOMERS.ticket == columns.id)
        .where(_CUSTOMERS.customer == customer, columns.lifecycle.in_(sorted(lifecycles)))
        .order_by(columns.opened_at_ms.desc(), columns.id.desc())
        .limit(limit)
    )
    if after is None:
        return found
    last = select(columns.opened_at_ms).where(columns.id == after).scalar_subquery()
    return found.where(tuple_(columns.opened_at_ms, columns.id) < tuple_(last, after))


def _add_customers(connection: Connection, rows: Sequence[tuple[TicketId, str]]) -> None:
    """Insert one after the other in one statement: a party's second ticket is whose its first is."""
    connection.execute(_ADD_CUSTOMER, [{"ticket": of, "party": party, "of": party, "own": party} for of, party in rows])


def _customer(connection: Connection, ticket: TicketId) -> str:
    """Return whose a ticket is; one that is nobody's as yet becomes a party of its own."""
    of_ticket = select(_CUSTOMERS.customer).where(_CUSTOMERS.ticket == ticket)
    if connection.scalar(of_ticket) is None:
        _add_customers(connection, [(ticket, ticket)])
    return str(connection.scalar(of_ticket))


class DeskQueries:
    """What a store on a SQL database does of the above, each in a transaction of its own."""

    _database: Database

    async def open_tickets(self, actors: Collection[ActorId]) -> Mapping[ActorId, int]:
        """Count by the index on actors."""
        columns = tables.assignments.c
        counted = select(columns.actor, func.count(columns.ticket.distinct())).where(columns.actor.in_(sorted(actors)))
        rows = await self._database.read(lambda connection: connection.execute(counted.group_by(columns.actor)).all())
        return {ActorId(actor): count for actor, count in rows}

    async def turn(self, rule: str) -> str:
        """Read the one row."""
        return await self._text(select(tables.turns.c.actor).where(tables.turns.c.rule == rule))

    async def customer(self, ticket: TicketId) -> str:
        """Read the one row."""
        return await self._text(select(_CUSTOMERS.customer).where(_CUSTOMERS.ticket == ticket))

    async def customer_of(self, party: str) -> str:
        """Read one of several rows that say the same."""
        return await self._text(select(_CUSTOMERS.customer).where(_CUSTOMERS.party == party).limit(1))

    async def tickets_of(
        self, customer: str, lifecycles: Collection[Digest], *, after: TicketId | None = None, limit: int = 100
    ) -> Sequence[TicketRow]:
        """Read by the index on customers, and sort."""
        statement = listing(customer, lifecycles, after, limit)
        return await self._database.read(
            lambda connection: [ticket_of(row) for row in connection.execute(statement).mappings()]
        )

    async def link(self, ticket: TicketId, other: TicketId) -> None:
        """Rename the other's customer."""
        await self._database.write(partial(link, ticket=ticket, other=other))

    async def unlink(self, ticket: TicketId, customer: str) -> None:
        """Rename the party's customer."""
        await self._database.write(partial(unlink, ticket=ticket, customer=customer))

    async def _text(self, statement: Select[Any]) -> str:
        return await self._database.read(lambda connection: connection.scalar(statement)) or ""

"""What is to be sent, as statements on a connection. It begins and commits nothing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields, replace
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Integer,
    Select,
    TextClause,
    and_,
    bindparam,
    delete,
    false,
    func,
    insert,
    literal_column,
    select,
    true,
    union_all,
    update,
)

from crdt_sync.adapters.storage import bulk, service_position, tables
from crdt_sync.adapters.storage.database import Database
from crdt_sync.domain.delivery import OPEN, DeliveryState, Window
from crdt_sync.domain.ids import TicketId
from crdt_sync.domain.message import PARTS_MAX
from crdt_sync.ports.outbox import (
    Claim,
    Claimed,
    DeliveryChange,
    NewDelivery,
    OpenDeliveries,
    OutboxFilter,
    StoredDelivery,
)

_COLUMNS = tables.outbox.c
_ROW = tuple(_COLUMNS[field.name] for field in fields(StoredDelivery))
_AT_ONCE = 500  # ids in a statement
_TIMED = (DeliveryState.RETRY, DeliveryState.LEASED, DeliveryState.SENDING)


def _heads(state: DeliveryState, *columns: ColumnElement[Any]) -> Select[Any]:
    """Walk the heads of one account that are in a state, those that are due first at first."""
    here = and_(tables.HEAD, _COLUMNS.state == literal_column(f"'{state}'"), _COLUMNS.account == bindparam("of"))
    return select(*columns).where(here).order_by(_COLUMNS.due_ms, _COLUMNS.place)


def _due(states: Sequence[DeliveryState]) -> CompoundSelect[Any]:
    """Take the first ones of each state, each from its stretch of the index."""
    due = _COLUMNS.due_ms <= bindparam("now")
    each = (_heads(state, *_ROW).where(due).limit(bindparam("most", type_=Integer)).subquery() for state in states)
    return union_all(*map(select, each))


_PENDING_AND_TIMED = _due((DeliveryState.PENDING, *_TIMED))
_UNKNOWN_TOO = _due((DeliveryState.PENDING, *_TIMED, DeliveryState.UNKNOWN))  # where a second send is known
_NEXT = union_all(
    *(
        select(_heads(state, _COLUMNS.due_ms).where(_COLUMNS.due_ms > bindparam("now")).limit(1).subquery())
        for state in _TIMED
    )
)
# Of a conversation, whose first open row becomes its head.
_FIRST = (
    select(func.min(_COLUMNS.place))
    .where(tables.OPEN, _COLUMNS.account == bindparam("of"), _COLUMNS.conversation == bindparam("to"))
    .scalar_subquery()
)
_LEAD = update(tables.outbox).where(_COLUMNS.place == _FIRST, ~_COLUMNS.head).values(head=true())


class StaleDelivery(Exception):
    """A delivery of the batch is not as its change expects."""


def rows(deliveries: Sequence[NewDelivery], positions: Mapping[str, int]) -> list[bulk.Row]:
    """Return the rows of new parts, where `positions` are those of their messages, or of the notices by their ids."""
    return [
        (
            place(positions[new.message or new.id], new.index),
            new.id,
            new.ticket,
            new.message,
            new.index,
            new.to.channel,
            new.to.account,
            new.to.conversation,
            new.content,
            new.at_ms,
            new.traceparent,
            DeliveryState.PENDING,
            "",
            0,
            0,
            "",
            "",
            False,
        )
        for new in deliveries
    ]


def place(position: int, index: int) -> int:
    """Return where a part of the message at a position stands among all parts; a notice is one part."""
    return position * PARTS_MAX + index


def position(placed: int) -> int:
    """Return the position of the message or the notice that stands at a place."""
    return placed // PARTS_MAX


def apply(connection: Connection, new: Sequence[NewDelivery], changes: Sequence[DeliveryChange]) -> None:
    """Change rows that are as they were seen, then let what is first now in each conversation lead it.

    Raises:
        StaleDelivery: one is not.

    """
    lanes = {(each.to.account, each.to.conversation) for each in new}
    for change in changes:
        after = change.after
        values = {name: getattr(after, name) for name in ("state", "due_ms", "platform_id", "code")}
        if after.content != change.before.content:
            values |= {"ticket": after.ticket, "content": after.content}  # what reports never change
        if after.state not in OPEN:
            values["head"] = False
            lanes.add((after.account, after.conversation))
        if connection.execute(update(tables.outbox).where(_as_seen(change)).values(values)).rowcount != 1:
            raise StaleDelivery(change.before.id)
    _lead(connection, lanes)


def stale(connection: Connection, changes: Sequence[DeliveryChange]) -> list[str]:
    """Return the ids of rows that are not as they were seen."""
    found = select(_COLUMNS.id)
    return [change.before.id for change in changes if connection.scalar(found.where(_as_seen(change))) is None]


def claimable(connection: Connection, asked: Claim) -> Claimed:
    """Find what may be leased, and when more may be: by the index of heads, whatever else waits behind them."""
    found, next_ms = list[StoredDelivery](), list[int]()
    for account in asked.accounts:
        due = _UNKNOWN_TOO if account in asked.idempotent else _PENDING_AND_TIMED
        rows = connection.execute(due, {"of": account, "now": asked.now_ms, "most": asked.limit})
        found += map(_stored, rows.mappings())
        next_ms += connection.execute(_NEXT, {"of": account, "now": asked.now_ms}).scalars()
    return Claimed(sorted(found, key=lambda row: row.place)[: asked.limit], min(next_ms, default=None))


def claim(connection: Connection, *, asked: Claim) -> Claimed:
    """Look again under the lock of commits, and lease."""
    service_position.touch(connection)
    lapsed = update(tables.outbox).where(
        tables.HEAD,
        _COLUMNS.state == DeliveryState.SENDING,
        _COLUMNS.account.in_(asked.accounts),
        _COLUMNS.due_ms <= asked.now_ms,
    )
    connection.execute(lapsed.values(state=DeliveryState.UNKNOWN, code="lapsed"))
    found = claimable(connection, asked)
    values: dict[str, Any] = {"state": DeliveryState.LEASED, "owner": asked.owner, "due_ms": asked.until_ms, "code": ""}
    leased = update(tables.outbox).where(_COLUMNS.place.in_([row.place for row in found.rows]))
    connection.execute(leased.values(attempts=_COLUMNS.attempts + 1, **values))
    return Claimed([replace(row, attempts=row.attempts + 1, **values) for row in found.rows], found.next_ms)


def release(connection: Connection, *, owner: str) -> None:
    """Give back what was not begun."""
    held = and_(tables.HEAD, _COLUMNS.state == DeliveryState.LEASED, _COLUMNS.owner == owner)
    connection.execute(update(tables.outbox).where(held).values(state=DeliveryState.PENDING, due_ms=0))


def restored(connection: Connection) -> None:
    """What was open when a backup was made may have been sent since; nobody holds it any more."""
    gone = and_(tables.OPEN, _COLUMNS.state != DeliveryState.DROPPED)
    values = {"state": DeliveryState.UNKNOWN, "owner": "", "due_ms": 0, "code": "restored"}
    connection.execute(update(tables.outbox).where(gone).values(values))


def listing(where: OutboxFilter, limit: int) -> Select[Any]:
    """Walk the primary key."""
    found = select(*_ROW).where(_COLUMNS.place > where.after).order_by(_COLUMNS.place).limit(limit)
    if where.state is not None:
        found = found.where(_COLUMNS.state == where.state, *_implied(where.state))
    if where.account is not None:
        found = found.where(_COLUMNS.account == where.account)
    if where.conversation is not None:
        found = found.where(_COLUMNS.conversation == where.conversation)
    if where.notices:
        found = found.where(_COLUMNS.message == "")
    return found


def misled(limit: int) -> Select[Any]:
    """Find rows that are marked as the first open one of their conversation and are not, or the reverse."""
    here = (_COLUMNS.account, _COLUMNS.conversation)
    first = select(func.min(_COLUMNS.place)).where(tables.OPEN).group_by(*here)
    return select(_COLUMNS.place).where(_COLUMNS.head != _COLUMNS.place.in_(first)).limit(limit)


def _implied(state: DeliveryState) -> Sequence[ColumnElement[bool] | TextClause]:
    """Say again, as a partial index has it, what a state implies."""
    if state in {DeliveryState.UNKNOWN, DeliveryState.DROPPED}:
        return [tables.STUCK]
    return [tables.OPEN] if state in OPEN else []


LEVELS = (
    select(_COLUMNS.state, func.count(), func.min(_COLUMNS.place))
    .where(tables.OPEN)
    .group_by(_COLUMNS.state)
    .order_by(_COLUMNS.state)
)


def open_rows(connection: Connection) -> Sequence[OpenDeliveries]:
    """Count what is open by its index alone; what stands first was admitted first, and that row alone is read."""
    found = connection.execute(LEVELS).all()
    admitted = select(_COLUMNS.place, _COLUMNS.at_ms).where(_COLUMNS.place.in_([first for _, _, first in found]))
    at_ms = {row.place: row.at_ms for row in connection.execute(admitted)}
    return [OpenDeliveries(DeliveryState(state), count, at_ms[first]) for state, count, first in found]


def settled(connection: Connection, *, before_ms: int, limit: int) -> Mapping[int, bool]:
    """Find what was settled long ago by its index: the places, and whether a notice stands there."""
    old = select(_COLUMNS.place, _COLUMNS.message == "").where(tables.SETTLED, _COLUMNS.at_ms < before_ms)
    rows = connection.execute(old.order_by(_COLUMNS.at_ms).limit(limit))
    return {placed: bool(is_notice) for placed, is_notice in rows}


def prune(connection: Connection, *, before_ms: int, limit: int) -> int:
    """Look again under the lock of commits, and delete; the position of a notice is kept, it stands nowhere else."""
    service_position.touch(connection)
    old = settled(connection, before_ms=before_ms, limit=limit)
    kept = [{"position": position(placed)} for placed, is_notice in old.items() if is_notice]
    if kept:
        connection.execute(insert(tables.pruned_notices), kept)
    connection.execute(delete(tables.outbox).where(_COLUMNS.place == bindparam("gone")), [{"gone": at} for at in old])
    return len(old)


def amend(connection: Connection, *, id_: str, before: Sequence[DeliveryState], after: DeliveryState) -> bool:
    """Change the one row under the lock of commits; one that is open again may stand before its conversation's head."""
    service_position.touch(connection)
    row = update(tables.outbox).where(_COLUMNS.id == id_, _COLUMNS.state.in_(before))
    changed = row.values(state=after, due_ms=0, head=False).returning(_COLUMNS.account, _COLUMNS.conversation)
    lane = connection.execute(changed).first()
    if lane is None:
        return False
    here = and_(tables.OPEN, _COLUMNS.account == lane.account, _COLUMNS.conversation == lane.conversation)
    connection.execute(update(tables.outbox).where(here, tables.HEAD).values(head=false()))
    _lead(connection, {(lane.account, lane.conversation)})
    return True


def _lead(connection: Connection, lanes: Collection[tuple[str, str]]) -> None:
    if lanes:
        connection.execute(_LEAD, [{"of": account, "to": conversation} for account, conversation in sorted(lanes)])


def keep_window(connection: Connection, *, account: str, window: Window | None) -> None:
    """Delete and insert under the lock of commits: two nodes may be told at once."""
    service_position.touch(connection)
    connection.execute(delete(tables.windows).where(tables.windows.c.account == account))
    if window is not None:
        connection.execute(insert(tables.windows).values(account=account, **asdict(window)))


def _as_seen(change: DeliveryChange) -> ColumnElement[bool]:
    seen = change.before
    return and_(
        _COLUMNS.id == seen.id,
        _COLUMNS.state == seen.state,
        _COLUMNS.owner == seen.owner,
        _COLUMNS.attempts == seen.attempts,
        _COLUMNS.content == seen.content,
    )


def _stored(row: Mapping[Any, Any]) -> StoredDelivery:
    return StoredDelivery(**{**row, "state": DeliveryState(row["state"])})


def _states(connection: Connection, *, found: Select[Any]) -> dict[str, DeliveryState]:
    return {row.id: DeliveryState(row.state) for row in connection.execute(found)}


class OutboxQueries:
    """What a store on a SQL database does of the above, each in a transaction of its own."""

    _database: Database

    async def claim(self, asked: Claim) -> Claimed:
        """Look first, and lock only where there is something: most looks find nothing."""
        found = await self._database.read(partial(claimable, asked=asked))
        return await self._database.write(partial(claim, asked=asked)) if found.rows else found

    async def release(self, owner: str) -> None:
        """Look through what is leased."""
        await self._database.write(partial(release, owner=owner))

    async def delivery(self, id_: str) -> StoredDelivery | None:
        """Read by the index on ids."""
        return await self._first(select(*_ROW).where(_COLUMNS.id == id_))

    async def sent_as(self, account: str, platform_id: str) -> StoredDelivery | None:
        """Read by the index on what platforms call them."""
        if not platform_id:
            return None
        called = and_(_COLUMNS.account == account, _COLUMNS.platform_id == platform_id, tables.SENT_AS)
        return await self._first(select(*_ROW).where(called).order_by(_COLUMNS.place.desc()).limit(1))

    async def newest_notice(self, account: str, conversation: str) -> TicketId | None:
        """Walk the index on notices backwards, past those that are about no ticket or that nobody there has seen."""
        to = and_(_COLUMNS.account == account, _COLUMNS.conversation == conversation, tables.SENT_NOTICE)
        found = await self._first(
            select(*_ROW).where(to, _COLUMNS.ticket != "").order_by(_COLUMNS.place.desc()).limit(1)
        )
        return found.ticket if found is not None else None

    async def deliveries(self, where: OutboxFilter, *, limit: int = 100) -> Sequence[StoredDelivery]:
        """Walk the primary key."""
        return await self._all(listing(where, limit))

    async def delivery_states(self, ids: Sequence[str]) -> Mapping[str, DeliveryState]:
        """Read by the index on ids, some at once."""
        states: dict[str, DeliveryState] = {}
        for some in (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)):
            found = select(_COLUMNS.id, _COLUMNS.state).where(_COLUMNS.id.in_(some))
            states |= await self._database.read(partial(_states, found=found))
        return states

    async def amend_delivery(self, id_: str, before: Sequence[DeliveryState], after: DeliveryState) -> bool:
        """Change the one row."""
        return await self._database.write(partial(amend, id_=id_, before=before, after=after))

    async def window(self, account: str) -> Window | None:
        """Read the one row."""
        kept = tables.windows.c
        found = select(kept.duration_ms, kept.parts_max).where(kept.account == account)
        row = await self._database.read(lambda connection: connection.execute(found).first())
        return Window(*row) if row is not None else None

    async def keep_window(self, account: str, window: Window | None) -> None:
        """Change the one row."""
        await self._database.write(partial(keep_window, account=account, window=window))

    async def open_deliveries(self) -> Sequence[OpenDeliveries]:
        """Look through what is open."""
        return await self._database.read(open_rows)

    async def prune_deliveries(self, before_ms: int, *, limit: int = 1000) -> int:
        """Look first, and lock only where there is something."""
        old = await self._database.read(partial(settled, before_ms=before_ms, limit=limit))
        return await self._database.write(partial(prune, before_ms=before_ms, limit=limit)) if old else 0

    async def _first(self, statement: Select[Any]) -> StoredDelivery | None:
        found = await self._all(statement)
        return found[0] if found else None

    async def _all(self, statement: Select[Any]) -> Sequence[StoredDelivery]:
        return await self._database.read(
            lambda connection: [_stored(row) for row in connection.execute(statement).mappings()]
        )

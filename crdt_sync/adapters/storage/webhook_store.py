"""Webhooks as statements on a connection. It begins and commits nothing."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial

from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, select, tuple_, update

from crdt_sync.adapters.storage import bulk, service_position, tables, transaction
from crdt_sync.adapters.storage.database import Database
from crdt_sync.adapters.storage.webhook_tables import webhook_leader, webhook_rows, webhooks
from crdt_sync.domain import canonical
from crdt_sync.domain.event import EventType
from crdt_sync.domain.ids import Department, Position
from crdt_sync.domain.webhook import Paused
from crdt_sync.ports import NewResult, StoreConflict
from crdt_sync.ports.webhooks import Settlement, Webhook, WebhookRow

_LEADER = 1  # the one row
_KEY = ("webhook", "position")


def add(connection: Connection, *, new: Webhook, department_max: int, total_max: int, result: NewResult | None) -> bool:
    """Count under the lock of commits, so that of two who add at once one finds the other."""
    service_position.touch(connection)
    if result is not None and connection.scalar(_first(result)) is not None:
        raise StoreConflict([result.key])
    counted = select(func.count()).select_from(webhooks)
    if int(connection.scalar(counted) or 0) >= total_max:
        return False
    if int(connection.scalar(counted.where(webhooks.c.department == new.department)) or 0) >= department_max:
        return False
    connection.execute(insert(webhooks).values(**_values(new)))
    if result is not None:
        transaction.keep_result(connection, result)
    return True


def change(
    connection: Connection,
    *,
    id_: str,
    amend: Callable[[Webhook], Webhook],
    rows: Sequence[WebhookRow],
    forget_after: Position | None,
) -> Webhook | None:
    """Read and write under the lock of commits, which a settlement takes as well."""
    service_position.touch(connection)
    before = _one(connection, id_)
    if before is None:
        return None
    after = replace(amend(before), version=before.version + 1)
    connection.execute(update(webhooks).where(webhooks.c.id == id_).values(**_values(after)))
    if forget_after is not None:
        behind = (webhook_rows.c.webhook == id_) & (webhook_rows.c.position > forget_after)
        connection.execute(delete(webhook_rows).where(behind))
    _keep(connection, rows)
    return after


def remove(connection: Connection, *, id_: str) -> bool:
    """Delete the rows as well."""
    service_position.touch(connection)
    connection.execute(delete(webhook_rows).where(webhook_rows.c.webhook == id_))
    return bool(connection.execute(delete(webhooks).where(webhooks.c.id == id_)).rowcount)


def _first(result: NewResult) -> Select[tuple[str]]:
    first = tables.results.c
    return select(first.key).where(first.actor == result.actor, first.key == result.key)


def lead(connection: Connection, *, owner: str, now_ms: int, until_ms: int) -> bool:
    """Insert the one row, or change it where it is one's own or has lapsed."""
    new = bulk.own_insert(connection.dialect)(webhook_leader).values(id=_LEADER, owner=owner, until_ms=until_ms)
    mine = (webhook_leader.c.owner == owner) | (webhook_leader.c.until_ms <= now_ms)
    values = {"owner": owner, "until_ms": until_ms}
    return bool(connection.execute(new.on_conflict_do_update(index_elements=["id"], set_=values, where=mine)).rowcount)


def settle(connection: Connection, *, settlements: Sequence[Settlement]) -> list[bool]:
    """Write each under the lock of commits; what does not fit leaves the others as they are."""
    service_position.touch(connection)
    leader = connection.scalar(select(webhook_leader.c.owner))
    return [each.owner == leader and _settle(connection, each) for each in settlements]


def _settle(connection: Connection, settlement: Settlement) -> bool:
    before, after = settlement.before, settlement.after
    changed = ("position", "failures", "failing_since_ms", "taken_ms", "paused")
    values = {name: value for name, value in _values(after).items() if name in changed}
    same = (webhooks.c.id == before.id) & (webhooks.c.position == before.position)
    if after.paused is before.paused:
        del values["paused"]  # somebody may have paused it meanwhile
    if not connection.execute(update(webhooks).where(same).values(**values)).rowcount:
        return False
    for start in range(0, len(settlement.gone), bulk.ROWS_A_STATEMENT_MAX):
        some = settlement.gone[start : start + bulk.ROWS_A_STATEMENT_MAX]
        gone = tuple_(*(webhook_rows.c[name] for name in _KEY)).in_([(before.id, position) for position in some])
        connection.execute(delete(webhook_rows).where(gone))
    _keep(connection, settlement.kept)
    return True


def prune(connection: Connection, *, before_ms: int, limit: int) -> int:
    """Walk the index on ages."""
    stored = webhook_rows.c
    found = connection.execute(
        select(stored.webhook, stored.position).where(stored.dead, stored.at_ms < before_ms).limit(limit)
    )
    old = [tuple(row) for row in found]
    if not old:
        return 0
    return connection.execute(delete(webhook_rows).where(tuple_(stored.webhook, stored.position).in_(old))).rowcount


def _keep(connection: Connection, rows: Sequence[WebhookRow]) -> None:
    if not rows:
        return
    new = bulk.own_insert(connection.dialect)(webhook_rows)
    changed = {column.name: column for column in new.excluded if column.name not in _KEY}
    keeping = new.on_conflict_do_update(index_elements=list(_KEY), set_=changed)
    connection.execute(keeping, [asdict(row) for row in rows])


def _one(connection: Connection, id_: str) -> Webhook | None:
    row = connection.execute(select(webhooks).where(webhooks.c.id == id_)).mappings().one_or_none()
    return None if row is None else _webhook(row)


def _values(webhook: Webhook) -> dict[str, object]:
    tickets = None if webhook.tickets is None else canonical.dumps(webhook.tickets)
    return asdict(webhook) | {"tickets": tickets, "types": canonical.dumps(webhook.types)}


def _webhook(row: RowMapping) -> Webhook:
    tickets = None if row["tickets"] is None else tuple(json.loads(row["tickets"]))
    types = tuple(EventType(name) for name in json.loads(row["types"]))
    return Webhook(**{**row, "tickets": tickets, "types": types, "paused": Paused(row["paused"])})


class WebhookQueries:
    """What a store on a SQL database does of the above, each in a transaction of its own."""

    _database: Database

    async def add_webhook(
        self, new: Webhook, *, department_max: int, total_max: int, result: NewResult | None = None
    ) -> bool:
        """Insert, unless there are enough."""
        work = partial(add, new=new, department_max=department_max, total_max=total_max, result=result)
        return await self._database.write(work)

    async def webhook(self, id_: str) -> Webhook | None:
        """Read by the primary key."""
        return await self._database.read(partial(_one, id_=id_))

    async def webhooks(self, department: Department | None = None) -> Sequence[Webhook]:
        """Read them all: there are some hundreds at most."""
        found = select(webhooks).order_by(webhooks.c.id)
        if department is not None:
            found = found.where(webhooks.c.department == department)
        return await self._database.read(
            lambda connection: [_webhook(row) for row in connection.execute(found).mappings()]
        )

    async def amend_webhook(
        self,
        id_: str,
        amend: Callable[[Webhook], Webhook],
        *,
        rows: Sequence[WebhookRow] = (),
        forget_after: Position | None = None,
    ) -> Webhook | None:
        """Replace the row."""
        work = partial(change, id_=id_, amend=amend, rows=rows, forget_after=forget_after)
        return await self._database.write(work)

    async def remove_webhook(self, id_: str) -> bool:
        """Delete by the primary keys."""
        return await self._database.write(partial(remove, id_=id_))

    async def webhook_rows(self, id_: str, *, dead: bool, after: int = 0, limit: int = 100) -> Sequence[WebhookRow]:
        """Walk the primary key."""
        stored = webhook_rows.c
        found = select(webhook_rows).where(stored.webhook == id_, stored.position > after, stored.dead.is_(dead))
        ordered = found.order_by(stored.position).limit(limit)
        return await self._database.read(
            lambda connection: [WebhookRow(**row) for row in connection.execute(ordered).mappings()]
        )

    async def lead_webhooks(self, owner: str, now_ms: int, until_ms: int) -> bool:
        """Write the one row."""
        return await self._database.write(partial(lead, owner=owner, now_ms=now_ms, until_ms=until_ms))

    async def settle_webhooks(self, settlements: Sequence[Settlement]) -> Sequence[bool]:
        """Write what changed."""
        return await self._database.write(partial(settle, settlements=settlements))

    async def prune_webhook_rows(self, before_ms: int, *, limit: int = 1000) -> int:
        """Read first: in almost all cases nothing is old."""
        return await self._database.write(partial(prune, before_ms=before_ms, limit=limit))

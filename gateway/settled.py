"""What becomes of rows that do not wait: listed and replayed if they are set aside, and forgotten when they are old.

Statements on a connection of the inbox; it begins and commits nothing. Rows stand in the order of their arrival, so
what is old is found from the front, a few at a time, and a commit for a platform never waits long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, tuple_, update

from gateway.tables import FULL, WAITING, inbox, inbox_key, media_held, media_wanted, reply

_PAGE_ROWS = 500  # some milliseconds of the write lock


@dataclass(frozen=True, slots=True)
class Dead:
    """A callback that is set aside, and why. `spec` names the text by which it was read, where its channel has one."""

    id: int
    account: str
    received_at_ms: int
    code: str
    raw: bytes
    spec: str | None = None


def dead(connection: Connection, *, limit: int, code: str | None) -> list[Dead]:
    """Return what is set aside, the oldest first; with a `code`, for this reason."""
    columns = [inbox.c[name] for name in Dead.__slots__]
    query = select(*columns).where(inbox.c.state == "dead").order_by(inbox.c.id).limit(limit)
    if code is not None:
        query = query.where(inbox.c.code == code)
    return [Dead(*row) for row in connection.execute(query)]


def replay(connection: Connection, *, ids: Sequence[int]) -> list[int]:
    """Have rows that are set aside wait again, due at once; return those of `ids` that are not set aside."""
    again = update(inbox).where(inbox.c.state == "dead")
    values = {"state": "received", "code": None, "attempts": 0, "next_attempt_ms": 0}
    return [id_ for id_ in ids if not connection.execute(again.where(inbox.c.id == id_).values(values)).rowcount]


def forget_bodies(connection: Connection, *, before_ms: int) -> bool:
    """Empty what was forwarded; its keys stay, by which a late retry is known."""
    old = select(inbox.c.id).where(FULL, inbox.c.received_at_ms < before_ms).order_by(inbox.c.received_at_ms)
    ids = old.limit(_PAGE_ROWS).scalar_subquery()
    return connection.execute(update(inbox).where(inbox.c.id.in_(ids)).values(raw=b"")).rowcount == _PAGE_ROWS


def forget_rows(connection: Connection, *, before_ms: int, after: int) -> int | None:
    """Remove what does not wait."""
    page = _page(connection, before_ms, after)
    ids = [row.id for row in page if row.state != "received"]
    keys = select(inbox_key.c.account, inbox_key.c.key).where(inbox_key.c.inbox_id.in_(ids))
    for table in (media_held, media_wanted):
        connection.execute(delete(table).where(tuple_(table.c.account, table.c.key).in_(keys)))
    connection.execute(delete(inbox_key).where(inbox_key.c.inbox_id.in_(ids)))
    connection.execute(delete(inbox).where(inbox.c.id.in_(ids), ~WAITING))
    return page[-1].id if page else None


def forget_replies(connection: Connection, *, before_ms: int) -> bool:
    """Remove how conversations are answered that have been silent."""
    keys = reply.c.account, reply.c.conversation
    old = select(*keys).where(reply.c.heard_ms < before_ms).order_by(reply.c.heard_ms).limit(_PAGE_ROWS)
    return connection.execute(delete(reply).where(tuple_(*keys).in_(old))).rowcount == _PAGE_ROWS


def _page(connection: Connection, before_ms: int, after: int) -> Sequence[Any]:
    query = select(inbox.c.id, inbox.c.received_at_ms, inbox.c.state).where(inbox.c.id > after)
    page = connection.execute(query.order_by(inbox.c.id).limit(_PAGE_ROWS)).all()
    return [row for row in page if row.received_at_ms < before_ms]

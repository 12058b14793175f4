"""What a visitor sees of a conversation: both directions in one sequence, kept beside the inbox.

Platforms keep their customers' history for us; for a web page nobody else does. An entry is appended by the
transaction that makes it true: a visitor's message with its row of the inbox, an answer before its delivery is
reported as sent. A key is appended once, however often it comes, for as long as its entry is kept. A sequence never
begins anew, not even after all of it was forgotten: an open page would take what follows for known.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects import sqlite

from gateway.inbox_file import InboxFile
from gateway.tables import visitor_forgotten, visitor_log

RETAINED = 200  # entries a conversation; who was away for longer is told to begin with the oldest of these
_PAGE = 50
_FORGOTTEN = 500  # entries at once: some milliseconds of the write lock

_forgotten = sqlite.insert(visitor_forgotten)
_REACHED = _forgotten.on_conflict_do_update(
    set_={"seq": func.max(visitor_forgotten.c.seq, _forgotten.excluded.seq)}, index_elements=["account", "conversation"]
)

_RANKS: Mapping[str, int] = {"": 0, "delivered": 1, "read": 2}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing said. `state` is what became of an answer: nothing yet, `delivered` or `read`."""

    seq: int
    key: str
    state: str
    content: str

    @property
    def fields(self) -> dict[str, Any]:
        """The content, as it was appended."""
        found: dict[str, Any] = json.loads(self.content)
        return found


@dataclass(frozen=True, slots=True)
class Extent:
    """Which entries there are: none if `last` is 0."""

    first: int
    last: int


class VisitorLog:
    """The logs of every visitor of one gateway."""

    def __init__(self, file: InboxFile) -> None:
        self._file = file

    async def append(self, account: str, conversation: str, key: str, content: str) -> None:
        """Return after the commit that holds the entry, or that held it before; raises `Unavailable`."""
        await self._file.change(lambda connection: append(connection, account, conversation, key, content))

    async def extent(self, account: str, conversation: str) -> Extent:
        """Which entries there are; raises `Unavailable`."""
        bounds = func.coalesce(func.min(visitor_log.c.seq), 0), func.coalesce(func.max(visitor_log.c.seq), 0)
        query = select(*bounds).where(*_of(account, conversation))
        return await self._file.read(lambda connection: Extent(*connection.execute(query).one()))

    async def after(self, account: str, conversation: str, seq: int) -> list[Entry]:
        """The next entries after a sequence number, at most a page of them; raises `Unavailable`."""
        query = _entries(account, conversation).where(visitor_log.c.seq > seq).order_by(visitor_log.c.seq).limit(_PAGE)
        return await self._file.read(lambda connection: [Entry(*row) for row in connection.execute(query)])

    async def entry(self, account: str, conversation: str, seq: int) -> Entry | None:
        """The one entry at this place, None if there is none; raises `Unavailable`."""
        query = _entries(account, conversation).where(visitor_log.c.seq == seq)
        found = await self._file.read(lambda connection: connection.execute(query).one_or_none())
        return Entry(*found) if found is not None else None

    async def seq_of(self, account: str, key: str) -> int:
        """Where the entry of a key stands, 0 if it is not retained any more; raises `Unavailable`."""
        query = select(visitor_log.c.seq).where(visitor_log.c.account == account, visitor_log.c.key == key)
        return await self._file.read(lambda connection: connection.scalar(query)) or 0

    async def unseen(self, account: str, conversation: str, seq: int, state: str) -> list[Entry]:
        """The answers up to `seq` of which less than `state` is known; raises `Unavailable`."""
        less = [known for known, rank in _RANKS.items() if rank < _RANKS[state]]
        query = _entries(account, conversation).where(
            visitor_log.c.seq <= seq, visitor_log.c.author == "agent", visitor_log.c.state.in_(less)
        )
        return await self._file.read(lambda connection: [Entry(*row) for row in connection.execute(query)])

    async def ended(self, account: str, conversation: str) -> Entry | None:
        """The end of the conversation, unless its visitor has said or rated something since; raises `Unavailable`."""
        others = _entries(account, conversation).where(visitor_log.c.author != "agent")
        query = others.order_by(visitor_log.c.seq.desc()).limit(1)
        found = await self._file.read(lambda connection: connection.execute(query).one_or_none())
        newest = Entry(*found) if found is not None else None
        return newest if newest is not None and newest.fields.get("event") == "ended" else None

    async def mark(self, account: str, conversation: str, entries: Iterable[Entry], state: str) -> None:
        """Note what became of answers; raises `Unavailable`."""
        seqs = [entry.seq for entry in entries]
        statement = update(visitor_log).where(*_of(account, conversation), visitor_log.c.seq.in_(seqs))
        await self._file.change(lambda connection: connection.execute(statement.values(state=state)))

    async def forget(self, before_ms: int) -> bool:
        """Forget some entries that are older; return whether there may be more. Raises `Unavailable`."""
        keys = visitor_log.c.account, visitor_log.c.conversation, visitor_log.c.seq
        old = select(*keys).where(visitor_log.c.at_ms < before_ms).order_by(visitor_log.c.at_ms).limit(_FORGOTTEN)

        def change(connection: Connection) -> int:
            rows = connection.execute(old).all()
            if rows:
                connection.execute(_REACHED, [row._asdict() for row in rows])
                connection.execute(delete(visitor_log).where(tuple_(*keys).in_(rows)))
            return len(rows)

        return await self._file.change(change) == _FORGOTTEN


def append(connection: Connection, account: str, conversation: str, key: str, content: str) -> None:
    """Append an entry unless its key is there, and drop what is retained no longer; a part of a transaction."""
    known = select(visitor_log.c.seq).where(visitor_log.c.account == account, visitor_log.c.key == key)
    if connection.scalar(known) is not None:
        return
    last = connection.scalar(select(func.max(visitor_log.c.seq)).where(*_of(account, conversation)))
    if last is None:
        forgotten = visitor_forgotten.c.account == account, visitor_forgotten.c.conversation == conversation
        last = connection.scalar(select(visitor_forgotten.c.seq).where(*forgotten)) or 0
    row = {"account": account, "conversation": conversation, "seq": last + 1, "key": key, "content": content}
    fields = json.loads(content)
    connection.execute(insert(visitor_log).values(author=fields["from"], state="", at_ms=fields["at"], **row))
    old = visitor_log.c.seq <= last + 1 - RETAINED
    connection.execute(delete(visitor_log).where(*_of(account, conversation), old))


def _of(account: str, conversation: str) -> tuple[Any, Any]:
    return visitor_log.c.account == account, visitor_log.c.conversation == conversation


def _entries(account: str, conversation: str) -> Any:  # noqa: ANN401 - SQLAlchemy's own type of it has no name
    return select(*(visitor_log.c[name] for name in Entry.__slots__)).where(*_of(account, conversation))

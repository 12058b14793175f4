"""Users and the sessions of browsers as statements on a connection. It begins and commits nothing."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from crdt_sync.adapters.storage import bulk, service_position
from crdt_sync.adapters.storage.database import Database
from crdt_sync.adapters.storage.user_tables import browser_sessions, users
from crdt_sync.domain import canonical
from crdt_sync.domain.ids import ActorId
from crdt_sync.ports.users import BrowserSession, User


def add_user(connection: Connection, *, user: User) -> bool:
    """Insert, unless the name is there."""
    new = bulk.own_insert(connection.dialect)(users).values(**_row(user))
    return bool(connection.execute(new.on_conflict_do_nothing()).rowcount)


def amend_user(connection: Connection, *, name: ActorId, amend: Callable[[User], User]) -> User | None:
    """Read and write under the lock of commits, so that of two who amend one user neither is forgotten."""
    service_position.touch(connection)
    row = connection.execute(select(users).where(users.c.name == name)).mappings().one_or_none()
    if row is None:
        return None
    amended = amend(_user(row))
    connection.execute(update(users).where(users.c.name == name).values(**_row(amended)))
    return amended


def begin_session(connection: Connection, *, session: BrowserSession, forget_before_ms: int) -> None:
    """Insert, and delete by the index on ends."""
    connection.execute(delete(browser_sessions).where(browser_sessions.c.expires_ms < forget_before_ms))
    connection.execute(insert(browser_sessions).values(**_row(session)))


def end_session(connection: Connection, *, digest: str, at_ms: int) -> None:
    """Write the moment where there is none."""
    stored = browser_sessions.c
    open_ = (stored.digest == digest) & stored.ended_ms.is_(None)
    connection.execute(update(browser_sessions).where(open_).values(ended_ms=at_ms))


def _row(kept: User | BrowserSession) -> dict[str, object]:
    return asdict(kept) | {"roles": canonical.dumps(kept.roles)}


def _user(row: RowMapping) -> User:
    return User(**{**row, "roles": tuple(json.loads(row["roles"]))})


def _session(row: RowMapping) -> BrowserSession:
    return BrowserSession(**{**row, "roles": tuple(json.loads(row["roles"]))})


class UserQueries:
    """What a store on a SQL database does of the above, each in a transaction of its own."""

    _database: Database

    async def add_user(self, user: User) -> bool:
        """Insert, unless the name is there."""
        return await self._database.write(partial(add_user, user=user))

    async def user(self, name: ActorId) -> User | None:
        """Read by the primary key."""
        found = select(users).where(users.c.name == name)
        row = await self._database.read(lambda connection: connection.execute(found).mappings().one_or_none())
        return None if row is None else _user(row)

    async def users(self) -> Sequence[User]:
        """Read them all: a firm's people."""
        found = select(users).order_by(users.c.name)
        return await self._database.read(
            lambda connection: [_user(row) for row in connection.execute(found).mappings()]
        )

    async def amend_user(self, name: ActorId, amend: Callable[[User], User]) -> User | None:
        """Replace the user's row."""
        return await self._database.write(partial(amend_user, name=name, amend=amend))

    async def begin_session(self, session: BrowserSession, *, forget_before_ms: int) -> None:
        """Insert, and delete what is old."""
        await self._database.write(partial(begin_session, session=session, forget_before_ms=forget_before_ms))

    async def session(self, digest: str) -> BrowserSession | None:
        """Read by the primary key."""
        found = select(browser_sessions).where(browser_sessions.c.digest == digest)
        row = await self._database.read(lambda connection: connection.execute(found).mappings().one_or_none())
        return None if row is None else _session(row)

    async def end_session(self, digest: str, at_ms: int) -> None:
        """Write the moment."""
        await self._database.write(partial(end_session, digest=digest, at_ms=at_ms))

    async def sessions(self, actor: ActorId | None = None, *, limit: int = 100) -> Sequence[BrowserSession]:
        """Walk the index on beginnings backwards."""
        stored = browser_sessions.c
        found = select(browser_sessions).order_by(stored.began_ms.desc(), stored.digest).limit(limit)
        if actor is not None:
            found = found.where(stored.actor == actor)
        return await self._database.read(
            lambda connection: [_session(row) for row in connection.execute(found).mappings()]
        )

"""People who sign in, in dictionaries: the memory store's part of `ports.users`."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from crdt_sync.adapters.storage.memory_outbox import MemoryOutbox
from crdt_sync.domain.ids import ActorId
from crdt_sync.ports.users import BrowserSession, User


class MemoryUsers(MemoryOutbox):
    """Users by name, sessions by digest."""

    def __init__(self) -> None:
        super().__init__()
        self._users: dict[ActorId, User] = {}
        self._sessions: dict[str, BrowserSession] = {}

    async def add_user(self, user: User) -> bool:
        """Keep the first."""
        self._check_open()
        return self._users.setdefault(user.name, user) is user

    async def user(self, name: ActorId) -> User | None:
        """Find it by its name."""
        self._check_open()
        return self._users.get(name)

    async def users(self) -> Sequence[User]:
        """Sort every name."""
        self._check_open()
        return [self._users[name] for name in sorted(self._users)]

    async def amend_user(self, name: ActorId, amend: Callable[[User], User]) -> User | None:
        """Replace it."""
        self._check_open()
        if name not in self._users:
            return None
        amended = self._users[name] = amend(self._users[name])
        return amended

    async def begin_session(self, session: BrowserSession, *, forget_before_ms: int) -> None:
        """Keep it, and look through all others."""
        self._check_open()
        self._sessions = {
            digest: kept for digest, kept in self._sessions.items() if kept.expires_ms >= forget_before_ms
        }
        self._sessions[session.digest] = session

    async def session(self, digest: str) -> BrowserSession | None:
        """Find it by its digest."""
        self._check_open()
        return self._sessions.get(digest)

    async def end_session(self, digest: str, at_ms: int) -> None:
        """Note the moment where there is none."""
        self._check_open()
        found = self._sessions.get(digest)
        if found is not None and found.ended_ms is None:
            self._sessions[digest] = replace(found, ended_ms=at_ms)

    async def sessions(self, actor: ActorId | None = None, *, limit: int = 100) -> Sequence[BrowserSession]:
        """Sort them all."""
        self._check_open()
        found = [kept for kept in self._sessions.values() if actor in {None, kept.actor}]
        return sorted(found, key=lambda kept: (-kept.began_ms, kept.digest))[:limit]

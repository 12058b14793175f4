"""What is kept of people who sign in, as contracts: local users, and the sessions of browsers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from crdt_sync.domain.ids import ActorId, Department, Role


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who signs in here with a password. Only its hash is kept, whose text says how it was made."""

    name: ActorId
    department: Department
    roles: tuple[Role, ...]
    password_hash: str
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """One sign-in of one browser. `digest` is the SHA-256 of what its cookie holds, which nobody can be told again.

    `way` says how: `password`, `development`, or the name of a provider. `source` stands for an address and does not
    say it. `ended_ms` is when it was signed out, None if it was not; it lasts until `expires_ms` at the latest.
    """

    digest: str
    actor: ActorId
    department: Department
    roles: tuple[Role, ...]
    way: str
    source: str
    began_ms: int
    expires_ms: int
    ended_ms: int | None = None


class UserStore(Protocol):
    """The part of the store that knows who may sign in, and who has. Every method raises `StoreUnavailable`."""

    async def add_user(self, user: User) -> bool:
        """Keep a new user; False, and nothing changed, if there is one of that name."""
        ...

    async def user(self, name: ActorId) -> User | None:
        """Return a user."""
        ...

    async def users(self) -> Sequence[User]:
        """Return all of them by their names."""
        ...

    async def amend_user(self, name: ActorId, amend: Callable[[User], User]) -> User | None:
        """Keep what `amend` makes of a user, both in one transaction, and return it; None if there is no such user.

        `amend` may run in another thread.
        """
        ...

    async def begin_session(self, session: BrowserSession, *, forget_before_ms: int) -> None:
        """Keep a new session, and forget those that expired before a moment."""
        ...

    async def session(self, digest: str) -> BrowserSession | None:
        """Return a session, ended ones included."""
        ...

    async def end_session(self, digest: str, at_ms: int) -> None:
        """Note that a session was signed out; the first time counts."""
        ...

    async def sessions(self, actor: ActorId | None = None, *, limit: int = 100) -> Sequence[BrowserSession]:
        """Return sessions that are kept, the newest first; one actor's, or all."""
        ...

"""People sign in: a password or somebody else's word for them becomes the session of a browser. Signs no token.

What is taken from a person ends the sessions as well: they count as issued when they began, see `Restriction`.
"""

import asyncio
import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from crdt_sync.domain.access import Principal
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import ActorId, Department, Role
from crdt_sync.errors import Unauthenticated
from crdt_sync.ports import Clock, Ids
from crdt_sync.ports.meter import Meter
from crdt_sync.ports.users import BrowserSession, User, UserStore
from crdt_sync.service.leases import Leases

PASSWORD = "password"  # noqa: S105 (the name of a way)
DEVELOPMENT = "development"
HASHES_AT_ONCE = 2  # of 64 MiB each
KEPT_MS = 90 * 86_400_000  # how long it is known who signed in


class Passwords(Protocol):
    """Hashes passwords and compares them. Each call takes its time: call it in a thread."""

    def hash(self, password: str) -> str:
        """Return what may be kept."""
        ...

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Tell whether it is the password of the hash; the same work is done where there is none (None)."""
        ...

    def is_dated(self, password_hash: str) -> bool:
        """Tell whether the hash was made with other parameters than those of today."""
        ...


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that lasts, and who that is: `granted` as the session says it, `principal` with what is left of it."""

    session: BrowserSession
    granted: Principal
    principal: Principal


class SignIn:
    """Proves who people are, and keeps their sessions. `session_ms` is how long one lasts."""

    def __init__(
        self,
        *,
        store: UserStore,
        passwords: Passwords,
        leases: Leases,
        clock: Clock,
        ids: Ids,
        meter: Meter,
        session_ms: int,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._leases = leases
        self._clock = clock
        self._ids = ids
        self._meter = meter
        self._session_ms = session_ms
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)

    async def user(self, name: str) -> User | None:
        """Return the user of a name as somebody typed it."""
        return await self._store.user(ActorId(name))

    async def has_users(self) -> bool:
        """Tell whether anybody signs in with a password."""
        return bool(await self._store.users())

    async def prove(self, user: User | None, password: str) -> Principal:
        """See that the password is the user's. For nobody (None) the work and the answer are those of a wrong one.

        Raises:
            Unauthenticated: it is not (`password_wrong`), or the user is disabled (`user_disabled`).

        """
        known = user.password_hash if user is not None else None
        typed = as_typed(password)
        async with self._hashing:
            matches = await asyncio.to_thread(self._passwords.matches, known, typed)
        if user is None or not matches:
            raise Unauthenticated("The name or the password is wrong.", code="password_wrong", advice="Try again.")
        if user.disabled:
            raise _disabled()
        if self._passwords.is_dated(user.password_hash):
            await self._renew_hash(user, typed)
        return Principal(user.name, user.department, user.roles)

    async def begin(self, principal: Principal, way: str, source: str) -> tuple[str, SignedIn]:
        """Begin a session for somebody who was proven; return what the browser's cookie holds. `source` is a digest.

        Raises:
            Unauthenticated: an operator has taken everything from this person.

        """
        now_ms = self._clock.now_ms()
        secret = self._ids.salt() + self._ids.salt()
        session = BrowserSession(
            digest=_digest(secret),
            actor=principal.actor,
            department=principal.department,
            roles=tuple(principal.roles),
            way=way,
            source=source,
            began_ms=now_ms,
            expires_ms=now_ms + self._session_ms,
        )
        await self._leases.follow()
        signed_in = self._judged(session)
        await self._store.begin_session(session, forget_before_ms=now_ms - KEPT_MS)
        self._meter.signed_in(way)
        return secret, signed_in

    async def current(self, secret: str) -> SignedIn:
        """Return the session of a cookie, with what its person may do by now.

        Raises:
            Unauthenticated: there is none that lasts (`signed_out`), or its person may not come in any more.

        """
        session = await self._store.session(_digest(secret))
        if session is None or session.ended_ms is not None or session.expires_ms <= self._clock.now_ms():
            raise Unauthenticated("Nobody is signed in here.", code="signed_out", advice="Sign in.")
        if session.way == PASSWORD:
            user = await self._store.user(session.actor)
            if user is None or user.disabled:
                raise _disabled()
            session = replace(session, department=user.department, roles=user.roles)
        await self._leases.follow()  # a token that is signed now counts as issued now, whatever was taken before
        return self._judged(session)

    async def end(self, secret: str) -> None:
        """End the session of a cookie, if there is one."""
        await self._store.end_session(_digest(secret), self._clock.now_ms())

    def _judged(self, session: BrowserSession) -> SignedIn:
        granted = Principal(session.actor, session.department, session.roles)
        identity = self._leases.check(Identity(granted, session.expires_ms, issued_at_ms=session.began_ms))
        return SignedIn(session, granted, identity.principal)

    async def _renew_hash(self, user: User, password: str) -> None:
        """Hash it anew with the parameters of today, unless the password was changed meanwhile."""
        async with self._hashing:
            fresh = await asyncio.to_thread(self._passwords.hash, password)
        await self._store.amend_user(
            user.name,
            lambda stored: (
                replace(stored, password_hash=fresh) if stored.password_hash == user.password_hash else stored
            ),
        )


def as_typed(password: str) -> str:
    """Return a password in one form, whatever keyboard it came from (RFC 8265, section 4.2: spaces, then NFC)."""
    spaced = "".join(" " if unicodedata.category(each) == "Zs" else each for each in password)
    return unicodedata.normalize("NFC", spaced)


def every_role(department: Department, roles: Sequence[Role]) -> tuple[Role, ...]:
    """Return a member's roles: the department's own, which every member holds, and these."""
    return tuple(dict.fromkeys((Role(department), *roles)))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _disabled() -> Unauthenticated:
    return Unauthenticated("This user is disabled.", code="user_disabled", advice="Ask whoever runs the service.")

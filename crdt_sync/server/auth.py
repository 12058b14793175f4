"""Who is calling: tokens into principals. Decides nothing about what a principal may do (`crdt_sync.domain.access`).

A token is a JWT with `sub`, `department`, `roles`, `exp`, optionally `tickets` and a gateway's `accounts`. It is signed
with the local development key (`crdt_sync.server.keys`) or by the issuer behind `jwks_url`, never by either at choice;
or by this service after a sign-in, with a key of its own.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Protocol

import jwt
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from crdt_sync.domain.access import Principal
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import ID_PATTERN, NAME_PATTERN, ActorId, Department, Role, TicketId
from crdt_sync.errors import Forbidden, Malformed, Unauthenticated
from crdt_sync.ports import Clock
from crdt_sync.server.addresses import is_loopback
from crdt_sync.service.standing import Standing
from crdt_sync.wire import limits

ROLES_MAX = 16
TICKETS_MAX = 100  # a token for a few tickets, such as a subcontractor's
ACCOUNTS_MAX = 64
SECONDS_MAX = 253_402_300_799  # the year 9999, so that times stay times
CLOCK_SKEW_S = 30  # an issuer's clock may be ahead of ours; it delays `nbf` and prolongs nothing

_FORWARDED = re.compile(r"forwarded|x-forwarded-.+|x-real-ip|via")
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::[0-9]+)?")
_COMPACT = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}")  # RFC 7515, unpadded: PyJWT takes any padding
_PRINTABLE = r"^[\x20-\x7e]+$"

Actor = Annotated[str, StringConstraints(pattern=_PRINTABLE, max_length=128)]
Name = Annotated[str, StringConstraints(pattern=f"^{NAME_PATTERN.pattern}$", max_length=64)]
TicketName = Annotated[str, StringConstraints(pattern=f"^{ID_PATTERN.pattern}$")]


class Claims(BaseModel):
    """What a token must say; other claims are not ours and are not read."""

    model_config = ConfigDict(strict=True, extra="ignore")

    sub: Actor
    department: Name
    roles: Annotated[list[Name], Field(max_length=ROLES_MAX)]
    exp: Annotated[int, Field(gt=0, le=SECONDS_MAX)]
    nbf: int = 0
    iat: Annotated[float, Field(ge=0, le=SECONDS_MAX)] = 0
    tickets: Annotated[list[TicketName], Field(max_length=TICKETS_MAX)] | None = None
    accounts: Annotated[list[Actor], Field(max_length=ACCOUNTS_MAX)] = []


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key and the one algorithm that it verifies: a token does not choose it. `id` is a digest of the key.

    What was signed `here`, after a sign-in, names no issuer and no audience.
    """

    key: Any  # PyJWT takes bytes for HS256 and a key object of `cryptography` for the others
    algorithm: str
    id: str = ""
    here: bool = False


class Keys(Protocol):
    """Where verification keys come from."""

    async def find(self, key_id: str | None) -> VerificationKey:
        """Return the key of that id.

        Raises:
            Unauthenticated: there is none.
            Unavailable: the issuer cannot be asked.

        """
        ...

    async def known(self) -> frozenset[str]:
        """Return the `id` of every key that is good now.

        Raises:
            Unavailable: the issuer cannot be asked.

        """
        ...


class Authenticator(Protocol):
    """Turns what a caller presents into who it is."""

    async def authenticate(self, token: str | None, headers: Mapping[str, str]) -> Identity:
        """Return who presents `token`; `headers` have lowercase names.

        Raises:
            Unauthenticated: no token where one is needed, or one that is wrong or expired.
            Forbidden: the request may not come this way at all.
            Unavailable: the issuer cannot be asked.

        """
        ...


class TokenAuthenticator:
    """`auth=jwt`: everybody has a token."""

    def __init__(self, keys: Keys, clock: Clock, *, issuer: str | None = None, audience: str | None = None) -> None:
        self._keys = keys
        self._clock = clock
        self._issuer = issuer
        self._audience = audience

    async def authenticate(self, token: str | None, headers: Mapping[str, str]) -> Identity:  # noqa: ARG002 (the port's)
        """Verify the token; whatever is wrong with its form or its signature has one answer."""
        if not token:
            raise Unauthenticated("A token is needed.", code="token_missing", advice="Send Authorization: Bearer.")
        if len(token) > limits.TOKEN_BYTES_MAX:
            raise _wrong("The token is too long.")
        if not _COMPACT.fullmatch(token):
            raise _wrong("The token is not valid.")
        try:
            key = await self._keys.find(_key_id(token))
            payload = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm],
                issuer=None if key.here else self._issuer,
                audience=None if key.here else self._audience,
                # Times are read from the clock port below, so that one clock decides everywhere.
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "require": self._required(key)},
            )
            claims = Claims.model_validate(payload)
        except (jwt.PyJWTError, ValidationError, UnicodeError) as error:
            raise _wrong("The token is not valid.") from error
        return self._identity(claims, key.id)

    def _required(self, key: VerificationKey) -> list[str]:
        chosen = {} if key.here else {"iss": self._issuer, "aud": self._audience}
        return ["exp", "sub", *(name for name, value in chosen.items() if value is not None)]

    def _identity(self, claims: Claims, key: str) -> Identity:
        now_s = self._clock.now_ms() / 1000
        if claims.exp <= now_s:
            raise Unauthenticated("The token has expired.", code="token_expired", advice="Sign in again.")
        if claims.nbf > now_s + CLOCK_SKEW_S:
            raise _wrong("The token is not valid yet.")
        principal = Principal(
            actor=ActorId(claims.sub),
            department=Department(claims.department),
            roles=tuple(Role(role) for role in claims.roles),
            tickets=None if claims.tickets is None else tuple(TicketId(ticket) for ticket in claims.tickets),
            accounts=tuple(claims.accounts),
        )
        return Identity(principal, claims.exp * 1000, issued_at_ms=round(claims.iat * 1000), key=key)


class StandingAuthenticator:
    """Another authenticator, and what operators have taken from people since their tokens were signed."""

    def __init__(self, tokens: Authenticator, standing: Standing) -> None:
        self._tokens = tokens
        self._standing = standing

    async def authenticate(self, token: str | None, headers: Mapping[str, str]) -> Identity:
        """Verify the token, then see what is left to its holder."""
        return self._standing.judge(await self._tokens.authenticate(token, headers))


class NoAuthenticator:
    """`auth=none`: everybody on this machine is the same stranger, who may use open documents and no ticket."""

    STRANGER = Principal(actor=ActorId("anonymous"), department=Department(""), tickets=())

    async def authenticate(self, token: str | None, headers: Mapping[str, str]) -> Identity:  # noqa: ARG002 (the port's)
        """Take anybody who called this machine by an address of its own.

        A proxy brings callers of other machines; a page whose own name points here (DNS rebinding) is one of them.
        """
        if came_from_elsewhere(headers):
            raise Forbidden(
                "Without tokens the service serves its own machine only, not a proxy.",
                code="forwarded",
                advice="Run with CRDT_SYNC_AUTH=jwt behind a proxy.",
            )
        return Identity(self.STRANGER, None)


def came_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Tell whether headers, in lowercase, show that a request was passed on, or asked for another machine's name."""
    host = _HOST.fullmatch(headers.get("host", "localhost"))
    return any(_FORWARDED.fullmatch(name) for name in headers) or not host or not is_loopback(host[1] or host[2])


def issue(
    key: VerificationKey,
    *,
    actor: str,
    department: str,
    roles: Sequence[str],
    expires_at_ms: int,
    issued_at_ms: int = 0,
    tickets: Sequence[str] | None = None,
    accounts: Sequence[str] = (),
) -> str:
    """Sign a token with the development key.

    Raises:
        Malformed: a claim would be refused by the service.

    """
    claims: dict[str, Any] = {
        "sub": actor,
        "department": department,
        "roles": list(roles),
        "exp": expires_at_ms // 1000,
        **({"iat": issued_at_ms / 1000} if issued_at_ms else {}),
        **({} if tickets is None else {"tickets": list(tickets)}),
        **({"accounts": list(accounts)} if accounts else {}),
    }
    try:
        Claims.model_validate(claims)
    except ValidationError as error:
        wrong = "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
        raise Malformed(f"No such token can be: {wrong}.", code="claims") from error
    return jwt.encode(claims, key.key, algorithm=key.algorithm, headers={"kid": key.id} if key.id else None)


def vouching(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers that `authenticate` looks at, in a mapping that all who sent the same share."""
    return _shared(tuple((name, value) for name, value in headers.items() if name == "host" or _FORWARDED.match(name)))


@lru_cache(maxsize=1024)
def _shared(headers: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    return MappingProxyType(dict(headers))


def bearer(header: str | None) -> str | None:
    """Return the token of an `Authorization` header, None if there is no header.

    Raises:
        Unauthenticated: the header is of another scheme.

    """
    if header is None:
        return None
    scheme, _, token = header.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _wrong("The Authorization header is not a bearer token.")
    return token.strip()


def shown_token(header: str | None, in_address: str | None) -> str | None:
    """Return the token that a handshake shows, for whoever counts handshakes: None also for what `bearer` refuses."""
    try:
        return bearer(header) or in_address
    except Unauthenticated:
        return None


def _key_id(token: str) -> str | None:
    key_id = jwt.get_unverified_header(token).get("kid")
    return key_id if isinstance(key_id, str) else None


def _wrong(message: str) -> Unauthenticated:
    return Unauthenticated(message, code="token_invalid", advice="Get a new token from whoever issued this one.")

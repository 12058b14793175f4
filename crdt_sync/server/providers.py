"""Identity providers as the routes see them: where a browser is sent, and what comes back with it. Keeps no session."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import httpx
import jwt

from crdt_sync.domain.access import Principal
from crdt_sync.domain.ids import ActorId, Department, Role
from crdt_sync.errors import Forbidden, Unauthenticated, Unavailable
from crdt_sync.server.provider_settings import Rule
from crdt_sync.service.sign_in import every_role

_ACTOR = re.compile(r"[\x21-\x7e]{1,128}")
ANSWER_BYTES_MAX = 256 * 1024
TIMEOUT_S = 10.0  # a person waits


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that a browser has begun: what it must bring back, and where it goes then."""

    provider: str
    redirect_uri: str
    state: str
    nonce: str
    verifier: str
    next: str
    expires_ms: int

    def signed(self, key: bytes) -> str:
        """Return it for the browser's keeping."""
        return jwt.encode(asdict(self), key, algorithm="HS256")

    @classmethod
    def read(cls, text: str, key: bytes) -> "Pending":
        """Return what was signed.

        Raises:
            Unauthenticated: it was not signed with this key.

        """
        try:
            return cls(**jwt.decode(text, key, algorithms=["HS256"]))
        except (jwt.PyJWTError, TypeError, UnicodeError) as error:
            raise not_begun() from error


class Provider(Protocol):
    """Somebody who vouches for people."""

    async def address(self, pending: Pending) -> str:
        """Return where the browser is sent.

        Raises:
            Unavailable: the provider cannot be asked.

        """
        ...

    async def vouch(self, code: str, pending: Pending) -> Mapping[str, object]:
        """Return what the provider says of whoever came back with this code; `sub` names the person for ever.

        Raises:
            Unauthenticated: it does not vouch, or not for us, or not now.
            Unavailable: it cannot be asked.

        """
        ...


def admit(provider: str, rules: Sequence[Rule], claims: Mapping[str, object]) -> Principal:
    """Return who somebody is here, by the first rule that fits.

    Raises:
        Forbidden: none does.
        Unauthenticated: the provider's name for them cannot be one here.

    """
    for rule in rules:
        said = claims.get(rule.claim)
        among = said if isinstance(said, list) else [said]
        if any(type(each) is type(rule.value) and each == rule.value for each in among):
            roles = every_role(Department(rule.department), [Role(role) for role in rule.roles])
            actor = f"{provider}:{claims['sub']}"
            if not _ACTOR.fullmatch(actor):
                raise refused("its name for you is none that a token can hold")
            return Principal(ActorId(actor), Department(rule.department), roles)
    raise Forbidden("You have no place here.", code="not_admitted", advice="Ask whoever runs the service.")


async def ask(client: httpx.AsyncClient, method: str, url: str, **request: Any) -> tuple[int, Mapping[str, Any]]:  # noqa: ANN401 (what httpx takes)
    """Make a call of a provider's, and return its status and its JSON object.

    Raises:
        Unavailable: it does not answer so.

    """
    body = bytearray()
    try:
        async with client.stream(method, url, timeout=TIMEOUT_S, **request) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > ANSWER_BYTES_MAX:
                    raise unreachable()
        answer = json.loads(body)
    except (httpx.HTTPError, ValueError, RecursionError) as error:
        raise unreachable() from error
    if response.status_code >= 500 or not isinstance(answer, dict):
        raise unreachable()
    return response.status_code, answer


def unreachable() -> Unavailable:
    """Say that a provider cannot be asked."""
    return Unavailable("The provider cannot be asked now.", code="provider_unreachable", advice="Try again shortly.")


def refused(why: str) -> Unauthenticated:
    """Say that a provider does not vouch for somebody."""
    return Unauthenticated(f"The provider does not vouch for you: {why}.", code="provider_refused", advice="Try again.")


def not_begun() -> Unauthenticated:
    """Say that this browser has begun no such sign-in, or too long ago."""
    return Unauthenticated("This sign-in was not begun here.", code="sign_in_not_begun", advice="Begin again.")

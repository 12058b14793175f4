"""A person signs in with a browser, gets short tokens for its wires, and signs out. Proves nobody itself.

The browser keeps a secret in a cookie that scripts cannot read and other sites cannot send; only these routes read it.
For a token of a few minutes, which every other wire takes, the page asks here again and again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from crdt_sync.domain.access import Principal
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.instants import instant
from crdt_sync.domain.lifecycle.people import Person
from crdt_sync.errors import Forbidden, NotFound, Unauthenticated
from crdt_sync.server.auth import VerificationKey, came_from_elsewhere, issue
from crdt_sync.server.providers import Provider
from crdt_sync.server.requests import check_origin, source_of
from crdt_sync.service.sign_in import DEVELOPMENT, PASSWORD, SignedIn, SignIn

TOKEN_MS = 300_000  # a page that was left behind with a token keeps it for no longer
COOKIE = "crdt_sync_session"
SECURE_COOKIE = f"__Host-{COOKIE}"  # no other host and no page in the clear can set it
PASSWORD_CHARACTERS_MAX = 1_024

router = APIRouter(prefix="/api/session", tags=["session"])


@dataclass(frozen=True, slots=True)
class VouchedFor:
    """A provider, what its button says, and whom of its people it lets in."""

    provider: Provider
    label: Mapping[str, str]
    admit: Callable[[Mapping[str, object]], Principal]


@dataclass(frozen=True, slots=True)
class Sessions:
    """What these routes need. `people` are those whom anybody on this machine may enter as; none where that is off."""

    sign_in: SignIn
    key: VerificationKey
    digest: Callable[[str], str]  # of an address, for the record
    pending_key: bytes  # signs what a browser keeps while it is at a provider
    secret: Callable[[], str]  # draws one
    people: tuple[Person, ...] = ()
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # of their departments and roles
    providers: Mapping[str, VouchedFor] = field(default_factory=dict)
    origins: tuple[str, ...] = ()  # to which people come back from a provider


class PasswordBody(BaseModel):
    """A local user."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=PASSWORD_CHARACTERS_MAX)]


class DevelopmentBody(BaseModel):
    """One of the people whom `GET /api/session` lists under `development`."""

    model_config = ConfigDict(extra="forbid")

    development: Annotated[str, Field(max_length=128)]


def _sessions(request: Request) -> Sessions:
    found: Sessions | None = request.app.state.sessions
    if found is None:
        raise Forbidden("Nobody signs in to a service without tokens.", code="no_sign_in", advice="Use --auth jwt.")
    request.app.state.rate.arrive(source_of(request), None, "requests")
    return found


def _own_page(request: Request) -> None:
    """Take what this host's own pages send: pages of other origins that may open WebSockets have their own tokens."""
    check_origin(request, (), encrypted=is_secure(request))


SessionsPort = Annotated[Sessions, Depends(_sessions)]
router.dependencies.append(Depends(_own_page))


@router.get("")
async def show(request: Request, sessions: SessionsPort) -> Response:
    """Say who is signed in, null for nobody, and which ways there are to sign in."""
    try:
        signed_in = await _current(request, sessions)
    except Unauthenticated:
        signed_in = None
    people = await _development(request, sessions)
    ways = {
        "password": True,
        "development": [_listed(person, sessions.labels) for person in people],
        "providers": [
            {"name": name, "label": dict(way.label), "url": f"/api/session/providers/{name}"}
            for name, way in sessions.providers.items()
        ],
    }
    return JSONResponse({"session": None if signed_in is None else _told(signed_in), "ways": ways})


def _listed(person: Person, labels: Mapping[str, Mapping[str, str]]) -> dict[str, object]:
    """Return how a page shows somebody; a label is empty where the lifecycle has none."""
    return {
        "name": person.name,
        "department": person.department,
        "roles": list(person.roles),
        "role": person.role,
        "labels": {name: dict(labels.get(name, {})) for name in (person.department, person.role)},
    }


@router.post("")
async def begin(request: Request, body: PasswordBody | DevelopmentBody, sessions: SessionsPort) -> Response:
    """Sign in, and set the cookie."""
    if isinstance(body, DevelopmentBody):
        return await _enter(request, sessions, await _as_developer(request, body.development, sessions), DEVELOPMENT)
    rate, source, name = request.app.state.rate, source_of(request), body.name.strip().lower()
    rate.attempt(source, name)
    user = await sessions.sign_in.user(name)
    if user is not None:
        request.state.principal = Principal(user.name, user.department)  # for the record of refusals
    principal = await sessions.sign_in.prove(user, body.password)
    rate.succeeded(source, name)
    return await _enter(request, sessions, principal, PASSWORD)


@router.delete("", status_code=204)
async def end(request: Request, sessions: SessionsPort) -> Response:
    """Sign out: the session ends, and its cookie goes. Tokens that were given end within `TOKEN_MS`."""
    secret = _secret(request)
    if secret is not None:
        await sessions.sign_in.end(secret)
    answer = Response(status_code=204)
    answer.delete_cookie(_cookie(request), secure=is_secure(request), httponly=True, samesite="strict")
    return answer


@router.post("/token")
async def token(request: Request, sessions: SessionsPort) -> Response:
    """Return a token of a few minutes for the other wires."""
    now_ms = request.app.state.clock.now_ms()  # read first: what is taken from now on makes the token void
    signed_in = await _current(request, sessions)
    expires_ms = min(now_ms + TOKEN_MS, signed_in.session.expires_ms) // 1000 * 1000
    granted = signed_in.granted
    request.app.state.rate.enter(Identity(granted, expires_ms), None, "requests")
    signed = issue(
        sessions.key,
        actor=granted.actor,
        department=granted.department,
        roles=granted.roles,
        expires_at_ms=expires_ms,
        issued_at_ms=now_ms,
    )
    return JSONResponse({"token": signed, **_told(signed_in), "expires_at": instant(expires_ms)})


async def _enter(request: Request, sessions: Sessions, principal: Principal, way: str) -> Response:
    source = sessions.digest(source_of(request))
    secret, signed_in = await sessions.sign_in.begin(principal, way, source)
    answer = JSONResponse(_told(signed_in))
    set_cookie(request, answer, secret, signed_in)
    return answer


def set_cookie(request: Request, answer: Response, secret: str, signed_in: SignedIn) -> None:
    """Have the browser keep a session's secret for as long as the session lasts."""
    session = signed_in.session
    lasts_s = (session.expires_ms - session.began_ms) // 1000
    answer.set_cookie(
        _cookie(request), secret, max_age=lasts_s, secure=is_secure(request), httponly=True, samesite="strict"
    )


async def _current(request: Request, sessions: Sessions) -> SignedIn:
    secret = _secret(request)
    if secret is None:
        raise _signed_out()
    signed_in = await sessions.sign_in.current(secret)
    if signed_in.session.way == DEVELOPMENT and not await _development(request, sessions):
        raise _signed_out()  # it was for this machine alone, and until there are users
    return signed_in


def _signed_out() -> Unauthenticated:
    return Unauthenticated("Nobody is signed in here.", code="signed_out", advice="Sign in.")


async def _development(request: Request, sessions: Sessions) -> tuple[Person, ...]:
    """Return whom anybody may enter as: nobody behind a proxy, or once there are users with passwords."""
    if not sessions.people or came_from_elsewhere(request.headers) or await sessions.sign_in.has_users():
        return ()
    return sessions.people


async def _as_developer(request: Request, name: str, sessions: Sessions) -> Principal:
    people = await _development(request, sessions)
    if not people:
        raise Forbidden(
            "Nobody enters here without a password.",
            code="no_development",
            advice="That is for this machine alone, with the development key, and until there are users.",
        )
    for person in people:
        if person.name == name:
            return person.principal
    raise NotFound("There is nobody of this name.", code="unknown_person", advice="GET /api/session lists them.")


def _secret(request: Request) -> str | None:
    return request.cookies.get(_cookie(request))


def _cookie(request: Request) -> str:
    return SECURE_COOKIE if is_secure(request) else COOKIE


def is_secure(request: Request) -> bool:
    """Tell whether the browser's page came encrypted, as far as a believed proxy says."""
    return request.url.scheme == "https"


def _told(signed_in: SignedIn) -> Mapping[str, object]:
    principal = signed_in.principal
    return {
        "actor": principal.actor,
        "department": principal.department,
        "roles": list(principal.roles),
        "way": signed_in.session.way,
        "expires_at": instant(signed_in.session.expires_ms),
    }

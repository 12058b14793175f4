"""A browser goes to an identity provider and comes back. Each ends on a page: what went wrong stands in its address."""

import hmac
import re
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from crdt_sync.errors import Forbidden, NotFound, TicketSyncError, Unauthenticated, Unavailable
from crdt_sync.server.problems import note
from crdt_sync.server.providers import Pending, not_begun
from crdt_sync.server.requests import source_of
from crdt_sync.server.session_api import Sessions, SessionsPort, VouchedFor, is_secure, set_cookie

PENDING_COOKIE = "crdt_sync_sign_in"
SECURE_PENDING_COOKIE = f"__Host-{PENDING_COOKIE}"  # as that of the session
PENDING_S = 600  # time to find one's telephone
PATH = "/api/session/providers"
_PAGE = re.compile(r"/(console/[a-z0-9_/]{0,128}|board)?")  # of this service, and never another host's

router = APIRouter(prefix=PATH, tags=["session"])


@router.get("/{name}")
async def leave(
    request: Request, name: str, sessions: SessionsPort, next_: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    """Send the browser to a provider, or back with `?refused=` while that is away; `next` is where it comes back to."""
    way = _way(sessions, name)
    origin = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if origin not in sessions.origins:
        raise Forbidden(
            "People do not come back to this address.", code="redirect", advice="Add its origin to sign_in_origins."
        )
    pending = Pending(
        provider=name,
        redirect_uri=f"{origin}{PATH}/{name}/callback",
        state=sessions.secret(),
        nonce=sessions.secret(),
        verifier=sessions.secret(),
        next=next_ if _PAGE.fullmatch(next_) else "/",
        expires_ms=request.app.state.clock.now_ms() + PENDING_S * 1000,
    )
    try:
        address = await way.provider.address(pending)
    except Unavailable as error:
        return _refused(request, error)
    answer = RedirectResponse(address, 303)
    answer.set_cookie(
        _cookie(request),
        pending.signed(sessions.pending_key),
        max_age=PENDING_S,
        secure=is_secure(request),
        httponly=True,
        samesite="lax",  # it comes back from the provider's page
    )
    return answer


@router.get("/{name}/callback")
async def come_back(request: Request, name: str, sessions: SessionsPort) -> Response:
    """Sign in whoever comes back from a provider; else show the page with `?refused=` and the code."""
    try:
        answer = await _signed_in(request, name, sessions)
    except TicketSyncError as error:
        answer = _refused(request, error)
    answer.delete_cookie(_cookie(request), secure=is_secure(request), httponly=True, samesite="lax")
    return answer


def _cookie(request: Request) -> str:
    return SECURE_PENDING_COOKIE if is_secure(request) else PENDING_COOKIE


def _refused(request: Request, error: TicketSyncError) -> Response:
    note(request.scope, error.code)
    return RedirectResponse(f"/?refused={error.code}", 303)


async def _signed_in(request: Request, name: str, sessions: Sessions) -> Response:
    way, query = _way(sessions, name), request.query_params
    pending = Pending.read(request.cookies.get(_cookie(request), ""), sessions.pending_key)
    same = hmac.compare_digest(pending.state.encode(), query.get("state", "").encode())
    if not same or pending.provider != name or pending.expires_ms <= request.app.state.clock.now_ms():
        raise not_begun()
    code = query.get("code") or query.get("authCode")  # the second is DingTalk's
    if not code:
        raise Unauthenticated("The provider let nobody in.", code="provider_denied", advice="Try again.")
    principal = way.admit(await way.provider.vouch(code, pending))
    secret, signed_in = await sessions.sign_in.begin(principal, name, sessions.digest(source_of(request)))
    answer = RedirectResponse(pending.next, 303)
    set_cookie(request, answer, secret, signed_in)
    return answer


def _way(sessions: Sessions, name: str) -> VouchedFor:
    way = sessions.providers.get(name)
    if way is None:
        raise NotFound("There is no such provider.", code="unknown_provider", advice="GET /api/session lists them.")
    return way

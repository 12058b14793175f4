"""Errors as HTTP answers: every one is `application/problem+json` (RFC 9457) with the stable code of the error tree.

Nothing of a stack, a path on our disk or a store's words reaches a caller.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import assert_never

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from crdt_sync.errors import Malformed, NotFound, ServiceError, TicketSyncError, Unauthenticated, Unavailable
from crdt_sync.ports import StoreConflict, StoreUnavailable
from crdt_sync.server.handshake_rate import TooOften
from crdt_sync.service.audit import Asked, Audit
from crdt_sync.wire.status import status_of

MEDIA_TYPE = "application/problem+json"
DETAILS_MAX = 5  # of a body with a hundred wrong fields, the first few will do

_log = structlog.get_logger(__name__)


class Problem(JSONResponse):
    """A problem document, which notes the refusal when it is sent: every refusal of this wire is one."""

    media_type = MEDIA_TYPE

    def __init__(self, content: Mapping[str, object], status: int, headers: Mapping[str, str]) -> None:
        super().__init__(content, status, headers)
        self._code = str(content["code"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note it, then send it."""
        note(scope, self._code)
        await super().__call__(scope, receive, send)


def note(scope: Scope, code: str) -> None:
    """Have a refusal of this request counted and written down."""
    client, principal = scope.get("client") or ("",), scope.get("state", {}).get("principal")
    audit: Audit = scope["app"].state.audit
    method = scope.get("method", "GET")  # as that of a WebSocket's handshake
    audit.refused(Asked("http", f"{method} {scope['path']}", client[0], principal), code)


def as_ours(error: Exception) -> TicketSyncError:
    """Return the error of our tree that `error` is, as far as callers are concerned."""
    if isinstance(error, TicketSyncError):
        return error
    if isinstance(error, StoreUnavailable | StoreConflict):
        return Unavailable("The log cannot commit now.", advice="Try again with the same Idempotency-Key.")
    return ServiceError("The service made a mistake; it is logged.", advice="Try again; report it if it stays.")


def log_failure(event: str, error: Exception, **fields: object) -> None:
    """Log what went wrong here: in one line where something is away, and with its traceback where it is a mistake."""
    ours = as_ours(error)
    if isinstance(ours, Unavailable):
        _log.warning(event, code=ours.code, reason=repr(error), **fields)
    else:
        _log.error(event, code=ours.code, exc_info=error, **fields)


def problem(error: TicketSyncError, headers: Mapping[str, str] | None = None, *, status: int | None = None) -> Response:
    """Write an error of our tree as an answer; `headers` and `status` where its place knows better than its type."""
    told = {}
    if isinstance(error, Unauthenticated):
        told["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Unavailable):
        told["Retry-After"] = "1"
    if isinstance(error, TooOften):
        told["Retry-After"] = str(error.retry_after_s)
    return _answer(status or status_of(error).http, error.code, error.message, error.advice, told | dict(headers or {}))


def unknown_address() -> NotFound:
    """Say that there is nothing at an address."""
    return NotFound("There is nothing at this address.", code="unknown_route", advice="See /docs.")


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document, unknown routes and wrong bodies included."""
    for kind in (TicketSyncError, StoreUnavailable, StoreConflict, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _handle)


async def _handle(request: Request, error: Exception) -> Response:
    match error:
        case RequestValidationError():
            return problem(_wrong_request(error))
        case HTTPException():
            return _http(error)
        case Exception():
            ours = as_ours(error)
            if isinstance(ours, ServiceError):
                log_failure("request failed", error, path=request.url.path)
            return problem(ours)
        case _:
            assert_never(error)


def _http(error: HTTPException) -> Response:
    """Write what the framework refused by itself: unknown routes, wrong methods, bodies that are not JSON."""
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.NOT_FOUND:
        return problem(unknown_address())
    return _answer(status, status.name.lower(), f"{status.phrase}.", "See /docs.", error.headers or {})


def _wrong_request(error: RequestValidationError) -> Malformed:
    """Name the fields that are wrong, never what was in them."""
    each = [f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}" for wrong in error.errors()[:DETAILS_MAX]]
    return Malformed(f"The request does not fit: {'; '.join(each)}.", advice="See /docs for its form.")


def _answer(status: int, code: str, detail: str, advice: str, headers: Mapping[str, str]) -> Response:
    content = {
        "type": f"urn:crdt-sync:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "code": code,
        "detail": detail,
        "advice": advice,
    }
    return Problem(content, status, headers)

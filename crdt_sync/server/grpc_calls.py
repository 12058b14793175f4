"""What all gRPC calls have in common: who is calling, how long a call may take, and errors with their stable code."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import unquote

import grpc
import structlog

from crdt_sync.domain.access import Principal
from crdt_sync.domain.identity import Identity
from crdt_sync.errors import ServiceError, TicketSyncError, Unavailable
from crdt_sync.rpc.status import abort
from crdt_sync.server.auth import Authenticator, bearer, shown_token
from crdt_sync.server.handshake_rate import HandshakeRate, What
from crdt_sync.server.problems import as_ours, log_failure
from crdt_sync.server.requests import request_id_of, traceparent_of
from crdt_sync.service.audit import Asked, Audit
from crdt_sync.wire import limits

CODE = re.compile(r"[a-z0-9_.]{0,64}")  # what a gateway says of a failure: a constant name, never a platform's text
CALL_S = 30.0  # of a unary call, whatever deadline its caller set: a commit takes milliseconds

Context = grpc.aio.ServicerContext[Any, Any]
Room = Callable[[], AbstractContextManager[None]]  # takes a place among the connections, or raises `Unavailable`

_access = structlog.get_logger("crdt_sync.access")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that may proceed."""

    principal: Principal
    trace: str | None


class Servicer:
    """A service whose calls carry a token."""

    def __init__(self, authenticator: Authenticator, audit: Audit, rate: HandshakeRate) -> None:
        self.authenticator = authenticator
        self.audit = audit
        self.rate = rate


_S = TypeVar("_S", bound=Servicer)
_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


def unary(
    method: Callable[[_S, _Request, Call], Awaitable[_Response]],
) -> Callable[..., Awaitable[_Response]]:
    """Make a method of a request and a `Call` into one that gRPC calls."""

    @wraps(method)
    async def answer(self: _S, request: _Request, context: Context) -> _Response:
        started = time.perf_counter()
        outcome = "cancelled"
        try:
            answered = await attempt(self, request, context)
            outcome = answered.code if isinstance(answered, TicketSyncError) else "ok"
        finally:
            duration_ms = round((time.perf_counter() - started) * 1000, 1)
            _access.info("call", method=method.__name__, outcome=outcome, duration_ms=duration_ms)
        if isinstance(answered, TicketSyncError):
            return await abort(context, answered)
        return answered

    async def attempt(self: _S, request: _Request, context: Context) -> _Response | TicketSyncError:
        principal = None
        try:
            identity = await caller_of(context, self.authenticator, self.rate, "requests")
            principal = identity.principal
            call = Call(principal, traceparent_of(metadata_of(context).get("traceparent")))
            async with asyncio.timeout(CALL_S):
                return await method(self, request, call)
        except TimeoutError:
            error: TicketSyncError = Unavailable(
                "The call took too long.", code="timeout", advice="Try again with the same request_id."
            )
        except Exception as raised:  # noqa: BLE001 (the task boundary of a call)
            error = as_ours(raised)
            if isinstance(error, ServiceError):
                log_failure("call failed", raised, method=method.__name__)
        self.audit.refused(Asked("grpc", method.__name__, source_of(context), principal), error.code)
        return error

    return answer


async def caller_of(
    context: Context, authenticator: Authenticator, rate: HandshakeRate, what: What = "handshakes"
) -> Identity:
    """Return who calls, and count that: to begin a stream is a handshake.

    Raises:
        TooOften: it is one too many for him or for his address.
        TicketSyncError: his token was judged so.

    """
    headers = metadata_of(context)
    header = headers.get("authorization")
    token = shown_token(header, None)
    rate.arrive(source_of(context), token, what)
    return await rate.judged(authenticator.authenticate(bearer(header), headers), token, what)


@contextmanager
def read_in_time(refused: Callable[[str], None]) -> Iterator[None]:
    """End the stream of somebody who does not read what is given within; a status would wait behind that.

    `refused` is told the code first.
    """
    call = asyncio.current_task()
    assert call is not None, "gRPC runs each call in a task"

    def cut_off() -> None:
        refused("slow_reader")
        call.cancel()

    timer = asyncio.get_running_loop().call_later(limits.STALLED_S, cut_off)
    try:
        yield
    finally:
        timer.cancel()


def metadata_of(context: Context) -> Mapping[str, str]:
    """Return a call's metadata that is text; names are lowercase on this wire."""
    pairs = cast("tuple[tuple[str, str | bytes], ...]", context.invocation_metadata() or ())
    return {name: value for name, value in pairs if isinstance(value, str)}


def source_of(context: Context) -> str:
    """Return the address that a call comes from, as gRPC names it without the port; empty where it has none."""
    family, _, rest = unquote(context.peer()).partition(":")
    return rest.rpartition(":")[0].strip("[]") if family in {"ipv4", "ipv6"} else ""


def idempotency_of(request_id: str) -> str | None:
    """Return a request's id for the service, None for an empty one.

    Raises:
        Malformed: it has another form.

    """
    return request_id_of(request_id) if request_id else None

"""Whether the process lives and whether the log can commit; the gRPC health service answers from the same check.

Probes ask without a token and learn no more; a department's people also learn who of them is connected.
"""

import asyncio
from collections.abc import Callable
from typing import cast

import structlog
from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from crdt_sync.domain import access
from crdt_sync.errors import Unavailable
from crdt_sync.ports import Store, StoreUnavailable
from crdt_sync.server.requests import Caller
from crdt_sync.service.events import Events

CHECK_TIMEOUT_S = 2.0  # below the usual probe's timeout, so that the answer says why
PEOPLE_MAX = 500  # of a department, by name: a page lists no more
CHECK_LIFETIME_S = 1.0  # a flood of probes makes one commit a second

_log = structlog.get_logger(__name__)

router = APIRouter(tags=["health"])


class Readiness:
    """Asks the store for an empty durable commit, at most once a second."""

    def __init__(self, store: Store, dead: Callable[[], bool]) -> None:
        """`dead` tells whether nothing is committed any more, whatever the store says."""
        self._store = store
        self._dead = dead
        self._asking = asyncio.Lock()
        self._commit: asyncio.Task[str | None] | None = None
        self._checked_at_s: float | None = None
        self._failure: str | None = None
        self.stopping = False

    async def check(self) -> None:
        """Return if the log can commit.

        Raises:
            Unavailable: it cannot, or the service is stopping.

        """
        if self.stopping:
            raise Unavailable("The service is stopping.", code="stopping", advice="Go to another, or wait.")
        if self._dead():
            raise Unavailable("The committer has ended.", code="log_unavailable", advice="Start the service anew.")
        async with self._asking:
            loop = asyncio.get_running_loop()
            if self._checked_at_s is None or loop.time() - self._checked_at_s >= CHECK_LIFETIME_S:
                self._failure = await self._ask()
                self._checked_at_s = loop.time()
        if self._failure is not None:
            raise Unavailable(self._failure, code="log_unavailable", advice="Look at the database.")

    async def _ask(self) -> str | None:
        """Wait for the commit that is under way, if one is: a disk that hangs is not asked again and again."""
        if self._commit is None or self._commit.done():
            self._commit = asyncio.create_task(self._committed())
        done, _ = await asyncio.wait([self._commit], timeout=CHECK_TIMEOUT_S)
        return self._commit.result() if done else f"The log did not commit within {CHECK_TIMEOUT_S:g} seconds."

    async def _committed(self) -> str | None:
        try:
            await self._store.check()
        except StoreUnavailable as error:
            _log.warning("log cannot commit", error=repr(error))
            return "The log cannot commit."
        return None


@router.get("/healthz")
async def alive() -> Response:
    """Say that the process answers."""
    return JSONResponse({"status": "alive"})


@router.get("/api/service")
async def tell(request: Request, caller: Caller) -> Response:
    """Say whether this process can commit, and who of the caller's department is connected to it, by which wire."""
    denial = access.watch(caller)
    if denial is not None:
        raise denial.error()
    events = cast(Events, request.app.state.events)
    problem = None
    try:
        await request.app.state.readiness.check()
    except Unavailable as error:
        problem = {"code": error.code, "detail": error.message}
    connected = events.leases.connected(caller.department)
    people = [{"actor": actor, "wires": connected[actor]} for actor in sorted(connected)[:PEOPLE_MAX]]
    return JSONResponse({"ready": problem is None, "problem": problem, "people": people, "count": len(connected)})


@router.get("/readyz")
async def ready(request: Request) -> Response:
    """Say whether the log can commit; 503 if not."""
    await request.app.state.readiness.check()
    return JSONResponse({"status": "ready"})

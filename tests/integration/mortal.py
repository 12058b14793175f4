"""The gateway or the service, to die (SIGKILL) at a point of its work, by the hand of a wrapper around its methods.

`python -m tests.integration.mortal POINT PASSES MARK ARGUMENTS...` runs `python -m gateway ARGUMENTS...`, or the
service's command line if the point is one of the service's. When the work passes the point for the PASSES-th time, the
name of the point goes into the file MARK, and the process dies before its next instruction.
"""

import asyncio
import functools
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.responses import Response

from crdt_sync.adapters.storage import transaction
from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.cli.main import main as serve
from crdt_sync.server.bootstrap import Service
from crdt_sync.service.outbox import Outbox
from crdt_sync.service.tickets import Tickets
from gateway import http
from gateway.__main__ import main as gateway
from gateway.arrivals import Arrival, Kept
from gateway.forwarder import Forwarder
from gateway.inbox import Inbox, Waiting

ANSWER_S = 0.002  # a call that has no answer by then is under way

EARLY_S = 0.1  # between an acknowledgement that comes too early and the commit

Pass = Callable[[], None]


def before(owner: Any, name: str, passed: Pass) -> None:
    """Pass as the coroutine function `name` begins."""
    original = getattr(owner, name)

    @functools.wraps(original)
    async def wrapped(*given: Any, **named: Any) -> Any:
        passed()
        return await original(*given, **named)

    setattr(owner, name, wrapped)


def after(owner: Any, name: str, passed: Pass, counts: Callable[..., object] = lambda *_: True) -> None:
    """Pass as the coroutine function `name` returns, if its result and its arguments count."""
    original = getattr(owner, name)

    @functools.wraps(original)
    async def wrapped(*given: Any, **named: Any) -> Any:
        result = await original(*given, **named)
        if counts(result, *given):
            passed()
        return result

    setattr(owner, name, wrapped)


def within(owner: Any, name: str, passed: Pass, counts: Callable[..., object]) -> None:
    """Pass as the function `name` returns, which a transaction that is not committed yet has called."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*given: Any, **named: Any) -> Any:
        result = original(*given, **named)
        if counts(result, *given, *named.values()):
            passed()
        return result

    setattr(owner, name, wrapped)


def under_way(passed: Pass) -> None:
    """Pass while the service has been asked and has not answered."""
    original = Forwarder._call

    async def call(self: Forwarder, *given: Any) -> Any:
        asked = asyncio.ensure_future(original(self, *given))
        await asyncio.wait({asked}, timeout=ANSWER_S)
        if not asked.done():
            passed()
        return await asked

    Forwarder._call = call  # type: ignore[method-assign]


def acknowledging_early(passed: Pass) -> None:
    """A gateway with a bug: what it acknowledged may never have been committed."""
    keep = Inbox.keep
    kept = set()

    async def keep_at_once(self: Inbox, arrival: Arrival) -> Kept:
        kept.add(asyncio.ensure_future(keep(self, arrival)))
        return Kept.NEW

    def passed_late() -> None:
        time.sleep(EARLY_S)  # until the acknowledgement has left
        passed()

    Inbox.keep = keep_at_once  # type: ignore[method-assign]
    GATEWAY["gateway, before commit"](passed_late)


def with_new_keys(passed: Pass) -> None:
    """A gateway with a bug: what is forwarded again is not known again."""
    forward = Forwarder._map

    def changed(self: Forwarder, row: Waiting) -> Any:
        item = forward(self, row)
        item.envelope.idempotency_key += f"/{time.monotonic_ns()}"
        return item

    Forwarder._map = changed  # type: ignore[method-assign]
    GATEWAY["gateway, after answer, before marking"](passed)


def _is_acknowledgement(_result: object, _response: Response, scope: Any, *_: object) -> bool:
    return bool(scope["path"].startswith("/channels/"))


GATEWAY: dict[str, Callable[[Pass], None]] = {
    "gateway, after read": lambda passed: after(http, "body_of", passed),
    "gateway, before commit": lambda passed: within(Inbox, "_place", passed, lambda *_: True),
    "gateway, after commit, before ack": lambda passed: after(Inbox, "_insert", passed),
    "gateway, after ack": lambda passed: after(Response, "__call__", passed, _is_acknowledgement),
    "gateway, mid-forward": under_way,
    "gateway, after answer, before marking": lambda passed: before(Inbox, "settle", passed),
}
CARELESS = ("careless gateway, acknowledges before the commit", "careless gateway, new keys each time")
CORE: dict[str, Callable[[Pass], None]] = {
    "service, after receipt": lambda passed: before(Tickets, "ingest", passed),
    "service, before commit": lambda passed: within(
        transaction, "append", passed, lambda _result, _connection, batch: batch.messages
    ),
    "service, after commit, before answer": lambda passed: after(
        SqlStore, "commit", passed, lambda _result, _store, batch: batch.messages
    ),
    "service, in start": lambda passed: before(Service, "_listen", passed),
    "service, mid-claim": lambda passed: after(Outbox, "lease", passed, lambda leased, *_: leased[0]),
    "service, after report": lambda passed: after(Outbox, "report", passed),
}


POINTS = GATEWAY | CORE | dict(zip(CARELESS, (acknowledging_early, with_new_keys), strict=True))


def main() -> int:
    """Arm the point, and run."""
    point, passes, mark = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    del sys.argv[1:4]
    left = passes

    def passed() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            mark.write_text(point)
            os.kill(os.getpid(), signal.SIGKILL)

    POINTS[point](passed)
    if point not in CORE:
        return gateway(sys.argv[1:])
    serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())

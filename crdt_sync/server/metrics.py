"""What the service counts, for whoever scrapes it. Counts nothing itself.

The numbers name no ticket and no person, but tell how busy a house is and what its clients get wrong: by default only
programs of this machine read them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from crdt_sync.errors import Forbidden, NotFound
from crdt_sync.server.addresses import is_loopback
from crdt_sync.server.auth import came_from_elsewhere
from crdt_sync.server.requests import source_of
from crdt_sync.server.settings import MetricsReaders

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Metrics:
    """How to write the numbers, in which media type, and who may read them."""

    render: Callable[[], bytes]
    content_type: str
    readers: MetricsReaders


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Write the numbers in the text format of Prometheus.

    Raises:
        NotFound: nobody may read them.
        Forbidden: the caller is not of this machine, and only such may read them.

    """
    chosen: Metrics = request.app.state.metrics
    if chosen.readers == "nobody":
        raise NotFound("There is nothing at this address.", code="unknown_route", advice="See /docs.")
    if chosen.readers == "local" and (not is_loopback(source_of(request)) or came_from_elsewhere(request.headers)):
        raise Forbidden(
            "Metrics are for programs of this machine.",
            code="metrics_local",
            advice="Scrape 127.0.0.1, or let everybody who reaches the port read them: CRDT_SYNC_METRICS=all.",
        )
    return Response(chosen.render(), media_type=chosen.content_type)

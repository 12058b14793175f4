"""What the gateway counts, for Prometheus: as a collector for the service's page, and as a page of a gateway alone.

The numbers name no customer, but tell how busy a house is and what its platforms get wrong: by default only programs of
this machine read them.
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Literal

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crdt_sync.errors import NotFound
from gateway.counts import Counts
from gateway.http import problem

Readers = Literal["nobody", "local", "all"]

_PASSED_ON = re.compile(r"forwarded|x-forwarded-.+|x-real-ip|via")


class CountsCollector(Collector):
    """Reads the counts at every scrape."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Tell how often each thing happened, and how a few things stand."""
        events = CounterMetricFamily("crdt_sync_gateway_events", "What the gateway did.", labels=("event",))
        for name, count in sorted(self._counts.all().items()):
            events.add_metric((name,), count)
        levels = GaugeMetricFamily("crdt_sync_gateway_level", "How a few things stand.", labels=("name",))
        for name, value in sorted(self._counts.levels().items()):
            levels.add_metric((name,), value)
        yield from (events, levels)


class MetricsPage:
    """`/metrics` of a gateway in a process of its own, with the process's memory, descriptors and processor time."""

    def __init__(self, counts: Counts, readers: Readers) -> None:
        self._readers = readers
        self._registry = CollectorRegistry()
        self._registry.register(ProcessCollector(registry=None))
        self._registry.register(CountsCollector(counts))

    def routes(self) -> list[Route]:
        """Where to scrape."""
        return [Route("/metrics", self._show)]

    async def _show(self, request: Request) -> Response:
        if self._readers == "nobody" or (self._readers == "local" and not _is_local(request)):
            return problem(NotFound("There is nothing at this address.", code="unknown_route"))
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)


def _is_local(request: Request) -> bool:
    """Tell whether a program of this machine asks, by this machine's name and through no proxy."""
    caller = request.client.host if request.client is not None else ""
    passed_on = any(_PASSED_ON.fullmatch(name) for name in request.headers)
    return not passed_on and _is_loopback(caller) and _is_loopback(request.url.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

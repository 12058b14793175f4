"""What the service counts, for Prometheus. It owns its registry and the names of the metrics; it decides nothing."""

from collections.abc import Callable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from crdt_sync.domain.delivery import DeliveryState
from crdt_sync.ports.meter import Levels
from crdt_sync.wire.status import Wire

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0)  # from a fast disk to one that fails
_JOBS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)  # up to what a batch takes


class Telemetry:
    """A `Meter` on a registry of its own, which also tells of the process: memory, descriptors, processor time."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._refusals = Counter(
            "crdt_sync_refusals", "Refusals, by wire and stable code.", ("wire", "code"), registry=registry
        )
        self._seconds = Histogram(
            "crdt_sync_commit_seconds", "Time of a commit in the store.", buckets=_SECONDS, registry=registry
        )
        self._jobs = Histogram("crdt_sync_commit_jobs", "Jobs of a commit.", buckets=_JOBS, registry=registry)
        self._updates = Counter("crdt_sync_committed_updates", "Updates that were committed.", registry=registry)
        self._failures = Counter("crdt_sync_commit_failures", "Batches that were not committed.", registry=registry)

        self._settled = Counter(
            "crdt_sync_outbox_settled", "Parts of which is known what became of them.", ("state",), registry=registry
        )
        self._left_out = Counter(
            "crdt_sync_notices_left_out", "Notices to groups that gave way to newer ones.", registry=registry
        )
        self._compactions = Counter(
            "crdt_sync_compactions",
            "Compactions, by whether their snapshot was proven.",
            ("proven",),
            registry=registry,
        )
        self._compacted = Counter(
            "crdt_sync_compacted_updates", "Updates in whose place a snapshot stands.", registry=registry
        )
        self._media = Counter("crdt_sync_media", "Pictures, recordings and files that were stored.", registry=registry)
        self._media_bytes = Counter("crdt_sync_media_bytes", "Their bytes.", registry=registry)
        self._media_refusals = Counter(
            "crdt_sync_media_refusals", "Those that were refused, by stable code.", ("code",), registry=registry
        )
        self._sign_ins = Counter("crdt_sync_sign_ins", "Sign-ins of browsers, by way.", ("way",), registry=registry)
        self._webhooks = Counter(
            "crdt_sync_webhook_events", "Events to other systems, by outcome.", ("outcome",), registry=registry
        )

    def watch(self, levels: Callable[[], Levels]) -> None:
        """Read these levels at every scrape, in the thread of the caller of `render`."""
        self._registry.register(_LevelCollector(levels))

    def show_also(self, numbers: Collector) -> None:
        """Show somebody else's numbers on the same page."""
        self._registry.register(numbers)

    def refused(self, wire: Wire, code: str, count: int = 1) -> None:
        """Count refusals."""
        self._refusals.labels(wire, code).inc(count)

    def committed(self, *, jobs: int, updates: int, seconds: float) -> None:
        """Count one batch."""
        self._jobs.observe(jobs)
        self._updates.inc(updates)
        self._seconds.observe(seconds)

    def commit_failed(self) -> None:
        """Count one batch that failed."""
        self._failures.inc()

    def settled(self, state: DeliveryState) -> None:
        """Count one part."""
        self._settled.labels(state).inc()

    def notices_left_out(self, count: int) -> None:
        """Count those of one message."""
        self._left_out.inc(count)

    def compacted(self, *, rows: int, proven: bool) -> None:
        """Count one compaction."""
        self._compactions.labels("yes" if proven else "no").inc()
        self._compacted.inc(rows)

    def media_taken(self, size: int) -> None:
        """Count one content."""
        self._media.inc()
        self._media_bytes.inc(size)

    def media_refused(self, code: str) -> None:
        """Count one refusal."""
        self._media_refusals.labels(code).inc()

    def signed_in(self, way: str) -> None:
        """Count one sign-in."""
        self._sign_ins.labels(way).inc()

    def webhook(self, outcome: str) -> None:
        """Count one outcome."""
        self._webhooks.labels(outcome).inc()

    def render(self) -> bytes:
        """Write everything in the text format of Prometheus, whose media type is `CONTENT_TYPE`."""
        return generate_latest(self._registry)


class _LevelCollector(Collector):
    """Turns levels into gauges."""

    def __init__(self, levels: Callable[[], Levels]) -> None:
        self._levels = levels

    def collect(self) -> Iterator[Metric]:
        """Read the levels."""
        levels = self._levels()
        connections = GaugeMetricFamily("crdt_sync_connections", "Open sockets and streams.", labels=("wire",))
        for wire, count in levels.connections.items():
            connections.add_metric((wire,), count)
        yield connections
        for name, help_text, value in (
            ("rooms", "Documents in memory.", levels.rooms),
            ("presence_clients", "Clients whose presence is held.", levels.presence),
            ("queued_jobs", "Jobs that wait for a commit.", levels.queued_jobs),
            ("queued_bytes", "Bytes of the updates that wait for a commit.", levels.queued_bytes),
        ):
            yield GaugeMetricFamily(f"crdt_sync_{name}", help_text, value=value)
        parts = GaugeMetricFamily("crdt_sync_outbox_parts", "Parts that are to be sent, by state.", labels=("state",))
        for state, count in levels.outbox.parts.items():
            parts.add_metric((state,), count)
        yield parts
        age, help_text = levels.outbox.oldest_s, "Age of the oldest part that is to be sent; 0 where none is."
        yield GaugeMetricFamily("crdt_sync_outbox_oldest_seconds", help_text, value=age)
        webhooks = GaugeMetricFamily("crdt_sync_webhooks", "Webhooks, by state.", labels=("state",))
        for name, count in levels.webhooks.states.items():
            webhooks.add_metric((name,), count)
        yield webhooks
        help_text = "Events to other systems that wait to be sent again."
        yield GaugeMetricFamily("crdt_sync_webhook_waiting", help_text, value=levels.webhooks.waiting)

    def describe(self) -> Iterator[Metric]:
        """Name nothing in advance: the levels are read at a scrape only."""
        return iter(())

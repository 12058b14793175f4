"""What is counted is what a scrape shows, under names that a dashboard can rely on."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from crdt_sync.adapters.telemetry import Telemetry
from crdt_sync.domain.delivery import DeliveryState
from crdt_sync.ports.meter import Levels, OutboxLevels, WebhookLevels

OUTBOX = OutboxLevels({DeliveryState.PENDING: 4, DeliveryState.UNKNOWN: 1}, 2.5)
LEVELS = Levels(
    connections={"sync": 3, "grpc": 1},
    rooms=5,
    presence=2,
    queued_jobs=7,
    queued_bytes=900,
    outbox=OUTBOX,
    webhooks=WebhookLevels({"sent": 6, "away": 1, "paused": 2}, 8),
)


def scraped(telemetry):
    families = text_string_to_metric_families(telemetry.render().decode())
    return {(s.name, *_named(s.labels)): s.value for family in families for s in family.samples}


def _named(labels):
    return (labels[name] for name in ("wire", "code", "proven", "state", "le") if name in labels)


def test_refusals_are_counted_by_wire_and_code():
    telemetry = Telemetry()
    for wire in ("sync", "sync", "grpc"):
        telemetry.refused(wire, "read_only")

    shown = scraped(telemetry)
    assert (2, 1) == tuple(shown["crdt_sync_refusals_total", wire, "read_only"] for wire in ("sync", "grpc"))


def test_commits_are_counted_with_what_they_held_and_how_long_they_took():
    telemetry = Telemetry()
    telemetry.committed(jobs=3, updates=4, seconds=0.25)
    telemetry.committed(jobs=1, updates=1, seconds=0.5)
    telemetry.commit_failed()

    shown = scraped(telemetry)
    assert (2, 0.75) == (shown["crdt_sync_commit_seconds_count",], shown["crdt_sync_commit_seconds_sum",])
    assert (4, 5) == (shown["crdt_sync_commit_jobs_sum",], shown["crdt_sync_committed_updates_total",])
    assert 1 == shown["crdt_sync_commit_failures_total",]


def test_compactions_are_counted_by_whether_they_were_proven():
    telemetry = Telemetry()
    telemetry.compacted(rows=500, proven=True)
    telemetry.compacted(rows=7, proven=True)
    telemetry.compacted(rows=0, proven=False)

    shown = scraped(telemetry)
    assert (2, 1) == tuple(shown["crdt_sync_compactions_total", proven] for proven in ("yes", "no"))
    assert 507 == shown["crdt_sync_compacted_updates_total",]


def test_levels_are_read_at_the_scrape_and_not_before():
    telemetry, reads = Telemetry(), []

    def levels():
        reads.append(1)
        return LEVELS

    telemetry.watch(levels)
    assert [] == reads
    shown = scraped(telemetry)
    assert [1] == reads
    assert (3, 1) == (shown["crdt_sync_connections", "sync"], shown["crdt_sync_connections", "grpc"])
    assert (5, 2, 7, 900) == tuple(
        shown[f"crdt_sync_{name}",] for name in ("rooms", "presence_clients", "queued_jobs", "queued_bytes")
    )


def test_what_is_to_be_sent_is_told_by_state_with_the_age_of_the_oldest_and_what_was_settled_is_counted():
    telemetry = Telemetry()
    telemetry.watch(lambda: LEVELS)
    for state in (DeliveryState.SENT, DeliveryState.SENT, DeliveryState.WINDOW_CLOSED):
        telemetry.settled(state)
    telemetry.notices_left_out(3)

    shown = scraped(telemetry)
    assert (4, 1) == tuple(shown["crdt_sync_outbox_parts", state] for state in ("pending", "unknown"))
    assert 2.5 == shown["crdt_sync_outbox_oldest_seconds",]
    assert 3 == shown["crdt_sync_notices_left_out_total",]
    assert (2, 1) == tuple(shown["crdt_sync_outbox_settled_total", state] for state in ("sent", "window_closed"))


def test_two_services_in_one_process_count_for_themselves():
    first, second = Telemetry(), Telemetry()
    first.commit_failed()

    assert 0 == scraped(second)["crdt_sync_commit_failures_total",]


@pytest.mark.parametrize("name", ["process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"])
def test_the_process_is_told_of(name):
    assert 0 < scraped(Telemetry())[name,]

import re
import uuid

import pytest

from crdt_sync.adapters.clock import SystemClock, SystemIds
from crdt_sync.adapters.telemetry import Telemetry
from crdt_sync.ports import Clock, Ids
from crdt_sync.ports.meter import Meter
from tests.fakes import START_MS, CountingMeter, ManualClock, SeededIds


@pytest.fixture(params=[SystemIds, lambda clock: SeededIds(7, clock)], ids=["system", "seeded"])
def ids(request) -> Ids:
    """The fake is held to what is asked of the real one."""
    return request.param(ManualClock())


def draws(ids: Ids) -> list[object]:
    return [ids.client_id(), ids.uuid7(), ids.salt(), ids.jitter()]


def test_client_ids_fit_32_bits_and_are_never_zero(ids):
    assert all(0 < ids.client_id() < 2**32 for _ in range(1000))


def test_uuid7_carries_version_variant_and_time(ids):
    drawn = uuid.UUID(ids.uuid7())

    assert (7, uuid.RFC_4122, START_MS) == (drawn.version, drawn.variant, drawn.int >> 80)


def test_salt_is_16_bytes_of_lowercase_hex(ids):
    assert re.fullmatch("[0-9a-f]{32}", ids.salt())


def test_jitter_stays_below_one(ids):
    assert all(0 <= ids.jitter() < 1 for _ in range(1000))


def test_nothing_is_drawn_twice(ids):
    first, second = draws(ids), draws(ids)

    assert not set(first) & set(second)


def test_a_seed_repeats_every_draw_and_another_seed_none():
    assert draws(SeededIds(1)) == draws(SeededIds(1))
    assert not set(draws(SeededIds(1))) & set(draws(SeededIds(2)))


def test_manual_clock_moves_only_when_told():
    clock = ManualClock(1000)

    assert (1000, 1000) == (clock.now_ms(), clock.now_ms())
    clock.advance(-250)
    assert clock.now_ms() == 750


def test_manual_clock_starts_where_a_real_clock_has_been():
    real: Clock = SystemClock()

    assert START_MS < real.now_ms()


@pytest.mark.parametrize("make", [Telemetry, CountingMeter])
def test_a_meter_takes_everything_that_there_is_to_count(make):
    meter: Meter = make()
    meter.refused("sync", "read_only")
    meter.committed(jobs=1, updates=2, seconds=0.5)
    meter.commit_failed()
    meter.compacted(rows=500, proven=True)


def test_the_counting_meter_keeps_what_it_was_told():
    meter = CountingMeter()
    meter.refused("sync", "read_only")
    meter.refused("sync", "read_only")
    meter.committed(jobs=1, updates=2, seconds=0.5)
    meter.commit_failed()
    meter.compacted(rows=500, proven=True)

    assert [(500, True)] == meter.compactions
    assert ({("sync", "read_only"): 2}, [(1, 2)], 1) == (meter.refusals, meter.batches, meter.failures)

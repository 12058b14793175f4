import time
import uuid

from crdt_sync.adapters.clock import SystemClock, SystemIds, uuid7
from tests.fakes import ManualClock


def test_system_clock_reads_wall_time_in_milliseconds():
    before = time.time() * 1000 - 1
    now = SystemClock().now_ms()

    assert before <= now <= time.time() * 1000


def test_uuid7_lays_out_the_example_of_the_rfc():
    """RFC 9562, appendix A.6: unix_ts_ms 0x017F22E279B0, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F."""
    noise = 0xCC3 << 62 | 0x18C4DC0C0C07398F

    assert uuid7(0x017F22E279B0, noise) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_uuid7_keeps_its_form_whatever_it_is_given():
    """A clock before the epoch or a generous source of noise must not spill into version and variant."""
    for now_ms, noise in ((-1, 2**200 - 1), (2**60, 0)):
        drawn = uuid.UUID(uuid7(now_ms, noise))

        assert (7, uuid.RFC_4122) == (drawn.version, drawn.variant)


def test_later_uuid7_sorts_later():
    clock = ManualClock()
    ids = SystemIds(clock)
    first = ids.uuid7()
    clock.advance(1)

    assert first < ids.uuid7()

from crdt_sync.service.audit import Asked, Audit
from tests.fakes import CountingMeter


def test_a_refusal_is_counted_under_its_code():
    meter = CountingMeter()
    Audit(meter).refused(Asked("sync", "ticket/x/log"), "read_only")

    assert {("sync", "read_only"): 1} == meter.refusals

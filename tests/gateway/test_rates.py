"""A platform's rates are kept to the millisecond, and what it asks for by Retry-After holds for the whole account."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.outbound import Limits, Rate
from gateway.rates import Bucket, Buckets, Throttle


def sent(bucket, asked_ms):
    """When each part is sent that is asked for at these times."""
    times, now_ms = [], 0
    for at_ms in asked_ms:
        now_ms = max(now_ms, at_ms)
        now_ms += bucket.wait_ms(now_ms)
        assert 0 == bucket.wait_ms(now_ms)
        bucket.take(now_ms)
        times.append(now_ms)
    return times


def test_a_burst_goes_at_once_and_the_rest_at_the_rate():
    assert [0, 0, 0, 500, 1000] == sent(Bucket(Rate(burst=3, per_s=2)), [0] * 5)


def test_rest_fills_the_bucket_again_and_no_further():
    assert [0, 0, 10_000, 10_000, 10_500] == sent(Bucket(Rate(burst=2, per_s=2)), [0, 0, 10_000, 10_000, 10_000])


@given(
    st.lists(st.integers(0, 5_000), min_size=1, max_size=40).map(sorted),
    st.integers(1, 5),
    st.sampled_from([0.5, 3, 7]),
)
def test_in_no_span_of_time_more_is_sent_than_the_rate_allows(asked_ms, burst, per_s):
    times = sent(Bucket(Rate(burst, per_s)), asked_ms)
    for first in range(len(times)):
        for last in range(first, len(times)):
            span_s = (times[last] - times[first]) / 1000
            assert last - first + 1 <= burst + span_s * per_s + 1e-6


def test_a_conversation_waits_for_its_own_rate_and_for_its_accounts():
    throttle = Throttle(Limits(account=Rate(2, 1), conversation=Rate(1, 1)))
    throttle.take("chen", 0)
    assert (1_000, 0) == (throttle.wait_ms("chen", 0), throttle.wait_ms("li", 0))
    throttle.take("li", 0)
    assert 1_000 == throttle.wait_ms("wang", 0)


def test_a_pause_holds_for_the_account_and_is_never_shortened():
    throttle = Throttle(Limits())
    assert 0 == throttle.wait_ms("chen", 0)
    throttle.pause(5_000)
    throttle.pause(2_000)
    assert 4_000 == throttle.wait_ms("li", 1_000)


@pytest.mark.parametrize("rest_ms", [0, 60_000])
def test_conversations_that_have_rested_are_forgotten(rest_ms):
    throttle = Throttle(Limits(conversation=Rate(1, 1)))
    for number in range(1_001):
        throttle.take(f"customer-{number}", number * rest_ms)
    assert (1_001 if rest_ms == 0 else 1) == len(throttle._conversations._buckets)


def test_looking_for_who_has_rested_costs_a_flood_of_names_no_more_than_twice_each(monkeypatch):
    looked = []
    monkeypatch.setattr(Bucket, "is_full", lambda _, now_ms: looked.append(now_ms))
    buckets = Buckets(Rate(1, 1))
    for number in range(5_000):
        buckets.take(f"customer-{number}", 0)
    assert 0 < len(looked) <= 2 * 5_000

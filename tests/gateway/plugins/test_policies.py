"""When a plugin is begun anew, and when who is away is asked again."""

from gateway.plugins.breaker import FAILURES_MAX, OPEN_S_MAX, Breaker
from gateway.plugins.faults import WINDOW_MS, Faults


def test_plugin_rests_longer_after_each_fault_and_is_off_after_four():
    faults = Faults()
    assert [2_000, 8_000, 32_000, WINDOW_MS] == [faults.add(at_ms) for at_ms in range(4)]
    assert faults.is_off
    assert 2_000 == faults.add(3 + WINDOW_MS), "it begins anew"
    assert not faults.is_off


def test_faults_that_are_far_apart_are_forgotten():
    faults = Faults()
    assert {2_000, 8_000} == {faults.add(at_ms) for at_ms in range(0, 20 * WINDOW_MS, WINDOW_MS - 1)}


def test_breaker_opens_after_failures_in_a_row_alone():
    breaker = Breaker()
    for _ in range(3):
        for _ in range(FAILURES_MAX - 1):
            assert 0 == breaker.wait_s(0)
            breaker.fail(0)
        breaker.succeed()
    for _ in range(FAILURES_MAX):
        assert 0 == breaker.wait_s(0)
        breaker.fail(0)
    assert 1 == breaker.wait_s(0)


def test_open_breaker_lets_one_try_and_waits_longer_each_time():
    breaker, now_s = Breaker(), 0.0
    for _ in range(FAILURES_MAX):
        breaker.fail(now_s)
    waits = []
    while now_s < 600:  # ten minutes of nobody there
        waits.append(breaker.wait_s(now_s))
        now_s += waits[-1]
        assert 0 == breaker.wait_s(now_s)
        assert 0 < breaker.wait_s(now_s), "one tries, the others wait"
        breaker.fail(now_s)
    assert [1, 2, 4, 8, 16, OPEN_S_MAX, OPEN_S_MAX] == waits[:7]
    now_s += breaker.wait_s(now_s)
    assert 0 == breaker.wait_s(now_s)
    breaker.give_up()
    assert 0 == breaker.wait_s(now_s), "who gave up has not spent the trial"
    breaker.succeed()
    assert [0, 0] == [breaker.wait_s(now_s), breaker.wait_s(now_s)]

import pytest

from crdt_sync.replica.backoff import Backoff
from tests.fakes import SeededIds


class FixedJitter(SeededIds):
    def __init__(self, value):
        super().__init__()
        self._value = value

    def jitter(self):
        return self._value


def test_delays_double_up_to_the_longest_and_begin_anew():
    backoff = Backoff(FixedJitter(0.0))

    assert [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0] == pytest.approx([backoff.next_s() for _ in range(8)])
    backoff.reset()
    assert 0.2 == backoff.next_s()


def test_chance_shortens_a_delay_by_up_to_a_half():
    assert [0.1, 0.2] == pytest.approx([Backoff(FixedJitter(value)).next_s() for value in (1.0, 0.0)])

import time

from gateway.clock import SystemChance, SystemClock
from gateway.ports import Chance, Clock


async def test_clock_is_the_wall_clock_in_milliseconds():
    clock: Clock = SystemClock()
    before = int(time.time() * 1000)
    await clock.sleep(0)
    assert before <= clock.now_ms() <= time.time() * 1000


def test_chance_draws_what_was_asked_for():
    chance: Chance = SystemChance()
    assert 16 == len(chance.octets(16))
    assert chance.octets(16) != chance.octets(16)
    assert all(0 <= chance.jitter() < 1 for _ in range(100))

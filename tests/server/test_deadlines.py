import asyncio

import structlog

from crdt_sync.server import deadlines
from crdt_sync.server.deadlines import TICK_S, Deadlines
from tests.server.fakes import Wheel


class Sleeper:
    """What waits, and counts how often it was called."""

    def __init__(self, failure=None) -> None:
        self.slot = None
        self.calls = 0
        self.failure = failure

    def due(self):
        self.calls += 1
        if self.failure is not None:
            raise self.failure


def test_who_waits_is_called_once_and_not_before():
    wheel, early, late = Wheel(), Sleeper(), Sleeper()
    wheel.set(early, 3)
    wheel.set(late, 30)
    wheel.pass_time(2.9)
    assert 0 == early.calls
    wheel.pass_time(0.1)
    wheel.pass_time(10)

    assert (1, 0) == (early.calls, late.calls)
    wheel.pass_time(30)
    assert (1, 1) == (early.calls, late.calls)


def test_a_new_deadline_takes_the_place_of_the_old():
    wheel, sleeper = Wheel(), Sleeper()
    wheel.set(sleeper, 3)
    wheel.set(sleeper, 30)
    wheel.pass_time(20)
    assert 0 == sleeper.calls
    wheel.discard(sleeper)
    wheel.discard(sleeper)
    wheel.pass_time(20)

    assert (0, None) == (sleeper.calls, sleeper.slot)


def test_a_deadline_of_now_comes_with_the_next_tick():
    wheel, sleeper = Wheel(), Sleeper()
    wheel.pass_time(0)
    wheel.set(sleeper, 0)
    wheel.pass_time(TICK_S)

    assert 1 == sleeper.calls


def test_one_that_fails_keeps_nobody_else_waiting():
    wheel, bad, good = Wheel(), Sleeper(RuntimeError("x")), Sleeper()
    wheel.set(bad, 1)
    wheel.set(good, 1)
    with structlog.testing.capture_logs() as lines:
        wheel.pass_time(1)

    assert (1, 1, ["deadline failed"]) == (bad.calls, good.calls, [line["event"] for line in lines])


async def test_it_ticks_by_itself_until_it_is_stopped(monkeypatch):
    monkeypatch.setattr(deadlines, "TICK_S", 0.001)
    wheel, called = Deadlines(), asyncio.Event()
    sleeper = Sleeper()
    sleeper.due = called.set
    wheel.start()
    wheel.set(sleeper, 0)
    await called.wait()
    await wheel.stop()
    await Deadlines().stop()

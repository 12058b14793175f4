import asyncio

import pytest

from crdt_sync.errors import Malformed
from gateway.counts import Counts
from gateway.platforms.http import NotSent
from gateway.platforms.tokens import AccessToken, AheadOfNeed, Grant
from tests.gateway.fakes import HeldClock


class Granting:
    def __init__(self, lives_s=7_200):
        self.asked = 0
        self.lives_s = lives_s
        self.fails: Exception | None = None

    async def __call__(self):
        self.asked += 1
        await asyncio.sleep(0)
        if self.fails is not None:
            raise self.fails
        return Grant(f"t{self.asked}", self.lives_s)


async def test_many_who_ask_at_once_get_what_one_fetched():
    fetch = Granting()
    token = AccessToken(fetch, HeldClock(0))
    assert {"t1"} == set(await asyncio.gather(*(token.get() for _ in range(20))))
    assert 1 == fetch.asked


async def test_token_is_renewed_five_minutes_before_it_ends():
    clock = HeldClock(0)
    token = AccessToken(Granting(), clock)
    assert "t1" == await token.get()
    clock.advance(6_899)
    assert "t1" == await token.get()
    clock.advance(1)
    assert "t2" == await token.get()


async def test_token_of_a_short_life_is_good_for_half_of_it():
    clock = HeldClock(0)
    token = AccessToken(Granting(lives_s=60), clock)
    assert "t1" == await token.get()
    clock.advance(29)
    assert "t1" == await token.get()
    clock.advance(1)
    assert "t2" == await token.get()


async def test_refused_token_is_replaced_once_however_many_were_refused_it():
    fetch = Granting()
    token = AccessToken(fetch, HeldClock(0))
    await token.get()
    token.refused("t1")
    assert "t2" == await token.get()
    token.refused("t1")
    assert "t2" == await token.get()


async def test_failure_is_told_to_who_asked_and_the_next_one_asks_again():
    fetch = Granting()
    fetch.fails = NotSent("token")
    token = AccessToken(fetch, HeldClock(0))
    with pytest.raises(NotSent):
        await token.get()
    fetch.fails = None
    assert "t2" == await token.get()


def test_token_is_not_shown():
    assert "secret" not in repr(Grant("secret", 1))


async def test_tokens_are_fetched_at_the_start_and_renewed_before_anybody_asks():
    clock, long, short = HeldClock(0), Granting(), Granting(lives_s=1_200)
    ahead = AheadOfNeed({"a": AccessToken(long, clock), "b": AccessToken(short, clock)}, clock=clock, counts=Counts())
    ahead.start()
    async with asyncio.timeout(20):
        await ahead.first.wait()
        assert (1, 1) == (long.asked, short.asked)
        for seconds, asked in ((900, (1, 2)), (900, (1, 3))):
            await clock.asleep(900)
            clock.advance(seconds)
            await clock.asleep(900)
            assert asked == (long.asked, short.asked)
    await ahead.stop()


@pytest.mark.parametrize("error", [NotSent("token"), Malformed("The secret is gone.", code="token")])
async def test_token_that_cannot_be_fetched_ahead_is_asked_for_again_a_minute_later(error):
    clock, fetch, counts = HeldClock(0), Granting(), Counts()
    fetch.fails = error
    ahead = AheadOfNeed({"a": AccessToken(fetch, clock)}, clock=clock, counts=counts)
    ahead.start()
    async with asyncio.timeout(20):
        await clock.asleep(60)
        assert 1 == counts["token.failed.token"]
        fetch.fails = None
        clock.advance(60)
        await clock.asleep(6_900)
    await ahead.stop()
    assert 2 == fetch.asked

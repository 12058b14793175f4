import asyncio

import pytest

from crdt_sync.errors import Unauthenticated
from crdt_sync.server.session_tokens import SessionTokens
from tests.fakes import ManualClock
from tests.server.fakes import FakeAuthenticator


class Watched:
    """Tokens whose end is an event."""

    def __init__(self, ends_in_ms):
        self.clock = ManualClock()
        self.ended = asyncio.Event()
        self.authenticator = FakeAuthenticator(None if ends_in_ms is None else self.clock.now_ms() + ends_in_ms)
        self.tokens = SessionTokens(self.authenticator, {}, self.clock, self.ended.set)


async def test_a_connection_ends_with_its_token():
    watched = Watched(1)
    await watched.tokens.authenticate("t")
    watched.clock.advance(1)
    await watched.ended.wait()


async def test_a_clock_that_stands_ends_nothing():
    watched = Watched(1)
    await watched.tokens.authenticate("t")
    await asyncio.get_running_loop().run_in_executor(None, lambda: None)

    assert not watched.ended.is_set()
    watched.tokens.stop()


async def test_the_first_of_several_tokens_ends_the_connection():
    watched = Watched(1)
    await watched.tokens.authenticate("t")
    watched.authenticator.ends_at_ms += 3_600_000
    await watched.tokens.authenticate("later")
    watched.clock.advance(1)
    await watched.ended.wait()


async def test_a_later_token_in_place_of_the_first_prolongs():
    watched = Watched(1)
    await watched.tokens.authenticate("t")
    watched.tokens.hold(None)
    watched.clock.advance(1)
    await asyncio.get_running_loop().run_in_executor(None, lambda: None)

    assert not watched.ended.is_set()


async def test_a_wrong_token_is_refused_and_counts_for_nothing():
    watched = Watched(None)
    with pytest.raises(Unauthenticated):
        await watched.tokens.authenticate("wrong")

    assert not watched.tokens.any

"""What any store must do with people who sign in."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from crdt_sync.domain.ids import ActorId
from crdt_sync.ports import Store
from crdt_sync.ports.users import BrowserSession, User

ANN = User(ActorId("ann"), "sales", ("sales", "sales_lead"), "$argon2id$1")
SESSION = BrowserSession("d1", ActorId("ann"), "sales", ("sales",), "password", "5f", 100, 200)


async def begun(store, *sessions, forget_before_ms=0):
    for session in sessions:
        await store.begin_session(session, forget_before_ms=forget_before_ms)


class UserContract:
    @pytest.fixture
    async def store(self) -> Store:
        raise NotImplementedError

    async def test_a_user_comes_back_as_it_was_and_a_name_is_taken_once(self, store: Store):
        assert await store.add_user(ANN)
        assert not await store.add_user(replace(ANN, department="tech"))
        await store.add_user(replace(ANN, name=ActorId("al"), roles=()))

        assert ANN == await store.user(ActorId("ann"))
        assert await store.user(ActorId("tech-agent")) is None
        assert ["al", "ann"] == [user.name for user in await store.users()]

    async def test_of_two_who_amend_a_user_at_once_neither_is_forgotten(self, store: Store):
        await store.add_user(ANN)
        changes = [{"disabled": True}, {"password_hash": "$argon2id$2"}, {"department": "tech"}]
        await asyncio.gather(*(store.amend_user(ANN.name, partial(replace, **each)) for each in changes))

        assert replace(ANN, disabled=True, password_hash="$argon2id$2", department="tech") == await store.user(ANN.name)

    async def test_who_is_not_there_is_not_amended(self, store: Store):
        assert await store.amend_user(ActorId("tech-agent"), replace) is None
        assert [] == list(await store.users())

    async def test_an_amendment_that_fails_leaves_a_user_as_it_was(self, store: Store):
        await store.add_user(ANN)
        with pytest.raises(ZeroDivisionError):
            await store.amend_user(ANN.name, lambda _: 1 / 0)

        assert ANN == await store.user(ANN.name)

    async def test_a_session_ends_once(self, store: Store):
        await begun(store, SESSION, replace(SESSION, digest="d2"))
        await store.end_session("d1", 150)
        await store.end_session("d1", 160)
        await store.end_session("nothing", 160)

        assert replace(SESSION, ended_ms=150) == await store.session("d1")
        assert replace(SESSION, digest="d2") == await store.session("d2")
        assert await store.session("nothing") is None

    async def test_sessions_are_listed_newest_first_and_old_ones_forgotten(self, store: Store):
        anothers = replace(SESSION, digest="d3", actor=ActorId("tech-agent"), began_ms=120, expires_ms=300)
        await begun(store, SESSION, replace(SESSION, digest="d2", began_ms=110), anothers)
        assert ["d3", "d2", "d1"] == [kept.digest for kept in await store.sessions()]
        assert ["d2", "d1"] == [kept.digest for kept in await store.sessions(ActorId("ann"))]
        assert ["d2"] == [kept.digest for kept in await store.sessions(ActorId("ann"), limit=1)]

        last = replace(SESSION, digest="d4", expires_ms=400)
        await begun(store, last, forget_before_ms=201)
        assert {anothers, last} == set(await store.sessions())
        await begun(store, replace(last, digest="d5"), forget_before_ms=300)
        assert anothers in await store.sessions()

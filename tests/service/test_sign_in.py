"""Sessions by a clock of the test's own, and passwords that a test can hold back."""

import threading
from dataclasses import replace

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.domain.access import Principal
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import ActorId
from crdt_sync.errors import Unauthenticated
from crdt_sync.ports.users import User
from crdt_sync.service.leases import Leases
from crdt_sync.service.sign_in import DEVELOPMENT, KEPT_MS, PASSWORD, SignIn, as_typed, every_role
from crdt_sync.service.standing import Standing
from tests.fakes import CountingMeter, ManualClock, SeededIds

ANN = User(ActorId("ann"), "sales", ("sales",), "old:secret")
HOUR_MS = 3_600_000


class PlainPasswords:
    """Keeps passwords as they are, behind the name of the parameters; `during` is called while one is hashed."""

    def __init__(self):
        self.during = lambda: None
        self.compared = []

    def hash(self, password):
        self.during()
        return f"new:{password}"

    def matches(self, password_hash, password):
        assert threading.current_thread() is not threading.main_thread(), "it would hold up everybody"
        self.compared.append(password_hash)
        return password_hash is not None and password_hash.partition(":")[2] == password

    def is_dated(self, password_hash):
        return password_hash.startswith("old:")


class House:
    def __init__(self):
        self.store, self.clock = MemoryStore(), ManualClock()
        self.passwords, self.meter = PlainPasswords(), CountingMeter()
        self.leases = Leases(self.clock, Standing(self.store))
        self.sign_in = SignIn(
            store=self.store,
            passwords=self.passwords,
            leases=self.leases,
            clock=self.clock,
            ids=SeededIds(),
            meter=self.meter,
            session_ms=HOUR_MS,
        )


@pytest.fixture
async def house():
    house = House()
    await house.store.add_user(ANN)
    return house


async def refused(work):
    with pytest.raises(Unauthenticated) as caught:
        await work
    return caught.value.code


async def test_a_session_lasts_to_its_last_millisecond(house):
    secret, began = await house.sign_in.begin(Principal("ann", "sales", ("sales",)), PASSWORD, "5f")
    house.clock.advance(HOUR_MS - 1)
    assert began == await house.sign_in.current(secret)
    house.clock.advance(1)
    assert "signed_out" == await refused(house.sign_in.current(secret))
    assert {PASSWORD: 1} == house.meter.sign_ins


async def test_secrets_are_long_each_is_another_and_none_is_kept(house):
    principal = Principal("ann", "sales")
    secrets = [(await house.sign_in.begin(principal, DEVELOPMENT, ""))[0] for _ in range(3)]

    assert [64] * 3 == [len(secret) for secret in secrets]
    assert 3 == len(set(secrets))
    kept = repr(await house.store.sessions())
    assert not [secret for secret in secrets if secret in kept or secret[:32] in kept]


async def test_sessions_that_ended_long_ago_are_forgotten(house):
    principal = Principal("ann", "sales")
    await house.sign_in.begin(principal, DEVELOPMENT, "")
    house.clock.advance(HOUR_MS + KEPT_MS)
    await house.sign_in.begin(principal, DEVELOPMENT, "")
    assert 2 == len(await house.store.sessions())
    house.clock.advance(1)
    await house.sign_in.begin(principal, DEVELOPMENT, "")
    assert 2 == len(await house.store.sessions())


async def test_a_dated_hash_is_made_anew_unless_the_password_was_changed_meanwhile(house):
    await house.sign_in.prove(ANN, "secret")
    assert "new:secret" == (await house.store.user(ANN.name)).password_hash

    house.passwords.during = lambda: house.store._users.update(ann=replace(ANN, password_hash="new:other"))
    await house.sign_in.prove(ANN, "secret")
    assert "new:other" == (await house.store.user(ANN.name)).password_hash


async def test_nobodys_password_is_compared_as_well(house):
    assert "password_wrong" == await refused(house.sign_in.prove(None, "secret"))
    assert [None] == house.passwords.compared


async def test_a_session_of_a_user_who_is_gone_is_over_and_one_without_a_user_is_not(house):
    ghost, _ = await house.sign_in.begin(Principal("ghost", "sales"), PASSWORD, "")
    entered, _ = await house.sign_in.begin(Principal("ghost", "sales"), DEVELOPMENT, "")

    assert "user_disabled" == await refused(house.sign_in.current(ghost))
    assert "ghost" == (await house.sign_in.current(entered)).principal.actor


async def test_what_was_taken_is_known_at_once_and_narrows_what_is_told(house):
    secret, _ = await house.sign_in.begin(Principal("ann", "sales", ("sales",)), PASSWORD, "")
    await house.store.restrict(ANN.name, lambda known: replace(known, roles=()), 1)
    current = await house.sign_in.current(secret)
    assert ((), ("sales",)) == (current.principal.roles, current.granted.roles)

    await house.store.restrict(ANN.name, lambda known: replace(known, valid_from_ms=house.clock.now_ms() + 1), 2)
    assert "signed_out" == await refused(house.sign_in.current(secret))


async def test_who_looks_at_what_was_taken_takes_it_from_open_connections_too(house):
    class Holder:
        lost = None

        def lose(self, lease, error):
            self.lost = error.code

    holder = Holder()
    _, began = await house.sign_in.begin(Principal("ann", "sales"), PASSWORD, "")
    house.leases.hold(house.leases.check(_identity(began)), holder)
    secret, _ = await house.sign_in.begin(Principal("bob", "sales"), DEVELOPMENT, "")
    await house.store.restrict(ANN.name, lambda known: replace(known, revoked=True), 1)
    await house.sign_in.current(secret)

    assert "revoked" == holder.lost


def _identity(began):
    return Identity(began.granted, began.session.expires_ms, issued_at_ms=began.session.began_ms)


def test_a_password_has_one_form():
    assert "\u00e9 a\u3042" == as_typed("e\u0301\u3000a\u3042")
    assert "A" != as_typed("\uff21"), "a wide letter is another letter, which is stronger"


def test_the_departments_role_comes_first_and_once():
    assert ("sales", "lead") == every_role("sales", ["lead", "sales", "lead"])

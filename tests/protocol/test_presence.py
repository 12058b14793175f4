import pytest

from crdt_sync.errors import Malformed
from crdt_sync.protocol.presence import Presence
from crdt_sync.wire import limits
from crdt_sync.wire.awareness import State, decode, encode

ANN, BEN = object(), object()


def said(client: int, clock: int, json: str | None = "{}") -> bytes:
    return encode([State(client, clock, json)])


def test_what_changed_is_relayed_once_with_the_latest_state_only():
    presence = Presence()
    presence.update(said(1, 1, '{"x":1}'), ANN)
    presence.update(said(1, 2, '{"x":2}'), ANN)

    assert (State(1, 2, '{"x":2}'),) == decode(presence.drain())
    assert presence.drain() is None


def test_an_older_clock_changes_nothing():
    presence = Presence()
    presence.update(said(1, 5, '{"x":5}'), ANN)
    presence.drain()

    assert not presence.update(said(1, 4, '{"x":4}'), ANN)
    assert (State(1, 5, '{"x":5}'),) == decode(presence.snapshot())


def test_a_renewal_is_echoed_so_that_the_sender_stays_connected():
    presence = Presence()
    presence.update(said(1, 5), ANN)
    presence.drain()

    assert presence.update(said(1, 5), ANN)


def test_nobody_speaks_for_another_ones_client():
    presence = Presence()
    presence.update(said(1, 1, '{"who":"ann"}'), ANN)

    presence.update(said(1, 9, None), BEN)

    assert (State(1, 1, '{"who":"ann"}'),) == decode(presence.snapshot())


def test_leaving_removes_the_clients_that_one_introduced_and_no_others():
    presence = Presence()
    presence.update(said(1, 3), ANN)
    presence.update(said(2, 1), BEN)
    presence.drain()

    assert presence.leave(ANN)
    assert (State(1, 3, None),) == decode(presence.drain())
    assert (State(2, 1, "{}"),) == decode(presence.snapshot())


def test_leaving_without_having_been_there_says_nothing():
    assert not Presence().leave(ANN)
    assert Presence().snapshot() is None


def test_a_client_that_left_may_come_back_with_another_connection():
    presence = Presence()
    presence.update(said(1, 3), ANN)
    presence.leave(ANN)
    presence.drain()

    assert presence.update(said(1, 4), BEN)


def test_a_room_holds_so_many_clients_and_no_more():
    presence = Presence()
    full = encode([State(client, 1, "{}") for client in range(1, limits.AWARENESS_STATES_MAX + 1)])
    presence.update(full, ANN)
    presence.drain()

    assert not presence.update(said(limits.AWARENESS_STATES_MAX + 1, 1), ANN)


def test_what_is_no_presence_is_refused():
    with pytest.raises(Malformed):
        Presence().update(b"\x01\x01", ANN)

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crdt_sync.errors import Malformed
from crdt_sync.protocol.presence import APART_MS, Presence
from crdt_sync.wire import limits
from crdt_sync.wire.awareness import State, decode, encode


@dataclass(eq=False)
class Screen:
    """A subscription of a person."""

    actor: str


ANN, BEN = Screen("ann"), Screen("ben")


def said(client: int, clock: int, json: str | None = "{}") -> bytes:
    return encode([State(client, clock, json)])


def clients(presence: Presence) -> list[int]:
    return [state.client for state in decode(presence.snapshot())]


def test_what_changed_is_relayed_once_with_the_latest_state_only():
    presence = Presence()
    presence.update(said(1, 1, '{"x":1}'), ANN, now_ms=0)
    presence.update(said(1, 2, '{"x":2}'), ANN, now_ms=0)

    assert (State(1, 2, '{"x":2}'),) == decode(presence.drain())
    assert presence.drain() is None


def test_an_older_clock_changes_nothing():
    presence = Presence()
    presence.update(said(1, 5, '{"x":5}'), ANN, now_ms=0)
    presence.drain()

    assert presence.update(said(1, 4, '{"x":4}'), ANN, now_ms=0).relay_in_ms is None
    assert (State(1, 5, '{"x":5}'),) == decode(presence.snapshot())


def test_a_renewal_is_echoed_so_that_the_sender_stays_connected():
    presence = Presence()
    presence.update(said(1, 5), ANN, now_ms=0)
    presence.drain()

    assert APART_MS == presence.update(said(1, 5), ANN, now_ms=0).relay_in_ms


def test_nobody_speaks_for_another_ones_client():
    presence = Presence()
    presence.update(said(1, 1, '{"who":"ann"}'), ANN, now_ms=0)

    heard = presence.update(encode([State(1, 9, None), State(2, 1, "{}")]), BEN, now_ms=0)

    assert (0, "foreign_presence") == (heard.relay_in_ms, heard.refused)
    presence.leave(BEN)
    presence.drain()
    assert (State(1, 1, '{"who":"ann"}'),) == decode(presence.snapshot())


def test_who_comes_back_on_a_new_socket_is_there_whatever_becomes_of_the_old_one():
    """The old socket of a phone that changed networks is believed in for up to forty seconds."""
    presence, again = Presence(), Screen("ann")
    presence.update(said(1, 3), ANN, now_ms=0)
    presence.update(said(9, 1), BEN, now_ms=0)
    presence.drain()

    heard = presence.update(said(1, 3), again, now_ms=0)
    assert (0, None) == (heard.relay_in_ms, heard.refused), "y-websocket says its state anew with the same clock"
    presence.drain()

    assert not presence.leave(ANN)
    assert [1, 9] == clients(presence)
    assert presence.leave(again)
    assert (State(1, 3, None),) == decode(presence.drain())


def test_another_screen_that_sends_back_what_it_hears_takes_nothing_and_is_not_refused():
    """The echo of y-websocket: what a client hears of others, it sends to the service."""
    presence, phone = Presence(), Screen("ann")
    presence.update(said(1, 3), ANN, now_ms=0)
    presence.update(said(2, 1), phone, now_ms=0)
    presence.drain()

    for screen in (phone, BEN):
        heard = presence.update(said(1, 3), screen, now_ms=0)
        assert (None, None) == (heard.relay_in_ms, heard.refused)
    presence.leave(phone)
    presence.drain()
    assert [1] == clients(presence)


@pytest.mark.parametrize("json", ["{}", None])
def test_nobody_takes_the_client_of_somebody_who_is_away(json):
    presence = Presence()
    presence.update(said(1, 3), ANN, now_ms=0)
    presence.leave(ANN)
    presence.drain()

    assert "foreign_presence" == presence.update(said(1, 2**52, json), BEN, now_ms=0).refused
    presence.update(said(1, 4), Screen("ann"), now_ms=0)
    assert (State(1, 4, "{}"),) == decode(presence.drain())


def test_what_removes_nobody_is_not_relayed():
    assert Presence().update(said(1, 5, None), ANN, now_ms=0).relay_in_ms is None


def test_so_many_that_left_are_remembered_of_each_person():
    presence = Presence()
    presence.update(said(1, 1), BEN, now_ms=0)
    presence.leave(BEN)
    presence.drain()
    for client in range(2, limits.AWARENESS_AWAY_MAX + 3):
        screen = Screen("ann")
        presence.update(said(client, 1), screen, now_ms=0)
        presence.leave(screen)
        presence.drain()

    other = Screen("eve")
    taken = [client for client in range(1, 5) if presence.update(said(client, 9), other, now_ms=0).refused is None]
    assert [2] == taken, "the oldest of hers, and nobody else's"


PEOPLE = ("ann", "ann", "ben", "eve")  # one of whom has two screens
SAYINGS = st.tuples(
    st.integers(0, len(PEOPLE) - 1), st.integers(1, 4), st.integers(0, 4), st.sampled_from(["{}", '{"x":1}', None])
)


@given(st.lists(st.one_of(SAYINGS, st.integers(0, len(PEOPLE) - 1)), max_size=60))
def test_whatever_anybody_says_or_leaves_changes_no_other_persons_clients(acts):
    """A number is the leaving of that screen, which comes again as a new one."""
    presence, screens, whose = Presence(), [Screen(actor) for actor in PEOPLE], {}
    for act in acts:
        index = act if isinstance(act, int) else act[0]
        if isinstance(act, int):
            presence.leave(screens[index])
            screens[index] = Screen(PEOPLE[index])
        else:
            presence.update(said(*act[1:]), screens[index], now_ms=0)
        for state in decode(presence.drain() or b"\0"):
            assert PEOPLE[index] == whose.setdefault(state.client, PEOPLE[index])
        assert len(presence) == len(clients(presence)) if presence.snapshot() else not len(presence)


@dataclass(eq=False)
class Browser:
    """A client that does as y-websocket does: it says its own state first, and sends back what it hears of others."""

    client: int
    actor: str
    clock: int = 1
    screen: Screen | None = None
    dead: list[Screen] = field(default_factory=list)  # sockets that are not known to be dead


def send_back(presence, browser):
    others = [state for state in decode(presence.snapshot()) if state.client != browser.client]
    assert presence.update(encode(others), browser.screen, now_ms=0).refused is None


BROWSERS = st.integers(0, len(PEOPLE) - 1)
ACTS = st.tuples(
    st.sampled_from(["connect", "connect", "move", "renew", "send back", "lose", "notice", "close"]), BROWSERS
)


@settings(max_examples=200)
@given(st.lists(ACTS, min_size=20, max_size=80))
def test_others_see_exactly_the_browsers_that_are_connected_however_often_sockets_are_lost(acts):
    presence = Presence()
    browsers = [Browser(client, actor) for client, actor in enumerate(PEOPLE, 1)]
    for act, index in acts:
        one = browsers[index]
        match act:
            case "connect" if one.screen is None:
                one.screen = Screen(one.actor)
                presence.update(said(one.client, one.clock), one.screen, now_ms=0)
                send_back(presence, one)
            case "move" if one.screen is not None:
                one.clock += 1
                presence.update(said(one.client, one.clock), one.screen, now_ms=0)
            case "renew" if one.screen is not None:
                presence.update(said(one.client, one.clock), one.screen, now_ms=0)
            case "send back" if one.screen is not None:
                send_back(presence, one)
            case "close" if one.screen is not None:
                presence.leave(one.screen)
                one.screen = None
            case "lose" if one.screen is not None:
                one.dead.append(one.screen)
                one.screen = None
            case "notice" if one.dead:
                presence.leave(one.dead.pop(0))
        presence.drain()
        shown = {state.client: state.clock for state in decode(presence.snapshot() or b"\0")}
        connected = {one.client: one.clock for one in browsers if one.screen is not None}
        assert connected.items() <= shown.items()
        assert {one.client for one in browsers if one.screen is not None or one.dead} >= shown.keys()


def test_leaving_removes_the_clients_that_one_introduced_and_no_others():
    presence = Presence()
    presence.update(said(1, 3), ANN, now_ms=0)
    presence.update(said(2, 1), BEN, now_ms=0)
    presence.drain()

    assert presence.leave(ANN)
    assert (State(1, 3, None),) == decode(presence.drain())
    assert (State(2, 1, "{}"),) == decode(presence.snapshot())


def test_leaving_without_having_been_there_says_nothing():
    assert not Presence().leave(ANN)
    assert Presence().snapshot() is None


def test_a_client_that_left_may_come_back_with_another_connection():
    presence = Presence()
    presence.update(said(1, 3), ANN, now_ms=0)
    presence.leave(ANN)
    presence.drain()

    assert 0 == presence.update(said(1, 3), Screen("ann"), now_ms=0).relay_in_ms
    assert [1] == clients(presence)


def test_a_room_holds_so_many_clients_and_no_more():
    presence = Presence()
    for client in range(1, limits.AWARENESS_STATES_MAX + 1):
        presence.update(said(client, 1), Screen("crowd"), now_ms=0)
    presence.drain()

    heard = presence.update(said(limits.AWARENESS_STATES_MAX + 1, 1), ANN, now_ms=0)
    assert (None, "too_many_presences") == (heard.relay_in_ms, heard.refused)


def test_one_connection_introduces_so_many_clients_and_no_more():
    presence = Presence()
    crowd = range(1, limits.AWARENESS_IDS_PER_CONNECTION_MAX + 2)
    heard = presence.update(encode([State(client, 1, "{}") for client in crowd]), ANN, now_ms=0)

    assert "too_many_presences" == heard.refused
    assert list(crowd)[:-1] == clients(presence)
    assert 0 == presence.update(said(crowd[-1], 1), BEN, now_ms=0).relay_in_ms, "another connection has room of its own"


def test_a_connection_that_gave_a_client_up_may_introduce_another():
    presence = Presence()
    crowd = range(1, limits.AWARENESS_IDS_PER_CONNECTION_MAX + 1)
    presence.update(encode([State(client, 1, "{}") for client in crowd]), ANN, now_ms=0)
    presence.update(said(1, 2, None), ANN, now_ms=0)
    presence.drain()
    presence.update(said(99, 1), ANN, now_ms=0)

    assert [*crowd[1:], 99] == clients(presence)


def test_what_comes_too_fast_is_relayed_at_its_moment_or_with_the_next_change():
    presence = Presence()
    waits = [presence.update(said(1, clock), ANN, now_ms=7).relay_in_ms for clock in (1, 2, 3)]

    assert [0, APART_MS, APART_MS] == waits
    assert 5 == presence.update(said(1, 4), ANN, now_ms=7 + APART_MS - 5).relay_in_ms
    assert 0 == presence.update(said(2, 1), BEN, now_ms=7 + APART_MS - 5).relay_in_ms, "others are not held up"
    assert (State(1, 4, "{}"), State(2, 1, "{}")) == decode(presence.drain())
    assert APART_MS - 1 == presence.update(said(1, 5), ANN, now_ms=8 + APART_MS).relay_in_ms


def test_a_clock_that_goes_back_holds_nobody_up():
    presence = Presence()
    presence.update(said(1, 1), ANN, now_ms=60_000)

    assert 0 == presence.update(said(1, 2), ANN, now_ms=0).relay_in_ms


@given(st.lists(st.integers(min_value=0, max_value=3 * APART_MS), max_size=200))
def test_whatever_the_pace_the_last_state_is_what_others_end_with(pauses):
    """A driver of time alone: it drains when it was told to, as `Connections` does."""
    presence, now_ms, timer_ms, others, relays = Presence(), 0, None, {}, []

    def relay(at_ms):
        relays.append(at_ms)
        for state in decode(presence.drain() or b"\0"):
            others[state.client] = state

    for clock, pause in enumerate(pauses, 1):
        now_ms += pause
        if timer_ms is not None and timer_ms <= now_ms:
            relay(timer_ms)
            timer_ms = None
        in_ms = presence.update(said(1, clock), ANN, now_ms=now_ms).relay_in_ms
        if in_ms == 0:
            relay(now_ms)
        else:
            timer_ms = timer_ms or now_ms + in_ms
    if timer_ms is not None:
        relay(timer_ms)

    assert ({1: State(1, len(pauses), "{}")} if pauses else {}) == others
    for second in range(0, now_ms + 1000, 1000):
        assert limits.PRESENCE_MESSAGES_PER_S_MAX >= sum(second <= at < second + 1000 for at in relays)


def test_what_is_no_presence_is_refused():
    with pytest.raises(Malformed):
        Presence().update(b"\x01\x01", ANN, now_ms=0)


def test_an_update_looks_at_its_own_clients_and_at_nobody_elses():
    """A room of a thousand costs what a room of one does: no owner but the sender is asked anything."""

    class Owner:
        actor = "crowd"
        compared = 0

        def __eq__(self, other):
            Owner.compared += self is not other
            return self is other

        __hash__ = object.__hash__

    presence = Presence()
    for client in range(limits.AWARENESS_STATES_MAX):
        presence.update(said(client, 1), Owner(), now_ms=0)
    presence.drain()
    last = Owner()
    Owner.compared = 0
    presence.update(said(1, 2), last, now_ms=0)
    presence.leave(last)

    assert 0 == Owner.compared

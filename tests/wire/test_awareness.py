import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.errors import Malformed, TooLarge
from crdt_sync.wire import awareness, lib0, limits
from crdt_sync.wire.awareness import State


def message(*states: tuple[int, int, str]) -> bytes:
    body = [lib0.var_uint(client) + lib0.var_uint(clock) + lib0.var_string(text) for client, clock, text in states]
    return lib0.var_uint(len(body)) + b"".join(body)


def test_golden_states_are_read_and_written():
    data = bytes.fromhex("02" + "01000a7b226e223a22c3a9227d" + "0201046e756c6c")
    states = (State(1, 0, '{"n":"é"}'), State(2, 1, None))
    assert states == awareness.decode(data)
    assert data == awareness.encode(states)


def test_no_states_are_the_single_byte_that_keeps_a_socket_alive():
    assert awareness.encode(()) == b"\x00"
    assert awareness.decode(b"\x00") == ()


def test_null_with_white_space_is_gone_too():
    assert awareness.decode(message((1, 2, " null"))) == (State(1, 2, None),)


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "[" * 4000, "nul"])
def test_a_presence_that_would_break_other_clients_is_refused(text):
    with pytest.raises(Malformed):
        awareness.decode(message((1, 0, text)))


def test_a_client_named_twice_is_refused():
    with pytest.raises(Malformed, match="twice"):
        awareness.decode(message((1, 0, "{}"), (1, 1, "{}")))


def test_too_much_presence_is_refused():
    largest = '"' + "a" * (limits.PRESENCE_STATE_BYTES_MAX - 2) + '"'
    awareness.decode(message((1, 0, largest)))
    with pytest.raises(TooLarge):
        awareness.decode(message((1, 0, largest + " ")))
    many = [(client, 0, "{}") for client in range(limits.AWARENESS_STATES_MAX + 1)]
    awareness.decode(message(*many[1:]))
    with pytest.raises(Malformed) as caught:
        awareness.decode(message(*many))
    assert caught.value.code == "too_many"


@given(st.binary(max_size=60))
def test_any_bytes_are_states_or_an_error_of_ours(data):
    try:
        awareness.decode(data)
    except (Malformed, TooLarge):
        return


def test_a_tail_is_refused():
    with pytest.raises(Malformed):
        awareness.decode(b"\x00\x00")

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.errors import Malformed, TooLarge
from crdt_sync.wire import lib0
from crdt_sync.wire.lib0 import Reader
from tests.wire import vectors


def value_of(row):
    return bytes.fromhex(row["value"]) if row["type"] == "var_bytes" else row["value"]


@vectors.good("lib0")
def test_golden_bytes_are_read_and_written(row):
    data = bytes.fromhex(row["hex"])
    reader = Reader(data)
    assert value_of(row) == getattr(reader, row["type"])()
    assert reader.at_end()
    assert data == getattr(lib0, row["type"])(value_of(row))


@vectors.malformed("lib0")
def test_golden_malformed_bytes_are_refused(row):
    with pytest.raises(Malformed):
        getattr(Reader(bytes.fromhex(row["hex"])), row["type"])()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("00", (0, False)),
        ("3f", (63, False)),
        ("40", (0, True)),
        ("41", (1, True)),
        ("8001", (64, False)),
        ("c001", (64, True)),
        ("bfffffffffffff1f", (2**53 - 1, False)),
    ],
)
def test_signed_integers_have_six_bits_in_their_first_byte(data, expected):
    assert (*expected, len(data) // 2) == lib0.var_int_at(bytes.fromhex(data), 0)


@pytest.mark.parametrize("data", ["", "80", "8000", "8080808080808020", "808080808080808001"])
def test_signed_integers_are_bounded_too(data):
    with pytest.raises(Malformed):
        lib0.var_int_at(bytes.fromhex(data), 0)


@given(st.integers(0, 2**53 - 1), st.binary(max_size=300), st.text(max_size=100))
def test_what_is_written_is_read_and_every_truncation_is_refused(number, data, text):
    written = lib0.var_uint(number) + lib0.var_bytes(data) + lib0.var_string(text)
    assert (number, data, text) == read_all(written)
    for cut in range(len(written)):
        with pytest.raises(Malformed):
            read_all(written[:cut])


def read_all(data):
    reader = Reader(data)
    result = reader.var_uint(), reader.var_bytes(), reader.var_string()
    reader.end()
    return result


def test_bytes_after_the_end_are_refused():
    reader = Reader(b"\x00\x00")
    reader.var_uint()
    assert not reader.at_end()
    with pytest.raises(Malformed, match="1 bytes follow"):
        reader.end()


def test_a_text_above_its_cap_is_too_large_even_if_its_bytes_are_missing():
    with pytest.raises(TooLarge, match="5 bytes where 4"):
        Reader(b"\x05").var_string(4)

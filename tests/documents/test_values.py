import pytest

from crdt_sync.documents import values
from crdt_sync.documents.values import BigInt, Undefined
from crdt_sync.errors import Malformed
from crdt_sync.wire import limits


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("7f", Undefined.UNDEFINED),
        ("7e", None),
        ("7d05", 5),
        ("7d45", -5),
        ("7d40", -0.0),
        ("7c3fc00000", 1.5),
        ("7b3ff8000000000000", 1.5),
        ("7affffffffffffffff", BigInt(-1)),
        ("79", False),
        ("78", True),
        ("7702c3a9", "é"),
        ("7601016b7e", {"k": None}),
        ("75027e78", [None, True]),
        ("740201ff", b"\x01\xff"),
    ],
)
def test_values_of_lib0_are_read(data, expected):
    found, end = values.any_at(bytes.fromhex(data), 0)
    assert (expected, type(expected), len(data) // 2) == (found, type(found), end)


@pytest.mark.parametrize("data", ["", "73", "80", "7c3fc0", "7502", "7702c3", "75" + "01" * 3])
def test_what_is_no_value_is_refused(data):
    with pytest.raises(Malformed):
        values.any_at(bytes.fromhex(data), 0)


def test_values_are_nested_to_a_depth_and_no_deeper():
    deepest = b"\x75\x01" * limits.ANY_DEPTH_MAX + b"\x7e"
    values.any_at(deepest, 0)
    with pytest.raises(Malformed) as caught:
        values.any_at(b"\x75\x01" + deepest, 0)
    assert caught.value.code == "too_deep"

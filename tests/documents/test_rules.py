import pycrdt
import pytest

from crdt_sync.documents import rules
from crdt_sync.errors import Refused
from crdt_sync.wire.limits import VAR_UINT_MAX


def test_whole_numbers_are_integers_again():
    shared = pycrdt.Doc().get("map", type=pycrdt.Map)
    wanted = {"a": 1, "b": 1.5, "c": True, "d": '1.0 "é😀\u2028', "e": None, "f": VAR_UINT_MAX, "g": 10**300, "h": 1e-7}
    for key, value in wanted.items():
        shared[key] = float(value) if type(value) is int else value
    found = rules.scalars(shared)
    assert found == {**wanted, "g": int(1e300)}
    assert [int, float, bool, str, type(None), int, int, float] == [type(found[key]) for key in wanted]


@pytest.mark.parametrize("value", [VAR_UINT_MAX, -VAR_UINT_MAX, 0.5, True, None, "four"])
def test_scalars_pass(value):
    rules.check_scalar("k", value, 4)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (VAR_UINT_MAX + 1, "content"),
        (float("nan"), "content"),
        ([], "content"),
        (b"", "content"),
        ("fives", "size"),
        ("ééé", "size"),
    ],
)
def test_what_is_no_scalar_is_refused(value, code):
    with pytest.raises(Refused) as caught:
        rules.check_scalar("k", value, 4)
    assert code == caught.value.code

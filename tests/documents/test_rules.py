import pytest

from crdt_sync.documents import rules
from crdt_sync.errors import Refused
from crdt_sync.wire.limits import VAR_UINT_MAX


def test_whole_numbers_are_integers_again():
    found = rules.scalars({"a": 1.0, "b": 1.5, "c": True, "d": "1.0", "e": None})
    assert found == {"a": 1, "b": 1.5, "c": True, "d": "1.0", "e": None}
    assert [int, float, bool, str, type(None)] == [type(value) for value in found.values()]


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

import pytest

from crdt_sync.domain import canonical


def test_keys_are_sorted_and_no_space_is_written():
    assert '{"a":[1,true],"b":{"x":null,"y":2}}' == canonical.dumps({"b": {"y": 2, "x": None}, "a": [1, True]})


def test_only_what_json_demands_is_escaped():
    assert '"é合\\"\\\\/\\n\\u0001\x7f"' == canonical.dumps('é合"\\/\n\u0001\x7f')


def test_number_that_json_cannot_write_is_an_error():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical.dumps(float("nan"))


def test_digest_is_sha_256_of_the_utf_8_text():
    """The expected value is what sha256sum prints for the canonical text."""
    assert "1e02bc81a26af2f027329541e97eef36f3290bedc6dfe043dbe66b057ecb13ba" == canonical.digest(
        {"b": None, "a": [1, "é"]}
    )


def test_id_is_unpadded_lowercase_base32_of_prefix_and_data():
    """The expected value is what sha256sum and base32 print for the two letters."""
    assert "7ohcb7bojq7sjddayon5muxtye2hfgf3s55ywtkzao4favlcaybq" == canonical.base32_id(b"a", b"b")

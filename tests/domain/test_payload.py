import hashlib

import pytest

from crdt_sync.domain.payload import check, digest_of, seal, unseal
from crdt_sync.errors import Malformed

SALT = "0123456789abcdef" * 2


def test_a_payload_is_sealed_as_canonical_text_named_by_its_hash():
    sealed = seal({"price": "99.50", "months": 24, "note": "光纤\n"}, SALT)

    assert '{"data":{"months":24,"note":"光纤\\n","price":"99.50"},"salt":"' + SALT + '"}' == sealed.text
    assert hashlib.sha256(sealed.text.encode()).hexdigest() == sealed.digest == digest_of(sealed.text)
    assert {"price": "99.50", "months": 24, "note": "光纤\n"} == unseal(sealed.text)


def test_another_salt_gives_another_digest():
    assert seal({}, SALT).digest != seal({}, SALT[::-1]).digest


@pytest.mark.parametrize(
    "data",
    [
        {"price": 99.5},
        {"price": float("nan")},
        {"price": None},
        {"price": True},
        {"price": ["1"]},
        {"price": {"a": 1}},
        {"price": {1, 2}},
        {"months": 2**53},
        {"months": -(2**53)},
        {"note": "\ud800"},
        {"Größe": "1"},
        {"": "1"},
        {"note": "x" * 65_536},
    ],
)
def test_what_no_payload_can_hold_is_refused(data):
    with pytest.raises(Malformed) as refused:
        seal(data, SALT)

    assert "payload" == refused.value.code
    assert refused.value.advice


@pytest.mark.parametrize("salt", ["", "0" * 31, "A" * 32, "0" * 33])
def test_a_salt_of_another_form_is_refused(salt):
    with pytest.raises(Malformed):
        seal({}, salt)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "\ud800",
        "[" * 60_000,
        "9" * 60_000,
        '{"data":{},"salt":"' + SALT + '"} ',
        '{"data": {},"salt":"' + SALT + '"}',
        '{"salt":"' + SALT + '","data":{}}',
        '{"data":[],"salt":"' + SALT + '"}',
        '{"data":{},"salt":5}',
        '{"data":{},"more":1,"salt":"' + SALT + '"}',
        '{"data":{"a":-0},"salt":"' + SALT + '"}',
        '{"data":{"a":1.0},"salt":"' + SALT + '"}',
        '{"data":{"a":1,"a":1},"salt":"' + SALT + '"}',
        '{"data":{"a":"\\u00e9"},"salt":"' + SALT + '"}',
        '{"data":{"a":"\\ud800"},"salt":"' + SALT + '"}',
        '{"data":{"a":"' + "光" * 22_000 + '"},"salt":"' + SALT + '"}',
    ],
)
def test_text_that_is_not_canonical_or_too_large_unseals_to_nothing(text):
    assert unseal(text) is None


def test_integers_may_be_negative_up_to_the_bound():
    assert {"a": -(2**53) + 1, "b": 2**53 - 1} == unseal(seal({"a": -(2**53) + 1, "b": 2**53 - 1}, SALT).text)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "contract A"),
        ("text", "光" * 4_096),
        ("money", "0"),
        ("money", "-12.5"),
        ("money", "1000000.00"),
        ("integer", 0),
        ("integer", -5),
        ("date", "2024-02-29"),
        ("file", "media-1"),
    ],
)
def test_a_value_of_its_type_passes(kind, value):
    check({"field": kind}, {"field": value})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", ""),
        ("text", 5),
        ("text", "x" * 4_097),
        ("money", "1,5"),
        ("money", "01"),
        ("money", "1."),
        ("money", "1e3"),
        ("money", 12),
        ("integer", "5"),
        ("integer", True),
        ("integer", 1.0),
        ("integer", 2**53),
        ("date", "2023-02-29"),
        ("date", "20240229"),
        ("date", 20240229),
        ("file", ""),
        ("file", "x" * 1_025),
        ("file", None),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(kind, value):
    with pytest.raises(Malformed, match=f"'field' is no {kind}") as refused:
        check({"field": kind}, {"field": value})

    assert "payload" == refused.value.code
    assert f"field ({kind})" in refused.value.advice


def test_a_missing_field_is_refused():
    with pytest.raises(Malformed, match="lacks 'price'"):
        check({"price": "money"}, {})


def test_an_undeclared_field_is_refused():
    with pytest.raises(Malformed, match="'tip'") as refused:
        check({}, {"tip": "1"})

    assert "no fields" in refused.value.advice

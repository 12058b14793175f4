"""A body is taken apart into documents of its own form, and whatever it is, it is kept and can be read again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.errors import Malformed
from gateway.specs.bodies import DEPTH_MAX, ITEMS_MAX, Told, decoded, kept, taken_apart, unread
from gateway.specs.model import Decode

JSON = Decode()


def apart(body, *paths):
    return taken_apart(paths, body)


def test_each_element_is_alone_in_a_document_of_the_same_form():
    body = {"a": [{"n": 1, "b": [1, 2], "c": [3]}, {"n": 2, "b": []}], "z": 0}
    documents = apart(body, "a[].b[]", "a[].c[]")
    assert [({"a": [{"n": 1, "b": [one]}], "z": 0}, one) for one in (1, 2)] == documents[:2]
    assert [({"a": [{"n": 1, "c": [3]}], "z": 0}, 3)] == documents[2:]
    for document, item in documents:
        assert [(document, item)] == apart(document, "a[].b[]", "a[].c[]"), "what is kept is read again as itself"


def test_lists_that_are_empty_say_nothing_and_a_body_without_them_is_one_callback():
    assert [] == apart({"a": []}, "a[]")
    assert [({"b": 1}, None)] == apart({"b": 1}, "a[]")
    assert [({"b": 1}, {"b": 1})] == apart({"b": 1})


def test_too_many_elements_are_refused():
    assert ITEMS_MAX == len(apart({"a": [0] * ITEMS_MAX}, "a[]"))
    with pytest.raises(Malformed, match="too many"):
        apart({"a": [0] * (ITEMS_MAX + 1)}, "a[]")


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_what_nests_too_deep_is_refused(opening):
    closing = {"[": "]", '{"a":': "}"}[opening]
    deep = '{"a":' + opening * 10_000 + "1" + closing * 10_000 + "}"
    with pytest.raises(Malformed):
        decoded(JSON, deep.encode(), ())
    fits = '{"a":' + opening * (DEPTH_MAX - 1) + "1" + closing * (DEPTH_MAX - 1) + "}"
    assert decoded(JSON, fits.encode(), ())
    with pytest.raises(Malformed, match="deep"):
        decoded(JSON, ('{"a":' + opening * DEPTH_MAX + "1" + closing * DEPTH_MAX + "}").encode(), ())


def test_a_form_is_data_and_its_first_value_counts():
    form = Decode(form="form")
    assert {"a": "1", "b": "é", "c": ""} == decoded(form, b"a=1&b=%C3%A9&a=2&c=", ())
    for wrong in (b"a", b"\xff=1", b"&".join(b"a=1" for _ in range(1_001))):
        with pytest.raises(Malformed):
            decoded(form, wrong, ())


@given(st.binary(max_size=100))
def test_bytes_that_are_no_data_are_kept_as_they_are(body):
    headers, again = kept(unread({"h": "1"}, body))
    assert ({"h": "1"}, body) == (headers, again)


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none() | st.lists(st.booleans()), max_size=4))
def test_data_are_kept_as_they_are(body):
    assert ({}, body) == kept(Told({}, body, None).content())


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b'{"headers":{}}', b'{"headers":1,"body":{}}', b"[" * 9_999])
def test_what_this_gateway_did_not_keep_is_refused(content):
    with pytest.raises(Malformed):
        kept(content)


def test_json_in_a_text_is_read_where_the_spec_says():
    decode = Decode(json_strings=("a.b", "c"))
    assert {"a": {"b": [1]}, "c": None} == decoded(decode, json.dumps({"a": {"b": "[1]"}, "c": None}).encode(), ())
    assert {"a": {"b": [1]}} == decoded(decode, {"a": {"b": [1]}}, ()), "read again, it stays"
    with pytest.raises(Malformed):
        decoded(decode, b'{"c": "{"}', ())

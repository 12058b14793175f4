import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.errors import Malformed
from gateway.channels import flat


def test_xml_gives_its_own_fields_and_passes_over_nested_ones():
    data = b" <xml><A><![CDATA[<b>&]]></A><S><T>nested</T>tail</S><E/><C>1 &lt; 2</C>\n</xml>"
    assert {"A": "<b>&", "E": "", "C": "1 < 2"} == flat.fields(data)


def test_json_gives_its_own_fields_and_keeps_every_digit():
    data = '{"A": "票", "N": 6054768590064713728123, "F": 23.1340, "L": [1], "O": {"A": "x"}, "B": true}'.encode()
    assert {"A": "票", "N": "6054768590064713728123", "F": "23.1340"} == flat.fields(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"   ",
        b"text",
        b"[]",
        b"{",
        b'{"a": "\xff"}',
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": "\\ud800"}',
        b'{"\\ud800": "a"}',
        b'{"a":' + b"[" * 60_000,
        b"<xml>",
        b"<xml></xml><xml></xml>",
        b"<xml><a>1</a><a>2</a></xml>",
        b"<xml><a>\xff</a></xml>",
        b"<xml><a>&undefined;</a></xml>",
        b"<!DOCTYPE xml><xml><a>1</a></xml>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x><a>&a;</a></x>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x><a>&a;</a></x>',
        '<?xml version="1.0" encoding="utf-16"?><xml><a>1</a></xml>'.encode("utf-16"),
    ],
)
def test_anything_else_is_malformed(data):
    with pytest.raises(Malformed):
        flat.fields(data)


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=80).map(lambda rest: b"<" + rest)))
def test_random_bytes_are_fields_or_malformed(data):
    try:
        found = flat.fields(data)
    except Malformed:
        return
    assert all(isinstance(value, str) for value in found.values())

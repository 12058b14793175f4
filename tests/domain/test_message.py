import json

import pytest

from crdt_sync.domain.message import MESSAGE_KINDS, Message, decode, make, origin_id
from crdt_sync.domain.transition import Undecodable
from crdt_sync.errors import Malformed

TICKET = "a" * 52
ORIGIN = origin_id("wechat:gh_1", "msg-1")
TEXT = {"type": "text", "text": "光纤什么时候开通？"}
RECORD = {
    "v": 1,
    "ticket": TICKET,
    "kind": "customer",
    "author": "c-1",
    "at": 7,
    "parts": [TEXT],
    "salt": "0" * 32,
    "origin": None,
}


def written(fields: object) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decoded(fields: object) -> Message:
    result = decode(written(fields))
    assert isinstance(result, Message)
    return result


def test_a_canonical_record_decodes_to_its_fields():
    message = decoded(RECORD)

    assert (TICKET, "customer", "c-1", 7) == (message.ticket, message.kind, message.author, message.at)
    assert ((TEXT,), "0" * 32, None) == (message.parts, message.salt, message.origin)
    assert written(RECORD).decode() == message.record


def test_the_id_is_the_hash_of_prefix_and_bytes():
    """A golden value: the TypeScript implementation must give the same."""
    assert "fsd2og3kspobmjw3coi3nuxmfzj7arh23xbx6rggasfhkonr7v7a" == decoded(RECORD).id


def test_what_came_from_a_channel_has_its_origin_as_id():
    first, second = decoded(RECORD | {"origin": ORIGIN}), decoded(RECORD | {"origin": ORIGIN, "at": 8})

    assert ORIGIN == first.id == second.id
    assert first.record != second.record


def test_an_origin_is_the_hash_of_account_and_key():
    assert "h75h6de4d3ppqy6434zq6otlfuom3ixf75klribdnqna57os7dqq" == ORIGIN
    assert origin_id("a", "bc") != origin_id("ab", "c")


@pytest.mark.parametrize("kind", MESSAGE_KINDS)
def test_every_kind_decodes(kind):
    assert kind == decoded(RECORD | {"kind": kind}).kind


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "text": 'line\nbreak \u0001 \x7f \u2028 "quoted" \\ /'},
        {"type": "image", "ref": "media-1", "name": ""},
        {"type": "voice", "ref": "media-1", "name": "v.amr"},
        {"type": "video", "ref": "r" * 1024, "name": "n" * 256},
        {"type": "file", "ref": "media-1", "name": "合同.pdf"},
        {"type": "location", "latitude": "-39.9", "longitude": "116.4074", "label": "北京"},
        {"type": "event", "event": "subscribe"},
    ],
)
def test_every_type_of_part_decodes(part):
    assert (part,) == decoded(RECORD | {"parts": [part]}).parts


@pytest.mark.parametrize(
    "part",
    [
        "text",
        {},
        {"type": ["text"], "text": "x"},
        {"type": "sticker", "ref": "x"},
        {"type": "text"},
        {"type": "text", "text": ""},
        {"type": "text", "text": 5},
        {"type": "text", "text": "x", "bold": "yes"},
        {"type": "image", "ref": "", "name": ""},
        {"type": "file", "ref": "r" * 1025, "name": ""},
        {"type": "file", "ref": "r", "name": "n" * 257},
        {"type": "location", "latitude": 39.9, "longitude": "1", "label": ""},
        {"type": "location", "latitude": "1e9", "longitude": "1", "label": ""},
        {"type": "event", "event": "e" * 129},
    ],
)
def test_a_part_of_another_shape_is_malformed(part):
    assert Undecodable.MALFORMED == decode(written(RECORD | {"parts": [part]}))


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"ticket": None},
        {"kind": "bot"},
        {"kind": ["agent"]},
        {"author": ""},
        {"author": "客户"},
        {"author": "a" * 129},
        {"at": -1},
        {"at": 2**53},
        {"at": 1.0},
        {"at": False},
        {"parts": []},
        {"parts": {}},
        {"parts": [TEXT] * 33},
        {"salt": "0" * 31},
        {"salt": "G" * 32},
        {"origin": ""},
        {"origin": 0},
        {"extra": 1},
    ],
)
def test_a_record_out_of_bounds_is_malformed(change):
    assert Undecodable.MALFORMED == decode(written(RECORD | change))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b"NaN",
        b"[" * 60_000,
        b"9" * 60_000,
        written(RECORD) + b" ",
        written(RECORD).replace(b'"at":7', b'"at":-0'),
        written(RECORD).replace(b'"at":7', b'"at":7,"at":7'),
        json.dumps(RECORD, sort_keys=True, separators=(",", ":")).encode(),
        written(RECORD).replace(b'"text":"', b'"text":"\\ud800'),
        written(RECORD).replace(b'"text":"', b'"text":"\\u000A'),
    ],
)
def test_hostile_bytes_are_malformed_and_never_raise(data):
    assert Undecodable.MALFORMED == decode(data)


def test_64_kib_decode_and_one_more_byte_is_size():
    room = 65_536 - len(written(RECORD | {"parts": [TEXT | {"text": ""}]}))
    fits = RECORD | {"parts": [TEXT | {"text": "x" * room}]}

    assert 65_536 == len(decoded(fits).record)
    assert Undecodable.SIZE == decode(written(RECORD | {"parts": [TEXT | {"text": "x" * (room + 1)}]}))


def test_make_gives_what_decodes():
    made = make(ticket=TICKET, kind="customer", author="c-1", at=7, parts=[TEXT], salt="0" * 32)

    assert decoded(RECORD) == made


@pytest.mark.parametrize(("text", "code"), [("\ud800", "malformed"), ("", "malformed"), ("x" * 65_536, "size")])
def test_make_refuses_what_nobody_could_decode(text, code):
    with pytest.raises(Malformed) as refused:
        make(ticket=TICKET, kind="agent", author="a", at=0, parts=[{"type": "text", "text": text}], salt="0" * 32)

    assert code == refused.value.code
    assert refused.value.advice

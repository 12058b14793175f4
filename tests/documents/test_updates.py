import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text

from crdt_sync.documents import updates
from crdt_sync.documents.state_vectors import decode_state_vector, encode_state_vector
from crdt_sync.documents.updates import Content, Deletion, Id, Struct
from crdt_sync.errors import Malformed, TooLarge
from crdt_sync.wire import limits
from crdt_sync.wire.lib0 import var_uint
from tests.documents import forge
from tests.wire import vectors


def as_vector(item: Struct) -> dict:
    """A struct as the vectors hold it, which Y.decodeUpdate of Yjs 13.6 made."""
    kind = {Content.GC: "GC", Content.SKIP: "Skip", Content.JSON: "JSON"}.get(item.kind, item.kind.name.capitalize())
    row: dict = {"client": item.client, "clock": item.clock, "length": item.length, "kind": kind}
    if item.kind in {Content.GC, Content.SKIP}:
        return row
    row |= {name: plain(getattr(item, name)) for name in ("origin", "right_origin", "parent", "parent_sub")}
    if item.kind in {Content.ANY, Content.STRING, Content.FORMAT, Content.EMBED, Content.BINARY}:
        row["content"] = plain(item.content)
    return row


def plain(value):
    if isinstance(value, tuple):
        return list(value)
    return value.hex() if isinstance(value, bytes) else value


@pytest.mark.parametrize("row", vectors.load("updates"), ids=lambda row: row["name"])
def test_updates_of_yjs_decode_to_what_yjs_decodes(row):
    update = updates.decode(bytes.fromhex(row["hex"]))
    found = [as_vector(item) for item in update.structs]
    for item, expected in zip(found, row["structs"], strict=True):
        if "content" not in expected:
            item.pop("content", None)
        assert expected == item
    assert row["deletes"] == [list(deletion) for deletion in update.deletes]


@pytest.mark.parametrize("row", vectors.load("updates"), ids=lambda row: row["name"])
def test_an_update_that_ends_early_is_refused_at_every_byte(row):
    data = bytes.fromhex(row["hex"])
    for cut in range(len(data)):
        with pytest.raises(Malformed):
            updates.decode(data[:cut])
    with pytest.raises(Malformed):
        updates.decode(data + b"\x00")


def test_updates_of_pycrdt_decode():
    doc = Doc(client_id=7)
    doc.get("a", type=Array).extend(["x", 1, None, {"k": [True]}])
    doc.get("m", type=Map)["k"] = Text("ä😀")
    update = updates.decode(doc.get_update())
    assert [(item.clock, item.length, item.kind) for item in update.structs] == [
        (0, 4, Content.ANY),
        (4, 1, Content.TYPE),
        (5, 3, Content.STRING),
    ]
    assert update.structs[0].content == ("x", 1.0, None, {"k": [True]})
    assert update.structs[2].parent == Id(7, 4)


def test_every_kind_of_content_is_read():
    data = forge.update(
        {
            1: (
                0,
                [
                    forge.gc(2),
                    forge.item(forge.deleted(3), root="r"),
                    forge.item(forge.json_texts("1", "undefined"), root="r"),
                    forge.item(forge.shared(3, "p"), parent=(1, 0), key="k"),
                    forge.item(forge.shared(6), origin=(1, 1), right=(1, 2)),
                    forge.item(forge.subdocument("g", {"a": [b"\x01", 1.5, False]}), origin=(1, 1)),
                    forge.skip(4),
                ],
            )
        },
        {1: [(0, 2)], 2: [(5, 1), (9, 1)]},
    )
    update = updates.decode(data)
    assert [
        Struct(1, 0, 2, Content.GC, None, None, None, None, None),
        Struct(1, 2, 3, Content.DELETED, None, None, None, "r", None),
        Struct(1, 5, 2, Content.JSON, ("1", "undefined"), None, None, "r", None),
        Struct(1, 7, 1, Content.TYPE, 3, None, None, Id(1, 0), "k"),
        Struct(1, 8, 1, Content.TYPE, 6, Id(1, 1), Id(1, 2), None, None),
        Struct(1, 9, 1, Content.DOC, ("g", {"a": [b"\x01", 1.5, False]}), Id(1, 1), None, None, None),
        Struct(1, 10, 4, Content.SKIP, None, None, None, None, None),
    ] == list(update.structs)
    assert update.deletes == (Deletion(1, 0, 2), Deletion(2, 5, 1), Deletion(2, 9, 1))
    assert update.deletes_at == len(data) - len(updates.encode_deletes(update.deletes))
    assert data[update.deletes_at :] == updates.encode_deletes(update.deletes)


ROOT = {"root": "r"}


@pytest.mark.parametrize(
    "data",
    [
        forge.update({1: (0, [forge.gc(0)])}),
        forge.update({1: (0, [forge.item(forge.string(""), **ROOT)])}),
        forge.update({1: (0, [forge.item(forge.values(), **ROOT)])}),
        forge.update({1: (0, [forge.item(forge.deleted(0), **ROOT)])}),
        forge.update({1: (limits.CLOCK_MAX, [forge.gc(1)])}),
        forge.update({1: (limits.CLOCK_MAX + 1, [])}),
        forge.update({1: (limits.CLOCK_MAX, [forge.item(forge.string("a"), **ROOT)])}),
        forge.update({}, {1: [(0, 0)]}),
        forge.update({1: (0, [forge.item(forge.shared(7), **ROOT)])}),
        forge.update({1: (0, [forge.item(b"\x0b", **ROOT)])}),
        b"\x01\x01\x01\x00\x80\x00\x00",
        b"\x01\x01\x01\x00\x04\x02\x01r\x01a\x00",
        b"\x02\x00\x01\x00\x00\x01\x00\x00",
        b"\x00\x02\x01\x00\x01\x00",
        b"\x01\x01\x01\x00\x04\x01\x01r\x02\xff\xff\x00",
    ],
    ids=[
        "empty GC",
        "empty text",
        "no values",
        "empty deletion",
        "GC beyond the last clock",
        "clock too large",
        "text beyond the last clock",
        "nothing deleted",
        "unknown shared type",
        "unknown content",
        "GC with an origin",
        "parent of a third sort",
        "client in two blocks",
        "client deleted in two blocks",
        "text that is not UTF-8",
    ],
)
def test_forged_updates_are_malformed(data):
    with pytest.raises(Malformed):
        updates.decode(data)


@given(st.binary(max_size=120))
def test_any_bytes_are_an_update_or_malformed(data):
    try:
        updates.decode(data)
    except Malformed:
        return


@given(st.sampled_from(vectors.load("updates")), st.data())
def test_any_damaged_update_is_an_update_or_malformed(row, data):
    damaged = bytearray.fromhex(row["hex"])
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        updates.decode(bytes(damaged))
    except Malformed:
        return


def test_updates_are_capped_in_bytes_and_structs():
    many = forge.update({1: (0, [forge.gc(1)] * limits.UPDATE_STRUCTS_MAX)})
    assert len(updates.decode(many).structs) == limits.UPDATE_STRUCTS_MAX
    more = forge.update({1: (0, [forge.gc(1)] * (limits.UPDATE_STRUCTS_MAX + 1))})
    with pytest.raises(Malformed) as caught:
        updates.decode(more)
    assert caught.value.code == "too_many"
    assert len(updates.decode_stored(more).structs) == limits.UPDATE_STRUCTS_MAX + 1
    with pytest.raises(TooLarge):
        updates.decode(bytes(limits.UPDATE_BYTES_MAX + 1))


@given(st.dictionaries(st.integers(0, 2**53 - 1), st.integers(0, limits.CLOCK_MAX), max_size=5))
def test_state_vectors_are_read_as_written(state):
    assert state == decode_state_vector(encode_state_vector(state))


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x02\x01\x00\x01\x00", b"\x00\x00", b"\x01\x01\x80\x80\x80\x80\x08"])
def test_what_is_no_state_vector_is_refused(data):
    with pytest.raises(Malformed):
        decode_state_vector(data)


def test_a_state_vector_of_too_many_clients_is_refused():
    with pytest.raises(Malformed) as caught:
        decode_state_vector(var_uint(limits.STATE_VECTOR_CLIENTS_MAX + 1))
    assert caught.value.code == "too_many"


@pytest.mark.parametrize(("text", "length"), [("", 0), ("abc", 3), ("заявка", 6), ("😀", 2), ("a😀工", 4)])
def test_texts_are_counted_in_utf16(text, length):
    assert length == updates.utf16_length(text)


def test_merged_updates_hold_all_of_them():
    doc = Doc(client_id=1)
    array = doc.get("a", type=Array)
    array.append("x")
    first = doc.get_update()
    before = doc.get_state()
    array.append("y")
    second = doc.get_update(before)
    assert updates.merge([first]) == first
    merged = updates.decode(updates.merge([first, second]))
    assert sum(item.length for item in merged.structs) == 2

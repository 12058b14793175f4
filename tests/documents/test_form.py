import hashlib

import pytest

from crdt_sync.documents.document import Outcome, Received
from crdt_sync.documents.form import FormDocument
from crdt_sync.errors import Refused
from crdt_sync.wire import limits
from tests.documents import forge

NOTES = {"root": "notes"}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def field(key, value) -> bytes:
    return forge.item(forge.values(value), root="fields", key=key)


def payload(key, value) -> bytes:
    return forge.item(forge.values(value), root="payloads", key=key)


def one(client: int, clock: int, *items: bytes, deletes=None) -> bytes:
    return forge.update({client: (clock, list(items))}, deletes)


def refused(document: FormDocument, data: bytes) -> str:
    state = document.state()
    with pytest.raises(Refused) as caught:
        document.receive(data, actor="ann")
    assert state == document.state()
    return caught.value.code


def test_two_people_fill_in_one_form():
    one_side, other = FormDocument(1), FormDocument(2)
    theirs = [one_side.set_fields({"fast": True, "area": 12, "name": "Ö"}), one_side.append_note("Rang 😀. ")]
    ours = [other.set_fields({"fast": False, "rate": 1.5}), other.append_note("Wartet. ")]
    for data in ours:
        one_side.receive(data, actor="bob")
    for data in theirs:
        other.receive(data, actor="ann")
    assert one_side.fields() == other.fields()
    assert one_side.notes() == other.notes()
    assert {key: value for key, value in one_side.fields().items() if key != "fast"} == {
        "area": 12,
        "name": "Ö",
        "rate": 1.5,
    }
    assert sorted(["Rang 😀. ", "Wartet. "]) == sorted(one_side.notes().replace(". ", ". |").split("|")[:-1])
    assert type(one_side.fields()["area"]) is int


def test_a_field_is_overwritten_and_a_note_deleted():
    form = FormDocument(99)
    form.receive(one(1, 0, field("a", "x"), forge.item(forge.string("hello"), **NOTES)), actor="ann")
    overwritten = one(1, 6, forge.item(forge.values("y"), origin=(1, 0)), deletes={1: [(0, 1), (1, 4)]})
    assert form.receive(overwritten, actor="ann") == Received(Outcome.APPLIED)
    assert (form.fields(), form.notes()) == ({"a": "y"}, "o")
    assert form.receive(one(1, 7, forge.item(forge.deleted(2), origin=(1, 6))), actor="ann").kind is Outcome.APPLIED


def test_new_payloads_are_told():
    form, other = FormDocument(1), FormDocument(99)
    data = form.put_payload(digest('{"data":{}}'), '{"data":{}}')
    assert other.receive(data, actor="ann") == Received(Outcome.APPLIED, payloads=(digest('{"data":{}}'),))
    assert other.payloads() == {digest('{"data":{}}'): '{"data":{}}'}
    assert (other.payload(digest('{"data":{}}')), other.payload(digest("none"))) == ('{"data":{}}', None)
    assert other.receive(data, actor="ann") == Received(Outcome.DUPLICATE)


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (field("Key", 1), "key"),
        (field("1a", 1), "key"),
        (field("a" * (limits.FIELD_KEY_LENGTH_MAX + 1), 1), "key"),
        (field("a", {}), "content"),
        (field("a", [1]), "content"),
        (field("a", b"1"), "content"),
        (field("a", float("nan")), "content"),
        (field("a", float("inf")), "content"),
        (forge.item(b"\x08\x01\x7a" + bytes(8), root="fields", key="a"), "content"),
        (forge.item(b"\x08\x01\x7f", root="fields", key="a"), "content"),
        (field("a", "é" * (limits.FIELD_TEXT_BYTES_MAX // 2) + "a"), "size"),
        (forge.item(forge.values(1, 2), root="fields", key="a"), "content"),
        (forge.item(forge.shared(1), root="fields", key="a"), "content"),
        (forge.item(forge.values(1), root="fields"), "content"),
        (forge.item(forge.embed({}), **NOTES), "content"),
        (forge.item(forge.form("bold", True), **NOTES), "content"),
        (forge.item(forge.values("x"), **NOTES), "content"),
        (forge.item(forge.string("x"), root="notes", key="k"), "content"),
        (payload("k", "x"), "key"),
        (payload(digest("x"), "y"), "digest"),
        (payload(digest("x"), 1), "content"),
        (payload(digest("x" * (limits.PAYLOAD_BYTES_MAX + 1)), "x" * (limits.PAYLOAD_BYTES_MAX + 1)), "size"),
        (forge.item(forge.values("x"), root="other", key="a"), "second_root"),
        (forge.item(forge.deleted(1), root="other"), "second_root"),
        (forge.gc(1), "second_root"),
    ],
)
def test_what_a_form_does_not_hold_is_refused(item, code):
    assert code == refused(FormDocument(99), one(1, 0, item))


def test_a_key_is_found_through_the_origin_of_an_overwrite():
    form = FormDocument(99)
    form.receive(one(1, 0, payload(digest("x"), "x")), actor="ann")
    assert refused(form, one(2, 0, forge.item(forge.values("y"), origin=(1, 0)))) == "digest"


def test_a_nested_type_is_no_place():
    form = FormDocument(99)
    form.receive(one(1, 0, field("a", 1)), actor="ann")
    items = [forge.item(forge.shared(1), root="fields", key="b"), forge.item(forge.values(1), parent=(2, 0), key="c")]
    assert refused(form, one(2, 0, *items)) == "second_root"


def test_null_removes_a_field():
    form, other = FormDocument(1), FormDocument(2)
    other.receive(form.set_fields({"area": 12, "rate": 1.5}), actor="ann")
    other.receive(form.set_fields({"area": None, "gone": None}), actor="ann")

    assert other.fields() == form.fields() == {"rate": 1.5}


def test_null_that_another_client_wrote_stays():
    form = FormDocument(99)
    form.receive(one(1, 0, field("a", None)), actor="ann")

    assert form.fields() == {"a": None}


@pytest.mark.parametrize("value", [0, -5, 2.5, True, "", "é" * (limits.FIELD_TEXT_BYTES_MAX // 2)])
def test_scalars_are_taken_as_they_are(value):
    form, other = FormDocument(1), FormDocument(99)
    other.receive(form.set_fields({"a": value}), actor="ann")
    assert other.fields() == {"a": value}


def test_fields_are_capped_in_number():
    form = FormDocument(99)
    keys = [f"k{number}" for number in range(limits.FORM_FIELDS_MAX)]
    form.receive(one(1, 0, *(field(key, 1) for key in keys)), actor="ann")
    assert refused(form, one(2, 0, field("another", 1))) == "too_many"
    assert form.receive(one(2, 0, field("k0", 2)), actor="ann").kind is Outcome.APPLIED


@pytest.mark.parametrize(
    "write",
    [
        lambda form: form.set_fields({"Key": 1}),
        lambda form: form.set_fields({"good": 1, "bad": [1]}),
        lambda form: form.set_fields({"a": 2**53}),
        lambda form: form.put_payload(digest("x"), "y"),
    ],
)
def test_we_write_only_what_others_would_take(write):
    form = FormDocument(1)
    with pytest.raises(Refused):
        write(form)
    assert form.is_empty


def test_a_form_survives_a_snapshot():
    form, loaded = FormDocument(1), FormDocument(2)
    form.set_fields({"a": 1})
    form.set_fields({"a": 2})
    form.append_note("x")
    loaded.load(form.snapshot(), [])
    assert (loaded.fields(), loaded.notes(), loaded.payloads()) == ({"a": 2}, "x", {})
    assert loaded.receive(one(3, 0, forge.item(forge.values(3), origin=(1, 1))), actor="ann").kind is Outcome.APPLIED
    assert loaded.fields() == {"a": 3}

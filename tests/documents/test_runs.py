"""Updates that follow each other, as one: pycrdt's own merge is the oracle."""

from contextlib import suppress

import pycrdt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crdt_sync.documents import updates
from crdt_sync.documents.document import Document, Outcome
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.runs import decode_run
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.errors import Malformed
from crdt_sync.wire import limits
from tests.documents import forge

CLIENTS = st.sampled_from([0, 1, 127, 128, 2**32 - 1, 2**53 - 1])
EDITS = st.lists(
    st.tuples(st.sampled_from(["append", "set", "unset", "type", "erase", "nest"]), st.integers(0, 200)),
    min_size=1,
    max_size=12,
)


def edit(doc: pycrdt.Doc, what: str, number: int) -> None:
    items, keys, text = (
        doc.get("items", type=pycrdt.Array),
        doc.get("keys", type=pycrdt.Map),
        doc.get("text", type=pycrdt.Text),
    )
    if what == "append":
        items.extend([number, "x" * number])
    elif what == "set":
        keys[str(number % 3)] = number
    elif what == "unset":
        keys.pop(str(number % 3), None)
    elif what == "type":
        text.insert(min(number, len(text)), "ab" * (number % 5 + 1))
    elif what == "erase":
        del text[: min(number, len(text))]
    else:
        items.append(pycrdt.Map({"n": number}))


def typed(doc: pycrdt.Doc, edits) -> list[bytes]:
    made: list[bytes] = []
    subscription = doc.observe(lambda event: made.append(event.update))
    for what, number in edits:
        edit(doc, what, number)
    doc.unobserve(subscription)
    return [data for data in made if data != b"\0\0"]


def content(*parts: bytes) -> dict:
    doc = pycrdt.Doc()
    for part in parts:
        doc.apply_update(part)
    shown = {
        "items": doc.get("items", type=pycrdt.Array).to_py(),
        "keys": doc.get("keys", type=pycrdt.Map).to_py(),
        "text": str(doc.get("text", type=pycrdt.Text)),
    }
    return shown | {"state": doc.get_state(), "again": updates.decode_stored(doc.get_update())}


@given(CLIENTS, EDITS, EDITS)
def test_a_run_is_what_its_parts_are(client, before, edits):
    doc = pycrdt.Doc(client_id=client)
    base = typed(doc, before)
    parts = typed(doc, edits)
    found = decode_run(parts) if parts else None
    if found is None:
        assert not parts or any(not updates.decode(part).structs for part in parts), "a deletion alone has no place"
        return
    data, update = found
    assert updates.decode(data) == update, "what is said of the bytes is what is in them"
    assert content(*base, *parts) == content(*base, data) == content(*base, pycrdt.merge_updates(*parts))


@given(CLIENTS, EDITS, st.data())
def test_what_does_not_follow_is_no_run(client, edits, data):
    parts = typed(pycrdt.Doc(client_id=client), [("append", 1), ("append", 2), *edits])
    left_out = data.draw(st.integers(1, len(parts) - 1))
    following = parts[left_out:]
    if updates.decode(parts[left_out - 1]).structs and updates.decode(parts[0]).structs and left_out > 1:
        assert decode_run([parts[0], *following]) is None
    assert decode_run([parts[1], parts[0]]) is None


def is_update(data: bytes) -> bool:
    try:
        updates.decode(data)
    except Malformed:
        return False
    return True


def one(client: int, clock: int, *, deletes=None, count: int = 1) -> bytes:
    return forge.update({client: (clock, [forge.item(forge.values("x"), root="items")] * count)}, deletes)


@pytest.mark.parametrize(
    "parts",
    [
        [one(1, 0), one(2, 1)],
        [one(1, 0), one(1, 0)],
        [one(1, 0), one(1, 2)],
        [one(1, 0), b"\0\0"],
        [b"\0\0", one(1, 0)],
        [forge.update({1: (0, [forge.item(forge.values("x"), root="a")]), 2: (0, [])}), one(1, 1)],
        [one(1, 0), forge.update({1: (1, [forge.item(forge.values("x"), root="a")]), 2: (0, [])})],
    ],
    ids=["another client", "the same again", "a gap", "nothing", "behind nothing", "two blocks", "two blocks behind"],
)
def test_only_one_client_s_next_updates_are_a_run(parts):
    assert decode_run(parts) is None


def test_deletions_are_put_together():
    data, update = decode_run([one(1, 0, deletes={9: [(4, 1)]}), one(1, 1, deletes={9: [(5, 2)], 3: [(0, 1)]})])
    assert [(3, 0, 1), (9, 4, 3)] == [tuple(deletion) for deletion in update.deletes]
    assert update == updates.decode(data)


def test_a_run_is_no_larger_than_an_update_may_be(monkeypatch):
    parts = [one(1, 0, count=2), one(1, 2, count=2)]
    size = sum(map(len, parts))
    monkeypatch.setattr("crdt_sync.documents.runs.UPDATE_BYTES_MAX", size)
    monkeypatch.setattr("crdt_sync.documents.runs.UPDATE_STRUCTS_MAX", 4)
    assert decode_run(parts) is not None
    monkeypatch.setattr("crdt_sync.documents.runs.UPDATE_STRUCTS_MAX", 3)
    with pytest.raises(Malformed):
        decode_run(parts)
    monkeypatch.setattr("crdt_sync.documents.runs.UPDATE_STRUCTS_MAX", limits.UPDATE_STRUCTS_MAX)
    monkeypatch.setattr("crdt_sync.documents.runs.UPDATE_BYTES_MAX", size - 1)
    assert decode_run(parts) is None


def test_a_run_has_no_more_deletions_than_an_update_may_have(monkeypatch):
    monkeypatch.setattr("crdt_sync.documents.runs.UPDATE_STRUCTS_MAX", 3)
    parts = [one(1, 0, deletes={9: [(0, 1), (2, 1)]}), one(1, 1, deletes={9: [(4, 1), (6, 1)]})]
    assert decode_run(parts[:1]) is not None
    assert decode_run(parts) is None


@given(CLIENTS, EDITS, st.data())
def test_no_part_takes_what_it_lacks_from_the_next(client, edits, data):
    """Cut anywhere else, the same bytes are no updates, and no run."""
    parts = [part for part in typed(pycrdt.Doc(client_id=client), [("append", 1), *edits]) if part[:1] == b"\1"]
    index = data.draw(st.integers(0, len(parts) - 1))
    cut = data.draw(st.integers(0, len(parts[index]) - 1))
    following = parts[index + 1 : index + 2]
    broken = [*parts[:index], parts[index][:cut], *[parts[index][cut:] + part for part in following]]
    assume(not any(is_update(part) for part in broken[index : index + 2]))
    with suppress(Malformed):
        assert decode_run(broken) is None


@given(EDITS, EDITS)
def test_a_document_takes_a_run_as_it_takes_the_parts(before, edits):
    doc = pycrdt.Doc(client_id=77)
    base, parts = typed(doc, before), typed(doc, edits)
    together, apart = Document(5), Document(6)
    for data in base:
        together.receive(data, actor="a")
        apart.receive(data, actor="a")
    run = together.receive_run(parts, actor="a") if parts else None
    outcomes = {apart.receive(data, actor="a").kind for data in parts}
    if run is None:  # then nothing was applied
        for data in parts:
            together.receive(data, actor="a")
    else:
        assert {Outcome.APPLIED} == outcomes
    assert apart.digest() == together.digest()
    assert apart.state() == together.state()


def test_one_wrong_part_leaves_the_document_as_it_was():
    form = FormDocument(5)
    right, wrong = FormDocument(77), pycrdt.Doc(client_id=78)
    parts = [right.set_fields({"port": number}) for number in range(3)]
    wrong.get("secrets", type=pycrdt.Map)["port"] = 1
    assert form.receive_run([*parts, wrong.get_update()], actor="a") is None
    assert form.is_empty
    assert form.receive_run([*parts, b"\xff"], actor="a") is None
    assert form.is_empty
    data, received = form.receive_run(parts, actor="a")
    assert Outcome.APPLIED is received.kind
    assert {"port": 2} == form.fields()
    assert form.receive_run(parts, actor="a") is None, "what is known is for each part to be said"
    assert Outcome.DUPLICATE is form.receive(data, actor="a").kind


def test_entries_are_taken_one_by_one():
    submitted = SubmitDocument(77)
    parts = [submitted.append_message(text) for text in ("a", "b")]
    assert SubmitDocument(5).receive_run(parts, actor="a") is None

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text

from crdt_sync.documents import gaps, updates
from crdt_sync.documents.document import Document, Outcome, Received
from crdt_sync.documents.state_vectors import decode_state_vector
from crdt_sync.documents.updates import Deletion
from crdt_sync.errors import Malformed, Refused, ServiceError, TooLarge
from crdt_sync.wire import limits
from tests.documents import forge
from tests.wire import vectors

ROOT = {"root": "r"}


def text(content: str, **place) -> bytes:
    return forge.item(forge.string(content), **(place or ROOT))


def read(document: Document) -> str:
    """The text of the root `r`, as another replica of pycrdt sees it."""
    doc = Doc()
    doc.apply_update(document.diff(b"\x00"))
    return str(doc.get("r", type=Text))


def filled(*datas: bytes) -> Document:
    document = Document(99)
    for data in datas:
        assert Received(Outcome.APPLIED) == document.receive(data, actor="a")
    return document


HELLO = forge.update({1: (0, [text("hello")])})


def test_a_new_document_is_empty():
    document = Document(99)
    assert (document.is_empty, document.state(), document.state_vector(), document.size_bytes) == (True, {}, b"\x00", 0)
    assert document.client_id == 99
    assert document.diff(b"\x00") == b"\x00\x00"
    assert document.receive(b"\x00\x00", actor="a") == Received(Outcome.DUPLICATE)


def test_an_update_is_applied_once():
    document = filled(HELLO)
    assert document.state() == {1: 5}
    assert document.state_vector() == b"\x01\x01\x05"
    assert document.size_bytes == len(HELLO)
    assert not document.is_empty
    assert document.receive(HELLO, actor="b") == Received(Outcome.DUPLICATE)
    assert read(document) == "hello"


def test_deletions_that_are_known_are_a_duplicate():
    document = filled(HELLO, forge.update({}, {1: [(1, 3)]}))
    assert read(document) == "ho"
    assert document.receive(forge.update({}, {1: [(2, 2)]}), actor="a") == Received(Outcome.DUPLICATE)
    assert document.receive(document.diff(b"\x00"), actor="a") == Received(Outcome.DUPLICATE)
    assert document.holds(forge.update({}, {1: [(1, 1)]}))
    assert not document.holds(forge.update({}, {1: [(1, 4)]}))
    assert document.receive(forge.update({}, {1: [(1, 4)]}), actor="a") == Received(Outcome.APPLIED)
    assert read(document) == "h"


def test_a_gap_leaves_the_document_untouched():
    document = filled(HELLO)
    before = document.diff(b"\x00")
    for data in (
        forge.update({1: (6, [text("x")])}),
        forge.update({2: (0, [text("x", origin=(1, 5))])}),
        forge.update({}, {1: [(4, 2)]}),
        forge.update({2: (0, [text("x")])}, {1: [(4, 2)]}),
    ):
        assert document.receive(data, actor="a") == Received(Outcome.GAP)
        assert document.apply_committed(data) is Outcome.GAP
        assert not document.holds(data)
        assert before == document.diff(b"\x00")


def test_a_gap_that_is_filled_can_be_applied():
    first, second = HELLO, forge.update({1: (5, [text("!", origin=(1, 4))])})
    document = Document(99)
    assert document.receive(second, actor="a") == Received(Outcome.GAP)
    assert [Received(Outcome.APPLIED)] * 2 == [document.receive(data, actor="a") for data in (first, second)]
    assert read(document) == "hello!"


def test_three_lost_updates_of_one_map_never_vanish():
    """The sequence at which Yjs and yrs differ: x=0, y=0, x=100, y=200, and the third is lost."""
    doc = Doc(client_id=1)
    root = doc.get("m", type=Map)
    sent = []
    for key, value in (("x", 0), ("y", 0), ("x", 100), ("y", 200)):
        before = doc.get_state()
        root[key] = value
        sent.append(doc.get_update(before))
    document = filled(sent[0], sent[1])
    assert document.receive(sent[3], actor="a") == Received(Outcome.GAP)
    assert document.receive(sent[2], actor="a") == Received(Outcome.APPLIED)
    assert document.receive(sent[3], actor="a") == Received(Outcome.APPLIED)


@pytest.mark.parametrize("row", vectors.load("updates"), ids=lambda row: row["name"])
def test_documents_of_yjs_enter_and_leave_as_they_were(row):
    data = bytes.fromhex(row["hex"])
    document = Document(99)
    update = updates.decode(data)
    if gaps.missing(update, {}):
        assert document.receive(data, actor="a") == Received(Outcome.GAP)
        return
    document.receive(data, actor="a")
    left = updates.decode(document.diff(b"\x00"))
    assert sum(item.length for item in update.structs) == sum(item.length for item in left.structs)
    assert decode_state_vector(document._doc.get_state()) == document.state()


def test_the_clients_own_id_is_taken_from_nobody():
    document = filled(HELLO)
    with pytest.raises(Refused) as caught:
        document.receive(forge.update({99: (0, [text("x")])}), actor="a")
    assert caught.value.code == "foreign_client"
    assert read(document) == "hello"


def test_a_character_is_never_cut_in_two():
    """Yjs puts U+FFFD for each half; yrs keeps the whole character and loses the text behind it."""
    document = filled(forge.update({1: (0, [text("a😀b")])}))
    for data in (
        forge.update({}, {1: [(2, 1)]}),
        forge.update({}, {1: [(0, 2)]}),
        forge.update({2: (0, [text("x", origin=(1, 1))])}),
        forge.update({2: (0, [text("x", right=(1, 2))])}),
        forge.update({2: (0, [text("é😀"), text("x", origin=(2, 1))])}),
    ):
        with pytest.raises(Refused) as caught:
            document.receive(data, actor="a")
        assert caught.value.code == "half_character"
    whole = forge.update({2: (0, [text("x", origin=(1, 2), right=(1, 3))])}, {1: [(1, 2)]})
    assert document.receive(whole, actor="a") == Received(Outcome.APPLIED)
    assert read(document) == "axb"


def test_a_known_start_of_a_text_is_never_a_half_character():
    document = filled(forge.update({1: (0, [text("a")])}))
    with pytest.raises(Refused) as caught:
        document.receive(forge.update({1: (0, [text("😀")])}), actor="a")
    assert caught.value.code == "half_character"


def test_a_state_vector_inside_a_character_gets_the_whole_of_it():
    document = filled(forge.update({1: (0, [text("a😀b")])}))
    lacking = updates.decode(document.diff(b"\x01\x01\x02"))
    assert [(item.clock, item.content) for item in lacking.structs] == [(1, "😀b")]
    assert updates.decode(document.diff(b"\x01\x01\x03")).structs[0].content == "b"


def test_a_state_vector_is_checked():
    with pytest.raises(Malformed):
        filled(HELLO).diff(b"\x01")


@pytest.mark.parametrize("content", [forge.json_texts("1"), forge.shared(5, "hook")], ids=["JSON", "XML hook"])
def test_what_yrs_misreads_is_refused(content):
    document = Document(99)
    with pytest.raises(Refused) as caught:
        document.receive(forge.update({1: (0, [forge.item(content, **ROOT)])}), actor="a")
    assert caught.value.code == "content"
    assert document.is_empty


def test_a_parent_must_be_a_shared_type():
    nested = forge.item(forge.shared(2), root="m", key="k")
    document = filled(forge.update({1: (0, [nested, text("a", parent=(1, 0))])}))
    with pytest.raises(Malformed, match="not a shared type"):
        document.receive(forge.update({2: (0, [text("x", parent=(1, 1))])}), actor="a")
    assert document.receive(forge.update({2: (0, [text("x", parent=(1, 0))])}), actor="a").kind is Outcome.APPLIED
    document.receive(forge.update({}, {1: [(0, 1)]}), actor="a")
    assert document.receive(forge.update({3: (0, [text("x", parent=(1, 0))])}), actor="a").kind is Outcome.APPLIED


def test_a_struct_in_two_lists_is_refused():
    document = filled(forge.update({1: (0, [text("a", root="r"), text("b", root="s")])}))
    for item in (text("x", origin=(1, 0), right=(1, 1)), text("x", origin=(1, 1), right=(1, 0))):
        with pytest.raises(Refused) as caught:
            document.receive(forge.update({2: (0, [item])}), actor="a")
        assert caught.value.code == "torn"


def test_collected_structs_are_taken():
    document = filled(forge.update({1: (0, [forge.gc(3), text("a", origin=(1, 2))])}))
    assert document.receive(forge.update({}, {1: [(0, 3)]}), actor="a") == Received(Outcome.DUPLICATE)
    assert document.state() == {1: 4}


def test_json_that_does_not_parse_is_malformed_and_changes_nothing():
    document = filled(HELLO)
    with pytest.raises(Malformed):
        document.receive(forge.update({2: (0, [forge.item(b"\x05\x01{", **ROOT)])}), actor="a")
    assert not document.is_damaged
    assert read(document) == "hello"


class Stuck:
    """A pycrdt document that fails while it integrates."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def apply_update(self, data: bytes) -> None:
        raise self._error


class PanicException(BaseException):
    """Named like the type with which pycrdt reports a panic."""


@pytest.mark.parametrize(
    ("error", "raised"), [(RuntimeError("x"), Malformed), (PanicException(), Malformed), (KeyError("x"), KeyError)]
)
def test_a_document_that_is_half_applied_says_so_and_refuses_every_use(error, raised):
    document = filled(HELLO)
    document._doc = Stuck(error)
    with pytest.raises(raised):
        document.receive(forge.update({2: (0, [text("x")])}), actor="a")
    assert document.is_damaged
    for use in (
        lambda: document.receive(forge.update({2: (0, [text("x")])}), actor="a"),
        lambda: document.diff(b"\x00"),
        document.snapshot,
        lambda: document._write(lambda: None),
    ):
        with pytest.raises(ServiceError) as caught:
            use()
        assert caught.value.code == "damaged"


def test_a_document_grows_to_its_cap_and_is_measured_before_it_is_refused():
    page = "x" * (limits.DOCUMENT_BYTES_MAX // 2)
    document = filled(forge.update({1: (0, [text(page)])}), forge.update({}, {1: [(0, len(page))]}))
    again = forge.update({2: (0, [text(page)])})
    assert document.receive(again, actor="a") == Received(Outcome.APPLIED)
    assert document.receive(forge.update({3: (0, [text("y" * 1000)])}), actor="a") == Received(Outcome.APPLIED)
    with pytest.raises(TooLarge):
        document.receive(forge.update({4: (0, [text(page)])}), actor="a")
    assert document.state() == {1: len(page), 2: len(page), 3: 1000}


def test_a_document_has_so_many_clients_and_those_it_has_go_on_writing():
    def of(clients, clock):
        return forge.update({client: (clock, [forge.gc(1)]) for client in clients})

    document = filled(of(range(100, 100 + limits.DOCUMENT_CLIENTS_MAX), 0))

    with pytest.raises(TooLarge) as raised:
        document.receive(of([98], 0), actor="sales-1")
    assert "too_many_clients" == raised.value.code
    assert Outcome.APPLIED is document.receive(of([100], 1), actor="sales-1").kind
    assert limits.DOCUMENT_CLIENTS_MAX == len(document.state())


def test_a_state_vector_is_written_once_and_again_after_a_change():
    document = filled(forge.update({100: (0, [forge.gc(1)]), 101: (0, [forge.gc(1)])}))
    before, handled = document.state_vector(), document.handled
    assert before is document.state_vector()
    assert handled == document.handled

    document.receive(forge.update({100: (1, [forge.gc(1)])}), actor="sales-1")
    assert {100: 2, 101: 1} == decode_state_vector(document.state_vector())


def test_a_document_is_loaded_from_a_snapshot_and_what_follows():
    document = filled(HELLO, forge.update({}, {1: [(1, 3)]}))
    snapshot = document.snapshot()
    more = forge.update({1: (5, [text("!", origin=(1, 4))])})
    document.receive(more, actor="a")
    loaded = Document(98)
    loaded.load(snapshot, [(more, "a")])
    assert read(loaded) == read(document) == "ho!"
    assert loaded.state() == document.state()
    assert loaded.size_bytes == len(loaded.diff(b"\x00"))
    assert loaded.receive(forge.update({}, {1: [(1, 3)]}), actor="a") == Received(Outcome.DUPLICATE)


@pytest.mark.parametrize(
    ("snapshot", "stored"),
    [
        (b"", []),
        (b"\x02\x00\x02\x00\x00", []),
        (b"\x01\x00\x02\x00\x00\x00", []),
        (None, [(b"\x01", "a")]),
        (None, [(forge.update({1: (5, [text("!", origin=(1, 4))])}), "a")]),
    ],
    ids=["empty snapshot", "unknown version", "tail", "truncated update", "gap"],
)
def test_a_failed_load_is_an_error_and_never_an_empty_document(snapshot, stored):
    with pytest.raises(ServiceError) as caught:
        Document(99).load(snapshot, stored)
    assert caught.value.code == "damaged"


EDITS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["a", "é", "bc"]), st.booleans()), max_size=12)


@given(EDITS, st.randoms(use_true_random=False))
def test_two_documents_agree_in_whatever_order_updates_come(edits, chance):
    docs = [Doc(client_id=client) for client in (1, 2, 3)]
    sent = []
    for who, content, deletes in edits:
        root = docs[who].get("r", type=Array)
        before = docs[who].get_state()
        with docs[who].transaction():
            root.insert(chance.randint(0, len(root)), content)
            if deletes:
                del root[chance.randint(0, len(root) - 1)]
        sent.append(docs[who].get_update(before))
        if chance.random() < 0.5:
            docs[(who + 1) % 3].apply_update(docs[who].get_update())
    one, other = Document(98), Document(99)
    for document in (one, other):
        left = sent[:]
        chance.shuffle(left)
        while left:
            before = len(left)
            left = [data for data in left if document.receive(data, actor="a").kind is Outcome.GAP]
            assert len(left) < before
    merged = Document(97)
    if sent:
        merged.receive(updates.merge(sent), actor="a")
    assert one.state() == other.state() == merged.state()
    contents = []
    for document in (one, other, merged):
        doc = Doc()
        doc.apply_update(document.diff(b"\x00"))
        contents.append(doc.get("r", type=Array).to_py())
    assert contents[0] == contents[1] == contents[2]


def test_what_is_written_here_is_exactly_the_change():
    document = Document(99)
    root = document._doc.get("m", type=Map)
    first = document._write(lambda: root.update({"k": "a"}))
    second = document._write(lambda: root.update({"k": "b"}))
    third = document._write(lambda: root.update({"k": "c"}))
    assert [(), (Deletion(99, 0, 1),)] == [updates.decode(data).deletes for data in (first, second)]
    assert [item.clock for item in updates.decode(third).structs] == [2]
    other = Document(98)
    for order in itertools.permutations((first, second, third)):
        outcomes = [other.apply_committed(data) for data in order]
        assert Outcome.APPLIED in outcomes or Outcome.DUPLICATE in outcomes
    assert other.state() == document.state()
    assert document._write(lambda: None) == b"\x00\x00"

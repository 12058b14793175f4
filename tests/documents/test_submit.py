import pytest

from crdt_sync.documents.document import Entry, Outcome, Received
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.errors import Refused, ServiceError
from crdt_sync.wire import limits
from tests.documents import forge

T, M = {"root": "transitions"}, {"root": "messages"}


def values(*texts, **place) -> bytes:
    return forge.item(forge.values(*texts), **(place or T))


def one(client: int, clock: int, *items: bytes, deletes=None) -> bytes:
    return forge.update({client: (clock, list(items))}, deletes)


def refused(document: SubmitDocument, data: bytes, *, actor="ann") -> str:
    before = document.snapshot()
    with pytest.raises(Refused) as caught:
        document.receive(data, actor=actor)
    assert before == document.snapshot()
    return caught.value.code


@pytest.fixture
def submit() -> SubmitDocument:
    """Ann wrote t1 and t2 (client 1) and m1 behind them."""
    document = SubmitDocument(99)
    assert Received(
        Outcome.APPLIED, (Entry("transitions", "t1"), Entry("transitions", "t2"), Entry("messages", "m1"))
    ) == (document.receive(one(1, 0, values("t1", "t2"), values("m1", **M)), actor="ann"))
    return document


def test_entries_come_in_the_order_of_their_clocks(submit):
    data = one(1, 3, values("m2", origin=(1, 2)), values("t3", origin=(1, 1)))
    assert submit.receive(data, actor="ann").entries == (Entry("messages", "m2"), Entry("transitions", "t3"))
    assert submit.entries() == tuple(
        Entry(root, text)
        for root, text in [
            ("transitions", "t1"),
            ("transitions", "t2"),
            ("transitions", "t3"),
            ("messages", "m1"),
            ("messages", "m2"),
        ]
    )


def test_an_entry_in_front_of_others_finds_its_root_on_the_right(submit):
    assert submit.receive(one(2, 0, values("m0", right=(1, 2))), actor="bob").entries == (Entry("messages", "m0"),)


def test_what_is_known_is_no_new_entry(submit):
    known_and_new = one(1, 0, values("t1", "t2"), values("m1", "m2", **M))
    assert submit.receive(known_and_new, actor="ann") == Received(Outcome.APPLIED, (Entry("messages", "m2"),))
    assert submit.receive(known_and_new, actor="bob") == Received(Outcome.DUPLICATE)


def test_the_middle_of_what_is_known_is_a_duplicate(submit):
    assert submit.receive(one(1, 1, values("t2", origin=(1, 0))), actor="ann") == Received(Outcome.DUPLICATE)


@pytest.mark.parametrize(
    "data",
    [
        one(1, 0, values("other")),
        one(1, 1, values("other", origin=(1, 0))),
        one(1, 0, values("t1", **M)),
        one(1, 0, values("t1", "t2"), values("m2", **M)),
        one(1, 2, values("other", "new", **M)),
    ],
)
def test_other_content_under_known_clocks_is_a_client_id_used_twice(submit, data):
    assert refused(submit, data) == "client_id_reused"


def test_two_documents_with_one_client_id_are_noticed():
    service, ann, twin = SubmitDocument(99), SubmitDocument(1), SubmitDocument(1)
    assert service.receive(ann.append_transition("a"), actor="ann").kind is Outcome.APPLIED
    assert refused(service, twin.append_transition("b")) == "client_id_reused"


def test_a_client_id_belongs_to_who_used_it_first(submit):
    data = one(1, 3, values("m2", origin=(1, 2)))
    assert refused(submit, data, actor="bob") == "foreign_client"
    assert submit.receive(data, actor="ann").kind is Outcome.APPLIED


def test_the_authors_survive_a_snapshot_and_a_load(submit):
    loaded = SubmitDocument(98)
    loaded.load(submit.snapshot(), [(one(2, 0, values("b", origin=(1, 1))), "bob")])
    assert refused(loaded, one(1, 3, values("x", origin=(1, 2))), actor="bob") == "foreign_client"
    assert refused(loaded, one(2, 1, values("x", origin=(2, 0))), actor="ann") == "foreign_client"
    assert refused(loaded, one(1, 0, values("other"))) == "client_id_reused"
    assert loaded.receive(one(1, 2, values("m1", **M)), actor="ann") == Received(Outcome.DUPLICATE)


@pytest.mark.parametrize(
    "data",
    [
        one(1, 0, values("t1", "t2"), deletes={1: [(0, 1)]}),
        forge.update({}, {1: [(0, 3)]}),
        one(2, 0, forge.item(forge.deleted(1), **T)),
        one(2, 0, forge.gc(1)),
        one(1, 0, forge.gc(2)),
    ],
    ids=["with structs", "alone", "deleted before it came", "collected", "known and collected"],
)
def test_nothing_is_ever_deleted(submit, data):
    assert refused(submit, data) == "deletion"


@pytest.mark.parametrize(
    "item",
    [
        values(1),
        values("t", None),
        values("x", root="transitions", key="k"),
        forge.item(forge.string("x"), **T),
        forge.item(forge.shared(0), **T),
        forge.item(forge.embed({}), **T),
    ],
    ids=["number", "null behind a text", "key", "characters", "nested type", "embed"],
)
def test_only_texts_are_entries(submit, item):
    assert refused(submit, one(2, 0, item)) == "content"


def test_other_roots_are_refused(submit):
    assert refused(submit, one(2, 0, values("x", root="other"))) == "second_root"


def test_a_struct_between_two_roots_is_refused(submit):
    assert refused(submit, one(2, 0, values("x", origin=(1, 0), right=(1, 2)))) == "torn"


def test_a_gap_is_told_before_rules(submit):
    for data in (one(1, 4, values("x")), one(2, 0, values("x", origin=(7, 0))), forge.update({}, {1: [(3, 1)]})):
        assert submit.receive(data, actor="bob") == Received(Outcome.GAP)


def test_a_skip_over_known_entries_is_no_gap(submit):
    data = one(1, 0, forge.skip(3), values("m2", origin=(1, 2)))
    assert submit.receive(data, actor="ann").entries == (Entry("messages", "m2"),)


@pytest.mark.parametrize(
    ("place", "most"), [(T, limits.TRANSITION_BYTES_MAX), (M, limits.MESSAGE_BYTES_MAX)], ids=["transition", "message"]
)
def test_entries_are_capped_in_bytes_of_utf8(submit, place, most):
    assert refused(submit, one(2, 0, values("é" * (most // 2) + "a", **place))) == "size"
    assert submit.receive(one(2, 0, values("é" * (most // 2), **place)), actor="ann").kind is Outcome.APPLIED


def test_entries_are_capped_in_number(submit):
    room = limits.SUBMIT_ENTRIES_MAX - 3
    assert refused(submit, one(2, 0, values(*["x"] * (room + 1)))) == "too_many"
    assert submit.receive(one(2, 0, values(*["x"] * room)), actor="ann").kind is Outcome.APPLIED


def test_what_is_appended_here_is_kept_like_what_came():
    replica, service = SubmitDocument(5), SubmitDocument(99)
    first, second = replica.append_transition("t", actor="ann"), replica.append_message("m")
    assert service.receive(first, actor="ann").entries == (Entry("transitions", "t"),)
    assert service.receive(second, actor="ann").entries == (Entry("messages", "m"),)
    assert replica.apply_committed(second) is Outcome.DUPLICATE
    assert replica.entries() == service.entries()
    fresh = SubmitDocument(98)
    fresh.load(replica.snapshot(), [])
    assert refused(fresh, one(5, 2, values("x", origin=(5, 0))), actor="bob") == "foreign_client"


def test_a_replica_takes_committed_entries_of_authors_it_does_not_know(submit):
    replica = SubmitDocument(5)
    assert replica.apply_committed(submit.diff(b"\x00")) is Outcome.APPLIED
    assert replica.entries() == submit.entries()


def test_a_stored_document_that_holds_something_else_is_damaged():
    with pytest.raises(ServiceError) as caught:
        SubmitDocument(99).load(None, [(one(1, 0, forge.item(forge.string("x"), **T)), "ann")])
    assert caught.value.code == "damaged"


def test_entries_are_told_with_their_authors(submit):
    submit.receive(one(2, 0, values("b", origin=(1, 1))), actor="bob")
    submit.apply_committed(one(3, 0, values("c", origin=(2, 0))))
    expected = [("transitions", "t1", "ann"), ("transitions", "t2", "ann"), ("messages", "m1", "ann")]
    expected.append(("transitions", "b", "bob"))
    assert expected == [(entry.root, entry.text, author) for entry, author in submit.authored()]

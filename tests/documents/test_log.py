import pytest

from crdt_sync.documents import updates
from crdt_sync.documents.document import Outcome, Received
from crdt_sync.documents.log import LogDocument, ServiceDocument
from crdt_sync.errors import Forbidden
from tests.documents import forge


def test_one_update_holds_all_records():
    log, replica = LogDocument(1), LogDocument(2)
    data = log.append(["t1", "t2"])
    assert replica.apply_committed(data) is Outcome.APPLIED
    assert replica.transitions() == log.transitions() == ["t1", "t2"]
    assert [item.length for item in updates.decode(data).structs] == [2]


def test_a_refusal_is_noted_cleared_and_noted_again():
    log, replica = LogDocument(1), LogDocument(2)
    for data in (log.refuse({"a": "stale", "b": "malformed"}), log.clear(["a", "c"]), log.refuse({"b": "size"})):
        assert replica.apply_committed(data) is Outcome.APPLIED
    assert log.refused() == replica.refused() == {"b": "size"}
    assert ("size", None) == (log.refusal("b"), log.refusal("a"))


def test_each_update_holds_only_its_own_deletions():
    log = LogDocument(1)
    log.refuse({"a": "x"})
    log.clear(["a"])
    assert updates.decode(log.append(["t"])).deletes == ()


def test_two_services_that_append_at_once_agree():
    one, other = LogDocument(1), LogDocument(2)
    first, second = one.append(["a"]), other.append(["b"])
    one.apply_committed(second)
    other.apply_committed(first)
    assert one.transitions() == other.transitions()
    assert {"a", "b"} == set(one.transitions())


@pytest.mark.parametrize(
    "data",
    [forge.update({2: (0, [forge.item(forge.values("x"), root="log")])}), forge.update({}, {1: [(0, 1)]})],
    ids=["append", "deletion"],
)
def test_nobody_but_the_service_writes(data):
    log = LogDocument(1)
    log.append(["t"])
    with pytest.raises(Forbidden) as caught:
        log.receive(data, actor="ann")
    assert caught.value.code == "read_only"
    assert log.transitions() == ["t"]


def test_a_reader_may_send_what_the_document_holds():
    log = LogDocument(1)
    data = log.append(["t"])
    assert [Received(Outcome.DUPLICATE)] * 2 == [log.receive(sent, actor="ann") for sent in (data, b"\x00\x00")]
    assert isinstance(log, ServiceDocument)

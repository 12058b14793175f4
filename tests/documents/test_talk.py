import pytest

from crdt_sync.documents.document import Outcome
from crdt_sync.documents.talk import TalkDocument
from crdt_sync.errors import Forbidden
from tests.documents import forge


def test_messages_and_deliveries_reach_a_replica():
    talk, replica = TalkDocument(1), TalkDocument(2)
    sent = (talk.append(["m1", "m2"]), talk.set_deliveries({"m1/0": "sent"}), talk.set_deliveries({"m1/0": "read"}))
    assert [replica.apply_committed(data) for data in sent] == [Outcome.APPLIED] * 3
    assert (replica.messages(), replica.deliveries()) == (["m1", "m2"], {"m1/0": "read"})
    assert (talk.messages(), talk.deliveries()) == (["m1", "m2"], {"m1/0": "read"})


def test_a_new_conversation_is_empty():
    assert (TalkDocument(1).messages(), TalkDocument(1).deliveries()) == ([], {})


def test_nobody_but_the_service_writes():
    with pytest.raises(Forbidden):
        TalkDocument(1).receive(forge.update({2: (0, [forge.item(forge.values("x"), root="messages")])}), actor="ann")

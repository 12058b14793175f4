"""Updates read by two implementations: what our reading says of an update, yrs must make come true."""

import pycrdt

from crdt_sync.documents.document import Document, Outcome
from crdt_sync.documents.state_vectors import decode_state_vector
from crdt_sync.domain.ids import ActorId

OURS, THEIRS = 7, 8


def judged(data: bytes) -> Outcome:
    """Give the bytes to an empty document, and compare it with one of yrs alone.

    Raises:
        TicketSyncError: the bytes are refused. yrs may take them: it also takes what Yjs reads in another way.

    """
    document = Document(OURS)
    received = document.receive(data, actor=ActorId("somebody"))
    if received.kind is not Outcome.APPLIED:
        assert {} == document.state(), "nothing was applied"
        return received.kind
    theirs: pycrdt.Doc = pycrdt.Doc(client_id=THEIRS)
    theirs.apply_update(data)
    assert document.state() == decode_state_vector(theirs.get_state()), "yrs has integrated something else"
    again = Document(OURS + 2)
    again.load(document.snapshot(), [])
    assert again.state() == document.state(), "a snapshot loses something"
    assert document.holds(data), "what was applied is not there"
    assert Outcome.DUPLICATE is document.receive(data, actor=ActorId("somebody")).kind
    return received.kind

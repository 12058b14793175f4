import pytest

from crdt_sync.documents.document import Document
from crdt_sync.documents.kinds import new_document
from crdt_sync.domain.ids import DocumentKind


@pytest.mark.parametrize("kind", [None, *DocumentKind])
def test_every_kind_has_a_class_that_says_so(kind):
    document = new_document(kind, 7)
    assert kind == document.kind
    assert document.client_id == 7
    assert (type(document) is Document) == (kind is None)

from crdt_sync.ports import StoreConflict, StoredDocument, StoredUpdate


def update(document_position):
    return StoredUpdate(document_position, 10 + document_position, b"", "ann", "sales", ())


def test_document_that_was_never_written_is_at_zero():
    assert 0 == StoredDocument(None, 0, ()).document_position


def test_document_without_later_updates_is_where_its_snapshot_is():
    assert 7 == StoredDocument(b"\0\0", 7, ()).document_position


def test_document_is_where_its_newest_update_is():
    assert 9 == StoredDocument(b"\0\0", 7, (update(8), update(9))).document_position


def test_conflict_names_what_to_load_again():
    assert ("a", "b") == StoreConflict(["a", "b"]).keys
    assert "written meanwhile: a, b" == str(StoreConflict(["a", "b"]))

from crdt_sync.ports import StoreConflict
from crdt_sync.ports.stored import Author, Snapshot, StoredDocument, StoredUpdate


def update(document_position):
    return StoredUpdate(document_position, 10 + document_position, b"", "ann", "sales", (), 1_000)


def snapshot(document_position):
    return Snapshot(document_position, b"", (Author("ann", "sales", ("rep",)), Author("bob", "tech", ())), "f" * 64)


def test_document_that_was_never_written_is_at_zero():
    assert 0 == StoredDocument(None, ()).document_position


def test_document_without_later_updates_is_where_its_snapshot_is():
    assert 7 == StoredDocument(snapshot(7), ()).document_position


def test_document_is_where_its_newest_update_is():
    assert 9 == StoredDocument(snapshot(7), (update(8), update(9))).document_position


def test_authors_are_named_once_with_their_newest_roles():
    assert (Author("ann", "sales", ()), Author("bob", "tech", ())) == StoredDocument(
        snapshot(7), (update(8),)
    ).authors()


def test_conflict_names_what_to_load_again():
    assert ("a", "b") == StoreConflict(["a", "b"]).keys
    assert "written meanwhile: a, b" == str(StoreConflict(["a", "b"]))

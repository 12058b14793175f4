import pytest

from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain.ids import DocumentKind, DocumentName
from crdt_sync.errors import Malformed, Refused, ServiceError
from crdt_sync.replica.edits import Edit
from crdt_sync.replica.shelf import COMPACT_UPDATES, Shelf
from crdt_sync.replica.store import ReplicaStore
from tests.fakes import SeededIds

CARD = DocumentName("a" * 52, DocumentKind.CARD)


@pytest.fixture
async def store(tmp_path):
    store = await ReplicaStore.open(tmp_path / "replica.db")
    yield store
    await store.close()


async def shelf_of(store, seed=1):
    shelf = Shelf(store, SeededIds(seed))
    await shelf.load([CARD])
    return shelf


async def test_a_long_log_is_rewritten_as_one_update_when_it_is_loaded(store):
    shelf = await shelf_of(store)
    for n in range(COMPACT_UPDATES + 1):
        await shelf.write([(CARD, Edit("fields", {"priority": str(n)}))])
    assert COMPACT_UPDATES + 1 == len(await store.updates(str(CARD)))

    again = await shelf_of(store, seed=2)
    assert 1 == len(await store.updates(str(CARD)))
    assert shelf.get(CARD).card() == again.get(CARD).card() == (await shelf_of(store)).get(CARD).card()


async def test_client_ids_are_fresh_each_time(store):
    assert (await shelf_of(store, 1)).get(CARD).client_id != (await shelf_of(store, 2)).get(CARD).client_id


async def test_what_came_before_a_broken_update_is_kept(store):
    shelf = await shelf_of(store)
    good = CardDocument(7).set_fields({"title": "Fibre"})
    with pytest.raises(Malformed):
        await shelf.receive([(CARD, good), (CARD, b"\xff\xff")])

    assert [good] == await store.updates(str(CARD))


async def test_a_duplicate_is_not_stored_and_a_gap_is_told(store):
    shelf, other = await shelf_of(store), CardDocument(7)
    first, second = other.set_fields({"title": "1"}), other.set_fields({"title": "2"})

    assert [CARD] == await shelf.receive([(CARD, second)])
    assert [] == await shelf.receive([(CARD, first), (CARD, second), (CARD, second)])
    assert [first, second] == await store.updates(str(CARD))


async def test_a_damaged_copy_is_an_error_and_never_an_empty_document(store):
    await store.append([(str(CARD), b"\xff")])
    with pytest.raises(ServiceError) as caught:
        await shelf_of(store)

    assert "damaged" == caught.value.code


async def test_a_replaced_document_holds_what_was_carried_over_under_a_fresh_client_id(store):
    name = DocumentName("a" * 52, DocumentKind.SUBMIT, "sales")
    shelf = Shelf(store, SeededIds(1))
    await shelf.load([name])
    await shelf.write([(name, Edit("message", "old"))])
    before = shelf.get(name).client_id

    await shelf.replace(name, [Edit("message", "kept")])
    again = SubmitDocument(9)
    again.load(None, [(data, None) for data in await store.updates(str(name))])
    assert ["kept"] == [entry.text for entry in again.entries()] == [one.text for one in shelf.get(name).entries()]
    assert before != shelf.get(name).client_id


async def test_what_does_not_fit_when_it_is_made_again_stays_to_be_made_again(store):
    shelf = await shelf_of(store)
    wrong = Edit("fields", {"no_key_of_a_card": 1})
    await shelf.end(CARD, [wrong])
    with pytest.raises(Refused):
        await shelf.make_again(CARD, [wrong])

    assert [wrong] == list(shelf.kept(CARD))
    assert [(str(CARD), wrong.to_json(), True)] == await store.edits()


async def test_what_was_made_since_a_copy_was_dropped_is_remembered_beside_what_is_made_again(store):
    name = DocumentName("a" * 52, DocumentKind.SUBMIT, "sales")
    shelf = Shelf(store, SeededIds(1))
    await shelf.load([name])
    before, after = Edit("message", "before"), Edit("message", "after")
    await shelf.write([(name, before)])
    await shelf.end(name, ())
    await shelf.write([(name, after)])
    await shelf.make_again(name, [before])
    again = Shelf(store, SeededIds(2))
    await again.recall()

    assert [after, before] == list(shelf.made(name)) == list(again.made(name))
    assert [] == list(again.kept(name))


async def test_a_copy_that_cannot_be_made_anew_stays_as_it_is(store):
    shelf = await shelf_of(store)
    await shelf.write([(CARD, Edit("fields", {"title": "Fibre"}))])
    with pytest.raises(Refused):
        await shelf.replace(CARD, [Edit("fields", {"no_key_of_a_card": 1})])

    assert {"title": "Fibre"} == shelf.get(CARD).card()

import pytest

from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.document import Outcome, Received
from crdt_sync.domain.holds import Hold
from crdt_sync.errors import Refused
from crdt_sync.wire import limits
from tests.documents import forge

TAKEN = Received(Outcome.APPLIED, taken=("support",))


def entry(key, value, root="card") -> bytes:
    return forge.update({1: (0, [forge.item(forge.values(value), root=root, key=key)])})


def test_the_last_writer_wins_on_every_side():
    one, other = CardDocument(1), CardDocument(2)
    first, second = (
        one.set_fields({"title": "A", "priority": 3}),
        other.set_fields({"title": "B", "assignee.sales": "x"}),
    )
    assert one.receive(second, actor="bob") == Received(Outcome.APPLIED)
    assert other.receive(first, actor="ann") == Received(Outcome.APPLIED)
    assert one.card() == other.card()
    assert one.card()["title"] in {"A", "B"}
    third = one.set_fields({"title": "C", "tags": "vip,late"})
    assert other.receive(third, actor="ann") == Received(Outcome.APPLIED)
    assert other.card() == {"title": "C", "priority": 3, "assignee.sales": "x", "tags": "vip,late"}


def test_null_removes_a_key_for_everyone():
    card, other = CardDocument(1), CardDocument(2)
    other.receive(card.set_fields({"title": "A", "priority": "high"}), actor="ann")

    assert other.receive(card.set_fields({"priority": None}), actor="ann") == Received(Outcome.APPLIED)
    assert other.card() == card.card() == {"title": "A"}


def test_removing_what_is_not_there_changes_nothing():
    card, other = CardDocument(1), CardDocument(2)

    assert other.receive(card.set_fields({"tags": None}), actor="ann") == Received(Outcome.DUPLICATE)
    assert card.card() == {}


def test_a_key_may_be_deleted():
    card = CardDocument(99)
    card.receive(entry("title", "A"), actor="ann")
    assert card.receive(forge.update({}, {1: [(0, 1)]}), actor="ann") == Received(Outcome.APPLIED)
    assert card.card() == {}
    overwritten = forge.update({1: (1, [forge.item(forge.deleted(1), origin=(1, 0))])})
    assert card.receive(overwritten, actor="ann") == Received(Outcome.APPLIED)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (entry("colour", "red"), "key"),
        (entry("assignee.", "x"), "key"),
        (entry("assignee.Sales", "x"), "key"),
        (entry("assignee." + "a" * (limits.FIELD_KEY_LENGTH_MAX + 1), "x"), "key"),
        (entry("tags", 1), "content"),
        (entry("tags", ["a"]), "content"),
        (entry("title", {"a": 1}), "content"),
        (entry("title", "a" * (limits.CARD_TEXT_BYTES_MAX + 1)), "size"),
        (entry(None, "a"), "content"),
        (entry("title", "a", root="form"), "second_root"),
        (entry("hold.support.bob", "1 taken"), "actor"),
        (entry("hold.support.ann", "1 sticky rule"), "actor"),
        (entry("hold.support.ann", 1), "content"),
        (entry("hold." + "a" * (limits.FIELD_KEY_LENGTH_MAX + 1) + ".ann", "1 taken"), "content"),
    ],
)
def test_what_a_card_does_not_hold_is_refused(data, code):
    card = CardDocument(99)
    with pytest.raises(Refused) as caught:
        card.receive(data, actor="ann")
    assert code == caught.value.code
    assert card.is_empty


def test_a_card_has_room_for_so_many_keys():
    card = CardDocument(1)
    card.set_fields({f"assignee.lane{number}": "x" for number in range(limits.CARD_KEYS_MAX)})
    with pytest.raises(Refused) as caught:
        card.receive(forge.update({2: (0, [forge.item(forge.values("x"), root="card", key="title")])}), actor="ann")
    assert caught.value.code == "too_many"


def test_we_write_only_what_others_would_take():
    card = CardDocument(1)
    with pytest.raises(Refused):
        card.set_fields({"title": "A", "colour": "red"})
    assert card.is_empty
    card.set_fields({"tags": "vip"})
    assert card.card() == {"tags": "vip"}


def test_who_takes_a_lane_stands_on_the_card_and_a_second_one_beside_them():
    one, other = CardDocument(1), CardDocument(2)
    first, second = one.take("support", Hold(2, "ann", "taken")), other.take("support", Hold(1, "bob", "taken"))
    assert other.receive(first, actor="ann") == TAKEN
    assert one.receive(second, actor="bob") == TAKEN

    held = {"hold.support.ann": "2 taken", "hold.support.bob": "1 taken"}
    assert one.card() == other.card() == {"assignee.support": "bob", **held}
    assert other.receive(one.take("support", Hold(9, "ann", "taken")), actor="ann") == TAKEN
    assert other.card() == {"assignee.support": "ann", "hold.support.ann": "9 taken"}
    named = one.set_fields({"assignee.support": "support-3", "assignee.sales": "support-4"})
    assert other.receive(named, actor="ann") == Received(Outcome.APPLIED)
    assert other.card() == {"assignee.support": "support-3", "assignee.sales": "support-4"}


def test_nobody_sets_a_hold_like_a_field():
    with pytest.raises(Refused):
        CardDocument(1).set_fields({"hold.support.bob": "1 taken"})


def test_a_card_that_is_made_anew_keeps_its_holds():
    card, anew = CardDocument(1), CardDocument(2)
    card.take("support", Hold(2, "ann", "taken"))
    anew.fill(card)

    assert card.entries() == anew.entries()

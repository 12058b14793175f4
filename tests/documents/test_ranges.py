from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.documents.ranges import Deleted, Place, Places
from crdt_sync.documents.updates import Content, Deletion, Id, Struct

RANGES = st.lists(st.tuples(st.integers(1, 2), st.integers(0, 30), st.integers(1, 8)), max_size=12)


@given(RANGES, RANGES)
def test_deleted_ranges_hold_what_a_set_of_clocks_holds(added, asked):
    deleted = Deleted()
    clocks = set()
    for client, clock, length in added:
        deleted.add([Deletion(client, clock, length)])
        clocks |= {(client, at) for at in range(clock, clock + length)}
    for client, clock, length in asked:
        expected = {(client, at) for at in range(clock, clock + length)} <= clocks
        assert expected == (Deletion(client, clock, length) in deleted)


def struct(client, clock, length=1, *, origin=None, right=None, root=None, key=None, kind=Content.ANY):
    return Struct(client, clock, length, kind, None, origin, right, root, key)


def test_a_place_is_inherited_from_either_neighbour():
    places = Places()
    places.add(struct(1, 0, 5, root="r", key="k"))
    draft = Places(places)
    assert draft.add(struct(1, 5, origin=Id(1, 4))) == Place("r", "k")
    assert draft.add(struct(2, 0, right=Id(1, 5))) == Place("r", "k")
    assert draft.find(Id(2, 0)) == Place("r", "k")
    assert places.find(Id(2, 0)) is None
    assert draft.add(struct(1, 6, root="s")) == Place("s", None)
    assert (draft.find(Id(1, 5)), draft.find(Id(1, 6))) == (Place("r", "k"), Place("s", None))


def test_keys_are_counted_by_root_with_those_of_the_base():
    places = Places()
    places.add(struct(1, 0, root="r", key="a"))
    draft = Places(places)
    draft.add(struct(1, 1, root="r", key="b"))
    draft.add(struct(1, 2, root=Id(1, 0), key="c"))
    assert (places.keys("r"), draft.keys("r"), draft.keys("s")) == ({"a"}, {"a", "b"}, set())


def test_a_struct_between_two_places_is_torn():
    places = Places()
    places.add(struct(1, 0, root="r"))
    places.add(struct(1, 1, root="s"))
    first, second = Place("r", None), Place("s", None)
    assert (first, False) == places.locate(struct(2, 0, origin=Id(1, 0), right=Id(1, 0)), 0)
    assert (first, True) == places.locate(struct(2, 0, origin=Id(1, 0), right=Id(1, 1)), 0)
    assert (first, True) == places.locate(struct(1, 1, 2, root="r"), 2)
    assert (second, False) == places.locate(struct(1, 1, 2, root="s"), 2)
    assert (None, False) == places.locate(struct(1, 0, 3, kind=Content.GC), 2)

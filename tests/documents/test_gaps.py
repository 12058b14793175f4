import pytest

from crdt_sync.documents import gaps, updates
from crdt_sync.documents.updates import Id
from tests.documents import forge

ROOT = {"root": "r"}


def text(content: str, **place) -> bytes:
    return forge.item(forge.string(content), **(place or ROOT))


COMPLETE = {
    "nothing": (forge.update({}), {}),
    "first struct": (forge.update({1: (0, [text("a")])}), {}),
    "next struct": (forge.update({1: (3, [text("a", origin=(1, 2))])}), {1: 3}),
    "overlap": (forge.update({1: (2, [text("abc", origin=(1, 1))])}), {1: 3}),
    "known struct whose origin is of no interest": (forge.update({1: (0, [text("a", origin=(9, 9))])}), {1: 3}),
    "skip over what is known": (forge.update({1: (0, [forge.skip(3), text("a")])}), {1: 3}),
    "skip at the end": (forge.update({1: (0, [text("a"), forge.skip(3)])}), {}),
    "origin earlier in the update": (forge.update({2: (0, [text("a")]), 1: (0, [text("b", origin=(2, 0))])}), {}),
    "origin later in the update": (forge.update({1: (0, [text("b", origin=(2, 0))]), 2: (0, [text("a")])}), {}),
    "back and forth": (
        forge.update(
            {
                1: (0, [text("a"), text("b", origin=(2, 1)), text("c", right=(3, 0))]),
                2: (0, [text("d", origin=(1, 0)), text("e"), text("f", origin=(1, 1))]),
                3: (0, [text("g", origin=(2, 2))]),
            }
        ),
        {},
    ),
    "deletion of a new clock": (forge.update({1: (0, [text("ab")])}, {1: [(1, 1)]}), {}),
    "deletion of known clocks": (forge.update({}, {1: [(0, 3)]}), {1: 3}),
    "deletion behind a later block": (
        forge.update({1: (0, [text("b", origin=(2, 0))]), 2: (0, [text("a")])}, {1: [(0, 1)], 3: [(0, 1)]}),
        {3: 1},
    ),
}

GAPS = {
    "clock": (forge.update({1: (4, [text("a")])}), {1: 3}),
    "clock of an unknown client": (forge.update({1: (1, [text("a")])}), {}),
    "skip": (forge.update({1: (3, [forge.skip(1), text("a")])}), {1: 3}),
    "origin": (forge.update({1: (0, [text("a", origin=(2, 3))])}), {2: 3}),
    "right origin": (forge.update({1: (0, [text("a", right=(2, 0))])}), {}),
    "parent": (forge.update({1: (0, [text("a", parent=(2, 0))])}), {}),
    "origin in itself": (forge.update({1: (0, [text("a", origin=(1, 0))])}), {}),
    "origin later in the same client": (forge.update({1: (0, [text("a", origin=(1, 1)), text("b")])}), {}),
    "circle": (forge.update({1: (0, [text("a", origin=(2, 0))]), 2: (0, [text("b", origin=(1, 0))])}), {}),
    "origin in a block with a gap": (forge.update({1: (0, [text("a", origin=(2, 2))]), 2: (2, [text("b")])}), {}),
    "deletion": (forge.update({}, {1: [(2, 2)]}), {1: 3}),
    "deletion of an unknown client": (forge.update({}, {1: [(0, 1)]}), {}),
    "deletion in a skip": (forge.update({1: (0, [forge.skip(2)])}, {1: [(0, 1)]}), {}),
    "deletion behind a later block": (
        forge.update({1: (0, [text("b", origin=(2, 0))]), 2: (0, [text("a")])}, {1: [(0, 2)]}),
        {},
    ),
}


@pytest.mark.parametrize(("data", "state"), COMPLETE.values(), ids=COMPLETE)
def test_what_builds_on_known_things_has_no_gap(data, state):
    assert not gaps.missing(updates.decode(data), state)


@pytest.mark.parametrize(("data", "state"), GAPS.values(), ids=GAPS)
def test_what_builds_on_unknown_things_has_a_gap(data, state):
    assert gaps.missing(updates.decode(data), state)


def test_new_structs_come_behind_what_they_build_on():
    data, state = COMPLETE["back and forth"]
    fresh = gaps.integrable(updates.decode(data), state)
    assert fresh is not None
    assert "".join(sorted("".join(str(item.content) for item in fresh), key="adbecfg".index)) == "adbecfg"
    seen: set[Id] = set()
    for item in fresh:
        assert {wanted for wanted in (item.origin, item.right_origin) if wanted} <= seen
        seen.add(Id(item.client, item.clock))


def test_a_long_chain_between_two_clients_is_ordered_in_time_that_grows_with_it():
    length = 20_000
    ones = [text("a", origin=(2, clock)) for clock in range(length)]
    twos = [text("b")] + [text("b", origin=(1, clock)) for clock in range(length - 1)]
    fresh = gaps.integrable(updates.decode_stored(forge.update({1: (0, ones), 2: (0, twos)})), {})
    assert fresh is not None
    assert len(fresh) == 2 * length

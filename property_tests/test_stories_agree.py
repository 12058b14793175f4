"""The oracle tells every story of the shipped files as the file does: else it would be no judge of anyone."""

import pytest

from property_tests.model import fold, listed
from property_tests.strategies import SHIPPED, read, shipped, told


def stories():
    for path in sorted(SHIPPED.glob("*.yaml")):
        spec = read(path.read_text(encoding="utf-8"))
        for name, story in spec.get("stories", {}).items():
            yield pytest.param(spec, story, id=f"{path.stem}: {name}")


@pytest.mark.parametrize(("spec", "story"), list(stories()))
def test_the_oracle_tells_the_story(spec, story):
    history, ids = told(spec, story["events"])
    result, keys = fold(spec, history.all_lines), {i: key for key, i in ids.items()}
    for what, expected in story["expect"].items():
        if what in {"overtaken", "contested", "inert"}:
            found = sorted(keys[i] for i, status in result["status"].items() if status["status"] == what)
            assert sorted(listed(expected)) == found
        elif what == "flags":
            assert {lane: sorted(listed(flags)) for lane, flags in expected.items()} == {
                lane: result["flags"].get(lane, []) for lane in expected
            }
        elif what == "owes":
            owed = {lane for obligation in result["obligations"] for lane in obligation["owes"]}
            assert set(listed(expected)) == owed
        else:
            assert expected == (result["stage"] if what == "stage" else result["lanes"][what])


def test_a_ticket_that_was_only_opened_is_in_presale():
    result, expected = fold(shipped(), told(shipped(), [])[0].all_lines), ("presale", {}, [])
    assert expected == (result["stage"], result["status"], result["obligations"])

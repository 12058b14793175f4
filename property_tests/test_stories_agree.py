"""The oracle tells every story of the shipped files as the file does: else it would be no judge of anyone."""

import re

import pytest

from property_tests.model import fold, listed, sha
from property_tests.strategies import SHIPPED, History, read

STEP = re.compile(r"(\w+): *(\w+)\.(\w+)(?:\((\w+)=(\w+)\))?(?: *< *(.+))?")


def tell(spec, steps):
    history, ids = History(spec), {}
    history.open()
    for at, step in enumerate(steps):
        key, lane, name, _, payload, seen = STEP.fullmatch(step).groups()
        named = [ids[x.strip()] for x in seen.split(",")] if seen else [history.opening]
        changes = {"actor": key, "at": at, "payload": sha(payload.encode()) if payload else None}
        ids[key] = history.add(history.record(lane, name, named, **changes))
    return fold(spec, history.all_lines), ids


def stories():
    for path in sorted(SHIPPED.glob("*.yaml")):
        spec = read(path.read_text(encoding="utf-8"))
        for name, story in spec.get("stories", {}).items():
            yield pytest.param(spec, story, id=f"{path.stem}: {name}")


@pytest.mark.parametrize(("spec", "story"), list(stories()))
def test_the_oracle_tells_the_story(spec, story):
    result, ids = tell(spec, story["events"])
    told = {i: key for key, i in ids.items()}
    for what, expected in story["expect"].items():
        if what in {"overtaken", "contested", "inert"}:
            found = sorted(told[i] for i, status in result["status"].items() if status["status"] == what)
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
    result, _ = tell(read((SHIPPED / "connect-order.yaml").read_text(encoding="utf-8")), [])
    expected = ("presale", {}, [])
    assert expected == (result["stage"], result["status"], result["obligations"])

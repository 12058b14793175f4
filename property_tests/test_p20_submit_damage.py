"""P20: whatever a department does to its own submit document, no other department's result changes.

Two worlds get the same honest decisions in the same order; in one of them a department also sends damage: bytes that
are no update, updates with changed bytes, deletions, other roots, garbage, and transitions that are not its to make,
copies of what others are about to submit among them.
"""

import json

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from property_tests.gate import FIRST_CLIENT, Gate, principals, retold, submitted
from property_tests.model import canonical, identify
from property_tests.strategies import histories, shipped, told


def erased(client, text):
    document = pycrdt.Doc(client_id=client)
    array = document.get("transitions", type=pycrdt.Array)
    array.append(text)
    del array[0]
    return document.get_update()


@st.composite
def damages(draw, history, principal, client):
    """One update of the hostile department. Nothing in it is a decision that is its own to make."""
    theirs = [line.decode() for i, line in history.lines.items() if history.naive.events[i]["actor"] != principal.actor]
    forged = [canonical(json.loads(text) | {"actor": principal.actor}).decode() for text in theirs]
    text = draw(st.sampled_from([*theirs, *theirs, *forged, "", "{}", "x" * 5000]))
    update = submitted(client, text, draw(st.sampled_from(["transitions", "transitions", "messages", "other"])))
    kind = draw(st.sampled_from(["entry", "entry", "entry", "bytes", "mutant", "erased"]))
    if kind == "bytes":
        return draw(st.binary(max_size=60))
    if kind == "mutant":
        at = draw(st.integers(0, len(update) - 1))
        return update[:at] + draw(st.binary(max_size=2)) + update[at + 1 :]
    return erased(client, text) if kind == "erased" else update


@given(st.data(), histories())
def test_damage_to_ones_own_submit_document_changes_no_one_elses_result(data, drawn):
    history = retold(drawn)
    people = principals(history.spec)
    hostile = people[data.draw(st.sampled_from(sorted(people)))]
    decisions = data.draw(st.permutations([i for i in history.lines if i != history.opening]))
    peaceful, troubled = Gate(history), Gate(history)
    for n, i in enumerate(decisions):
        for k in range(data.draw(st.integers(0, 2))):
            troubled.send(hostile, data.draw(damages(history, hostile, FIRST_CLIENT + 1000 + 10 * n + k)))
        author = people[history.naive.events[i]["actor"]]
        for world in (peaceful, troubled):
            world.send(author, submitted(FIRST_CLIENT + n, history.lines[i].decode()))
    agree(peaceful, troubled, history, hostile, decisions)
    assert set(history.lines) == {identify(record.encode()) for record in peaceful.live.log.transitions()}


def agree(peaceful, troubled, history, hostile, decisions):
    keys = [i for i in decisions if history.naive.events[i]["actor"] != hostile.actor]
    assert peaceful.results(keys) == troubled.results(keys)


@pytest.mark.parametrize(
    ("damage", "order"),
    [
        pytest.param([("messages", "opening")], ["q", "s"], id="the opening among the messages spoils no child of it"),
        pytest.param([("transitions", "q")], ["s", "q"], id="a copy of the parent refuses no child that came first"),
        pytest.param([("transitions", "s")], ["s", "q"], id="a copy of what waits does not drop it"),
        pytest.param([("messages", "s")], ["s", "q"], id="a copy among the messages does not drop what waits"),
    ],
)
@pytest.mark.parametrize("early", [True, False], ids=["before", "between"])
def test_copies_of_what_others_submit_are_harmless(damage, order, early):
    drawn, _ = told(shipped(), ["q: sales.quote", "s: sales.sign < q"])
    history = retold(drawn)
    people, ids = principals(history.spec), dict(zip(["opening", "q", "s"], history.lines, strict=True))
    peaceful, troubled = Gate(history), Gate(history)
    copies = [
        submitted(FIRST_CLIENT + 1000 + n, history.lines[ids[key]].decode(), root)
        for n, (root, key) in enumerate(damage)
    ]
    for n, key in enumerate(order):
        for copy in copies if n == (0 if early else 1) else []:
            troubled.send(people["support"], copy)
        for world in (peaceful, troubled):
            world.send(people["sales"], submitted(FIRST_CLIENT + n, history.lines[ids[key]].decode()))
    agree(peaceful, troubled, history, people["support"], [ids[key] for key in order])


def test_what_waits_for_each_other_across_departments_goes_on_at_once():
    steps = ["q: sales.quote", "s: sales.sign < q", "t: tech.start < s", "w: sales.withdraw < t", "h: tech.halt < w"]
    drawn, _ = told(shipped(), steps)
    history = retold(drawn)
    people, world = principals(history.spec), Gate(history)
    for n, (i, line) in enumerate(reversed(history.lines.items())):
        if i != history.opening:
            world.send(people[history.naive.events[i]["actor"]], submitted(FIRST_CLIENT + n, line.decode()))
    assert set(history.lines) == {identify(record.encode()) for record in world.live.log.transitions()}

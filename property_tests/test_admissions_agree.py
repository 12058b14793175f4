"""Judging again only what something new concerns decides what judging all that waits would, in the same order."""

import dataclasses
import json

from hypothesis import given
from hypothesis import strategies as st

from property_tests.gate import FIRST_CLIENT, Gate, principals, submitted
from property_tests.strategies import histories


class Thorough(Gate):
    """A gate that judges everything again, whatever comes."""

    def judge(self, department, entries):
        for waiting in self.live.waiting.values():
            waiting.concern_all()
        return super().judge(department, entries)


@st.composite
def conversations(draw):
    """A history in any order, with copies by anybody, among the messages too, and with the payloads that it names."""
    history, said = draw(histories()), []
    people, lanes = principals(history.spec), history.spec["lanes"]
    crowd = st.sampled_from(sorted(people.values(), key=lambda person: person.actor))
    for n, line in enumerate(draw(st.permutations(history.all_lines))):
        made = json.loads(line) if line in history.lines.values() else {"actor": "", "lane": ""}
        owner = lanes.get(made["lane"], {}).get("owner")
        author = people[owner] if owner else draw(crowd)
        author = dataclasses.replace(author, actor=made["actor"])
        if owner and draw(st.integers(0, 5)) == 0:
            said.append(("command", author, line))
        said.append(("send", author, submitted(FIRST_CLIENT + 10 * n, line.decode(errors="replace"))))
        if draw(st.integers(0, 3)) == 0:
            root = draw(st.sampled_from(["transitions", "transitions", "messages"]))
            copy = "send", draw(crowd), submitted(FIRST_CLIENT + 10 * n + 1, line.decode(errors="replace"), root)
            said.insert(draw(st.integers(0, len(said))), copy)
        if draw(st.integers(0, 5)) == 0:
            said.append(("pay", draw(st.sampled_from(sorted(lanes))), draw(st.sampled_from("AB"))))
    return history, said


@given(conversations())
def test_what_is_not_judged_again_would_not_have_been_decided(drawn):
    history, said = drawn
    sparing, thorough = Gate(history), Thorough(history)
    for what, *how in said:
        batches = [getattr(gate, what)(*how) for gate in (sparing, thorough)]
        first, second = [
            batch and ([made.record for made in batch.transitions], batch.events, batch.refusals) for batch in batches
        ]
        assert first == second
    left, right = [
        {owner: [entry.key for entry in waiting] for owner, waiting in gate.live.waiting.items()}
        for gate in (sparing, thorough)
    ]
    assert left == right
    assert sparing.live.log.refused() == thorough.live.log.refused()

"""P17: any bytes give a transition or a code, never an exception; only the canonical writing is a transition."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from crdt_sync.domain.transition import Transition, Undecodable, decode, make
from property_tests import model
from property_tests.strategies import histories, mutants


def check(line):
    expected, found = model.decode(line), decode(line)
    if isinstance(expected, str):
        assert (Undecodable(expected), line) == (found, line)
        return
    assert isinstance(found, Transition)
    fields = ("ticket", "lane", "name", "actor", "lifecycle", "payload", "at")
    assert {key: expected[key] for key in fields} == {key: getattr(found, key) for key in fields}
    assert (tuple(expected["roles"]), tuple(expected["after"])) == (found.roles, found.after)
    assert (expected.get("subject"), expected["after"] == []) == (found.subject, found.is_opening)
    assert (model.identify(line), line) == (found.id, found.record.encode())
    changes = {key: getattr(found, key) for key in (*fields, "roles", "after", "subject")}
    assert found == make(**changes)


@given(st.binary(max_size=5000))
@example(b"")
@example(b"[" * 4096)
@example(b'{"v":' + b"9" * 4000 + b"}")
@example(b"\xff\xfe{\x00}\x00")
@example(b"NaN")
def test_any_bytes_give_a_transition_or_a_code(line):
    assert isinstance(decode(line), Undecodable)
    check(line)


@given(st.data(), histories())
def test_a_transition_survives_and_a_mutant_is_judged_alike(data, history):
    line = data.draw(st.sampled_from(history.all_lines))
    check(line)
    if line:
        mutant = data.draw(mutants(line) if model.decode(line) not in ("size", "malformed") else st.just(line))
        check(mutant)


ASCII = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
WORDS = st.text(ASCII, min_size=1, max_size=130) | st.integers(126, 130).map("w".__mul__)
WIDER = st.text(st.characters(max_codepoint=0x2FFF) | ASCII, max_size=3)
IDS = st.binary(max_size=2).map(model.identify)
FIELDS = {
    "v": st.sampled_from([1, 0, 2, True]),
    "ticket": st.none() | IDS,
    "lane": WORDS | WIDER,
    "name": WORDS | WIDER | st.just("open"),
    "actor": WORDS | WIDER,
    "roles": st.sets(WORDS, max_size=3).map(sorted) | st.integers(15, 17).map(lambda n: [f"r{i:02}" for i in range(n)]),
    "after": st.sets(IDS, max_size=3).map(sorted)
    | st.integers(31, 33).map(lambda n: sorted(model.identify(bytes([i])) for i in range(n))),
    "lifecycle": st.sampled_from([model.sha(b"x"), model.sha(b"x").upper(), model.sha(b"x")[1:], None]),
    "payload": st.sampled_from([model.sha(b"x"), model.sha(b"x").upper(), None, ""]),
    "at": st.sampled_from([-1, 0, 2**53 - 1, 2**53]),
    "subject": WORDS | WIDER | st.integers(510, 514).map("s".__mul__) | st.none(),
}


@given(st.data(), st.booleans(), st.lists(st.sampled_from(list(FIELDS)), min_size=1, max_size=2))
def test_each_field_is_held_to_its_limits(data, opening, changed):
    record = {"v": 1, "ticket": model.identify(b""), "lane": "l", "name": "n", "actor": "a", "roles": ["r"], "at": 0}
    record |= {"after": [model.identify(b"")], "lifecycle": model.sha(b""), "payload": None}
    record |= {"name": "open", "ticket": None, "after": [], "subject": "s"} if opening else {}
    record |= {key: data.draw(FIELDS[key]) for key in changed}
    check(json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(errors="surrogatepass"))

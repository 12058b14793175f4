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


@given(st.data())
def test_each_field_is_held_to_its_limits(data):
    letters = st.characters(codec="utf-8") | st.characters(min_codepoint=0x20, max_codepoint=0x7E)
    texts = st.text(letters, max_size=130) | st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1)
    ids = st.binary(max_size=2).map(model.identify)
    opening = data.draw(st.booleans())
    record = {
        "v": data.draw(st.just(1) | st.sampled_from([0, 2, True])),
        "ticket": data.draw(st.none() if opening else ids),
        "lane": data.draw(texts),
        "name": "open" if opening else data.draw(texts),
        "actor": data.draw(texts),
        "roles": sorted(data.draw(st.sets(texts, min_size=1, max_size=17))),
        "after": [] if opening else sorted(data.draw(st.sets(ids, min_size=1, max_size=34))),
        "lifecycle": model.sha(b""),
        "payload": data.draw(st.none() | st.just(model.sha(b""))),
        "at": data.draw(st.integers(0, 2**53)),
    }
    if opening:
        record["subject"] = data.draw(texts | st.integers(510, 514).map("s".__mul__))
    check(json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode())

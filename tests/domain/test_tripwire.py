"""What two copies of a ticket compare: equal views have equal fingerprints, whatever else their folds know."""

import hashlib
import json
from dataclasses import replace

import pytest

from crdt_sync.domain.ids import Digest
from crdt_sync.domain.tripwire import (
    EVIDENCE_BYTES_MAX,
    Agreement,
    Alarm,
    Evidence,
    Fingerprint,
    agreement,
    evidence,
    fingerprint,
    heads_of,
)
from crdt_sync.errors import Malformed, TooLarge
from tests.domain.histories import History, deal_lifecycle
from tests.planted import DropsRounds, ForgetsFlags, ForgetsSettled

DISPUTED = ("q: sales.quote", "s: sales.sign < q", "l: sales.lose < q")
REVIVED = ("q: sales.quote", "l: sales.lose < q", "r: sales.revive < l", "x: sales.lose < q")
SETTLED_TWICE = (*DISPUTED, "y: sales.rule_signed < s, l", "a: sales.amend < y", "z: sales.rule_lost < s, l")


def sha(value):
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def records(history, keys):
    return [history.by_key[key] for key in keys.split()]


def test_heads_are_what_nobody_has_seen_in_the_order_of_ids():
    history = History(*DISPUTED)

    assert history.ids("s l") == heads_of(records(history, "l o s q"))
    assert history.ids("o") == heads_of(records(history, "o o"))
    crowd = History(*(f"q{number}: sales.quote" for number in range(9)))
    assert crowd.ids(" ".join(f"q{number}" for number in range(9))) == heads_of(crowd.by_key.values())


@pytest.mark.parametrize("keys", ["", "q s", "o s l"])
def test_where_an_ancestor_is_missing_there_are_no_heads(keys):
    assert () == heads_of(records(History(*DISPUTED), keys))


def test_a_fingerprint_is_two_digests_that_anybody_can_make():
    history = History(*DISPUTED)
    heads = history.ids("s l")
    state = history.fold().state().to_json()
    del state["pending"], state["quarantined"]

    assert Fingerprint(sha(list(heads)), sha(state)) == fingerprint(history.fold(), heads)


def test_what_a_fold_knows_beyond_the_heads_changes_nothing():
    history = History(*DISPUTED, "y: sales.rule_signed < s, l", "t: tech.start < s", "w: sales.withdraw < y")
    alone = history.fold(["o", "q", "s", "l"])
    more = history.fold(["o", "q", "s", "l", "t", "y", "w"])
    waiting = history.fold(["o", "q", "s", "l", "w"])
    heads = history.ids("s l")

    assert fingerprint(alone, heads) == fingerprint(more, heads) == fingerprint(waiting, heads)
    assert fingerprint(alone, heads) != fingerprint(more, history.ids("w t"))
    assert evidence(history.lifecycle, alone, heads) == evidence(history.lifecycle, more, heads)


@pytest.mark.parametrize(("faulty", "spelled"), [(DropsRounds, REVIVED), (ForgetsSettled, SETTLED_TWICE)])
def test_a_fault_of_the_fold_changes_the_state_and_never_the_heads(faulty, spelled):
    history = History(*spelled)
    heads, wrong = heads_of(history.by_key.values()), faulty(history.lifecycle, history["o"])
    for made in history.by_key.values():
        wrong.add(made)

    assert Agreement.DIVERGED == agreement(fingerprint(wrong, heads), fingerprint(history.fold(), heads))
    right = evidence(history.lifecycle, history.fold(), heads)
    assert right.explanation != evidence(history.lifecycle, wrong, heads).explanation


def test_a_fold_that_lost_a_transition_is_found_out_by_the_records():
    history = History(*DISPUTED)
    heads = heads_of(history.by_key.values())

    assert Agreement.DIVERGED == agreement(
        fingerprint(history.fold(["o", "q", "s"]), heads), fingerprint(history.fold(), heads)
    )


def test_only_equal_heads_say_anything():
    one, other = Digest("a" * 64), Digest("b" * 64)

    assert Agreement.EQUAL == agreement(Fingerprint(one, one), Fingerprint(one, one))
    assert Agreement.DIVERGED == agreement(Fingerprint(one, one), Fingerprint(one, other))
    assert Agreement.OTHER_HEADS == agreement(Fingerprint(one, one), Fingerprint(other, one))
    assert Agreement.OTHER_HEADS == agreement(Fingerprint(one, one), Fingerprint(other, other))


def test_evidence_is_the_explanation_and_the_state():
    history = History(*DISPUTED)
    found = evidence(history.lifecycle, history.fold(), history.ids("s l"))

    assert "The ticket is in the stage deal_disputed: someone should look at it." == found.explanation.splitlines()[0]
    assert ("deal_disputed", "disputed") == (
        json.loads(found.state)["stage"],
        json.loads(found.state)["lanes"]["sales"],
    )


def test_a_state_that_makes_no_sense_is_evidence_without_an_explanation():
    history = History(*REVIVED)
    faulty = ForgetsFlags(history.lifecycle, history["o"])
    for made in history.by_key.values():
        faulty.add(made)
    found = evidence(history.lifecycle, faulty, history.ids("r x"))

    assert "There is no explanation of this state: KeyError('review')." == found.explanation
    assert {} == json.loads(found.state)["flags"]


@pytest.mark.parametrize("last", ["a", "aa", "aaa"])
def test_long_evidence_is_cut_between_characters(last):
    history = History(lifecycle=replace(deal_lifecycle(), labels={"sales.quote": {"en": "报价" * 40}}))
    after = "o"
    for number in range(600):
        history.do(f"q{number}: sales.quote < {after}")
        after = f"q{number}"
    history.do(f"z: sales.quote < {after}", actor=last)
    found = evidence(history.lifecycle, history.fold(), history.ids("z"))
    found.check()

    assert EVIDENCE_BYTES_MAX == len(found.state.encode())
    assert EVIDENCE_BYTES_MAX - 3 < len(found.explanation.encode())


@pytest.mark.parametrize("text", ["", "x" * 63, "x" * 64, "A" * 64, "a" * 65, "a" * 64 + "\n"])
def test_what_is_no_digest_is_no_fingerprint(text):
    for claimed in (Fingerprint(text, "a" * 64), Fingerprint("a" * 64, text)):
        with pytest.raises(Malformed):
            claimed.check()
    Fingerprint("a" * 64, "0" * 64).check()


@pytest.mark.parametrize(("text", "error"), [("王" * (EVIDENCE_BYTES_MAX // 3 + 1), TooLarge), ("\ud800", Malformed)])
def test_evidence_from_outside_has_bounds(text, error):
    for claimed in (Evidence(text, ""), Evidence("", text)):
        with pytest.raises(error):
            claimed.check()
    Evidence("王" * (EVIDENCE_BYTES_MAX // 3), "").check()


def test_an_alarm_comes_back_from_its_plain_form():
    sides = {"replica": {"explanation": "a", "state": "b"}, "service": {"explanation": "c", "state": "d"}}
    plain = {"ticket": "t", "department": "sales", "actor": "ann", "heads": "h", **sides, "at_ms": 7}

    assert Alarm("t", "sales", "ann", "h", Evidence("a", "b"), Evidence("c", "d"), 7) == Alarm.from_json(plain)

"""Reading lifecycle files: each kind of fault has a file under tests/fixtures/lifecycles.

A line that must be found ends in a comment with the rules of its findings, such as `# L1`; no other line may be.
"""

import hashlib
import json
import re
import time
from pathlib import Path

import pytest

from crdt_sync.adapters.lifecycle_files import load, load_accepted, read, shipped
from crdt_sync.domain.access import GATEWAY
from crdt_sync.domain.lifecycle.stories import folded
from crdt_sync.errors import Malformed
from crdt_sync.yaml_tree import DEPTH_MAX, FILE_BYTES_MAX, NODES_MAX

FOLDER = Path(__file__).parents[1] / "fixtures" / "lifecycles"
SOUND = (FOLDER / "sound.yaml").read_text(encoding="utf-8")
BROKEN = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "sound.yaml")

SECONDS_MAX = 20.0  # generous for a busy machine; what this guards against takes minutes


def messages(text):
    return [finding.message for finding in read(text).findings]


def expected_findings(text):
    """The rules that the comments announce, by line."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if announced := re.search(r"# (L\d+(?: L\d+)*)$", line):
            found += [(number, rule) for rule in announced[1].split()]
    return found


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_every_fault_is_found_on_its_line_and_nothing_else_is(path):
    text = path.read_text(encoding="utf-8")
    expected = expected_findings(text)
    assert expected, "a broken file announces its findings"
    assert expected == [(finding.line, finding.rule) for finding in read(text, path.name).findings]


def test_the_sound_file_is_sound():
    assert [] == read(SOUND).findings


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_lifecycle_is_sound(name):
    assert [] == read(shipped()[name]).findings


@pytest.mark.parametrize("name", shipped())
def test_every_stage_of_a_shipped_lifecycle_is_told_by_one_of_its_stories(name):
    lifecycle = load(shipped()[name])
    told = {folded(lifecycle, story)[0].state().stage for story in lifecycle.stories}
    assert [] == [row.stage for row in lifecycle.stages if row.stage not in told]


def test_the_default_ships():
    assert "connect-order" in shipped()


def test_one_finding_hides_no_other():
    """Faults of many places, put into one file, are all found there."""
    text = SOUND
    for old, new in [
        ("talk: [desk, crew]", "talk: [desk, kitchen]"),
        ("    final: [closed]", "    final: [archived]"),
        ('order: ["running < closed"]', 'order: ["running < closed", "closed < running"]'),
        ("      torn: [done, dropped]", "      torn: [done, dropped]\n      other: [done, idle]"),
        ("to: idle, resets: true", "to: idle"),
        ("kind: settled", "kind: happy"),
        ('{work: "*"}', "{work: done}"),
        ('"f: work.finish(note=A)"', '"f: money.pay"'),
    ]:
        assert old in text
        text = text.replace(old, new)
    rules = [finding.rule for finding in read(text).findings]
    assert {"L1", "L2", "L4", "L6"} == set(rules)
    assert 5 == rules.count("L1")


def test_findings_stand_in_the_order_of_the_file():
    lines = [finding.line for finding in read(SOUND.replace("done", "Done").replace("desk", "7")).findings]
    assert lines
    assert sorted(lines) == lines


# What the digest covers.


def digest_of(text):
    lifecycle = read(text).lifecycle
    assert lifecycle is not None
    return lifecycle.digest


def test_the_digest_is_taken_over_what_decides_as_written():
    small = (
        "lifecycle: tiny\nversion: 3\nlanes:\n  only: {owner: desk, control: true, initial: up, states: [up, down],"
        ' order: ["up < down"], transitions: {fall: {from: up, to: down, by: [desk]}}, labels: {up: {en: Up}}}\n'
        "stages: [{stage: any, kind: normal, when: {}}]\ntitle: {en: Tiny}\nlabels: {any: {zh: 任意}}\n"
    )
    lane = {
        "owner": "desk",
        "control": True,
        "initial": "up",
        "states": ["up", "down"],
        "order": ["up < down"],
        "transitions": {"fall": {"from": "up", "to": "down", "by": ["desk"]}},
    }
    decides = {
        "lifecycle": "tiny",
        "version": 3,
        "lanes": {"only": lane},
        "stages": [{"stage": "any", "kind": "normal", "when": {}}],
    }
    canonical = json.dumps(decides, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(canonical.encode()).hexdigest() == digest_of(small)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: {en: A small desk, zh: 小服务台}\n", ""),
        ("open: {by: desk}", "open: {by: [crew, desk]}"),
        ("talk: [desk, crew]\n", ""),
        ("inbound_after_close: new_ticket", "inbound_after_close: reopen"),
        ("    labels:\n      done: {en: Done, zh: 完成}\n", ""),
        ("labels:\n  over: {en: Over, zh: 结束}\n", "labels:\n  busy: {en: Busy}\n"),
        ("      done: {en: Done, zh: 完成}\n", "      note: {en: Note, zh: 备注}\n"),
        ("  over: {en: Over, zh: 结束}\n", "  boss: {en: Head of the desk, zh: 主管}\n"),
        ("  finished:\n", "  completed:\n"),
        ("lifecycle: small-desk\nversion: 1\n", 'version: 1 # a comment\n"lifecycle": "small-desk"\n'),
    ],
)
def test_what_does_not_decide_leaves_the_digest_alone(old, new):
    assert old in SOUND
    assert digest_of(SOUND) == digest_of(SOUND.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1", "version: 2"),
        ("lifecycle: small-desk", "lifecycle: big-desk"),
        ("by: [desk, boss]", "by: [boss, desk]"),
        ("      settle: {settles: torn, to: done}", "      settle: {settles: torn, to: done, by: crew}"),
        ("    form_readers: [desk]\n", ""),
        ("stage: over,", "stage: finished,"),
    ],
)
def test_what_decides_changes_the_digest(old, new):
    text = SOUND.replace(old, new).replace("  over: {en", f"  {'finished' if 'finished' in new else 'over'}: {{en")
    assert old in SOUND
    assert digest_of(SOUND) != digest_of(text)


def test_labels_are_found_by_their_key():
    lifecycle = load(SOUND)
    assert "完成" == lifecycle.label("work.done", "zh")
    assert "Over" == lifecycle.label("over", "en")
    assert "dropped" == lifecycle.label("work.dropped", "en")


def test_fields_of_payloads_and_roles_have_labels_where_they_are_declared():
    text = SOUND.replace("      done: {en", "      note: {en: Note, zh: 备注}\n      done: {en")
    lifecycle = load(text.replace("  over: {en", "  boss: {zh: 主管}\n  over: {en"))
    assert ("备注", "主管") == (lifecycle.label("work.note", "zh"), lifecycle.label("boss", "zh"))
    refused = text.replace("      note: {en", "      nota: {en").replace(
        "  over: {en", "  note: {en: Note}\n  over: {en"
    )
    assert ['"nota" is not declared here.', '"note" is not declared here.'] == sorted(messages(refused))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", shipped())
def test_a_shipped_lifecycle_has_a_label_for_everything_that_it_names(name, language):
    lifecycle = load(shipped()[name])
    names = [row.stage for row in lifecycle.stages] + list(lifecycle.lanes) + list(lifecycle.departments)
    names += [role for role in lifecycle.open_by if role != GATEWAY]
    for lane in lifecycle.lanes.values():
        names += [f"{lane.id}.{name}" for name in (*lane.states, *lane.conflicts.values(), *lane.transitions)]
        for transition in lane.transitions.values():
            names += [f"{lane.id}.{field}" for field in transition.payload]
            names += [role for role in transition.by if role != GATEWAY]
    assert language in lifecycle.title
    assert [] == [name for name in names if language not in lifecycle.labels.get(name, {})]


# What defaults to what.


def test_defaults_are_the_owners():
    text = SOUND.replace("open: {by: desk}\n", "").replace("talk: [desk, crew]\n", "")
    lifecycle = load(text.replace("inbound_after_close: new_ticket\n", ""))
    assert ("desk",) == lifecycle.open_by
    assert ("desk", "crew") == lifecycle.talk
    assert "new_ticket" == lifecycle.inbound_after_close
    assert ("crew",) == lifecycle.lanes["work"].transitions["finish"].by


# Hostile files.


def test_bytes_are_read_as_utf_8():
    assert digest_of(SOUND) == digest_of(SOUND.encode())


def test_bytes_that_are_not_utf_8_are_found_on_their_line():
    findings = read(SOUND.encode().replace("完成".encode(), b"\xff")).findings
    line = SOUND[: SOUND.index("完成")].count("\n") + 1
    assert [(line, "the file is not UTF-8.")] == [(finding.line, finding.message) for finding in findings]


def test_a_file_over_the_limit_is_not_read():
    assert [f"the file is larger than {FILE_BYTES_MAX} bytes."] == messages("#" * (FILE_BYTES_MAX + 1))


def test_an_empty_file_is_a_finding():
    assert ["the file is empty."] == messages("# nothing\n")


def test_a_control_character_is_found_on_its_line():
    findings = read("lifecycle: a\nversion: \x07\n").findings
    assert [(2, "the character U+0007 may not stand in YAML.")] == [(f.line, f.message) for f in findings]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("flow lists", "[" * (FILE_BYTES_MAX - 1)),
        ("flow mappings", "{" * (FILE_BYTES_MAX - 1)),
        ("block lists", "- " * (FILE_BYTES_MAX // 2)),
        ("block keys", "? " * (FILE_BYTES_MAX // 2)),
    ],
)
def test_deep_nesting_ends_in_a_finding(name, text):
    started = time.perf_counter()
    assert [f"values nest deeper than {DEPTH_MAX}."] == messages(text)
    assert time.perf_counter() - started < SECONDS_MAX


def test_a_hundred_thousand_states_end_in_a_finding():
    text = SOUND.replace("states: [idle, ", "states: [" + "a," * 100_000)
    started = time.perf_counter()
    assert [f"the file has more than {NODES_MAX} values."] == messages(text)
    assert time.perf_counter() - started < SECONDS_MAX


def test_many_states_are_read_up_to_the_limit():
    many = ", ".join(f"s{number}" for number in range(5_000))
    assert "5003 entries are too many; at most 64 are read." in messages(
        SOUND.replace("states: [idle, ", f"states: [idle, {many}, ")
    )


def test_an_alias_bomb_resolves_nothing():
    levels = "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(30))
    started = time.perf_counter()
    found = messages(f"a0: &a0 [x]\n{levels}")
    assert found.count("aliases are refused; write the value out.") == 270
    assert time.perf_counter() - started < SECONDS_MAX


@pytest.mark.parametrize(
    "text",
    [
        "\x00",
        "\ufeff",
        '"\\U7fffffff"',
        '"\\ud800"',
        "%YAML " + "9" * 5_000 + ".1\n---\na",
        "%YAML 99.1\n--- a",
        "%TAG ! tag:example,2000:\n---\na: 1",
        "!<" + "a" * 100_000 + "> x",
        "!%ff x",
        "|99\n a",
        "a: b: c",
        "\t",
        "*a",
        "&a",
        "'",
        "a: [}",
        "? [a]\n: b",
        "--- a\n--- b",
        "lifecycle: " + "9" * 5_000,
        "version: 0x1f",
        "version: .nan",
        "version: 1e999",
        "lanes: {a: {states: ['" + "é" * 10_000 + "']}}",
        'lanes: {"\\ud800": {states: ["\\udfff"], "\\ud800": 1}}\nstories: {"\\ud800": 1}',
        "lanes: 1\nstages: 1\nstories: 1\nlabels: 1\ntitle: 1\nopen: 1\ntalk: 1",
        "lanes: {a: 1}\nstages: [1]\nstories: {a: 1}\nlabels: {a: 1}\ntitle: {a: 1}\nopen: {by: {}}\ntalk: [1]",
        "lanes: {a: {states: [x]}}\nstages: [{}]\nstories: {a: {events: [1], expect: {stage: 1}}}",
    ],
)
def test_whatever_a_file_says_it_ends_in_findings_that_can_be_printed(text):
    findings = read(text).findings
    assert findings
    for finding in findings:
        assert finding.to_text("file").encode()
        assert finding.to_text("file").isprintable()


def test_words_are_texts_unless_yaml_1_2_says_otherwise():
    """YAML 1.1 reads `no` and `on` as truth values; a state may well be called so."""
    text = SOUND.replace("done", "no").replace("dropped", "on")
    assert ("idle", "no", "on") == load(text).lanes["work"].states


def test_load_tells_in_one_sentence_how_many_findings_there_are_and_the_first():
    with pytest.raises(Malformed) as refused:
        load(SOUND.replace("version: 1", "version: one").replace("kind: normal", "kind: odd"), "desk.yaml")
    assert "lifecycle" == refused.value.code
    assert "\n" not in refused.value.message
    assert "2 finding(s), the first of them: desk.yaml:2 version L1" in refused.value.message
    assert "lifecycle check" in refused.value.advice


def test_a_file_with_a_finding_of_l3_or_later_can_still_be_folded():
    assert read(SOUND.replace("to: idle, resets: true", "to: idle")).lifecycle is not None


def test_a_file_with_a_finding_of_l1_cannot():
    assert read(SOUND.replace("kind: normal", "kind: odd")).lifecycle is None


@pytest.mark.parametrize("name", ["l03-antichain", "l06-stage-gap", "l10-ping-pong"])
def test_a_file_that_was_accepted_is_asked_for_l1_and_l2_alone(name):
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    assert load_accepted(text) == read(text).lifecycle
    with pytest.raises(Malformed):
        load(text)


@pytest.mark.parametrize("name", ["l01-unknown-source", "l02-order-cycle", "yaml_alias", "yaml_syntax"])
def test_what_is_no_lifecycle_file_was_never_accepted(name):
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    with pytest.raises(Malformed) as caught:
        load_accepted(text, "kept")
    assert ("lifecycle", True) == (caught.value.code, "kept:" in caught.value.message)

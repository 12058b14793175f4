"""The eleven rules: each has files that fail it, and the story of each finding shows its defect to the oracle.

The oracle (`property_tests.model`) folds the story and says what the ticket is then. What can be done from there is
tried here, move by move, on the file as written; nothing of the checker is asked.
"""

from pathlib import Path

import pytest

from crdt_sync.adapters.lifecycle_files import load, read, shipped
from crdt_sync.domain.lifecycle import check
from property_tests.model import listed, matches
from property_tests.strategies import read as parsed
from property_tests.strategies import told

FOLDER = Path(__file__).parents[1] / "fixtures" / "lifecycles"
FILES = sorted(FOLDER.glob("l[01]*-*.yaml"))
TOLD = [path for path in FILES if path.stem[:3] not in {"l01", "l02"} and path.stem != "l07-unreachable-row"]
ALARMING = {"attention", "compensation"}


def findings_of(path):
    """Read within a test, not when the module is, so that a mutant of the checker is asked."""
    return [found for found in read(path.read_text(encoding="utf-8")).findings if found.rule not in {"L1", "L2"}]


class Told:
    """What the oracle makes of a finding's story."""

    def __init__(self, path, story):
        self.spec = parsed(path.read_text(encoding="utf-8"))
        steps = [step for step in story.partition("⇒")[0].strip().split(" · ") if step]
        self.history, self.ids = told(self.spec, steps)
        self.naive, self.view = self.history.naive, set(self.history.lines)
        self.states = self.naive.states(self.view)
        self.last = next(reversed(self.history.lines))

    @property
    def inert(self):
        return [i for i, code in self.naive.code.items() if code not in {None, "opening"}]

    def is_overtaken(self, i):
        lane = self.naive.events[i]["lane"]
        return i in self.naive.heads(lane, self.view) - self.naive.effective(lane, self.view)

    def dominators(self, i):
        lane = self.naive.events[i]["lane"]
        return {y for y in self.naive.effective(lane, self.view) if self.naive.why_below(i, y)}

    def made(self, where):
        lane, name = where.split(".")
        return [i for i, e in self.naive.events.items() if (e["lane"], e["name"]) == (lane, name)]


def row_of(spec, states):
    found = (row for row in spec["stages"] for when in listed(row["when"]) if holds(when, states))
    return next(found, {"stage": None, "kind": None})


def holds(patterns, states):
    return all(matches(pattern, states[key]) for key, pattern in patterns.items())


def moves(spec, states, lanes):
    """The moves of the lanes that someone who sees these states can make, and where they lead."""
    stage = row_of(spec, states)["stage"]
    for lane in lanes:
        for name, rule in spec["lanes"][lane]["transitions"].items():
            starts = [*listed(rule.get("from")), *listed(rule.get("settles"))]
            if states[lane] in starts and holds(rule.get("if", {}), {"stage": stage, **states}):
                yield (lane, name), states | {lane: rule["to"]}


def reachable(spec, states, lanes):
    """Every combination that the lanes alone can lead to."""
    found, fresh = [states], [states]
    while fresh:
        for _, after in moves(spec, fresh.pop(), lanes):
            if after not in found:
                found.append(after)
                fresh.append(after)
    return found


def shows_a_conflict_without_a_name(it, finding):
    return any("|" in state for state in it.states.values())


def shows_a_move_undone_by_a_stale_copy(it, finding):
    return any(it.is_overtaken(i) for i in it.made(finding.where)) and not it.is_overtaken(it.last)


def shows_a_move_undone_by_nothing(it, finding):
    return any(it.is_overtaken(i) and not it.dominators(i) for i in it.naive.events)


def shows_no_stage(it, finding):
    return row_of(it.spec, it.states)["stage"] is None


def shows_an_earlier_row(it, finding):
    (row,) = [row for row in it.spec["stages"] if f"stages.{row['stage']}" == finding.where]
    matched = any(holds(when, it.states) for when in listed(row["when"]))
    return matched and row_of(it.spec, it.states) != row


def shows_a_trap_or_a_dead_move(it, finding):
    lane, _, name = finding.where.partition(".")
    if name in it.spec["lanes"].get(lane, {}).get("transitions", {}):
        return it.inert == it.made(finding.where) == [it.last]
    ends = reachable(it.spec, it.states, it.spec["lanes"])
    if finding.where == f"{lane}.final":
        return not any(states[lane] in it.spec["lanes"][lane]["final"] for states in ends)
    return not any(row_of(it.spec, states)["kind"] in {"final", "settled"} for states in ends)


def shows_a_broken_condition(it, finding):
    lane, name = finding.where.split(".")
    rule, made = it.spec["lanes"][lane]["transitions"][name], it.made(finding.where)
    effective = it.naive.effective(lane, it.view)
    broken = not holds(rule["if"], it.states | {"stage": row_of(it.spec, it.states | {lane: rule["from"]})["stage"]})
    unseen = all(not {*made} & it.naive.past[i] for i in it.naive.events)  # whoever broke it did not know of it
    return {*made} == effective > set() and broken and unseen and row_of(it.spec, it.states)["kind"] not in ALARMING


def shows_a_compensation_that_nobody_ends(it, finding):
    row = row_of(it.spec, it.states)
    lanes = {lane for entry in row.get("owes", []) for lane in entry}
    owed = {(lane, name) for entry in row.get("owes", []) for lane, names in entry.items() for name in names}
    began = owed & {move for move, _ in moves(it.spec, it.states, lanes)}
    ends = [row_of(it.spec, states)["kind"] for states in reachable(it.spec, it.states, lanes)]
    return row["kind"] == "compensation" and not (began and set(ends) - {"compensation"})


def shows_a_conflict_of_payloads_for_ever(it, finding):
    lane = finding.where.partition(".")[0]
    amending = [
        name
        for name, rule in it.spec["lanes"][lane]["transitions"].items()
        if rule.get("payload") and rule["to"] == it.states[lane] and it.states[lane] in listed(rule.get("from"))
    ]
    return it.naive.flags(lane, it.view) == ["payload_conflict"] and not amending


SHOWS = {
    "L3": shows_a_conflict_without_a_name,
    "L4": shows_a_move_undone_by_a_stale_copy,
    "L5": shows_a_move_undone_by_nothing,
    "L6": shows_no_stage,
    "L7": shows_an_earlier_row,
    "L8": shows_a_trap_or_a_dead_move,
    "L9": shows_a_broken_condition,
    "L10": shows_a_compensation_that_nobody_ends,
    "L11": shows_a_conflict_of_payloads_for_ever,
}


def test_every_rule_has_a_file_that_fails_it():
    """Where the finding stands in the file is tested with every other broken file."""
    found = {finding.rule for path in FILES for finding in read(path.read_text(encoding="utf-8")).findings}
    assert {f"L{number}" for number in range(1, 12)} == found


def test_every_rule_is_named_like_its_files():
    for path in FILES:
        rules = {finding.rule for finding in read(path.read_text(encoding="utf-8")).findings}
        assert f"L{int(path.stem[1:3])}" in rules


@pytest.mark.parametrize("path", TOLD, ids=lambda path: path.stem)
def test_the_story_of_a_finding_shows_its_defect(path):
    assert findings_of(path)
    for finding in findings_of(path):
        it = Told(path, finding.story)
        assert "⇒" in finding.story
        assert SHOWS[finding.rule](it, finding), finding.to_text(path.name)


@pytest.mark.parametrize("path", TOLD, ids=lambda path: path.stem)
def test_a_story_is_no_longer_than_it_must_be(path):
    """Without its last event the defect is gone; a story without events shows it from the start."""
    for finding in findings_of(path):
        events = finding.story.partition("⇒")[0].strip()
        shorter = " · ".join(events.split(" · ")[:-1])
        if events:
            assert not SHOWS[finding.rule](Told(path, shorter), finding), finding.to_text(path.name)


def test_a_rule_that_is_left_out_finds_nothing(monkeypatch):
    text = (FOLDER / "l09-broken-condition.yaml").read_text(encoding="utf-8")
    assert ["L9"] == [finding.rule for finding in read(text).findings]
    monkeypatch.setattr(check, "RULES", {rule: judge for rule, judge in check.RULES.items() if rule != "L9"})
    assert [] == read(text).findings


def test_the_rules_are_judged_on_every_load():
    assert {f"L{number}" for number in range(3, 12)} | {"L0"} == set(check.RULES)
    assert [] == [finding for name in shipped() for finding in check.check(load(shipped()[name]))]


def test_one_finding_hides_no_other():
    """One file that breaks every rule from L3 on, and a story: each is told on its own line."""
    text = (FOLDER / "sound.yaml").read_text(encoding="utf-8")
    for old, new in [
        ("states: [idle, done, dropped]", "states: [idle, done, dropped, gone, kept]"),
        ('"idle < dropped"]', '"idle < dropped", "idle < kept", "done < gone"]'),
        ("from: [idle, done], to: done", "from: idle, to: done"),
        ("settles: torn, to: done", "settles: torn, to: gone"),
        (
            "to: idle, resets: true}",
            "to: idle}\n      keep: {from: idle, to: kept}\n      lose: {from: gone, to: gone, if: {work: idle}}",
        ),
        ("dropped_late, kind: attention", "dropped_late, kind: compensation"),
        (
            "over, kind: settled, when: {case: closed}",
            "over, kind: settled, when: {case: closed, work: [idle, done, gone]}",
        ),
        ('when: [{work: "*"}]', "when: [{case: running, work: [idle, done, dropped]}]"),
        ("\nlabels:", "  - {stage: unheard, kind: normal, when: {case: running, work: idle}}\n\nlabels:"),
        ("expect: {stage: busy", "expect: {stage: over"),
        ('if: {case: "!closed"}', "if: {case: running}"),
        ("when: {case: closed, work: dropped}", "when: {case: running, work: dropped}, owes: [{work: [settle]}]"),
    ]:
        assert old in text, old
        text = text.replace(old, new)
    findings = read(text).findings
    assert {f"L{number}" for number in range(3, 12)} | {"L0"} == {finding.rule for finding in findings}
    assert [] == [finding for finding in findings if not finding.fix]

"""The checker's proofs: what they refuse, what they accept, and that each witness shows its defect when folded."""

import itertools
import random
import re
import time
from pathlib import Path

import pytest

from crdt_sync.adapters.lifecycle_files import load, read, shipped
from crdt_sync.cli.simulation import simulated
from crdt_sync.domain.lifecycle import check as check_module
from crdt_sync.domain.lifecycle import space, stories
from crdt_sync.domain.lifecycle.check import check
from crdt_sync.domain.lifecycle.lane_rules import FINDINGS_MAX
from crdt_sync.domain.lifecycle.model import Finding, Story
from crdt_sync.domain.lifecycle.table import GAPS_MAX, uncovered
from crdt_sync.domain.lifecycle.witness import Witnesses
from tests.domain.lanes import lifecycle_of

CONNECT_ORDER = shipped()["connect-order"]
BROKEN = sorted((Path(__file__).parents[1] / "fixtures" / "lifecycles").glob("l[01]*-*.yaml"))
RULES = {"L0", "L3", "L4", "L6"}  # the others have modules of their own
SECONDS_MAX = 20.0  # generous for a busy machine; what this guards against takes hours

FILE = """lifecycle: drawn
version: 1
lanes:
  desk: {owner: desk, control: true, initial: active, states: [active, gone], order: ["active < gone"], transitions: {}}
  work:
    owner: crew
    initial: idle
    states: [STATES]
    order: [ORDER]
    conflicts: {CONFLICTS}
    transitions:
TRANSITIONS
stages: [STAGES]
"""


def drawn(*, states, order, transitions, conflicts="", stages="{stage: any, kind: normal, when: {}}", extra=""):
    """A lifecycle file with one lane to look at."""
    lines = [f"      {name}: {{{spec}}}" for name, spec in transitions.items()]
    text = FILE.replace("TRANSITIONS", "\n".join(lines)).replace("STATES", states).replace("CONFLICTS", conflicts)
    return (
        text.replace("ORDER", order).replace("STAGES", stages).replace("    owner: crew\n", f"    owner: crew\n{extra}")
    )


def judged(text):
    """The lifecycle of a file that passes L1 and L2, and what the proofs of this module find."""
    loaded = read(text)
    assert loaded.lifecycle is not None, [finding.to_text("drawn") for finding in loaded.findings]
    return loaded.lifecycle, [finding for finding in loaded.findings if finding.rule in RULES]


def line_of(text, start):
    return next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith(start))


def told(lifecycle, finding):
    """The state that a finding's witness gives, and the keys by id; and what the finding says that it gives."""
    events, _, outcome = finding.story.partition(" ⇒ ")
    fold, keys = stories.folded(lifecycle, Story("witness", tuple(events.split(" · ")), {}))
    state = fold.state()
    assert all(status.status != "inert" for status in state.status.values()), "a witness makes valid moves"
    return state, keys, outcome


def test_every_shipped_lifecycle_passes_every_proof():
    for text in shipped().values():
        assert [] == check(load(text))


# L0


def test_a_story_that_does_not_hold_is_a_finding():
    text = CONNECT_ORDER.replace("expect: {stage: ready_to_start}", "expect: {stage: presale, sales: lead}", 1)
    lifecycle, findings = judged(text)
    assert findings == check(lifecycle) == check(lifecycle, complete=False)
    assert [
        Finding(
            rule="L0",
            where="stories.signed meets pending",
            line=line_of(text, "  signed meets pending:"),
            message="the story does not hold: stage is ready_to_start, expected presale; "
            "sales is signed, expected lead.",
            story="q: sales.quote(price=480.00) · s: sales.sign(contract=2026-0117) < q",
            fix="Correct the story, or the lanes that it is about.",
        )
    ] == findings


def test_the_stories_of_an_unsound_reading_are_not_run():
    text = CONNECT_ORDER.replace("expect: {stage: ready_to_start}", "expect: {stage: presale}")
    assert {"L1"} == {finding.rule for finding in read(text.replace("version: 1", "version: one")).findings}


# L3

FORK = {"left": "from: idle, to: left", "right": "from: idle, to: right"}
ONLY_IDLE = "{stage: any, kind: normal, when: {work: idle}}"
FORKED = {"states": "idle, left, right", "order": '"idle < left", "idle < right"'}


def test_an_unnamed_antichain_is_found_with_a_story():
    lifecycle, (finding,) = judged(drawn(**FORKED, transitions=FORK))
    assert ("L3", "work.conflicts") == (finding.rule, finding.where)
    assert "left and right can stand beside each other, and the conflict has no name." == finding.message
    assert "l: work.left · r: work.right ⇒ left|right" == finding.story
    state, _, outcome = told(lifecycle, finding)
    assert outcome == state.lanes["work"] == "left|right"


def test_a_named_antichain_passes():
    assert [] == judged(drawn(**FORKED, transitions=FORK, conflicts="torn: [left, right]"))[1]


def test_an_antichain_passes_where_unnamed_conflicts_are_allowed():
    assert [] == judged(drawn(**FORKED, transitions=FORK, extra="    conflict: unnamed\n"))[1]


def test_an_ordered_pair_passes():
    text = drawn(states="idle, left, right", order='"idle < left < right"', transitions=FORK)
    assert [] == judged(text)[1]


def test_a_state_that_nothing_leads_to_conflicts_with_nothing():
    assert [] == judged(drawn(**FORKED, transitions={"left": FORK["left"]}))[1]


def test_states_that_belong_to_different_rounds_never_meet():
    """Whoever goes right resets, so that every left is of an older round."""
    transitions = {"left": FORK["left"], "right": "from: left, to: right, resets: true"}
    assert [] == judged(drawn(**FORKED, transitions=transitions))[1]


def test_states_that_meet_in_a_later_round_only_are_found():
    transitions = {
        "fail": "from: idle, to: failed",
        "left": "from: failed, to: left, resets: true",
        "right": "from: failed, to: right, resets: true",
    }
    order = '"idle < failed", "idle < left", "idle < right"'
    text = drawn(states="idle, failed, left, right", order=order, transitions=transitions)
    lifecycle, (finding,) = judged(text)
    assert finding.message.startswith("left and right")
    assert "left|right" == told(lifecycle, finding)[0].lanes["work"]


def test_a_lane_that_starts_with_a_reset_is_judged_too():
    """Nothing has round 0 here; every state belongs to round 1 or later."""
    transitions = {"left": "from: idle, to: left, resets: true", "right": "from: left, to: right"}
    lifecycle, (finding,) = judged(drawn(**FORKED, transitions=transitions))
    assert "L3" == finding.rule
    assert "left|right" == told(lifecycle, finding)[0].lanes["work"]


def test_a_sideways_move_is_contested_by_its_own_stale_copy():
    lifecycle, (finding,) = judged(
        drawn(**FORKED, transitions={"left": FORK["left"], "right": "from: left, to: right"})
    )
    assert "L3" == finding.rule
    assert "left|right" == told(lifecycle, finding)[0].lanes["work"]


def test_three_states_beside_each_other_need_a_name_for_every_set():
    transitions = {name: f"from: idle, to: {name}" for name in ("left", "right", "up")}
    order = '"idle < left", "idle < right", "idle < up"'
    conflicts = "lr: [left, right], lu: [left, up], ru: [right, up]"
    text = drawn(states="idle, left, right, up", order=order, transitions=transitions, conflicts=conflicts)
    lifecycle, (finding,) = judged(text)
    assert finding.message.startswith("left, right and up can")
    assert "left|right|up" == told(lifecycle, finding)[0].lanes["work"]


def test_a_conflict_is_a_way_to_states_beyond_it():
    """Only from the conflict does a move lead up, and only from there sideways."""
    transitions = FORK | {
        "lift": "from: torn, to: up",
        "drop": "settles: torn, to: left",
        "over": "from: torn, to: over",
    }
    order = '"idle < left < up", "idle < right < up", "left < over", "right < over"'
    text = drawn(
        states="idle, left, right, up, over", order=order, transitions=transitions, conflicts="torn: [left, right]"
    )
    lifecycle, (finding,) = judged(text)
    assert finding.message.startswith("over and up")
    assert "over|up" == told(lifecycle, finding)[0].lanes["work"]


def test_a_branch_may_take_several_moves():
    transitions = {"left": FORK["left"], "mid": "from: idle, to: mid", "right": "from: mid, to: right"}
    order = '"idle < left", "idle < mid < right", "mid < left"'
    text = drawn(states="idle, mid, left, right", order=order, transitions=transitions)
    lifecycle, (finding,) = judged(text)
    assert "l: work.left · m: work.mid · r: work.right < m ⇒ left|right" == finding.story
    assert "left|right" == told(lifecycle, finding)[0].lanes["work"]


def test_an_antichain_that_no_history_in_reach_shows_is_found_without_a_story():
    """The rule leaves conditions out of account: it is sound, and here too strict."""
    transitions = {"left": FORK["left"], "right": "from: idle, to: right, if: {desk: gone}"}
    _, (finding,) = judged(drawn(**FORKED, transitions=transitions))
    assert ("L3", "") == (finding.rule, finding.story)


def test_branches_that_share_no_round_are_laid_side_by_side():
    """Left is two resets away and right is two others away, over states that only one of them passes."""
    transitions = {
        "a": "from: idle, to: low, resets: true",
        "left": "from: low, to: left, resets: true",
        "b": "from: idle, to: mid, resets: true",
        "right": "from: mid, to: right, resets: true",
    }
    order = '"idle < low < mid < left", "mid < right"'
    lifecycle, (finding,) = judged(drawn(states="idle, low, mid, left, right", order=order, transitions=transitions))
    assert "a: work.a · l: work.left < a · b: work.b · r: work.right < b ⇒ left|right" == finding.story
    assert "left|right" == told(lifecycle, finding)[0].lanes["work"]


def any_lane(dice, conflicts, extra):
    """A lane at random, but for its conflicts and the transitions from them."""
    names = [f"s{number}" for number in range(dice.randint(3, 5))]
    pairs = itertools.combinations(names, 2)
    order = ", ".join(f'"{one} < {other}"' for one, other in pairs if dice.random() < 0.4)
    moves = [
        f"from: {dice.choice(names)}, to: {dice.choice(names)}{', resets: true' if dice.random() < 0.3 else ''}"
        for _ in range(dice.randint(4, 8))
    ]
    named = ", ".join(f"{name}: [{', '.join(states)}]" for name, states in conflicts.items())
    transitions = {f"t{number}": move for number, move in enumerate([*moves, *extra])}
    return drawn(states=", ".join(names), order=order, transitions=transitions, conflicts=named).replace("idle", "s0")


def accepted_lane(seed):
    """A lane that L3 accepts, because every conflict that it found has got a name, and some a way out."""
    dice = random.Random(seed)
    conflicts, extra = {}, []
    while True:
        text = any_lane(random.Random(seed), conflicts, extra)
        lifecycle, findings = judged(text)
        found = [finding for finding in findings if finding.rule == "L3"]
        if not found:
            return lifecycle
        for finding in found:
            states = finding.message.partition(" can ")[0].replace(" and ", ", ").split(", ")
            name = f"c{len(conflicts)}"
            conflicts[name] = states
            way = dice.random()
            if way < 0.4:
                extra.append(f"from: {name}, to: {dice.choice(states)}, resets: {str(way < 0.2).lower()}")
            elif way < 0.7:
                extra.append(f"settles: {name}, to: {dice.choice(states)}")


def test_what_is_accepted_never_shows_a_conflict_without_a_name(monkeypatch):
    """The argument behind the values of a lane, tried on lanes and histories at random, which L3 alone must accept."""
    monkeypatch.setattr(check_module, "RULES", {"L3": check_module.RULES["L3"]})
    conflicts = 0
    for seed in range(150):
        lifecycle = accepted_lane(seed)
        lane = lifecycle.lanes["work"]
        for history in range(5):
            fold, _ = stories.folded(lifecycle, simulated(lifecycle, history))
            state = fold.state().lanes["work"]
            assert state in lane.states or lane.conflict_members(state), f"seed {seed}, history {history}"
            conflicts += state not in lane.states
    assert conflicts >= 50, "the histories hardly ever conflict, so they prove little"


def test_many_antichains_are_reported_up_to_a_limit():
    names = [f"s{number}" for number in range(60)]
    transitions = {f"t{name}": f"from: idle, to: {name}" for name in names}
    order = ", ".join(f'"idle < {name}"' for name in names)
    started = time.perf_counter()
    findings = judged(drawn(states=", ".join(["idle", *names]), order=order, transitions=transitions))[1]
    assert FINDINGS_MAX == len(findings)
    assert time.perf_counter() - started < SECONDS_MAX


def test_a_lane_whose_rounds_repeat_late_is_judged_as_a_whole():
    """Rings of 2, 3, 5 and 7 states turn with every reset, so that their states come round after 210 rounds."""
    rings = {ring: [f"r{ring}_{number}" for number in range(ring)] for ring in (2, 3, 5, 7)}
    transitions = {}
    for ring, states in rings.items():
        transitions[f"in{ring}"] = f"from: idle, to: {states[0]}"
        for number, state in enumerate(states):
            transitions[f"turn{ring}_{number}"] = f"from: {state}, to: {states[(number + 1) % ring]}, resets: true"
    names = [state for states in rings.values() for state in states]
    order = ", ".join(f'"idle < {name}"' for name in names)
    findings = judged(drawn(states=", ".join(["idle", *names]), order=order, transitions=transitions))[1]
    assert {"L3"} == {finding.rule for finding in findings}


def test_the_search_for_witnesses_ends():
    """Ten lanes of many conflicts have more histories than anybody can walk."""
    names = [f"s{number}" for number in range(40)]
    lane = "    initial: idle\n    states: [idle, " + ", ".join(names) + "]\n"
    lane += "    order: [" + ", ".join(f"idle < {name}" for name in names) + "]\n    conflicts:\n"
    lane += "".join(f"      c{n}: [s{n}, s{n + 1}]\n" for n in range(39)) + "    transitions:\n"
    lane += "".join(f"      t{n}: {{from: [idle, s{n - 1}], to: s{n}}}\n" for n in range(1, 40))
    text = "lifecycle: wide\nversion: 1\nlanes:\n"
    text += "".join(f"  l{n}:\n    owner: d{n}\n    control: {str(n == 0).lower()}\n{lane}" for n in range(10))
    started = time.perf_counter()
    findings = judged(text + "stages: [{stage: any, kind: normal, when: {}}]\n")[1]
    assert 10 * FINDINGS_MAX == len(findings)
    assert time.perf_counter() - started < SECONDS_MAX


# L4


def test_a_move_below_its_source_without_resets_is_undone_by_a_stale_copy():
    text = CONNECT_ORDER.replace("to: quoted,    by: sales, resets: true", "to: quoted,    by: sales")
    lifecycle, findings = judged(text)
    (finding,) = [finding for finding in findings if finding.rule == "L4"]
    line = next(number for number, line in enumerate(text.split("\n"), 1) if line.startswith("      revive:"))
    assert (
        f'connect-order.yaml:{line} sales.revive L4: quoted < lost and withdrawn, so a stale concurrent "lose" undoes '
        'it. Story: l: lose · r: revive < l · x: lose ⇒ cancelled. Add "resets: true".'
    ) == finding.to_text("connect-order.yaml")
    state, keys, outcome = told(lifecycle, finding)
    assert outcome == state.stage == "cancelled"
    assert {"r": "overtaken", "x": "effective"} == {
        keys[id_]: status.status for id_, status in state.status.items() if keys[id_] in "rx"
    }


def test_a_move_below_every_member_of_a_conflict_is_undone_too():
    transitions = FORK | {"back": "from: torn, to: idle"}
    lifecycle, (finding,) = judged(drawn(**FORKED, transitions=transitions, conflicts="torn: [left, right]"))
    assert ("L4", "work.back") == (finding.rule, finding.where)
    state, keys, _ = told(lifecycle, finding)
    assert ["b"] == [keys[id_] for id_, status in state.status.items() if status.status == "overtaken"]


def test_a_move_from_a_conflict_to_one_of_its_members_passes():
    transitions = FORK | {"choose": "settles: torn, to: left", "take": "from: torn, to: right"}
    assert [] == judged(drawn(**FORKED, transitions=transitions, conflicts="torn: [left, right]"))[1]


def test_a_settlement_below_every_member_is_found():
    transitions = FORK | {"back": "settles: torn, to: idle"}
    findings = judged(drawn(**FORKED, transitions=transitions, conflicts="torn: [left, right]"))[1]
    assert [("L4", "work.back")] == [(finding.rule, finding.where) for finding in findings]


def test_a_move_below_its_source_with_resets_passes():
    transitions = {"left": FORK["left"], "back": "from: left, to: idle, resets: true"}
    assert [] == judged(drawn(**FORKED, transitions=transitions))[1]


def test_a_move_that_can_never_be_made_is_found_without_a_story():
    transitions = {"left": FORK["left"], "back": "from: right, to: idle"}
    _, (finding,) = judged(drawn(**FORKED, transitions=transitions))
    assert ("L4", "") == (finding.rule, finding.story)
    assert "idle < right, so a stale concurrent move would undo it." == finding.message


def test_a_witness_goes_through_other_lanes_where_a_condition_asks_for_it():
    """Work goes back only when it is signed, and gets there only after a quote and a signature."""
    text = CONNECT_ORDER.replace("to: provisioning, by: tech, resets: true,", "to: provisioning, by: tech,")
    lifecycle, findings = judged(text)
    (finding,) = [finding for finding in findings if finding.rule == "L4"]
    assert "tech.resume" == finding.where
    state, keys, _ = told(lifecycle, finding)
    assert "sales.sign" in finding.story
    assert ["r"] == [keys[id_] for id_, status in state.status.items() if status.status == "overtaken"]


# L6


def test_a_combination_that_no_row_matches_is_found_with_a_story():
    text = CONNECT_ORDER.replace(
        "when: {sales: signed, tech: pending}}", "when: {sales: signed, tech: pending, case: closed}}"
    )
    lifecycle, findings = judged(text)
    (finding,) = [finding for finding in findings if finding.rule == "L6"]
    assert "no row matches {case: active, sales: signed, tech: pending}." == finding.message
    assert text.split("\n")[finding.line - 1].startswith("stages:")
    state, _, outcome = told(lifecycle, finding)
    assert state.stage is None
    assert "no stage" == outcome


def test_values_that_no_row_matches_alike_are_told_together():
    _, (finding,) = judged(drawn(**FORKED, transitions=FORK, conflicts="torn: [left, right]", stages=ONLY_IDLE))
    assert "no row matches {work: [left, right, torn]}." == finding.message


@pytest.mark.parametrize(
    ("rows", "other"),
    [
        ({"work": "n k m named"}, {"work": "l", "a": "idle"}),  # a state that one gap names is not the other's
        ({"work": "n l k m"}, {"work": "named", "a": "idle"}),  # nor is a conflict with a name
    ],
)
def test_the_story_of_an_unnamed_conflict_shows_none_that_has_a_name(rows, other):
    moves = {"left": "n > l", "kick": "n > k", "more": "k > m if a=went"}
    lanes = {
        "work": ("n l k m", "n < l, n < k < m", moves, {"named": "l k"}, True),
        "a": ("idle went", "idle < went", {"go": "idle > went"}),
    }
    stages = [
        {"stage": f"row{number}", "kind": "normal", "when": {lane: names.split() for lane, names in when.items()}}
        for number, when in enumerate((rows, other))
    ]
    found = {finding.message: finding.story for finding in check(lifecycle_of(lanes, stages)) if finding.rule == "L6"}
    story = found["no row matches {work: an unnamed conflict}."]
    assert {"work.left", "work.more"} < {event.partition(" < ")[0].split()[1] for event in story.split(" · ")}


def test_a_conflict_is_a_combination_too():
    stages = "{stage: any, kind: normal, when: {work: [idle, left, right]}}"
    lifecycle, (finding,) = judged(drawn(**FORKED, transitions=FORK, conflicts="torn: [left, right]", stages=stages))
    assert ("L6", "no row matches {work: torn}.") == (finding.rule, finding.message)
    state, _, _ = told(lifecycle, finding)
    assert ("torn", None) == (state.lanes["work"], state.stage)


def test_an_unnamed_conflict_is_matched_by_a_star_or_a_negation_only():
    named = "{stage: any, kind: normal, when: {work: [idle, left, right]}}"
    lane = {**FORKED, "transitions": FORK, "extra": "    conflict: unnamed\n"}
    lifecycle, (finding,) = judged(drawn(**lane, stages=named))
    assert "no row matches {work: an unnamed conflict}." == finding.message
    state, _, _ = told(lifecycle, finding)
    assert ("left|right", None) == (state.lanes["work"], state.stage)
    for pattern in ('"*"', '"!idle"'):
        rest = f"{named}, {{stage: rest, kind: normal, when: {{work: {pattern}}}}}"
        assert [] == judged(drawn(**lane, stages=rest))[1]


def test_an_unreachable_combination_counts_and_has_no_story():
    stages = "{stage: any, kind: normal, when: {desk: active}}"
    _, (finding,) = judged(drawn(**FORKED, transitions={"left": FORK["left"]}, stages=stages))
    assert ("no row matches {desk: gone}.", "") == (finding.message, finding.story)


def test_an_empty_table_matches_nothing():
    _, (finding,) = judged(drawn(**FORKED, transitions={"left": FORK["left"]}, stages=""))
    assert ("L6", "no row matches {}.", "⇒ no stage") == (finding.rule, finding.message, finding.story)


def test_alternatives_cover_together():
    stages = '{stage: any, kind: normal, when: [{desk: active}, {desk: gone, work: "!idle"}, {desk: "*", work: idle}]}'
    assert [] == judged(drawn(**FORKED, transitions={"left": FORK["left"]}, stages=stages))[1]


def test_the_gaps_are_what_a_scan_of_all_combinations_misses():
    """Every combination of the shipped default, one row left out at a time."""
    lifecycle = load(CONNECT_ORDER)
    names = [row.stage for row in lifecycle.stages]
    for name in names:
        text = re.sub(rf"  - \{{stage: {name},.*?\n(?=  - |\n)", "", CONNECT_ORDER, flags=re.DOTALL)
        text = re.sub(r"\nstories:.*", "", text, flags=re.DOTALL)
        text = re.sub(rf"\n  {name}: +\{{en.*", "", text).replace(
            ", if: {stage: [in_service, cancelled, decommissioned]}", ""
        )
        reduced, findings = judged(text)
        assert _scanned(reduced) == _boxed(reduced)
        assert bool(_scanned(reduced)) == any(finding.rule == "L6" for finding in findings)


def _combinations(lifecycle):
    found = [{}]
    for lane in lifecycle.lanes.values():
        found = [one | {lane.id: value} for one in found for value in (*lane.states, *lane.conflicts.values())]
    return found


def _scanned(lifecycle):
    alternatives = [when for row in lifecycle.stages for when in row.when]
    return {
        tuple(values.values())
        for values in _combinations(lifecycle)
        if not any(all(pattern.matches(values[lane]) for lane, pattern in when.items()) for when in alternatives)
    }


def _boxed(lifecycle):
    gaps = uncovered(lifecycle)
    return {
        tuple(values.values())
        for values in _combinations(lifecycle)
        if any(all(values[lane] in allowed for lane, allowed in gap.items()) for gap in gaps)
    }


def wide(lanes, rows):
    """A file with many lanes of two states each."""
    text = "lifecycle: wide\nversion: 1\nlanes:\n"
    for number in range(lanes):
        control = "control: true, " if number == 0 else ""
        text += f"  l{number}: {{owner: d{number}, {control}initial: a, states: [a, b], order: [a < b],"
        text += " transitions: {go: {from: a, to: b}}}\n"
    return text + "stages:\n" + "".join(f"  - {row}\n" for row in rows)


def test_a_table_over_many_lanes_is_judged_without_trying_every_combination():
    rows = [f"{{stage: s{number}, kind: normal, when: {{l{number}: b}}}}" for number in range(32)]
    started = time.perf_counter()
    _, (finding,) = judged(wide(32, rows))
    assert finding.message.startswith("no row matches {l0: a, l1: a,")
    assert "⇒ no stage" in finding.story or finding.story == ""
    assert time.perf_counter() - started < SECONDS_MAX


def test_a_table_too_wide_to_be_judged_is_a_finding():
    """The table is total, but which lanes agree pairwise keeps 3^16 combinations apart until the first pair."""
    rows = [f"l{number}: {state}, l{number + 16}: {state}" for number in range(16) for state in "abc"]
    rows += [f'l0: {state}, l16: "!{state}"' for state in "abc"]
    text = wide(32, [f"{{stage: s{number}, kind: normal, when: {{{row}}}}}" for number, row in enumerate(rows)])
    text = text.replace("states: [a, b], order: [a < b]", "states: [a, b, c], order: [a < b < c]")
    started = time.perf_counter()
    _, (finding,) = judged(text)
    message = "the table is too wide to be proven total in 200000 steps."
    fix = 'Name fewer lanes in one row, or end with a row "when: {}".'
    assert Finding("L6", "stages", line_of(text, "stages:"), message, "", fix) == finding
    assert time.perf_counter() - started < SECONDS_MAX


def test_many_gaps_are_reported_up_to_a_limit():
    rows = [f"{{stage: s, kind: normal, when: {{{', '.join(f'l{n}: a' for n in range(20))}}}}}"]
    assert GAPS_MAX == len(judged(wide(20, rows))[1])


# What cannot be proven or shown


def test_what_is_too_wide_to_be_judged_is_one_finding_for_all_rules_that_would(monkeypatch):
    monkeypatch.setattr(space, "COMBINATIONS_MAX", 1)
    lifecycle = read(CONNECT_ORDER).lifecycle
    assert [
        Finding(
            rule="L7",
            where="lanes",
            line=next(iter(lifecycle.lanes.values())).line,
            message="the lanes have more combinations than can be judged, so L7, L8, L9 and L10 cannot be proven; "
            "at most 1048576 are.",
            fix="Let fewer lanes be named by rows and conditions, or split the process into two lifecycles.",
        )
    ] == check(lifecycle)


def test_what_is_too_wide_to_be_judged_may_be_made(monkeypatch):
    monkeypatch.setattr(space, "COMBINATIONS_MAX", 1)
    (path,) = [path for path in BROKEN if path.stem == "l11-no-amendment"]
    assert ["L11", "L7"] == [finding.rule for finding in check(read(path.read_text(encoding="utf-8")).lifecycle)]


@pytest.mark.parametrize(("stem", "rules"), [("l03-antichain", ["L3"]), ("l07-shadowed-row", []), ("l08-trap", [])])
def test_of_a_reading_with_holes_nothing_is_said_to_be_absent(stem, rules):
    (path,) = [path for path in BROKEN if path.stem == stem]
    lifecycle = read(path.read_text(encoding="utf-8")).lifecycle
    assert rules == [finding.rule for finding in check(lifecycle, complete=False)]
    assert check(lifecycle)


def test_once_the_search_is_used_up_every_finding_is_told_without_a_story(monkeypatch):
    read_alike = (read(path.read_text(encoding="utf-8")).lifecycle for path in BROKEN)
    broken = [lifecycle for lifecycle in read_alike if lifecycle]
    shown = [finding for lifecycle in broken for finding in check(lifecycle)]
    monkeypatch.setattr(check_module, "Witnesses", lambda lifecycle: Witnesses(lifecycle, 0))
    found = [finding for lifecycle in broken for finding in check(lifecycle)]

    assert [(finding.rule, finding.where, finding.fix) for finding in shown] == [
        (finding.rule, finding.where, finding.fix) for finding in found
    ]
    assert {""} == {finding.story for finding in found}

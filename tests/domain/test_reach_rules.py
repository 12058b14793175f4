"""L7 to L10 on lifecycles that have little else: what each refuses, in which words, and what it lets pass."""

from crdt_sync.domain.lifecycle.check import check
from crdt_sync.domain.lifecycle.lane_rules import listed
from tests.domain.lanes import lifecycle_of

UP = ("idle went", "idle < went", {"go": "idle > went"})


def row(stage, kind, when, owes=None):
    found = {"stage": stage, "kind": kind, "when": when}
    return found | ({"owes": [{lane: names.split() for lane, names in owes.items()}]} if owes else {})


REST = row("rest", "normal", {})


def found(rule, lanes, *rows):
    """The findings of a rule as (where, message, story)."""
    findings = check(lifecycle_of(lanes, rows or (REST,)))
    return [(finding.where, finding.message, finding.story) for finding in findings if finding.rule == rule]


# L7


def test_a_row_that_earlier_rows_take_names_them_and_is_shown():
    rows = [
        row("here", "normal", {"a": "idle"}),
        row("there", "normal", {"a": "went"}),
        row("any", "normal", {"a": "*"}),
    ]
    assert [("stages.any", "here and there take all that it matches.", "⇒ here")] == found("L7", {"a": UP}, *rows)


def test_one_row_takes_it_where_one_is_enough():
    rows = [row("here", "normal", {"a": "idle"}), row("again", "normal", {"a": "idle"}), REST]
    assert [("stages.again", "here takes all that it matches.", "⇒ here")] == found("L7", {"a": UP}, *rows)


def test_a_row_that_matches_nothing_reachable_has_no_story():
    lanes = {"a": UP, "b": ("idle went", "idle < went", {"go": "idle > went if a=idle"})}
    rows = [row("never", "normal", {"b": "idle", "a": ["idle", "went"]}), row("late", "normal", {"b": "went"})]
    assert [] == found("L7", lanes, *rows)
    unreachable = {"a": UP, "b": ("idle went", "idle < went", {"go": "idle > went if a=went"})}
    rows = [row("never", "normal", {"b": "went", "a": "idle"}), REST]
    assert [("stages.never", "no history leads to it.", "")] == found("L7", unreachable, *rows)


def test_a_row_that_only_concurrency_reaches_passes():
    lanes = {
        "a": ("idle went", "idle < went", {"go": "idle > went if b=idle"}),
        "b": ("idle went", "idle < went", {"go": "idle > went if a=idle"}),
    }
    assert [] == found("L7", lanes, row("both", "attention", {"a": "went", "b": "went"}), REST)


# L8


def completed(transitions, *rows, states="idle went done", order="idle < went < done"):
    lifecycle = lifecycle_of({"a": (states, order, transitions)}, rows or (REST,))
    lane = lifecycle.lanes["a"]
    object.__setattr__(lane, "final", ("done",))
    return [(found.where, found.message, found.story) for found in check(lifecycle) if found.rule == "L8"]


def test_a_lane_that_can_always_become_final_passes():
    assert [] == completed({"go": "idle > went", "end": "went > done"})


def test_a_lane_that_gets_stuck_is_found_where_it_does():
    assert [("a.final", "from {a: went} a no longer comes to done.", "g: a.go ⇒ rest")] == completed(
        {"go": "idle > went", "end": "idle > done"}
    )


def test_a_lane_may_need_other_lanes_to_complete():
    lanes = {"a": UP, "b": ("idle went", "idle < went", {"go": "idle > went if a=went"})}
    lifecycle = lifecycle_of(lanes, [REST])
    object.__setattr__(lifecycle.lanes["b"], "final", ("went",))
    assert [] == [finding for finding in check(lifecycle) if finding.rule == "L8"]


def test_the_whole_must_come_to_a_row_of_kind_final():
    lanes = {"a": ("idle went gone", "idle < went, idle < gone", {"go": "idle > went", "flee": "idle > gone"})}
    lanes["a"] = (*lanes["a"], {"torn": "went gone"}, False)
    rows = [row("end", "final", {"a": "went"}), row("calm", "settled", {"a": "gone"}), REST]
    (finding,) = found("L8", lanes, *rows)
    assert ("stages", "from {a: gone} no row of kind final can be reached.", "f: a.flee ⇒ calm") == finding


def test_settled_rows_count_where_none_is_final():
    lanes = {"a": ("idle went gone", "idle < went < gone", {"go": "idle > went", "flee": "went > gone"})}
    assert [] == found("L8", lanes, row("calm", "settled", {"a": "gone"}), REST)
    (finding,) = found("L8", lanes, row("calm", "settled", {"a": "went"}), REST)
    assert ("stages", "from {a: gone} no row of kind settled can be reached.") == finding[:2]


def test_a_table_without_an_end_has_none_to_reach():
    assert [] == found("L8", {"a": UP}, REST)


def test_a_transition_that_nothing_enables_is_dead():
    lanes = {
        "a": UP,
        "b": ("idle went", "idle < went", {"go": "idle > went if a=went", "jump": "went > went if a=idle"}),
    }
    assert [("b.jump", "no history enables it.", "g: a.go · g2: b.go < g · j: b.jump < g2 ⇒ inert")] == found(
        "L8", lanes
    )


def test_a_dead_transition_from_a_state_that_nothing_leads_to_is_tried_from_the_opening():
    lanes = {"a": ("idle went lost", "idle < went < lost", {"go": "idle > went", "find": "lost > lost"})}
    assert [("a.find", "no history enables it.", "f: a.find ⇒ inert")] == found("L8", lanes)


def test_a_settlement_of_a_conflict_that_never_is_one_is_dead():
    lanes = {
        "a": ("idle l r", "idle < l, idle < r", {"l": "idle > l", "rule": "settles torn > l"}, {"torn": "l r"}, False)
    }
    assert ["a.rule"] == [where for where, _, _ in found("L8", lanes)]


# L9


def guarded(move, *rows):
    """Lane b goes if lane a is idle, and lane a goes whenever it wants."""
    lanes = {
        "a": ("idle went", "idle < went", {"go": move}),
        "b": ("idle went", "idle < went", {"go": "idle > went if a=idle"}),
    }
    return found("L9", lanes, *rows)


def test_a_condition_that_another_lane_breaks_meanwhile_needs_an_alarm():
    assert [
        (
            "b.go",
            'its "if" on a can cease to hold meanwhile: {a: went, b: went} is rest, of kind normal.',
            "g: a.go · g2: b.go ⇒ rest",
        )
    ] == guarded("idle > went", REST)


def test_a_row_of_kind_attention_or_compensation_is_an_alarm():
    broken = {"a": "went", "b": "went"}
    assert [] == guarded("idle > went", row("odd", "attention", broken), REST)
    assert [] == guarded("idle > went", row("odd", "compensation", broken, {"b": "go"}), REST)
    for kind in ("normal", "settled", "final"):
        assert ["b.go"] == [where for where, _, _ in guarded("idle > went", row("odd", kind, broken), REST)]


def test_each_row_without_an_alarm_is_found():
    lanes = {
        "a": ("idle went far", "idle < went < far", {"go": "idle > went", "on": "went > far"}),
        "b": ("idle went", "idle < went", {"go": "idle > went if a=idle"}),
    }
    rows = [row("near", "normal", {"a": "went"}), row("off", "normal", {"a": "far"}), REST]
    messages = [message for _, message, _ in found("L9", lanes, *rows)]
    assert [True, True] == ["near" in messages[0], "off" in messages[1]]


def test_whoever_had_to_see_the_move_before_going_on_breaks_nothing():
    """Lane a goes on only once lane b has gone: nobody is surprised."""
    assert [] == guarded("idle > went if b=went", REST)


def test_a_condition_on_the_stage_is_asked_with_the_lane_put_back():
    lanes = {"a": UP, "b": ("idle went", "idle < went", {"go": "idle > went if stage=calm"})}
    done = row("done", "settled", {"b": "went"})
    calm = row("calm", "normal", {"a": "idle"})
    (finding,) = found("L9", lanes, done, calm, REST)
    assert ("b.go", "g: a.go · g2: b.go ⇒ done") == (finding[0], finding[2])
    assert 'its "if" on stage can cease to hold meanwhile: {a: went, b: went} is done, of kind settled.' == finding[1]
    assert [] == found("L9", lanes, done, row("calm", "normal", {}))


def test_a_condition_that_holds_wherever_the_other_lane_goes_is_not_broken():
    lanes = {"a": UP, "b": ("idle went", "idle < went", {"go": "idle > went if a=*", "stay": "went > went if a=!gone"})}
    lanes["a"] = ("idle went gone", "idle < went < gone", {"go": "idle > went"})
    assert [] == found("L9", lanes)


def test_a_lane_that_has_moved_on_is_not_asked():
    """Broken is what a transition led to; in what came after it, somebody has looked at the lane again."""
    lanes = {"a": UP, "b": ("idle went far", "idle < went < far", {"go": "idle > went if a=idle", "on": "went > far"})}
    assert [] == found("L9", lanes, row("odd", "attention", {"b": "went"}), REST)


# L10


def compensated(owes, transitions, *, kind="normal"):
    lanes = {"a": UP, "b": ("idle bad better", "idle < bad < better", {"spoil": "idle > bad", **transitions})}
    return found("L10", lanes, row("odd", "compensation", {"b": "bad"}, owes), row("rest", kind, {"a": "*"}))


def test_a_compensation_whose_debtor_can_leave_it_passes():
    assert [] == compensated({"b": "mend"}, {"mend": "bad > better"})


def test_a_compensation_in_which_nothing_owed_is_enabled_is_found():
    assert [("stages.odd", "in {b: bad} none of what it owes is enabled.", "s: b.spoil ⇒ odd")] == compensated(
        {"b": "spoil"}, {"mend": "bad > better"}
    )


def test_a_compensation_that_the_debtors_alone_cannot_leave_is_found():
    lanes = {
        "a": UP,
        "b": ("idle bad better", "idle < bad < better", {"spoil": "idle > bad", "mend": "bad > better if a=went"}),
    }
    rows = [row("odd", "compensation", {"b": "bad"}, {"b": "mend"}), REST]
    messages = [message for _, message, _ in found("L10", lanes, *rows)]
    assert [
        "in {a: idle, b: bad} none of what it owes is enabled.",
        "in {a: idle, b: bad} b alone cannot leave compensation.",
    ] == messages


def test_any_transition_of_a_debtor_may_be_the_way_out():
    assert [] == compensated({"b": "again"}, {"again": "bad > bad", "mend": "bad > better"})


def test_a_compensation_that_leads_into_another_and_back_is_found_in_both():
    lanes = {"b": ("idle bad", "idle < bad", {"spoil": "idle > bad", "undo": "bad > idle resets"})}
    rows = [
        row("odd", "compensation", {"b": "bad"}, {"b": "undo"}),
        row("even", "compensation", {"b": "idle"}, {"b": "spoil"}),
    ]
    assert ["stages.odd", "stages.even"] == [where for where, _, _ in found("L10", lanes, *rows)]


def test_a_compensation_that_owes_nothing_is_found():
    assert [("stages.odd", "in {b: bad} it owes nothing.", "s: b.spoil ⇒ odd")] == compensated(
        None, {"mend": "bad > better"}
    )


def test_a_compensation_that_is_never_the_stage_is_left_to_l7():
    lanes = {"b": ("idle bad", "idle < bad", {"stay": "idle > idle"})}
    assert [] == found("L10", lanes, row("odd", "compensation", {"b": "bad"}), REST)


def test_a_compensation_is_asked_only_where_it_can_be_the_stage():
    """Lane b is mended only while lane a is idle, and is spoilt only then."""
    lanes = {
        "a": ("idle went", "idle < went", {"go": "idle > went if b=better"}),
        "b": ("idle bad better", "idle < bad < better", {"spoil": "idle > bad", "mend": "bad > better if a=idle"}),
    }
    assert [] == found("L10", lanes, row("odd", "compensation", {"b": "bad"}, {"b": "mend"}), REST)


def test_names_are_listed_as_a_person_does():
    assert ["a", "a and b", "a, b or c"] == [listed("a"), listed("ab"), listed("abc", "or")]

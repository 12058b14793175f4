import hashlib
from itertools import permutations

import pytest

from crdt_sync.domain.lifecycle.fold import Fold, fold_lines
from crdt_sync.domain.lifecycle.join import Rank, join, overtaken_because
from crdt_sync.domain.lifecycle.result import Code, Flag, Reason, Standing, Status, TicketState, Verdict
from tests.domain.histories import OTHER_DIGEST, History, deal_lifecycle, lane_of, move, opening, printed, row

SIGNED = ("q: sales.quote", "s: sales.sign < q")
DISPUTED = (*SIGNED, "l: sales.lose < q")
WORK = (*SIGNED, "t: tech.start < s")


def standing(history: History, key: str) -> Status:
    return history.fold().state().status[history[key]]


def code(history: History, key: str) -> Code | None:
    verdict = history.fold().verdict(history[key])
    assert verdict is not None
    assert (standing(history, key).status is Standing.INERT) is not verdict.valid
    return verdict.code


# The opening and the view


def test_an_opened_ticket_stands_in_its_initial_states():
    history = History()
    state = history.fold().state()

    assert history["o"] == state.ticket
    assert {"case": "active", "sales": "lead", "tech": "pending"} == state.lanes
    assert ("presale", "normal", {}, (), {}) == (state.stage, state.kind, state.flags, state.obligations, state.status)


def test_the_opening_is_valid_and_in_the_view():
    history = History()
    fold = history.fold()

    assert history["o"] in fold
    assert Verdict() == fold.verdict(history["o"]) == fold.judge(history.by_key["o"])
    assert (history["o"],) == fold.frontier()


def test_without_its_opening_everything_is_pending():
    history = History(*SIGNED)
    fold = history.fold(["s", "q"])

    assert TicketState(pending={history["s"]: (history["o"],), history["q"]: (history["o"],)}) == fold.state()
    assert fold.verdict(history["q"]) is None
    assert fold.judge(history.by_key["q"]) is None


def test_a_late_opening_wakes_all_that_waited():
    history = History(*WORK)

    assert history.fold().state() == history.fold(["t", "s", "q", "o"]).state()


def test_what_waits_and_comes_again_still_waits_for_each_parent():
    history = History("a: sales.quote", "b: tech.start", "c: sales.sign < a, b")
    fold = history.fold(["o", "c", "c", "a"])

    assert {history["c"]: history.ids("b")} == fold.state().pending
    fold.add(history.by_key["b"])
    assert history.fold().state() == fold.state()


def test_pending_names_every_absent_ancestor():
    history = History("a: sales.quote", "b: tech.x", "c: sales.sign < a, b", "d: sales.amend < c", "e: tech.y < b")
    state = history.fold(["e", "d", "o"]).state()

    assert {history["e"]: history.ids("b"), history["d"]: history.ids("c")} == state.pending
    assert {history["e"]: history.ids("b"), history["d"]: history.ids("a b"), history["c"]: history.ids("a b")} == (
        history.fold(["e", "d", "o", "c"]).state().pending
    )


def test_missing_ancestors_are_sorted():
    history = History(*(f"k{n}: sales.quote" for n in range(9)))
    history.do("z: sales.quote < " + ", ".join(f"k{n}" for n in range(9)))

    assert {history["z"]: history.ids(" ".join(f"k{n}" for n in range(9)))} == history.fold(["o", "z"]).state().pending


def test_a_pending_transition_counts_nowhere():
    history = History(*SIGNED)
    state = history.fold(["o", "s"]).state()

    assert "lead" == state.lanes["sales"]
    assert {} == state.status


def test_a_chain_of_thousands_in_reverse_is_placed_without_recursion():
    history = History("k0: sales.quote", *(f"k{n}: sales.quote < k{n - 1}" for n in range(1, 3000)))
    keys = list(reversed(history.by_key))

    waiting = history.fold(keys[:-1])
    assert {(history["o"],)} == set(waiting.state().pending.values())
    waiting.add(history.by_key["o"])
    assert {} == waiting.state().pending
    assert (history["k2999"],) == waiting.frontier()


def test_any_order_and_duplication_give_the_same_bytes():
    history = History(*DISPUTED, "r: sales.rule_signed < s, l", "p: sales.park < q")
    expected = printed(history.fold().state().to_json())

    for keys in permutations(history.by_key):
        assert expected == printed(history.fold([*keys, keys[0], keys[-1]]).state().to_json())


def test_another_opening_and_all_above_it_are_quarantined():
    history = History("q: sales.quote")
    stranger = opening(subject="another")
    history.by_key["x"] = stranger
    history.do("y: sales.quote < x, o")
    history.do("z: sales.sign < y, q")
    expected = dict.fromkeys(history.ids("x y z"), Code.TICKET)

    for keys in permutations(history.by_key):
        state = history.fold(keys).state()
        assert expected == state.quarantined
        assert {} == state.pending
        assert {history["q"]} == set(state.status)


def test_what_descends_from_another_opening_is_quarantined_even_when_a_parent_is_missing():
    history = History("q: sales.quote")
    history.by_key["x"] = opening(subject="another")
    history.do("y: sales.quote < x, q")
    history.do("z: sales.sign < y")
    state = history.fold(["o", "z", "y", "x"]).state()

    assert dict.fromkeys(history.ids("x y z"), Code.TICKET) == state.quarantined
    assert {} == state.pending


def test_what_reaches_another_opening_on_two_ways_is_quarantined_once():
    history = History()
    history.by_key["x"] = opening(subject="another")
    for text in ("y: sales.quote < x", "z: sales.quote < x", "w: sales.sign < y, z"):
        history.do(text)
    state = history.fold(["o", "w", "z", "y", "x"]).state()

    assert dict.fromkeys(history.ids("w x y z"), Code.TICKET) == state.quarantined


def test_a_child_of_what_waits_for_another_opening_waits_until_that_is_known():
    history = History()
    history.by_key["x"] = opening(subject="another")
    history.do("y: sales.quote < x")
    fold = history.fold(["o", "y"])

    assert {history["y"]: history.ids("x")} == fold.state().pending
    fold.add(history.by_key["x"])
    assert {} == fold.state().pending
    assert Verdict(Code.TICKET) == fold.judge(history.by_key["y"]) == fold.judge(history.by_key["x"])


def test_an_opening_outside_the_control_lane_is_malformed_and_as_if_absent():
    history = History()
    history.by_key["o"] = opening(lane="sales")
    history.do("q: sales.quote")
    state = history.fold().state()

    assert {history["o"]: Code.MALFORMED} == state.quarantined
    assert {history["q"]: history.ids("o")} == state.pending
    assert state.ticket is None
    assert Verdict(Code.MALFORMED) == history.fold().judge(history.by_key["o"])


# Validity


def test_a_transition_of_another_ticket_is_inert():
    history = History()
    history.do("q: sales.quote", ticket="a" * 52)

    assert code(history, "q") is Code.TICKET


def test_parents_that_know_each_other_are_no_antichain():
    history = History("q: sales.quote", "s: sales.sign < o, q")

    assert code(history, "s") is Code.AFTER


def test_an_inert_ancestor_counts_for_the_antichain():
    history = History("x: sales.sign", "q: sales.quote < x", "s: sales.sign < x, q")

    assert code(history, "x") is Code.FROM
    assert code(history, "s") is Code.AFTER


def test_a_transition_under_another_lifecycle_is_inert():
    history = History()
    history.do("q: sales.quote", lifecycle=OTHER_DIGEST)

    assert code(history, "q") is Code.LIFECYCLE


@pytest.mark.parametrize("called", ["sales.invent", "kitchen.quote", "sales.upgrade"])
def test_an_undeclared_transition_is_inert(called):
    assert code(History(f"x: {called}"), "x") is Code.UNKNOWN


def test_a_transition_needs_one_of_the_roles_that_may():
    history = History()
    history.do("q: sales.quote", roles=["admin", "tech"])
    history.do("r: sales.quote", roles=["admin", "sales"])

    assert code(history, "q") is Code.ROLE
    assert code(history, "r") is None


def test_a_transition_needs_its_source_state():
    history = History("s: sales.sign", "q: sales.quote < s", "t: sales.sign < q")

    assert code(history, "s") is Code.FROM
    assert code(history, "t") is None


def test_a_source_may_be_a_conflict():
    history = History(*DISPUTED, "w: sales.withdraw < s, l", "x: sales.amend < s, l")

    assert code(history, "w") is None
    assert code(history, "x") is Code.FROM


def test_a_settlement_needs_exactly_its_conflict():
    history = History(*DISPUTED, "r: sales.rule_lost < s, l", "x: sales.rule_lost < s")

    assert code(history, "r") is None
    assert code(history, "x") is Code.FROM


def test_a_condition_reads_other_lanes_as_they_were_seen():
    history = History(*SIGNED, "t: tech.start < s", "x: tech.start < q")

    assert code(history, "t") is None
    assert code(history, "x") is Code.IF


def test_every_condition_must_hold():
    history = History(*SIGNED, "c: case.close < s", "x: tech.start < c")

    assert code(history, "c") is None
    assert code(history, "x") is Code.IF


def test_a_condition_may_read_the_stage():
    history = History("q: sales.quote", "c: case.close < q")

    assert code(history, "c") is Code.IF


def test_without_a_matching_row_a_stage_condition_holds_only_for_what_refuses_or_takes_all():
    from tests.domain.histories import pattern

    names = {"any": "*", "named": "presale", "refused": "!presale"}
    moves = [move(name, "a", "b", conditions={"stage": pattern(text)}) for name, text in names.items()]
    base = deal_lifecycle()
    lane = lane_of("case", "a < b", moves, control=True)
    lifecycle = type(base)(**{**fields_of(base), "lanes": {lane.id: lane}, "stages": ()})
    history = History("x: case.any", "y: case.named", "z: case.refused", lifecycle=lifecycle)
    state = history.fold().state()

    assert [None, Code.IF, None] == [code(history, key) for key in "xyz"]
    assert (None, None, ()) == (state.stage, state.kind, state.obligations)


def test_the_first_failing_check_names_the_code():
    """Each transition fails its check and, but for the last, the next one too."""
    history = History("q: sales.quote")
    wrong = {"ticket": "a" * 52, "after": [history["o"], history["q"]], "lifecycle": OTHER_DIGEST, "name": "invent"}
    codes = []
    for number, key in enumerate([*wrong, "roles", "from"]):
        history.do(f"x{number}: tech.deliver", roles=["none" if key != "from" else "tech"], **wrong)
        codes.append(code(history, f"x{number}"))
        wrong.pop(key, None)

    assert [Code.TICKET, Code.AFTER, Code.LIFECYCLE, Code.UNKNOWN, Code.ROLE, Code.FROM] == codes


def test_from_is_checked_before_the_conditions():
    history = History(*WORK, "w: sales.withdraw < t", "x: tech.start < w")

    assert code(history, "x") is Code.FROM


def test_an_inert_transition_has_no_effect_but_its_children_live():
    history = History("x: sales.sign", "q: sales.quote < x")

    assert Status(Standing.INERT, code=Code.FROM) == standing(history, "x")
    assert Status(Standing.EFFECTIVE) == standing(history, "q")
    assert (history["q"],) == history.fold().frontier()


def test_a_verdict_never_changes_when_the_view_grows():
    history = History(*DISPUTED, "x: tech.start < l", "r: sales.rule_signed < s, l", "z: sales.revive < l")
    fold = history.fold([])
    verdicts = {}
    for key in history.by_key:
        judged = fold.judge(history.by_key[key])
        fold.add(history.by_key[key])
        verdicts[history[key]] = judged
        assert verdicts == {known: fold.verdict(known) for known in verdicts}


def test_clocks_that_run_days_apart_decide_nothing():
    def told(*clocks):
        history = History()
        for text, at in zip((*DISPUTED, "r: sales.rule_signed < s, l", "x: sales.lose < q"), clocks, strict=True):
            history.do(text, at=at)
        state = history.fold().state()
        return state.lanes, state.flags, [state.status[history[key]].status for key in history.by_key if key != "o"]

    day_ms = 86_400_000
    assert told(1, 2, 3, 4, 5) == told(9 * day_ms, day_ms, 5 * day_ms, 0, 7 * day_ms)


# The join of a lane


def test_a_lane_begins_in_round_zero():
    lane = deal_lifecycle().lanes["sales"]

    assert ("lead", 0) == (join(lane, ()).state, join(lane, ()).round)


def test_a_chain_supersedes_by_its_head():
    history = History(*SIGNED, "a: sales.amend < s")

    assert Status(Standing.SUPERSEDED, by=history.ids("a")) == standing(history, "q") == standing(history, "s")
    assert Status(Standing.EFFECTIVE) == standing(history, "a")


def test_superseded_names_exactly_the_heads_above():
    history = History(*DISPUTED, "n: sales.quote", "p: sales.park < n")

    assert Status(Standing.SUPERSEDED, by=history.ids("s l")) == standing(history, "q")
    assert Status(Standing.SUPERSEDED, by=history.ids("p")) == standing(history, "n")


def test_concurrent_states_in_order_join_to_the_higher():
    history = History("q: sales.quote", "n: sales.quote", "m: sales.quote", "s: sales.sign < q")

    assert standing(history, "n") == standing(history, "m")
    assert "signed" == history.fold().state().lanes["sales"]
    assert Status(Standing.OVERTAKEN, because=Reason.ORDER, by=history.ids("s")) == standing(history, "n")
    assert {} == history.fold().state().flags


def test_unordered_states_are_a_named_conflict():
    history = History(*DISPUTED, "m: sales.lose < q")

    assert "disputed" == history.fold().state().lanes["sales"]
    assert Status(Standing.CONTESTED, by=history.ids("l m")) == standing(history, "s")
    assert Status(Standing.CONTESTED, by=history.ids("s")) == standing(history, "l")


def test_an_undeclared_conflict_is_its_states_sorted_and_joined():
    history = History(*SIGNED, "p: sales.park < q")
    three = History(*DISPUTED, "p: sales.park < q")

    assert "parked|signed" == history.fold().state().lanes["sales"]
    assert "lost|parked|signed" == three.fold().state().lanes["sales"]


def test_a_newer_round_overtakes_whatever_the_order_says():
    history = History("q: sales.quote", "l: sales.lose < q", "r: sales.revive < l", "x: sales.lose < q")

    assert "quoted" == history.fold().state().lanes["sales"]
    assert Status(Standing.OVERTAKEN, because=Reason.ROUND, by=history.ids("r")) == standing(history, "x")
    assert {"sales": (Flag.OVERTAKEN,)} == history.fold().state().flags


def test_rounds_count_the_effective_heads_of_what_was_seen():
    history = History("q: sales.quote", "l: sales.lose < q", "r: sales.revive < l", "l2: sales.lose < r",
                      "r2: sales.revive < l2", "x: sales.lose < r")  # fmt: skip

    assert Status(Standing.OVERTAKEN, because=Reason.ROUND, by=history.ids("r2")) == standing(history, "x")


def test_a_settlement_absorbs_a_straggler_of_what_it_settled():
    history = History(*DISPUTED, "r: sales.rule_signed < s, l", "x: sales.lose < q")

    assert "signed" == history.fold().state().lanes["sales"]
    assert Status(Standing.OVERTAKEN, because=Reason.SETTLED, by=history.ids("r")) == standing(history, "x")
    assert {} == history.fold().state().flags


def test_who_leaves_a_conflict_without_settling_it_absorbs_nothing():
    base = deal_lifecycle()
    moves = [move("b", "a", "b"), move("c", "a", "c"), move("leave", "split", "d")]
    lane = lane_of("case", "a < b, a < c, a < d", moves, conflicts={"split": "b c"}, control=True)
    lifecycle = type(base)(**{**fields_of(base), "lanes": {lane.id: lane}, "stages": (row("any", "normal"),)})
    history = History("b: case.b", "c: case.c", "l: case.leave < b, c", "x: case.b", lifecycle=lifecycle)

    assert "b|d" == history.fold().state().lanes["case"]
    assert Status(Standing.CONTESTED, by=history.ids("l")) == standing(history, "x")


def test_a_settlement_does_not_absorb_what_knew_of_one():
    history = History(*DISPUTED, "r: sales.rule_signed < s, l", "z: sales.rule_lost < s, l", "a: sales.amend < r")

    assert "disputed" == history.fold().state().lanes["sales"]
    assert Status(Standing.CONTESTED, by=history.ids("z")) == standing(history, "a")


def test_a_settlement_of_an_older_round_settles_nothing_now():
    history = History(*DISPUTED, "r: sales.rule_lost < s, l", "v: sales.revive < r", "s2: sales.sign < v",
                      "l2: sales.lose < v", "x: sales.sign < v", "r2: sales.rule_lost < s2, l2")  # fmt: skip

    assert "lost" == history.fold().state().lanes["sales"]
    assert Reason.SETTLED is standing(history, "x").because


def test_a_settlement_of_a_later_round_is_known_to_what_follows_it():
    history = History(*DISPUTED, "r: sales.rule_lost < s, l", "v: sales.revive < r", "s2: sales.sign < v",
                      "l2: sales.lose < v", "y: sales.rule_signed < s2, l2", "z: sales.rule_lost < s2, l2",
                      "a: sales.amend < y")  # fmt: skip

    assert Status(Standing.CONTESTED, by=history.ids("z")) == standing(history, "a")


def test_the_first_reason_that_holds_is_named():
    lane = deal_lifecycle().lanes["sales"]
    settled = Rank(1, "signed", frozenset({"signed", "lost"}), settled=True)

    assert Reason.ROUND is overtaken_because(lane, Rank(0, "quoted"), settled)
    assert Reason.ORDER is overtaken_because(lane, Rank(1, "quoted"), settled)
    assert Reason.SETTLED is overtaken_because(lane, Rank(1, "lost"), settled)
    assert Reason.SETTLED is overtaken_because(lane, Rank(1, "signed"), settled)
    assert overtaken_because(lane, Rank(1, "lost", settled=True), settled) is None
    assert overtaken_because(lane, Rank(1, "parked"), settled) is None
    assert overtaken_because(lane, Rank(2, "quoted"), settled) is None


def test_order_is_named_before_settled_when_both_dominate():
    history = History(*DISPUTED, "r: sales.rule_signed < s, l", "a: sales.amend < r", "x: sales.quote < q")

    assert Status(Standing.OVERTAKEN, because=Reason.ORDER, by=history.ids("a")) == standing(history, "x")


def test_precedence_is_a_strict_partial_order():
    lane = deal_lifecycle().lanes["sales"]
    both = frozenset({"signed", "lost"})
    ranks = [Rank(n, to, settled=known) for n in (0, 1) for to in lane.states for known in (False, True)]
    ranks += [Rank(n, to, both, settled=True) for n in (0, 1) for to in both]

    for first in ranks:
        above = {second for second in ranks if overtaken_because(lane, first, second)}
        assert first not in above
        for second in above:
            assert {third for third in ranks if overtaken_because(lane, second, third)} <= above


def test_two_payloads_of_one_state_are_flagged_until_amended():
    history = History("q: sales.quote", "s: sales.sign(a) < q", "t: sales.sign(b) < q")
    flagged = history.fold().state()
    history.do("m: sales.amend(b) < s, t")

    assert {"sales": (Flag.PAYLOAD_CONFLICT,)} == flagged.flags
    assert "signed" == flagged.lanes["sales"]
    assert Standing.EFFECTIVE is flagged.status[history["s"]].status
    assert {} == history.fold().state().flags


@pytest.mark.parametrize("second", ["sign(a)", "sign", "lose(b)"])
def test_equal_absent_or_unlike_payloads_are_no_conflict(second):
    history = History("q: sales.quote", "s: sales.sign(a) < q", f"t: sales.{second} < q")

    assert {} == history.fold().state().flags


def test_a_signature_beside_lose_and_revive_is_flagged_until_someone_who_saw_it_acts():
    history = History("q: sales.quote", "l: sales.lose < q", "r: sales.revive < l", "s: sales.sign < q")
    flagged = history.fold().state()
    history.do("n: sales.quote < r, s")

    assert {"sales": (Flag.OVERTAKEN,)} == flagged.flags
    assert {} == history.fold().state().flags


def test_what_the_newer_round_contains_is_overtaken_without_a_flag():
    history = History("q: sales.quote", "l: sales.lose < q", "r: sales.revive < l", "x: sales.quote < q")
    reached = History("q: sales.quote", "l: sales.lose < q", "r: sales.revive < l", "x: sales.lose < q",
                      "n: sales.lose < r")  # fmt: skip

    assert (Standing.OVERTAKEN, {}) == (standing(history, "x").status, history.fold().state().flags)
    assert (Standing.OVERTAKEN, {}) == (standing(reached, "x").status, reached.fold().state().flags)


def test_both_flags_may_stand_in_one_lane():
    history = History("q: sales.quote", "l: sales.lose < q", "r: sales.revive(a) < l", "z: sales.revive(b) < l",
                      "s: sales.sign < q")  # fmt: skip

    assert {"sales": (Flag.OVERTAKEN, Flag.PAYLOAD_CONFLICT)} == history.fold().state().flags


def test_a_cyclic_precedence_still_gives_an_answer():
    """A settlement below its members breaks rule L5; a file is folded once it passes L1 and L2."""
    base = deal_lifecycle()
    lane = lane_of(
        "case",
        "a < b, a < c",
        [move("b", "a", "b"), move("c", "a", "c"), move("fall", "", "a", settles="split")],
        conflicts={"split": "b c"},
        control=True,
    )
    lifecycle = type(base)(**{**fields_of(base), "lanes": {lane.id: lane}, "stages": (row("any", "normal"),)})
    history = History("b: case.b", "c: case.c", "f: case.fall < b, c", "x: case.b", lifecycle=lifecycle)

    assert "" == history.fold().state().lanes["case"]
    assert {"status": "overtaken", "by": []} == standing(history, "x").to_json()


# Stage and obligations


def test_signed_meets_pending():
    state = History(*SIGNED).fold().state()

    assert ("signed", "normal", ()) == (state.stage, state.kind, state.obligations)


def test_obligations_are_the_rows_with_the_heads_that_its_first_alternative_names():
    history = History(*WORK, "l: sales.lose < q", "d: tech.deliver < t")
    state = history.fold().state()

    assert ("hold_work", "compensation") == (state.stage, state.kind)
    assert [{"tech": ("restart",)}, {"sales": ("rule_signed", "rule_lost"), "case": ("close",)}] == [
        owed.owes for owed in state.obligations
    ]
    assert {history.ids("s l d")} == {owed.trigger for owed in state.obligations}
    assert {"hold_work"} == {owed.row for owed in state.obligations}


def test_a_later_alternative_may_match():
    history = History(*WORK, "w: sales.withdraw < t")
    state = history.fold().state()

    assert "hold_work" == state.stage
    assert history.ids("t w") == state.obligations[0].trigger


def test_each_flagged_lane_owes_a_review_after_the_rows_own():
    history = History(*WORK, "l: sales.lose < q", "s2: sales.sign(a) < q", "s3: sales.sign(b) < q",
                      "d: tech.deliver(a) < t", "e: tech.deliver(b) < t")  # fmt: skip
    state = history.fold().state()

    assert {"sales": (Flag.PAYLOAD_CONFLICT,), "tech": (Flag.PAYLOAD_CONFLICT,)} == state.flags
    assert [
        {"tech": ("restart",)},
        {"sales": ("rule_signed", "rule_lost"), "case": ("close",)},
        {"sales": ("review",)},
        {"tech": ("review",)},
    ] == [owed.owes for owed in state.obligations]
    assert history.ids("s s2 s3 l") == state.obligations[2].trigger
    assert history.ids("d e") == state.obligations[3].trigger
    assert {"hold_work"} == {owed.row for owed in state.obligations}


def test_a_review_names_the_flagged_overtaken_heads_too():
    history = History("q: sales.quote", "l: sales.lose < q", "r: sales.revive < l", "s: sales.sign < q",
                      "x: sales.quote < q")  # fmt: skip
    (review,) = history.fold().state().obligations

    assert ("presale", history.ids("r s")) == (review.row, review.trigger)


# Reading parts of a view


def test_state_at_is_the_state_that_someone_saw():
    history = History(*DISPUTED, "x: sales.sign", "r: sales.rule_lost < s, l")
    whole = history.fold()

    assert history.fold(["o", "q", "s"]).state() == whole.state_at([history["s"]])
    assert history.fold(["o", "q", "s", "l"]).state() == whole.state_at(history.ids("s l"))
    assert history.fold(["o", "x"]).state() == whole.state_at(history.ids("o x"))
    assert TicketState() == whole.state_at([])
    assert history.fold().state() == whole.state()


def test_state_at_some_is_read_from_all_of_them():
    history = History("q: sales.quote", "x: tech.start < q", "n: sales.quote", "p: sales.park < n")

    assert Standing.INERT is history.fold().state_at([history["x"], history["p"]]).status[history["x"]].status


@pytest.mark.parametrize("order", list(permutations("xrn")), ids="".join)
def test_a_head_is_superseded_by_whichever_part_of_the_view_saw_it(order):
    """Each of the three has heads of its own; that of `x`, which is inert, is in the past of `r` alone."""
    history = History(
        "q: sales.quote", "l: sales.lose < q", "x: tech.start < l", "r: sales.revive < l", "n: sales.quote"
    )
    fold = history.fold(["o", "q", "l", *order])

    for asked in permutations(history.ids("x r n")):
        seen = fold.state_at(asked)
        assert history.fold().state() == seen
        assert Status(Standing.SUPERSEDED, by=history.ids("r")) == seen.status[history["l"]]


def test_state_at_an_unknown_id_is_a_key_error():
    with pytest.raises(KeyError):
        History().fold().state_at(["a" * 52])


def test_frontiers_are_the_newest():
    history = History(*DISPUTED, "x: sales.sign < s")
    fold = history.fold()

    assert history.ids("x l") == fold.frontier()
    assert history.ids("s l") == fold.frontier_of(history.ids("o q s l"))
    assert () == fold.frontier_of([])


def test_a_state_is_cached_until_something_arrives():
    history = History(*SIGNED)
    fold = history.fold(["o", "q"])
    first = fold.state()

    assert first is fold.state()
    fold.add(history.by_key["q"])
    assert first is fold.state()
    fold.add(history.by_key["s"])
    assert "signed" == fold.state().lanes["sales"]


def test_the_transition_behind_an_id_can_be_read():
    history = History("q: sales.quote")

    assert history.by_key["q"] == history.fold().transition(history["q"])


def test_a_small_frontier_is_named_whole():
    history = History(*DISPUTED)

    assert history.ids("s l") == history.fold().naming(reversed(history.ids("s l")))


def test_a_wide_frontier_names_effective_heads_then_what_saw_one_then_the_rest():
    history = History(*SIGNED, "n: sales.quote", "t: tech.start < s", "d: tech.deliver < t")
    above = [history.do(f"a{n}: sales.nothing < d").id for n in range(3)]
    rest = [history["n"], *(history.do(f"r{n}: sales.nothing").id for n in range(40))]
    history.do("l: sales.lose < q")
    fold = history.fold()
    named = fold.naming(fold.frontier())

    assert 32 == len(named)
    assert sorted({history["l"], *above, *sorted(rest)[:28]}) == list(named)


def test_in_a_wide_frontier_no_effective_head_gives_way_to_what_saw_one():
    history = History(*WORK)
    heads = [history.do(f"l{n}: sales.lose < q").id for n in range(20)]
    above = sorted(history.do(f"a{n}: sales.nothing < t").id for n in range(40))
    fold = history.fold()

    assert sorted([*heads, *above[:12]]) == list(fold.naming(fold.frontier()))


# Lifecycles that are not at hand


def test_a_ticket_of_another_lifecycle_is_listed_and_not_judged():
    history = History(*SIGNED)
    fold = Fold(deal_lifecycle(OTHER_DIGEST), history["o"])
    for key in "oqs":
        fold.add(history.by_key[key])
    expected = TicketState(ticket=history["o"], codes=dict.fromkeys(history.ids("o q s"), Code.LIFECYCLE_UNKNOWN))

    assert expected == fold.state()
    assert Verdict(Code.LIFECYCLE_UNKNOWN) == fold.verdict(history["q"]) == fold.verdict(history["o"])


# Lines


def sha(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def test_lines_give_the_form_that_tools_compare():
    history = History(*DISPUTED, "m: sales.quote < o", "x: sales.sign", "p: sales.sign < q")
    history.do("z: tech.start < p")
    lines = [line for key, line in zip(history.by_key, history.lines(), strict=True) if key != "p"]
    contested = [{"status": "contested", "by": list(history.ids(other))} for other in ("l", "s")]

    assert {
        "ticket": history["o"],
        "lanes": {"case": "active", "sales": "disputed", "tech": "pending"},
        "flags": {},
        "stage": "deal_disputed",
        "kind": "attention",
        "obligations": [
            {
                "row": "deal_disputed",
                "owes": {"sales": ["rule_signed", "rule_lost"]},
                "trigger": list(history.ids("s l")),
            }
        ],
        "status": {
            history["q"]: {"status": "superseded", "by": list(history.ids("s l"))},
            history["s"]: contested[0],
            history["l"]: contested[1],
            history["m"]: {"status": "overtaken", "because": "order", "by": list(history.ids("s l"))},
            history["x"]: {"status": "inert", "code": "from"},
        },
        "pending": {history["z"]: [history["p"]]},
        "quarantined": {},
        "codes": {},
    } == fold_lines(history.lifecycle, lines)


def test_flags_are_printed_for_flagged_lanes_only():
    history = History("q: sales.quote", "s: sales.sign(a) < q", "t: sales.sign(b) < q")

    assert {"sales": ["payload_conflict"]} == fold_lines(history.lifecycle, history.lines())["flags"]


def test_bad_lines_are_quarantined_under_their_hash():
    history = History("q: sales.quote")
    line = history.lines()[1]
    bad = {b" ": "malformed", line + b"\r": "malformed", b"x" * 4097: "size"}
    result = fold_lines(history.lifecycle, [*history.lines(), *bad])

    assert {sha(text): reason for text, reason in bad.items()} == result["quarantined"]
    assert [history["q"]] == list(result["status"])


def test_line_feeds_empty_lines_and_repeats_change_nothing():
    history = History(*SIGNED)
    lines = history.lines()

    assert fold_lines(history.lifecycle, lines) == fold_lines(
        history.lifecycle, [b"\n", b"", *(line + b"\n" for line in reversed(lines)), *lines]
    )


def test_no_lines_give_an_empty_result():
    assert TicketState().to_json() == fold_lines(deal_lifecycle(), [])


def test_the_smallest_opening_is_the_ticket_and_the_others_are_quarantined_by_line():
    history = History()
    first, second = sorted((opening(subject="a"), opening(subject="b")), key=lambda one: one.id)
    history.by_key = {"o": second}
    history.do("y: sales.quote")
    history.do("z: sales.sign < y", after=[history["y"], "a" * 52])
    records = [*history.lines(), first.record.encode()]
    result = fold_lines(history.lifecycle, records)

    assert first.id == result["ticket"]
    assert {sha(line): "ticket" for line in history.lines()} == result["quarantined"]
    assert {} == result["pending"] == result["status"]


def test_a_misplaced_opening_is_no_ticket():
    wrong = min((opening(subject=str(n), lane="sales") for n in range(20)), key=lambda one: one.id)
    history = History("q: sales.quote")
    result = fold_lines(history.lifecycle, [wrong.record.encode(), *history.lines()])

    assert wrong.id < history["o"] == result["ticket"]
    assert {sha(wrong.record.encode()): "malformed"} == result["quarantined"]


def test_an_opening_of_another_lifecycle_is_not_judged_by_this_ones_control_lane():
    stranger = opening(lane="main", lifecycle=OTHER_DIGEST)
    line = stranger.record.encode()

    assert stranger.id == fold_lines(deal_lifecycle(), [line])["ticket"]
    assert {sha(line): "malformed"} == fold_lines(deal_lifecycle(), [line], any_digest=True)["quarantined"]


def test_an_opening_outside_the_control_lane_is_no_ticket_of_any_digest():
    wrong = min(
        (opening(subject=str(n), lane="sales", lifecycle=OTHER_DIGEST) for n in range(20)), key=lambda one: one.id
    )
    history = History("q: sales.quote")
    fold = Fold(deal_lifecycle(), history["o"], any_digest=True)

    assert Verdict(Code.MALFORMED) == fold.judge(wrong)
    assert wrong.id < history["o"]
    assert (
        history["o"]
        == (fold_lines(deal_lifecycle(), [wrong.record.encode(), *history.lines()], any_digest=True)["ticket"])
    )


def test_another_lifecycle_gives_codes_for_the_view_and_no_more():
    history = History(*SIGNED, "p: sales.amend < s")
    lines = [*history.lines()[:2], history.lines()[3]]
    result = fold_lines(deal_lifecycle(OTHER_DIGEST), lines)
    expected = TicketState().to_json() | {
        "ticket": history["o"],
        "codes": dict.fromkeys(history.ids("o q"), "lifecycle_unknown"),
        "pending": {history["p"]: [history["s"]]},
    }

    assert expected == result


def test_any_digest_lifts_the_comparison_with_the_file_but_not_with_the_opening():
    history = History("q: sales.quote")
    history.do("x: sales.quote", lifecycle=OTHER_DIGEST)
    result = fold_lines(deal_lifecycle(OTHER_DIGEST), history.lines(), any_digest=True)

    assert {"status": "inert", "code": "lifecycle"} == result["status"][history["x"]]
    assert {"status": "effective"} == result["status"][history["q"]]
    assert {} == result["codes"]


def fields_of(value: object) -> dict[str, object]:
    return {name: getattr(value, name) for name in value.__slots__}

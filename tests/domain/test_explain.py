import pytest

from crdt_sync.domain.lifecycle.explain import explain
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.lifecycle.phrases import CHINESE, ENGLISH
from tests.domain.histories import OTHER_DIGEST, History, deal_lifecycle, opening, patterns, row


def told(*spelled: str, language: str = "en") -> tuple[str, ...]:
    history = History(*spelled)
    return explain(history.lifecycle, history.fold(), language=language)


def test_a_new_ticket_is_explained_by_its_initial_states():
    assert (
        "The ticket is in the stage presale: work goes on as planned.",
        "Row 7 of 7 of the stage table is the first that fits: it fits whatever the lanes say.",
        "case is active, as at the beginning.",
        "Sales is lead, as at the beginning.",
        "tech is pending, as at the beginning.",
    ) == told()


def test_a_lane_is_explained_by_the_step_that_made_it_and_what_came_earlier():
    lines = told("q: sales.quote", "s: sales.sign < q")

    assert "Row 6 of 7 of the stage table is the first that fits: Sales is Signed." in lines
    assert "Sales is Signed: Sign by s." in lines
    assert "Earlier in Sales, and followed by someone who had seen it: quote by q." == lines[-1]


def test_the_same_is_told_in_chinese():
    lines = told("q: sales.quote", "s: sales.sign < q", "l: sales.lose < q", "x: sales.sign", language="zh")

    assert "工单处于“deal_disputed”阶段：需要有人关注。" == lines[0]
    assert "销售为“disputed”：s 的“签约”表示“已签约”、l 的“lose”表示“lost”，彼此事先都不知道对方的操作。" in lines
    assert "销售中x 的“签约”无效：x 当时看到销售为“lead”，而该步骤要求“quoted”。" in lines
    assert "待办：销售的“rule_signed或rule_lost”（由 sales_lead 执行），起因是s 的“签约”和l 的“lose”。" in lines


def test_agreeing_steps_are_named_together():
    assert "Sales is Signed: Sign by s and Sign by t agree." in told(
        "q: sales.quote", "s: sales.sign < q", "t: sales.sign < q"
    )


def test_a_conflict_names_both_sides_and_who_must_settle_it():
    lines = told("q: sales.quote", "s: sales.sign < q", "l: sales.lose < q")

    assert (
        "Sales is disputed: Sign by s says Signed, lose by l says lost, and none of them had seen the others." in lines
    )
    assert "To be done: rule_signed or rule_lost in Sales (by sales_lead), because of Sign by s and lose by l." in lines


def test_an_undeclared_conflict_names_its_states():
    lines = told("q: sales.quote", "s: sales.sign < q", "p: sales.park < q")

    assert "Sales is parked and Signed: Sign by s says Signed, park by p says parked, and none of them" in "\n".join(
        lines
    )


def test_an_obligation_of_several_lanes_names_each():
    lines = told("q: sales.quote", "s: sales.sign < q", "t: tech.start < s", "w: sales.withdraw < t")

    assert (
        "Row 1 of 7 of the stage table is the first that fits: Sales is withdrawn or lost and tech is not pending."
    ) == lines[1]
    assert "To be done: restart in tech (by tech), because of start by t and withdraw by w." in lines
    assert (
        "To be done: rule_signed or rule_lost in Sales (by sales_lead); or close in case (by backoffice), because of"
        " start by t and withdraw by w."
    ) in lines


def test_an_obligation_without_a_cause_is_told_without_one():
    history = History()
    base = history.lifecycle
    fields = {name: getattr(base, name) for name in base.__slots__}
    owing = type(base)(**fields | {"stages": (row("any", "normal", patterns(tech="*"), owes=[{"tech": "start"}]),)})
    history.lifecycle = owing
    lines = explain(owing, history.fold())

    assert "Row 1 of 1 of the stage table is the first that fits: it fits whatever the lanes say." in lines
    assert "To be done: start in tech (by tech)." in lines


def test_a_ticket_without_a_fitting_row_says_so():
    history = History()
    base = history.lifecycle
    history.lifecycle = type(base)(**{name: getattr(base, name) for name in base.__slots__} | {"stages": ()})

    assert (
        "No row of the stage table fits the lanes, so the ticket has no stage."
        == (explain(history.lifecycle, history.fold())[0])
    )


def test_a_step_that_a_newer_round_overtook_is_named_and_flagged():
    lines = told(
        "q: sales.quote", "l: sales.lose < q", "r: sales.revive < l", "s: sales.sign < q", "x: sales.quote < q"
    )

    assert (
        "Please review Sales: Sign by s did not take effect because Sales was started afresh at the same time; it must"
        " not be forgotten."
    ) in lines
    assert (
        "Sign by s in Sales was overtaken: revive by r started Sales afresh, and it belongs to what was before."
    ) in lines
    assert not any(line.startswith("Please review") and "quote by x" in line for line in lines)


def test_a_step_that_another_outran_is_named():
    assert "quote by n in Sales was overtaken: Sign by s reached further." in told(
        "q: sales.quote", "n: sales.quote", "s: sales.sign < q"
    )


def test_a_step_that_a_settlement_absorbed_is_named():
    lines = told("q: sales.quote", "s: sales.sign < q", "l: sales.lose < q", "r: sales.rule_signed < s, l",
                 "x: sales.lose < q")  # fmt: skip

    assert "lose by x in Sales was overtaken: rule_signed by r settled the dispute that it is part of." in lines


def test_differing_details_are_flagged_with_those_who_gave_them():
    lines = told("q: sales.quote", "s: sales.sign(a) < q", "t: sales.sign(b) < q", "u: sales.sign < q")

    assert "Please review Sales: Sign by s and Sign by t say the same but carry different details." in lines


@pytest.mark.parametrize(
    ("spelled", "changes", "reason"),
    [
        ("x: sales.quote", {"ticket": "a" * 52}, "it was made for another ticket"),
        ("x: sales.quote < o, q", {}, ENGLISH["inert_after"]),
        ("x: sales.quote", {"lifecycle": OTHER_DIGEST}, "it was made under another lifecycle than this ticket's"),
        ("x: sales.invent", {}, "the lifecycle has no such step"),
        ("x: kitchen.cook", {}, "the lifecycle has no such step"),
        ("x: sales.rule_lost", {"roles": ["a", "b"]}, "x acted as a, b, and only sales_lead may do this"),
        ("x: sales.rule_lost", {}, "Sales was lead in what x had seen, and the step needs disputed"),
        ("x: sales.revive < q", {}, "Sales was quoted in what x had seen, and the step needs withdrawn or lost"),
        ("x: tech.start < q", {}, "in what x had seen it was not so that Sales is Signed and case is not closed"),
        ("x: case.close < q", {}, "in what x had seen it was not so that the stage is cancelled or signed"),
    ],
)  # fmt: skip
def test_an_inert_step_is_named_with_its_reason(spelled, changes, reason):
    history = History("q: sales.quote")
    history.do(spelled, **changes)
    lines = explain(history.lifecycle, history.fold())
    (line,) = [line for line in lines if "has no effect" in line]

    assert line.endswith(f" has no effect: {reason}.")
    assert " by x in " in line


def test_every_transition_of_the_view_is_named():
    history = History("q: sales.quote", "s: sales.sign < q", "l: sales.lose < q", "r: sales.rule_signed < s, l",
                      "x: sales.lose < q", "i: tech.deliver", "t: tech.start < r", "n: sales.quote")  # fmt: skip
    text = "\n".join(explain(history.lifecycle, history.fold()))

    assert [] == [key for key in history.by_key if key != "o" and f" by {key}" not in text]


def test_what_waits_and_what_is_set_aside_is_counted():
    history = History("q: sales.quote", "s: sales.sign < q")
    history.by_key["x"] = opening(subject="another")
    lines = explain(history.lifecycle, history.fold(["o", "s", "x"]))

    assert (
        "Still waiting for something that has not arrived, and not counted above: 1.",
        "Set aside, as part of another ticket or no valid opening: 1.",
    ) == lines[-2:]


def test_a_ticket_that_is_not_opened_here_says_so():
    history = History("q: sales.quote")

    assert "This ticket has not been opened here yet." == explain(history.lifecycle, history.fold(["q"]))[0]


def test_a_ticket_of_an_unknown_lifecycle_says_so():
    history = History("q: sales.quote")
    fold = Fold(deal_lifecycle(OTHER_DIGEST), history["o"])
    for transition in history.by_key.values():
        fold.add(transition)

    assert ("This ticket follows a lifecycle that is not here yet, so none of its 2 steps can be judged.",) == explain(
        deal_lifecycle(OTHER_DIGEST), fold
    )


def test_both_languages_have_the_same_phrases_with_the_same_words():
    def words(text: str) -> set[str]:
        return {part.partition("}")[0] for part in text.split("{")[1:]}

    assert {key: words(text) for key, text in ENGLISH.items()} == {key: words(text) for key, text in CHINESE.items()}

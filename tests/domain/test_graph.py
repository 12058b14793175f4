"""Pictures of a lifecycle: golden files that people have looked at, and labels that no diagram takes for syntax."""

from pathlib import Path

import pytest

from crdt_sync.adapters.lifecycle_files import load, shipped
from crdt_sync.domain.lifecycle.graph import graph

FIXTURES = Path(__file__).parents[1] / "fixtures"
SOUND = (FIXTURES / "lifecycles" / "sound.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_small_lifecycle_is_drawn_as_it_was_looked_at(language):
    golden = (FIXTURES / "graphs" / f"small-desk.{language}.md").read_text(encoding="utf-8")
    assert golden == graph(load(SOUND), language=language)


def lines(text):
    return [line.strip() for line in graph(load(text)).split("\n")]


def test_english_is_the_language_that_is_not_asked_for():
    assert graph(load(SOUND), language="en") == graph(load(SOUND))


def test_an_order_is_drawn_by_what_stands_directly_above():
    drawn = lines(shipped()["connect-order"])
    assert "s_withdrawn : above Signed, Lost" in drawn
    assert "s_signed : above Quoted" in drawn


def test_a_conflict_is_dashed_and_has_an_edge_from_each_member():
    drawn = lines(shipped()["connect-order"])
    assert 'state "Signed or lost?" as s_disputed' in drawn
    assert "class s_disputed conflict" in drawn
    assert {"s_lost --> s_disputed : beside Signed", "s_signed --> s_disputed : beside Lost"} <= set(drawn)


def test_a_transition_is_drawn_from_each_of_its_sources_with_conditions_and_resets():
    drawn = lines(shipped()["connect-order"])
    assert {"s_lost --> s_quoted : Revive ↺", "s_withdrawn --> s_quoted : Revive ↺"} <= set(drawn)
    assert "s_halted --> s_provisioning : Resume ↺ (Sales = Signed)" in drawn
    assert "s_disputed --> s_signed : Rule that it is signed" in drawn
    assert "s_active --> s_closed : Close (Stage = Cancelled / Decommissioned / In service)" in drawn


def test_a_lane_begins_at_its_initial_state_and_may_end_at_a_final_one():
    drawn = lines(shipped()["connect-order"])
    assert {"[*] --> s_active", "s_archived --> [*]"} <= set(drawn)


def test_a_row_is_a_question_with_its_alternatives_and_an_answer_with_what_it_owes():
    drawn = lines(shipped()["connect-order"])
    assert 'q3["Sales = Lead / Quoted, Field engineering ≠ Pending"]' in drawn
    assert 'q2 -- "otherwise" --> q3' in drawn
    assert 'q2 -- "yes" --> s2(["Unwind what was built<br/>owes Dismantle"]):::compensation' in drawn
    (alternatives,) = [line for line in drawn if line.startswith("q5[")]
    assert 2 == alternatives.count("<br/>or ")


def test_a_row_that_matches_always_says_so():
    text = SOUND.replace('[{work: "*"}]', "{}")
    assert 'q3["always"]' in lines(text)
    assert 'q3["work = *"]' in lines(SOUND)


def test_a_label_is_never_taken_for_syntax():
    text = SOUND.replace("{en: Done,", '{en: "a: b;c\\n\\"d\\" #[e] %% ```",')
    assert 'state "a#58; b#59;c#10;#34;d#34; #35;#91;e#93; #37;#37; #96;#96;#96;" as s_done' in lines(text)


def test_a_title_stays_on_its_line():
    text = SOUND.replace("  over: {en", '  work: {en: "a\\n```b"}\n  over: {en')
    assert "### a\\n```b" in lines(text)
